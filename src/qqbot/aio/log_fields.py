"""`log_fields`: what log records carry about the work of the current task.

Responsible for the context variable that names what a task works on, and for the filter that adds these fields to
records of any logger. Collaborators: the dispatcher's workers are such tasks; `api` and `bot` log with the fields.
Fields are made when something is logged, and at no other time.
"""

import logging
from contextvars import ContextVar
from typing import Protocol

from .._visible import visible_line


class FieldSource(Protocol):
    """What a task works on, as fields of a log record."""

    def log_fields(self) -> dict[str, object]:
        """Return the fields; none if the current task does not do this work."""
        ...


log_source: ContextVar[FieldSource | None] = ContextVar("qqbot_log_source", default=None)
"""What the current task works on; tasks that it creates inherit it, so a source has to know its own task."""


def log_fields(**more: str | None) -> dict[str, object]:
    """Return the fields of the current task's work, for `extra=` of a log call; with `more`, except what is None."""
    source = log_source.get()
    fields = {} if source is None else source.log_fields()
    fields.update((name, visible_line(value)) for name, value in more.items() if value is not None)
    return fields


class LogFields(logging.Filter):
    """Adds event, event_id, conversation, user, shard and handler to what is logged while a handler runs.

    Add it to a logging handler, not to a logger: `stream.addFilter(LogFields())`. Records of every library get the
    fields if they are logged in the handler's own task; for other tasks there is `extra=ctx.log_fields()`. It
    overwrites nothing, and drops no record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields that the record does not have; return True."""
        for name, value in log_fields().items():
            record.__dict__.setdefault(name, value)
        return True
