"""What is logged once for each kind of event: that nobody handles it, or that it has an unexpected form.

Owns the words and what was said already.
"""

import logging
from collections import Counter

from ..models.events import UnknownEvent
from ..models.frames import SYSTEM_EVENTS

log = logging.getLogger(__name__)

REMEMBERED_WORDS = 1024


class OnceLogger:
    """Says each thing once."""

    def __init__(self) -> None:
        self.surprises: Counter[tuple[str, str]] = Counter()
        self._said: set[str] = set()

    def unwanted(self, name: str) -> None:
        """Nobody handles events of this wire name."""
        if name not in self._said and name not in SYSTEM_EVENTS and self._first_time(name):
            log.info("nobody handles %s; to handle it: @bot.on(%r)", name, name)

    def surprise(self, name: str, path: str) -> None:
        """A field did not have its documented form: count it."""
        self.surprises[name, path] += 1
        if self.surprises[name, path] == 1:
            log.warning("%s: %s does not have its documented form; what could be read of it is used", name, path)

    def unknown(self, event: UnknownEvent) -> None:
        """A payload could not be used."""
        if event.error is not None and self._first_time(f"{event.name}: {event.error}"):
            log.warning("%s does not fit its documented form and goes to UnknownEvent: %s", event.name, event.error)

    def _first_time(self, words: str) -> bool:
        """Whether to log this; False once it was, and when a flood of different ones came from outside."""
        if words in self._said or len(self._said) >= REMEMBERED_WORDS:
            return False
        self._said.add(words)
        return True
