"""Audits of guild messages.

Responsible for the queue of the audits that the next guild messages go through, and for the 202 answer to such a send.
Collaborators: `endpoints.sending` runs an audit and pushes its result.

Source: server-inter/channel/message/event.
"""

import secrets
from collections import deque
from dataclasses import dataclass

from ..wire import JsonObject
from ..wire.refusal import Refusal

_MAX_EXPECTED = 1000

PENDING, PENDING_REPLY = 304023, 304024


class PendingAudit(Refusal):
    """The answer to a message that was accepted and waits for its audit: HTTP 202."""

    def __init__(self, audit_id: str, *, is_reply: bool) -> None:
        code = PENDING_REPLY if is_reply else PENDING
        super().__init__(code, "push message is waiting for audit now", status=202)
        self._audit_id = audit_id

    def document(self, trace_id: str) -> JsonObject:
        """Return the body of the answer."""
        return {**super().document(trace_id), "data": {"message_audit": {"audit_id": self._audit_id}}}


@dataclass(frozen=True, slots=True)
class Review:
    """How the audit of one message ends.

    `overtakes`: the result is pushed before the send is answered. `delay`: seconds between the answer and the result.
    """

    passes: bool
    overtakes: bool
    delay: float

    @property
    def event(self) -> str:
        """The event that reports the result."""
        return "MESSAGE_AUDIT_PASS" if self.passes else "MESSAGE_AUDIT_REJECT"


class AuditService:
    """Queue of expected audits; a message that is sent while it is empty is shown at once."""

    def __init__(self) -> None:
        # One entry for each of the next messages, in the order in which they are sent.
        self._reviews: deque[Review] = deque()

    def expect(self, *, passes: bool = True, overtakes: bool = False, delay: float = 0.05) -> None:
        """Audit the next guild message; the result is pushed `delay` seconds after the answer, or before it.

        Raises: ValueError if 1000 are expected already.
        """
        if len(self._reviews) >= _MAX_EXPECTED:
            raise ValueError(f"{_MAX_EXPECTED} reviews are expected already: send messages first")
        self._reviews.append(Review(passes, overtakes, delay))

    def next(self) -> Review | None:
        """Remove and return the audit of the message that is being sent; None if it needs no audit."""
        return self._reviews.popleft() if self._reviews else None


def new_audit_id() -> str:
    """Return a new audit id."""
    return secrets.token_hex(16)
