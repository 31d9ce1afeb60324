"""What log records carry about an event and its handler.

Responsible for the names and the values of the fields. Collaborators: `dispatcher` names the event that a worker is
at; `aio.log_fields` brings the fields to whatever logs. None of the names is an attribute of `logging.LogRecord`.
"""

import asyncio

from .._visible import visible_line
from ..errors import ConfigError
from ..lease import Lease
from ..models.events import Event, Replyable, user_of
from ..models.frames import Frame
from .delivery import Delivery
from .ordering import Ordering


def event_fields(event: Event, frame: Frame, lease: Lease | None, handler: str = "") -> dict[str, object]:
    """Return the fields of an event, and of the handler that runs for it; without what is not known.

    `event`: the wire name; `event_id`: the id of the envelope; `conversation`: scene and id; `user`: the author;
    `shard`: index/count; `handler`: module and qualified name.
    """
    fields = {
        "event": frame.t,
        "event_id": frame.id,
        "conversation": _conversation(event),
        "user": user_of(event),
        "shard": "" if lease is None else str(lease.shard),
        "handler": handler,
    }
    return {name: visible_line(value) for name, value in fields.items() if value}


def _conversation(event: Event) -> str:
    if isinstance(event, Replyable):
        try:
            target = event.reply_target()
        except ConfigError:  # a click that names no conversation
            return ""
        return f"{target.scene}:{target.id}"
    return event.ordering_key


class WorkerFields:
    """The fields of the event that one worker is at: `delivery` is the last one that it began."""

    __slots__ = ("_ordering", "_task", "delivery")

    def __init__(self, ordering: Ordering, task: "asyncio.Task[object]") -> None:
        self._ordering = ordering
        self._task = task
        self.delivery: Delivery | None = None

    def log_fields(self) -> dict[str, object]:
        """Return the fields; none between events, and in other tasks: an earlier event may have left them behind."""
        delivery = self.delivery
        if delivery is None or not self._is_current():
            return {}
        if self._ordering.running is delivery:
            handler = self._ordering.handler
        elif (handler := delivery.handler) is None:  # it has ended
            return {}
        return event_fields(
            delivery.event, delivery.frame, delivery.lease, "" if handler is None else handler.qualified_name
        )

    def _is_current(self) -> bool:
        try:
            return asyncio.current_task() is self._task
        except RuntimeError:  # in a thread
            return False
