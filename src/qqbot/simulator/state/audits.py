"""The review of guild messages: which of the next ones are held back, and what becomes of them.

Source: server-inter/channel/message/event.
"""

import secrets
from collections import deque
from dataclasses import dataclass

from ..wire import JsonObject
from ..wire.refusal import Refusal

PENDING, PENDING_REPLY = 304023, 304024


class PendingAudit(Refusal):
    """The message was taken, and waits for its review: HTTP 202."""

    def __init__(self, audit_id: str, *, is_reply: bool) -> None:
        code = PENDING_REPLY if is_reply else PENDING
        super().__init__(code, "push message is waiting for audit now", status=202)
        self._audit_id = audit_id

    def document(self, trace_id: str) -> JsonObject:
        """Return the body of the answer."""
        return {**super().document(trace_id), "data": {"message_audit": {"audit_id": self._audit_id}}}


@dataclass(frozen=True, slots=True)
class Review:
    """What becomes of one message; the verdict may come before the answer to the send."""

    passes: bool
    overtakes: bool
    delay: float

    @property
    def event(self) -> str:
        """The event that tells the verdict."""
        return "MESSAGE_AUDIT_PASS" if self.passes else "MESSAGE_AUDIT_REJECT"


class AuditService:
    """The reviews that are to come, in order; a message that finds none is shown at once."""

    def __init__(self) -> None:
        self._reviews: deque[Review] = deque()

    def expect(self, *, passes: bool = True, overtakes: bool = False, delay: float = 0.05) -> None:
        """Review the next guild message; the verdict comes `delay` seconds after the answer, or before it."""
        self._reviews.append(Review(passes, overtakes, delay))

    def next(self) -> Review | None:
        """Return the review that the next message gets."""
        return self._reviews.popleft() if self._reviews else None


def new_audit_id() -> str:
    """Return the name of one review."""
    return secrets.token_hex(16)
