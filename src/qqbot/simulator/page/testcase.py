"""A chat as a test: what users did in one conversation, and what the bot answered, as a pytest file.

Responsible for writing that file, so that it passes as it is: it has the files that were sent and the roles of
each moment, and every value is escaped. Collaborators: `people` and the pytest plugin define the names that it uses.
"""

import itertools
import json
import keyword
import re
import sys
import textwrap
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..actions import attachment_type
from ..platform import Platform, PlatformSettings
from ..state.world import Conversation, MessageRecord, Person
from ..wire import JsonObject, is_array, is_object, text_of

_MINUTE = 60.0

_MAX_FILE = 32 << 10
"""Bytes of a file that is written into the test; of a larger one the test has the size only."""

_RESERVED = ("qq", "bot", "pytest", "b64decode", "test_chat")
"""Names that the test uses itself."""

_OPTIONS = ("profile", "shards", "limits")
"""Options of the simulator that change what the bot may do."""


@dataclass(slots=True)
class _Step:
    """One action of a user, and the bot's messages that followed. `pause`: minutes before the action."""

    message: MessageRecord
    name: str
    pause: int
    replies: list[MessageRecord] = field(default_factory=list[MessageRecord])


def as_test(platform: Platform, where: Conversation) -> str:
    """Return a test with the same chat.  Raises: ValueError if the conversation has no messages."""
    return _Writer(platform, where).write()


class _Writer:
    """Writes the test of one conversation."""

    def __init__(self, platform: Platform, where: Conversation) -> None:
        self._platform = platform
        self._where = where
        self._steps = _steps(platform.world.messages(where))
        # The step and the index of each reply, by its id.
        self._replies = {reply.id: (step, index) for step in self._steps for index, reply in enumerate(step.replies)}
        self._people = _variables([step.message.author for step in self._steps])
        self._roles: dict[str, str] = {}  # of the people, as far as the test is written
        self._files: dict[bytes, str] = {}  # names of the constants with the bytes that were sent

    def write(self) -> str:
        """Return the test.  Raises: ValueError if the conversation has no messages."""
        if not self._steps:
            raise ValueError("this conversation has no messages yet: there is nothing to test")
        body = "".join(f"        {line}\n" if line else "\n" for line in self._body())
        return self._head() + body

    def _head(self) -> str:
        constants = [_constant(name, data) for data, name in self._files.items()]
        options = _options(self._platform.settings)
        imports = ["from base64 import b64decode", ""] if any("b64decode" in each for each in constants) else []
        lines = ['"""A chat on the simulator\'s page, as a test."""', "", *imports]
        lines += ["import pytest", ""] if options else []
        lines += [_import_of(self._platform.bots), *(["", *constants] if constants else []), "", ""]
        lines += [f"@pytest.mark.qq({options})"] if options else []
        return "\n".join([*lines, "async def test_chat(qq):", "    async with qq.run(bot):", ""])

    def _body(self) -> Iterator[str]:
        if domains := sorted(self._platform.registered_domains):
            yield f"qq.registered_domains.update({_literal(domains)})"
        if self._where.scene == "group" and self._where.bot_role != "member":
            yield f"qq.group({_text(self._where.name)}).bot_is_admin = True"
        for person in self._bystanders():
            yield self._handle(person, "member")
        first_messages = {step.message.author: step.message for step in reversed(self._steps)}
        for name, variable in self._people.items():
            first = first_messages[name]
            yield f"{variable} = {self._handle_of(name, first.role)}"
            self._roles[name] = first.role
        for step in self._steps:
            yield ""
            yield from self._lines(step)

    def _bystanders(self) -> list[Person]:
        """Return the people who are mentioned but say nothing: only a member can be mentioned."""
        if self._where.scene not in ("group", "channel"):
            return []
        said = "\n".join(step.message.text or "" for step in self._steps)
        others = [each for each in self._where.people.values() if each.name not in self._people]
        return [each for each in others if f"@{each.name}" in said]

    def _handle_of(self, name: str, role: str, *, changed: bool = False) -> str:
        return self._handle(self._platform.world.person(self._where, name), role, changed=changed)

    def _handle(self, person: Person, role: str, *, changed: bool = False) -> str:
        where, name = self._where, _text(person.name)
        guild = self._platform.world.find_guild(where.source_guild_id or where.guild_id)
        place = f", guild={_text(guild.name)}" if guild else ""
        given = f", role={_text(role)}" if changed or role != "member" else ""
        match where.scene:
            case "group" if where.all_messages:
                tag = ", mention_tag=True" if where.mention_tag else ""
                return f"qq.group({_text(where.name)}{place}, all_messages=True{tag}).member({name}{given})"
            case "group" | "channel":
                return f"qq.{where.scene}({_text(where.name)}{place}).member({name}{given})"
            case "c2c":
                return f"qq.user({name})"
            case "dms":
                return f"qq.dms({_text(where.name)}{place})"

    def _lines(self, step: _Step) -> Iterator[str]:
        message = step.message
        if step.pause:
            yield f"await qq.clock.advance(minutes={step.pause})"
        if message.role != self._roles[message.author]:
            self._roles[message.author] = message.role
            handle = self._handle_of(message.author, message.role, changed=True)
            yield f"{self._people[message.author]} = {handle}"
        call = self._click(message) if message.kind == "click" else self._saying(message)
        if call is None:
            what = f"{_text(message.author)} pressed {_text(message.button)}"
            yield f"# {what} on a message that the bot sent unasked"
            return
        if any(remark.get("kind") == "failed" for remark in message.remarks):
            yield "with qq.expect_error():"
            yield f"    {step.name} = await {call}"
        else:
            yield f"{step.name} = await {call}"
        yield from _assertions(step)

    def _saying(self, message: MessageRecord) -> str:
        """Return the call that sends the same message."""
        options = "" if message.mention or self._where.scene in ("c2c", "dms") else ", mention=False"
        who = self._people[message.author]
        if message.card is not None:
            return f"{who}.share({_literal(message.card)}{options})"
        if (quoted := self._replies.get(message.quote or "")) is not None:
            options += f", quote={_place(*quoted)}.id"
        files = [self._attachment(each) for each in message.attachments]
        if len(files) == 1 and quoted is None and files[0].startswith("qq.attachment(") and ", **" not in files[0]:
            text = f", text={_text(message.text)}" if message.text else ""
            return f"{who}.upload({files[0].removeprefix('qq.attachment(').removesuffix(')')}{text}{options})"
        if files:
            options += f", attachments=[{', '.join(files)}]"
        return f"{who}.say({_text(message.text or '')}{options})"

    def _attachment(self, attachment: JsonObject) -> str:
        """Return the call that stores the same file, or the wire form of a file that is not stored here."""
        file = self._platform.files.find(attachment.get("url"))
        if file is None:
            return _literal(attachment)
        name = text_of(attachment, "filename") or file.name
        expected = {"content_type": attachment_type(name), "filename": name}
        own = ("url", "size", "voice_wav_url")
        more = {key: value for key, value in attachment.items() if key not in own and expected.get(key) != value}
        fields = f", **{_literal(more)}" if more else ""
        return f"qq.attachment({self._constant_of(name, file.data)}, name={_text(name)}{fields})"

    def _constant_of(self, name: str, data: bytes) -> str:
        """Return the name of the constant with these bytes."""
        if data not in self._files:
            stem = re.sub(r"[^A-Z0-9_]", "_", name.upper())
            constant = stem if stem[:1].isalpha() else f"FILE_{stem}"
            while constant in self._files.values():
                constant += "_"
            self._files[data] = constant
        return self._files[data]

    def _click(self, message: MessageRecord) -> str | None:
        """Return the call that presses the same button; None if no reply has it."""
        found = self._replies.get(message.reply_to or "")
        if found is None:
            return None
        step, index = found
        button, who = _text(message.button), self._people[message.author]
        if any(reply.keyboard for reply in step.replies[:index]):  # `click` takes the first keyboard
            return f"{who}.click({_place(step, index)}.id, {button})"
        by = "" if step.message.author == message.author else f", by={who}"
        return f"{step.name}.click({button}{by})"


