"""`QueueSink`: an `EventSink` inside one process, with a bounded queue between intake and logic.

Responsible for the queue and its acknowledgements. Collaborators: `forwarder` (publishes to it), the user's workers
(iterate over it). It keeps nothing beyond the process.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from ..models.ingest import Envelope, Fence


class QueuedEvent(Struct, eq=False):
    """One event from the queue, to be acknowledged or retried."""

    envelope: Envelope
    stored: "asyncio.Future[None]"  # done when the event is acknowledged; failed if its batch has to come again

    def ack(self) -> None:
        """Acknowledge the event: its seq may be saved."""
        if not self.stored.done():
            self.stored.set_result(None)

    def retry(self, reason: str) -> None:
        """Reject the event because of `reason`: its whole batch comes again."""
        if not self.stored.done():
            self.stored.set_exception(RuntimeError(reason))


class QueueSink:
    """An `EventSink` whose `publish` returns when every event of the batch was acknowledged.

    ::

        async for delivery in sink:
            await worker.handle(delivery.envelope)
            delivery.ack()

    Iterate in as many tasks as should work at once; `size` bounds the events that wait. Handlers behind it cannot use
    `wait_for`: the event that they wait for comes after they have ended.
    """

    def __init__(self, size: int = 256) -> None:
        self._queue: asyncio.Queue[QueuedEvent] = asyncio.Queue(size)

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:  # noqa: ARG002 - one owner in one process
        """Queue the events and wait until all are acknowledged.  Raises: RuntimeError if one was rejected."""
        loop = asyncio.get_running_loop()
        deliveries = [QueuedEvent(envelope, loop.create_future()) for envelope in batch]
        for delivery in deliveries:
            await self._queue.put(delivery)
        ends = await asyncio.gather(*(delivery.stored for delivery in deliveries), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def __aiter__(self) -> AsyncIterator[QueuedEvent]:
        """Iterate over the events as they come, forever."""
        while True:
            yield await self._queue.get()
