"""Commands: which of them a message calls, and what is answered if its arguments do not fit.

Responsible for the names of commands, for finding the one that a message calls (`CommandIndex`), and for the usage
answer. Collaborators: `arguments` (reads the arguments), `handler_table` (a command is one kind of handler there). It
registers and runs nothing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from ..errors import ConfigError, UsageError
from ..models.events import MessageEvent
from ..models.messages import GroupMessage
from ..models.text import SLASHES, fold, strip_leading_mentions
from .arguments import Signature, is_chinese
from .context import Context

T = TypeVar("T")

_WORD = re.compile(r"\s*((?:[^\s<]|<(?!@|qqbot-at-))+)")  # a mention may follow without a blank
_NUMBER = re.compile(r"[-+]?\d")


class Command(Struct, frozen=True):
    """What is declared of a command: its `names` without the slash, the one that is shown first.

    `prefix`: those of its routers. `only_admins`: the platform's panel shows it to administrators only.
    """

    names: tuple[str, ...]
    summary: str
    signature: Signature
    prefix: tuple[str, ...] = ()
    only_admins: bool = False

    @property
    def label(self) -> str:
        """How it is called: "/name", with the prefix of its routers."""
        return "/" + " ".join((*self.prefix, self.names[0]))

    @property
    def usage(self) -> str:
        """The line that shows how it is used."""
        return f"{self.label} {self.signature.usage}".rstrip()

    def calls(self) -> Iterator[tuple[str, ...]]:
        """Yield the words that call it, one for each name, as `fold` makes them equal."""
        for name in self.names:
            yield (*(fold(word) for word in self.prefix), fold(name))

    def line_of(self, text: str) -> str | None:
        """Return what follows the name in a message text; None if the text does not call this command."""
        text = called_text(text)
        calls = list(self.calls())
        lines = (_after(text, call, number=False) for call in calls)
        line = next((line for line in lines if line is not None), None)
        if line is None and self.signature.starts_with_number:
            lines = (_after(text, call, number=True) for call in calls)
            line = next((line for line in lines if line is not None), None)
        return line


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a command without their slashes.

    Raises: ConfigError for an empty name, one with blanks, or a name that is given twice.
    """
    cleaned: list[str] = []
    for name in names:
        word = name[1:] if name[:1] in SLASHES else name
        if not word or word.split() != [word] or "<" in word:
            raise ConfigError(f"{name!r} is no name of a command: it is one word, such as 'top'. 命令名应为一个词")
        cleaned.append(word)
    if len({fold(name) for name in cleaned}) < len(cleaned):
        raise ConfigError(f"a command has one of the names {', '.join(cleaned)} twice. 命令名重复")
    return tuple(cleaned)


def called_text(text: str) -> str:
    """Return the text after the slash of a command, '' if it is none."""
    text = strip_leading_mentions(text)
    return text[1:] if text.startswith(SLASHES) else ""


def _after(text: str, call: Sequence[str], *, number: bool) -> str | None:
    """Return what follows the words of `call`; with `number`, a number follows the last one without a blank."""
    at = 0
    for place, wanted in enumerate(call):
        found = _WORD.match(text, at)
        if found is None or (place == 0 and found.start(1) > 0):
            return None
        word = fold(found[1])
        at = found.end()
        if word == wanted:
            continue
        last = place == len(call) - 1
        if number and last and word.startswith(wanted) and _NUMBER.match(word, len(wanted)):
            return word[len(wanted) :] + text[at:]
        return None
    return None if number else text[at:].strip()


class CommandIndex(Generic[T]):
    """Finds, among `entries` with their commands, those that a message calls."""

    def __init__(self, entries: Iterable[tuple[Command, T]]) -> None:
        self._by_call: dict[tuple[str, ...], list[T]] = {}
        self._numbers: list[tuple[tuple[str, ...], T]] = []
        for command, entry in entries:
            for call in command.calls():
                self._by_call.setdefault(call, []).append(entry)
                if command.signature.starts_with_number:
                    self._numbers.append((call, entry))
        self._numbers.sort(key=lambda found: len(found[0][-1]), reverse=True)
        self._longest = max(map(len, self._by_call), default=0)

    def find(self, event: MessageEvent) -> Iterator[T]:
        """Yield what a message calls: the exact names first, and of those the longest."""
        text = called_text(event.text_without_mention(""))
        if not text or _is_for_another_bot(event):
            return
        words: list[str] = []
        at = 0
        while len(words) < self._longest and (found := _WORD.match(text, at)) and (words or not found.start(1)):
            words.append(fold(found[1]))
            at = found.end()
        for count in range(len(words), 0, -1):
            yield from self._by_call.get(tuple(words[:count]), ())
        for call, entry in self._numbers:
            if _after(text, call, number=True) is not None:
                yield entry


def _is_for_another_bot(event: MessageEvent) -> bool:
    """True if a message in a group mentions other bots, but not this one: its command is for them."""
    return isinstance(event, GroupMessage) and not event.mentions_bot("") and any(one.bot for one in event.mentions)


async def answer_usage(ctx: Context[Any], error: UsageError, command: Command) -> None:
    """Answer with what does not fit and how the command is used, in the language of the user or the command.

    Raises: what a reply raises.
    """
    if is_chinese(ctx.text + command.summary + "".join(command.names)):
        await ctx.reply(f"{error.problem.zh}\n用法：{command.usage}")
    else:
        await ctx.reply(f"{error.problem.en}\nUsage: {command.usage}")
