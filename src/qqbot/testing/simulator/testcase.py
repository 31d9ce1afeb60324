"""A chat as a test: what people did in one conversation, and what the bot answered, as a pytest file.

Owns the writing of that file; what its names do is in `people` and in the pytest plugin.
"""

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .world import Conversation, Message, World

_MINUTE = 60.0

_HEAD = '''\
"""A chat on the simulator's page, as a test."""


async def test_chat(qq):
'''


@dataclass(slots=True)
class _Step:
    """Something that somebody did, and the messages of the bot that followed. `pause`: minutes before it."""

    deed: Message
    name: str
    pause: int
    replies: list[Message] = field(default_factory=list[Message])


def as_test(world: World, where: Conversation) -> str:
    """Return the test that has the same chat.  Raises: ValueError where nobody has said anything."""
    steps = _steps(world.messages(where))
    if not steps:
        raise ValueError("nobody has said anything here: there is nothing to test")
    people = _variables([step.deed.author for step in steps])
    lines = [f"{variable} = {_handle(world, where, name)}" for name, variable in people.items()]
    for step in steps:
        lines += ["", *_lines(step, steps, people)]
    return _HEAD + "".join(f"    {line}\n" if line else "\n" for line in lines)


def _steps(messages: list[Message]) -> list[_Step]:
    steps: list[_Step] = []
    before: float | None = None
    for message in messages:
        if message.sender == "user" and message.kind != "notice":
            pause = 0 if before is None else int((message.at - before) // _MINUTE)
            steps.append(_Step(message, f"reply{len(steps) + 1}", pause))
        elif message.sender == "bot" and steps:
            asked = (step for step in steps if step.deed.id == message.reply_to)
            next(asked, steps[-1]).replies.append(message)
        before = message.at
    return steps


def _variables(names: list[str]) -> dict[str, str]:
    """Return a Python name for everybody."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        variable = re.sub(r"\W", "_", name).lower()
        usable = variable.isidentifier() and not keyword.iskeyword(variable) and variable != "qq"
        if not usable or variable.startswith("reply") or variable in found.values():
            variable = f"user{len(found) + 1}"
        found[name] = variable
    return found


def _handle(world: World, where: Conversation, name: str) -> str:
    match where.scene:
        case "group":
            return f"qq.group({where.name!r}).member({name!r})"
        case "c2c":
            return f"qq.user({name!r})"
        case "channel":
            guild = world.find_guild(where.guild_id)
            return f"qq.channel({where.name!r}, guild={guild.name if guild else 'guild'!r}).member({name!r})"
        case "dms":
            return f"qq.dms({name!r})"


def _lines(step: _Step, steps: list[_Step], people: dict[str, str]) -> Iterator[str]:
    if step.pause:
        yield f"await qq.clock.advance(minutes={step.pause})"
    if step.deed.kind != "click":
        yield f"{step.name} = await {people[step.deed.author]}.say({_say_arguments(step.deed)})"
    elif (call := _click(step.deed, steps, people)) is not None:
        yield f"{step.name} = await {call}"
    else:
        yield f"# {step.deed.author} pressed {step.deed.button!r} on a message that the bot sent unasked"
        return
    yield from _assertions(step)


def _say_arguments(deed: Message) -> str:
    arguments = [repr(deed.text or "")]
    if not deed.mention:
        arguments.append("mention=False")
    if deed.attachments:
        arguments.append(f"attachments={deed.attachments!r}")
    return ", ".join(arguments)


def _click(deed: Message, steps: list[_Step], people: dict[str, str]) -> str | None:
    """Return the call that presses the same button, None where no reply has it."""
    for step in steps:
        with_buttons = [index for index, message in enumerate(step.replies) if message.keyboard]
        ids = [message.id for message in step.replies]
        if deed.reply_to not in ids:
            continue
        index = ids.index(deed.reply_to)
        who = people[deed.author]
        if with_buttons and with_buttons[0] == index:
            by = "" if step.deed.author == deed.author else f", by={who}"
            return f"{step.name}.click({deed.button!r}{by})"
        return f"{who}.click({step.name}.messages[{index}].id, {deed.button!r})"
    return None


def _assertions(step: _Step) -> Iterator[str]:
    match step.replies:
        case []:
            yield f"assert not {step.name}"
        case [reply]:
            yield f"assert {_expected(step.name, reply)}"
        case replies:
            said = [reply.markdown or reply.text for reply in replies]
            yield f"assert [each.markdown or each.text for each in {step.name}.messages] == {said!r}"


def _expected(name: str, reply: Message) -> str:
    if reply.markdown is not None:
        return f"{name}.markdown == {reply.markdown!r}"
    if reply.media is not None and reply.text is None:
        return f"{name}.media['kind'] == {reply.media.get('kind')!r}"
    return f"{name}.text == {reply.text!r}"
