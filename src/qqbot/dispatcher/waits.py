"""The open `wait_for`s: which events a suspended handler waits for, and in which conversation.

Owns the look-up; what becomes of the handler is the dispatcher's.
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from ..errors import ConfigError
from ..models.events import ALIASES, EVENTS, Event, UnknownEvent


class Wanted(Struct, frozen=True):
    """What a handler waits for: an event of `kinds` for which `when` holds, in its conversation or `anywhere`."""

    kinds: tuple[type[Event], ...]
    when: Callable[[Any], bool] | None = None
    anywhere: bool = False


MAX_WAITS = 2048
ANYWHERE = ""


class Wait(Struct, eq=False):
    """One open `wait_for`: the handler of `waiter` waits for what is `wanted` in the conversation `place`."""

    wanted: Wanted
    place: str
    waiter: Any  # the Delivery
    future: Any  # of the Delivery that it takes


Failed = Callable[[Wait, Exception], None]
"""Called with a wait that is closed because its predicate raised."""


def place_of(ordering_key: str) -> str:
    """Return the conversation of a lane: a click has a lane of its own, but happens in the same place."""
    return ordering_key.removeprefix("interaction:")


class Waits:
    """The open waits of one dispatcher, oldest first."""

    def __init__(self) -> None:
        self._places: dict[str, dict[Wait, None]] = {}
        self._kinds: dict[type[Event], int] = {}
        self.open = 0

    def add(self, wait: Wait) -> None:
        """Open a wait.  Raises: ConfigError when that would be one too many."""
        if self.open >= MAX_WAITS:
            raise ConfigError(
                f"{MAX_WAITS} wait_for are open already: give them a timeout=, or keep long dialogs in a database"
            )
        self.open += 1
        self._places.setdefault(wait.place, {})[wait] = None
        for kind in wait.wanted.kinds:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1

    def remove(self, wait: Wait) -> bool:
        """Close a wait; False when it was closed already."""
        here = self._places.get(wait.place, {})
        if wait not in here:
            return False
        del here[wait]
        if not here:
            del self._places[wait.place]
        for kind in wait.wanted.kinds:
            self._kinds[kind] -= 1
            if not self._kinds[kind]:
                del self._kinds[kind]
        self.open -= 1
        return True

    def __contains__(self, wait: Wait) -> bool:
        return wait in self._places.get(wait.place, ())

    def cancel(self) -> None:
        """Cancel whoever waits."""
        for waits in self._places.values():
            for wait in waits:
                wait.future.cancel()

    def may_want(self, name: str) -> bool:
        """Whether any open wait could take an event of this wire name."""
        kind = EVENTS.get(ALIASES.get(name, name), UnknownEvent)
        return any(issubclass(kind, wanted) for wanted in self._kinds)

    def take(self, wait: Wait, event: Event, failed: Failed) -> bool:
        """Whether the open `wait` takes `event`, which came before it was opened; then it is closed."""
        here = place_of(event.ordering_key)
        if wait not in self._places.get(wait.place, ()) or (wait.place and here and wait.place != here):
            return False
        if isinstance(event, wait.wanted.kinds) and self._holds(wait, event, failed):
            return self.remove(wait)
        return False

    def find(self, event: Event, failed: Failed) -> Wait | None:
        """Return the wait that takes `event`, the oldest first, and close it. `failed` hears of raising predicates."""
        for wait in tuple(self._candidates(place_of(event.ordering_key))):
            gave_up = wait.future.done()  # and will be removed as soon as its task runs
            if not gave_up and isinstance(event, wait.wanted.kinds) and self._holds(wait, event, failed):
                self.remove(wait)
                return wait
        return None

    def _candidates(self, place: str) -> Iterator[Wait]:
        """What waits in `place` comes first. An event that belongs to no conversation is offered in all of them."""
        if place:
            yield from self._places.get(place, ())
            yield from self._places.get(ANYWHERE, ())
            return
        for waits in self._places.values():
            yield from waits

    def _holds(self, wait: Wait, event: Event, failed: Failed) -> bool:
        try:
            return wait.wanted.when is None or wait.wanted.when(event)
        except Exception as error:  # noqa: BLE001 - the predicate is the user's: its error goes to who waits
            self.remove(wait)
            failed(wait, error)
            return False
