"""`Completion`: who learns that an event has ended.

Responsible for the order in which the source, the deduplicator and the listeners learn it. Collaborators: `dedupe`,
`sources`. What an event holds until then is released before, by `dispatcher` and `waiters`.
"""

import logging

from ..models.outcome import Outcome
from .dedupe import Deduplicator
from .delivery import UNDECODED, Delivery, Settled
from .log_fields import event_fields

log = logging.getLogger(__name__)


class Completion:
    """Ends events; `listeners` are called with each event id and its outcome."""

    __slots__ = ("_dedupe", "listeners")

    def __init__(self, dedupe: Deduplicator) -> None:
        self._dedupe = dedupe
        self.listeners: list[Settled] = []

    def complete(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Count an event as finished that holds nothing any more; None: it was given up."""
        delivery.source.finish(delivery, outcome)
        if delivery.event is not UNDECODED:  # else the deduplicator does not know it
            self._dedupe.settled(delivery, outcome)

    def report(self, delivery: Delivery, outcome: Outcome) -> None:
        """Call the listeners."""
        for callback in tuple(self.listeners):
            try:
                callback(delivery.frame.id or "", outcome)
            except Exception:
                fields = event_fields(delivery.event, delivery.frame, delivery.lease)
                log.exception("an on_settled callback failed", extra=fields)
