"""What a bot says that it did: when each of its handlers began and ended, and what became of its answers.

A line for each step, so that the record of a process that is killed ends where the process did.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

Word = Literal["begin", "end", "sent", "unsent", "again", "expired"]


@dataclass(slots=True)
class Handled:
    """One run of a handler; times are monotonic, in seconds, `end` None while it lasts or where it never ended."""

    key: str
    begin: float
    end: float | None = None


@dataclass(slots=True)
class Record:
    """The record of one process.

    `sent`: the answers that went out, by their text; `unsent`: those that failed, and why; `again`: those to a message
    that had been answered under the same number before; `expired`: dialogs that waited in vain.
    """

    runs: list[Handled] = field(default_factory=list[Handled])
    sent: set[str] = field(default_factory=set[str])
    unsent: dict[str, str] = field(default_factory=dict[str, str])
    again: set[str] = field(default_factory=set[str])
    expired: set[str] = field(default_factory=set[str])
    unfinished: dict[str, Handled] = field(default_factory=dict[str, Handled])
    steps: int = 0

    def note(self, word: Word, what: str, at: float, detail: str = "") -> None:
        """Take one step in."""
        self.steps += 1
        match word:
            case "begin":
                self.unfinished[what] = run = Handled(what, at)
                self.runs.append(run)
            case "end":
                self.unfinished.pop(what).end = at
            case "sent":
                self.sent.add(what)
            case "unsent":
                self.unsent[what] = detail
            case "again":
                self.again.add(what)
            case _:
                self.expired.add(what)

    def take(self, lines: Iterable[str]) -> None:
        """Take in what was written to a file."""
        for line in lines:
            word, at, what, detail = line.split("\t")
            self.note(cast(Word, word), what, float(at), detail)

    def clear(self) -> None:
        """Forget what is over."""
        self.runs.clear()
        self.clear_answers()

    def clear_answers(self) -> None:
        """Forget the answers."""
        self.sent.clear()
        self.unsent.clear()
        self.again.clear()
        self.expired.clear()


Note = Callable[[Word, str, str], None]
"""Takes a step, what it is about, and a detail."""


def into(record: Record) -> Note:
    """Return what notes steps in a record."""

    def note(word: Word, what: str, detail: str = "") -> None:
        record.note(word, what, time.monotonic(), detail)

    return note


def into_file(path: Path) -> Note:
    """Return what notes steps in a file; what is written outlives the process."""
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def note(word: Word, what: str, detail: str = "") -> None:
        clean = detail.replace("\t", " ").replace("\n", " ")
        os.write(file, f"{word}\t{time.monotonic()}\t{what}\t{clean}\n".encode())

    return note