def _options(settings: PlatformSettings) -> str:
    """Return the options of the marker `qq` that differ from their defaults."""
    default = PlatformSettings(app_id="", secret="")
    values = {name: getattr(settings, name) for name in _OPTIONS}
    return ", ".join(f"{name}={_literal(each)}" for name, each in values.items() if each != getattr(default, name))


def _import_of(bots: list[object]) -> str:
    """Return the import of the bot that runs here, if a module has it; else a line to complete."""
    for bot in bots:
        bot = getattr(bot, "bot", bot)  # noqa: PLW2901 - a wrapper serves it in another way
        for module in list(sys.modules.values()):
            found = [name for name, value in list(getattr(module, "__dict__", {}).items()) if value is bot]
            if found and (source := _importable(module)):
                return f"from {source} import {found[0]}{'' if found[0] == 'bot' else ' as bot'}"
    return "from bot import bot  # the module of your bot"


def _importable(module: object) -> str:
    """Return the name by which a test beside the module imports it; '' if there is none."""
    name, file = str(getattr(module, "__name__", "")), getattr(module, "__file__", None)
    if name.startswith("__"):  # a file that a command runs
        name = Path(file).stem if file else ""
    return name if all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split(".")) else ""


def _constant(name: str, data: bytes) -> str:
    """Return the assignment of a file's bytes."""
    if len(data) > _MAX_FILE:
        return f"{name} = bytes({len(data)})  # too large to be written here: read the file that was sent"
    if len(data) <= 60:
        return f"{name} = {data!r}"
    lines = textwrap.wrap(b64encode(data).decode(), 100)
    return "\n".join([f'{name} = b64decode("""', *lines, '""")'])


def _steps(messages: list[MessageRecord]) -> list[_Step]:
    steps: list[_Step] = []
    asked: dict[str, _Step] = {}  # by the id of the user's message
    passed: float | None = None  # the time that the test has reached
    for message in messages:
        if message.sender == "user" and message.kind != "notice":
            passed = message.at if passed is None else passed
            pause = max(int((message.at - passed) // _MINUTE), 0)
            passed += _MINUTE * pause
            steps.append(_Step(message, f"reply{len(steps) + 1}", pause))
            asked[message.id] = steps[-1]
        elif message.sender == "bot" and steps:
            asked.get(message.reply_to or "", steps[-1]).replies.append(message)
    return steps


def _variables(names: list[str]) -> dict[str, str]:
    """Return a Python variable name for each person."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        # Python compares identifiers in this form.
        variable = unicodedata.normalize("NFKC", re.sub(r"\W", "_", name).lower())
        usable = variable.isidentifier() and not keyword.iskeyword(variable) and variable not in _RESERVED
        if not usable or variable.startswith("reply") or variable in taken:
            numbered = (f"user{number}" for number in itertools.count(len(found) + 1))
            variable = next(each for each in numbered if each not in taken)
        found[name] = variable
        taken.add(variable)
    return found


def _place(step: _Step, index: int) -> str:
    return f"{step.name}.messages[{index}]" if index else step.name


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
    """Return a text as Python source: a JSON string is a valid Python string literal.

    What is not visible is escaped too: it could change how the source looks.
    """
    if value is None:
        return "None"
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in quoted)
