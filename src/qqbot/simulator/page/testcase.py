"""A chat as a test: what users did in one conversation, and what the bot answered, as a pytest file.

Responsible for writing that file. Collaborators: `people` and the pytest plugin define the names that it uses.
"""

import json
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..state.world import Conversation, MessageRecord, Person, World
from ..wire import is_array, is_object, text_of

_MINUTE = 60.0

_HEAD = '''\
"""A chat on the simulator's page, as a test."""

from bot import bot  # the module of your bot


async def test_chat(qq):
    async with qq.run(bot):
'''


@dataclass(slots=True)
class _Step:
    """One action of a user, and the bot's messages that followed. `pause`: minutes before the action."""

    message: MessageRecord
    name: str
    pause: int
    replies: list[MessageRecord] = field(default_factory=list[MessageRecord])


def as_test(world: World, where: Conversation) -> str:
    """Return a test with the same chat.  Raises: ValueError if the conversation has no messages."""
    steps = _steps(world.messages(where))
    if not steps:
        raise ValueError("this conversation has no messages yet: there is nothing to test")
    people = _variables([step.message.author for step in steps])
    lines = [f"{variable} = {_handle(world, where, world.person(where, name))}" for name, variable in people.items()]
    for step in steps:
        lines += ["", *_lines(step, steps, people)]
    return _HEAD + "".join(f"        {line}\n" if line else "\n" for line in lines)


def _steps(messages: list[MessageRecord]) -> list[_Step]:
    steps: list[_Step] = []
    before: float | None = None
    for message in messages:
        if message.sender == "user" and message.kind != "notice":
            pause = 0 if before is None else int((message.at - before) // _MINUTE)
            steps.append(_Step(message, f"reply{len(steps) + 1}", pause))
        elif message.sender == "bot" and steps:
            asked = (step for step in steps if step.message.id == message.reply_to)
            next(asked, steps[-1]).replies.append(message)
        before = message.at
    return steps


def _variables(names: list[str]) -> dict[str, str]:
    """Return a Python variable name for each person."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        variable = re.sub(r"\W", "_", name).lower()
        usable = variable.isidentifier() and not keyword.iskeyword(variable) and variable not in ("qq", "bot")
        if not usable or variable.startswith("reply") or variable in found.values():
            variable = f"user{len(found) + 1}"
        found[name] = variable
    return found


def _handle(world: World, where: Conversation, person: Person) -> str:
    name, guild = _text(person.name), world.find_guild(where.source_guild_id or where.guild_id)
    place = f"{_text(where.name)}, guild={_text(guild.name)}" if guild else _text(where.name)
    role = "" if person.role == "member" else f", role={_text(person.role)}"
    match where.scene:
        case "group" if where.all_messages:
            tag = ", mention_tag=True" if where.mention_tag else ""
            return f"qq.group({place}, all_messages=True{tag}).member({name}{role})"
        case "group" | "channel":
            return f"qq.{where.scene}({place}).member({name}{role})"
        case "c2c":
            return f"qq.user({name})"
        case "dms":
            return f"qq.dms({place})"


def _lines(step: _Step, steps: list[_Step], people: dict[str, str]) -> Iterator[str]:
    if step.pause:
        yield f"await qq.clock.advance(minutes={step.pause})"
    call = _click(step.message, steps, people) if step.message.kind == "click" else _saying(step.message, steps, people)
    if call is None:
        yield f"# {step.message.author} pressed {_text(step.message.button)} on a message that the bot sent unasked"
        return
    yield f"{step.name} = await {call}"
    yield from _assertions(step)


def _saying(message: MessageRecord, steps: list[_Step], people: dict[str, str]) -> str:
    """Return the call that sends the same message; an attached file must be beside the test, under its name."""
    mention = message.mention or message.conversation.scene in ("c2c", "dms")
    options = "" if mention else ", mention=False"
    who = people[message.author]
    if message.card is not None:
        return f"{who}.share({_literal(message.card)}{options})"
    if message.attachments:
        text = f", text={_text(message.text)}" if message.text else ""
        return f"{who}.upload({_text(text_of(message.attachments[0], 'filename'))}{text}{options})"
    quoted = _reply(message.quote, steps)
    if quoted is not None:
        options += f", quote={_place(*quoted)}.id"
    return f"{who}.say({_text(message.text or '')}{options})"


def _reply(message_id: str | None, steps: list[_Step]) -> tuple[_Step, int] | None:
    """Return the step and the index of a reply; None if the id is not that of a reply."""
    for step in steps:
        for index, reply in enumerate(step.replies):
            if reply.id == message_id:
                return step, index
    return None


def _place(step: _Step, index: int) -> str:
    return f"{step.name}.messages[{index}]" if index else step.name


def _click(message: MessageRecord, steps: list[_Step], people: dict[str, str]) -> str | None:
    """Return the call that presses the same button; None if no reply has it."""
    found = _reply(message.reply_to, steps)
    if found is None:
        return None
    step, index = found
    button, who = _text(message.button), people[message.author]
    if any(reply.keyboard for reply in step.replies[:index]):  # `click` takes the first keyboard
        return f"{who}.click({_place(step, index)}.id, {button})"
    by = "" if step.message.author == message.author else f", by={who}"
    return f"{step.name}.click({button}{by})"


def _assertions(step: _Step) -> Iterator[str]:
    match step.replies:
        case []:
            yield f"assert not {step.name}"
        case [reply]:
            yield f"assert {_expected(step.name, reply)}"
        case replies:
            said = ", ".join(_text(reply.markdown or reply.text) for reply in replies)
            yield f"assert [each.markdown or each.text for each in {step.name}.messages] == [{said}]"


def _expected(name: str, reply: MessageRecord) -> str:
    if reply.markdown is not None:
        return f"{name}.markdown == {_text(reply.markdown)}"
    if reply.media is not None and reply.text is None:
        return f'{name}.media["kind"] == {_text(text_of(reply.media, "kind"))}'
    return f"{name}.text == {_text(reply.text)}"


def _literal(value: object) -> str:
    """Return a JSON document as Python source."""
    if is_object(value):
        return f"{{{', '.join(f'{_text(name)}: {_literal(item)}' for name, item in value.items())}}}"
    if is_array(value):
        return f"[{', '.join(map(_literal, value))}]"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str | None) -> str:
    """Return a text as Python source: a JSON string is a valid Python string literal."""
    return "None" if value is None else json.dumps(value, ensure_ascii=False)
