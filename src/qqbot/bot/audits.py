"""`Audits`: the verdicts on messages that the platform reviews before it shows them.

Responsible for remembering the last verdicts, and for the callers that wait for one: the event can overtake the answer
to the send. Collaborators: `bot` registers the handler that passes the verdicts on. It sends nothing.

Source: server-inter/channel/message/event
"""

import asyncio
from collections import OrderedDict, defaultdict

from ..errors import ConfigError, MessagePendingAudit, Timeout
from ..models.events import MessageAuditPass, MessageAuditReject

KEPT = 256

AuditOutcome = MessageAuditPass | MessageAuditReject
"""The end of a review."""


class Audits:
    """The verdicts on the messages of one bot, the last 256 of them."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[str, AuditOutcome] = OrderedDict()  # by audit_id, for callers that come later
        self._waiting: defaultdict[str, list[asyncio.Future[AuditOutcome]]] = defaultdict(list)  # by audit_id

    def take(self, verdict: AuditOutcome) -> None:
        """Keep a verdict, and return it to the callers that wait for it."""
        self._verdicts[verdict.audit_id] = verdict
        if len(self._verdicts) > KEPT:
            self._verdicts.popitem(last=False)
        for waiter in self._waiting.pop(verdict.audit_id, ()):
            if not waiter.done():  # its caller may have been cancelled
                waiter.set_result(verdict)

    async def result(self, error: MessagePendingAudit, timeout: float) -> AuditOutcome:
        """Return the verdict on the message whose send raised `error`; `timeout` in seconds.

        Raises: ConfigError when the platform named no audit, Timeout.
        """
        if not error.audit_id:
            raise ConfigError("the platform named no audit_id: the verdict cannot be told from others")
        if (verdict := self._verdicts.get(error.audit_id)) is not None:
            return verdict
        waiter: asyncio.Future[AuditOutcome] = asyncio.get_running_loop().create_future()
        waiters = self._waiting[error.audit_id]
        waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):  # not wait_for: before Python 3.12 it can lose a cancellation
                return await waiter
        except TimeoutError:
            raise Timeout(f"no verdict on the message within {timeout:g} s; it may still be shown") from None
        finally:
            waiters.remove(waiter)
            if (
                not waiters and self._waiting.get(error.audit_id) is waiters
            ):  # a later caller may have a list of its own
                self._waiting.pop(error.audit_id, None)
