"""`QueueSink`: intake and logic apart inside one process, with a bounded queue in between.

Owns the queue and its acknowledgements; it keeps nothing beyond the process.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from ..models.ingest import Envelope, Fence


class QueuedEvent(Struct, eq=False):
    """One event that was taken out of the queue."""

    envelope: Envelope
    stored: "asyncio.Future[None]"

    def ack(self) -> None:
        """The event is done: its seq may be saved."""
        if not self.stored.done():
            self.stored.set_result(None)

    def retry(self, reason: str) -> None:
        """The event is not done: its whole batch comes again."""
        if not self.stored.done():
            self.stored.set_exception(RuntimeError(reason))


class QueueSink:
    """An `EventSink` whose `publish` returns when every event of the batch was acknowledged.

    ::

        async for delivery in sink:
            await worker.handle(delivery.envelope)
            delivery.ack()

    Iterate in as many tasks as there are to be at work; `size` bounds what waits. Handlers behind it cannot use
    `wait_for`: what they wait for comes when they have ended.
    """

    def __init__(self, size: int = 256) -> None:
        self._queue: asyncio.Queue[QueuedEvent] = asyncio.Queue(size)

    async def publish(self, batch: Sequence[Envelope], fence: Fence) -> None:  # noqa: ARG002 - one owner in one process
        """Queue the events and wait until all were acknowledged.  Raises: RuntimeError when one was not."""
        loop = asyncio.get_running_loop()
        deliveries = [QueuedEvent(envelope, loop.create_future()) for envelope in batch]
        for delivery in deliveries:
            await self._queue.put(delivery)
        ends = await asyncio.gather(*(delivery.stored for delivery in deliveries), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def __aiter__(self) -> AsyncIterator[QueuedEvent]:
        """Iterate over the events as they come, without end."""
        while True:
            yield await self._queue.get()
