"""`Intake`: the bodies of webhook calls while they are read, before anything shows that the platform sent them.

Responsible for what a stranger can make the process hold: the size of a body, the seconds until it is complete, and
the bytes of all bodies that are being read. Collaborators: `aiohttp` and `asgi` (pass it the chunks of a body).
It verifies nothing.
"""

import asyncio
from collections.abc import AsyncIterator

from .protocol import WebhookReply, overtaken, too_large, too_slow

BODY_SECONDS = 10.0
"""The seconds in which a body has to be complete; the platform sends it at once."""

DISCARD_SECONDS = 1.0
"""The seconds for what is still read of a refused body, so that its sender gets the answer."""

BODIES = 16
"""As many bodies of the largest size may be read at a time; smaller ones are more."""


class _Reading:
    """One body that is being read."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self.limit = limit
        self.body = bytearray()
        self.overtaken = False  # it was given up for newer ones


class Intake:
    """Reads bodies of at most `max_bytes` each, and of `BODIES` times that together.

    If they are more, the oldest is given up: a call of the platform is complete at once, one that holds room is not.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0  # of all bodies that are being read
        self._readings: dict[_Reading, None] = {}  # oldest first

    async def read(self, chunks: AsyncIterator[bytes]) -> bytes | WebhookReply:
        """Return the body, or the answer to one that is too large, too slow, or given up for newer ones.

        Raises: what `chunks` raises.
        """
        limit = asyncio.timeout(BODY_SECONDS)
        reading = _Reading(limit)
        try:
            async with limit:
                self._readings[reading] = None
                async for chunk in chunks:
                    reading.body += chunk
                    self.bytes += len(chunk)
                    if len(reading.body) > self.max_bytes:
                        return too_large(self.max_bytes)
                    if self.bytes > BODIES * self.max_bytes:
                        self._give_up_oldest()
                if not reading.overtaken:
                    return bytes(reading.body)
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._forget(reading)
        return overtaken() if reading.overtaken else too_slow(BODY_SECONDS)

    def _give_up_oldest(self) -> None:
        oldest = next(iter(self._readings))
        oldest.overtaken = True
        self._forget(oldest)
        if not oldest.limit.expired():  # else its task only has to run yet
            oldest.limit.reschedule(asyncio.get_running_loop().time())

    def _forget(self, reading: _Reading) -> None:
        self._readings.pop(reading, None)
        self.bytes -= len(reading.body)
        reading.body.clear()
