"""What was seen: frames, calls, violations; and the live feed of it for the page.

Owns the record only. Tokens and secrets are masked before they get here.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import TypedDict

from ..wire import dump
from .clock import Clock

FRAMES_KEPT = 5000
CALLS_KEPT = 2000
_FEED_KEPT = 1000


class FrameRecord(TypedDict):
    """One gateway payload. `direction` is `to_bot` or `from_bot`; `json` the text as sent, tokens masked.

    `connection` counts the connections of this simulator.
    """

    n: int
    time: str
    direction: str
    connection: int
    shard: tuple[int, int] | None
    op: int | None
    t: str | None
    json: str


class CallRecord(TypedDict):
    """One call of the OpenAPI or the token endpoint. `code` is the platform's number, 0 for success."""

    n: int
    time: str
    method: str
    path: str
    query: str
    status: int
    code: int
    request: str
    answer: str
    trace_id: str


class JournalStream:
    """Patches on their way to one page. A page that cannot follow loses them and needs a new snapshot."""

    def __init__(self) -> None:
        self._patches: deque[tuple[str, object]] = deque()
        self._wake = asyncio.Event()
        self.stale = False

    def put(self, part: str, value: object) -> None:
        """Add one patch."""
        if len(self._patches) >= _FEED_KEPT:
            self.stale = True
            self._patches.clear()
        if not self.stale:
            self._patches.append((part, value))
        self._wake.set()

    async def take(self) -> list[str]:
        """Wait for patches; return them as messages, or nothing where the feed became stale."""
        await self._wake.wait()
        self._wake.clear()
        messages = [dump({"kind": "patch", "part": part, "value": value}) for part, value in self._patches]
        self._patches.clear()
        return messages


class Journal:
    """The log of one simulator."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._feeds: set[JournalStream] = set()
        self.frames: deque[FrameRecord] = deque(maxlen=FRAMES_KEPT)
        self.calls: deque[CallRecord] = deque(maxlen=CALLS_KEPT)
        self.violations: list[str] = []

    def frame(
        self,
        direction: str,
        connection: int,
        shard: tuple[int, int] | None,
        op: int | None,
        text: str,
        *,
        t: str | None = None,
    ) -> None:
        """Record one payload."""
        record = FrameRecord(
            n=next(self._numbers),
            time=self._clock.timestamp(),
            direction=direction,
            connection=connection,
            shard=shard,
            op=op,
            t=t,
            json=text,
        )
        self.frames.append(record)
        self.publish("frames", lambda: record)

    def call(
        self,
        method: str,
        path: str,
        query: str,
        *,
        status: int,
        code: int,
        request: str,
        answer: str,
        trace_id: str,
    ) -> None:
        """Record one call."""
        record = CallRecord(
            n=next(self._numbers),
            time=self._clock.timestamp(),
            method=method,
            path=path,
            query=query,
            status=status,
            code=code,
            request=request,
            answer=answer,
            trace_id=trace_id,
        )
        self.calls.append(record)
        self.publish("calls", lambda: record)

    def violation(self, text: str) -> None:
        """Record something that a bot must not do."""
        self.violations.append(text)

    def publish(self, part: str, value: Callable[[], object]) -> None:
        """Tell all pages; `value` is only asked for where there is one."""
        if self._feeds:
            document = value()
            for feed in self._feeds:
                feed.put(part, document)

    def open_feed(self) -> JournalStream:
        """Start a page's feed; end it with `close_feed`."""
        feed = JournalStream()
        self._feeds.add(feed)
        return feed

    def close_feed(self, feed: JournalStream) -> None:
        """End a page's feed."""
        self._feeds.discard(feed)
