"""`OnceLogger`: reports once for each kind of event that no handler takes it, or that it has an unexpected form.

Responsible for the texts, and for the memory of what was reported. Collaborators: `dispatcher` and `decoding`, which
find such events.
"""

import logging
from collections import Counter

from .._visible import visible_line
from ..models.events import UnknownEvent
from ..models.frames import SYSTEM_EVENTS

log = logging.getLogger(__name__)

MAX_REPORTED = 1024


class OnceLogger:
    """Logs each text once."""

    def __init__(self) -> None:
        self.surprises: Counter[tuple[str, str]] = Counter()  # for `Bot.stats`
        self._reported: set[str] = set()  # bounded, because names come from outside

    def unwanted(self, name: str) -> None:
        """Report that no handler takes events of this wire name."""
        if name not in self._reported and name not in SYSTEM_EVENTS and self._first_time(name):
            log.info("no handler for %s; to handle it: @bot.on(%.200r)", visible_line(name), name)

    def surprise(self, name: str, path: str) -> None:
        """Count a field that does not have its documented form."""
        self.surprises[name, path] += 1
        if self.surprises[name, path] == 1:
            log.warning(
                "%s: %s does not have its documented form; what could be read of it is used",
                visible_line(name),
                visible_line(path),
            )

    def unknown(self, event: UnknownEvent) -> None:
        """Report a payload that could not be used."""
        if event.error is not None and self._first_time(f"{event.name}: {event.error}"):
            log.warning(
                "%s does not fit its documented form and goes to UnknownEvent: %s",
                visible_line(event.name),
                visible_line(event.error),
            )

    def _first_time(self, text: str) -> bool:
        """True if this is to be logged: it was not before, and no flood of different texts came from outside."""
        if text in self._reported or len(self._reported) >= MAX_REPORTED:
            return False
        self._reported.add(text)
        return True
