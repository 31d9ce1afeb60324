"""What came before: messages by the handlers that took them, and events by how they ended.

Owns the memory and its bounds; `now` is seconds of a clock that only goes forward.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from .delivery import Handler

T = TypeVar("T")

REMEMBERED_MESSAGES = 4096
REMEMBERED_SECONDS = 300.0
REMEMBERED_EVENTS = 131_072


class Messages:
    """Which handlers had each of the last messages: the platform may deliver one twice, also under two names.

    At least the last `REMEMBERED_MESSAGES` are known.
    """

    def __init__(self) -> None:
        self._taken: dict[str, Sequence[Handler] | None] = {}  # None: nobody gets it any more
        self._older: dict[str, Sequence[Handler] | None] = {}

    def __contains__(self, message: str | None) -> bool:
        return message in self._taken or message in self._older

    def take(self, message: str, handlers: Sequence[Handler]) -> Sequence[Handler]:
        """Return those of `handlers` that have not had this message, and note that they get it now."""
        taken = self._taken
        if message in taken or message in self._older:
            return self._take_again(message, handlers)
        taken[message] = handlers
        if len(taken) >= REMEMBERED_MESSAGES:
            self._turn()
        return handlers

    def close(self, message: str) -> None:
        """Note that nobody is to get this message any more."""
        self._note(message, None)

    def forget(self, message: str) -> None:
        """Let the next delivery of this message run again."""
        self._taken.pop(message, None)
        self._older.pop(message, None)

    def _take_again(self, message: str, handlers: Sequence[Handler]) -> Sequence[Handler]:
        earlier = self._taken[message] if message in self._taken else self._older[message]
        if earlier is None:
            return ()
        fresh = tuple(handler for handler in handlers if handler not in earlier)
        self._note(message, (*earlier, *fresh))
        return fresh

    def _note(self, message: str, handlers: Sequence[Handler] | None) -> None:
        self._taken[message] = handlers
        if len(self._taken) >= REMEMBERED_MESSAGES:
            self._turn()

    def _turn(self) -> None:
        self._older, self._taken = self._taken, {}


class Events(Generic[T]):
    """What became of each event id: for at least `REMEMBERED_SECONDS`, or of the last `REMEMBERED_EVENTS`."""

    def __init__(self, now: float) -> None:
        self._known: dict[str, T] = {}
        self._older: dict[str, T] = {}
        self._turned = now

    def get(self, event_id: str) -> T | None:
        """Return what is known of this event."""
        found = self._known.get(event_id)
        return self._older.get(event_id) if found is None else found

    def put(self, event_id: str, value: T, now: float) -> None:
        """Remember `value` for this event."""
        if now - self._turned >= REMEMBERED_SECONDS or len(self._known) >= REMEMBERED_EVENTS:
            self._older, self._known, self._turned = self._known, {}, now
        self._known[event_id] = value

    def forget(self, event_id: str) -> None:
        """Know nothing of this event."""
        self._known.pop(event_id, None)
        self._older.pop(event_id, None)
