"""`EventDecoder`: from the payload of a delivery to its event and the handlers for it.

Responsible for payloads that do not have their documented form: they are reported once, and become what can be read
of them. Collaborators: `models.events` (decoders), the router (`Handlers`), `log_once`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..models.events import Event, UnknownEvent, decode_odd
from ..models.frames import Frame
from .delivery import NO_MATCH, Delivery, Handler, HandlerMatch, Parked
from .log_once import OnceLogger


class Handlers(Protocol):
    """What the dispatcher asks of the router."""

    @property
    def matches(self) -> Mapping[str, HandlerMatch]:
        """The matches that were asked for, by wire name; emptied when handlers come or go."""
        ...

    def match_for(self, name: str) -> HandlerMatch:
        """Return what is done with events of this wire name."""
        ...

    def expected(self, name: str) -> bool:
        """Return whether handlers may wait for an event of this wire name, so that it is no surprise."""
        ...

    def match(self, event: Event) -> Sequence[Handler]:
        """Return the handlers for events of this kind, in order of registration."""
        ...

    @property
    def context(self) -> Callable[[Delivery, Event], object]:
        """Makes what the handlers are called with."""
        ...

    async def report(self, context: object, error: Exception, handler: str) -> None:
        """Report to the user that a handler failed. Must not raise."""
        ...


class EventDecoder:
    """Decodes deliveries for the handlers of `handlers`."""

    __slots__ = ("_handlers", "_matches", "_once_logger")

    def __init__(self, handlers: Handlers, once_logger: OnceLogger) -> None:
        self._handlers = handlers
        self._matches = handlers.matches
        self._once_logger = once_logger

    def decode_odd(self, frame: Frame, match: HandlerMatch, *, again: bool = False) -> tuple[Event, HandlerMatch]:
        """Make the best of a payload that does not have its documented form; `again`: it was reported before."""
        event = decode_odd(frame.t or "", frame.d, None if again else self._once_logger.surprise)
        if isinstance(event, UnknownEvent):
            match = HandlerMatch(
                match.decode, tuple(self._handlers.match(event)), is_message=False, around=match.around
            )
            self._once_logger.unknown(event)
        return event, match

    def unpark(self, delivery: Delivery) -> None:
        """Decode an event again that has waited behind its conversation."""
        if type(delivery.event) is not Parked:
            return
        frame = delivery.frame
        match = self._matches.get(frame.t or "") or self._handlers.match_for(frame.t or "")
        try:
            delivery.event, delivery.match = match.decode(frame.d), match
        except Exception:  # noqa: BLE001 - as the first time
            delivery.event, delivery.match = self.decode_odd(frame, match, again=True)


def park(delivery: Delivery) -> None:
    """Keep no more of an event than its ordering key, while it waits; what a handler waits for is kept."""
    if delivery.wait is None and type(delivery.event) is not Parked:
        delivery.event = Parked(delivery.key)
        delivery.match = NO_MATCH
