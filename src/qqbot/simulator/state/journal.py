"""Journal of frames, calls and violations, and the live feed of it for the page.

Responsible for the records and their distribution. Callers mask tokens and secrets before they record anything.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import TypedDict

from ..wire import dump
from .clock import Clock

MAX_FRAMES = 5000
MAX_CALLS = 2000
MAX_CHARACTERS = 64 << 20
"""Characters of all frames."""

MAX_VIOLATIONS = 1000
"""Violations that are kept, the first ones."""

_MAX_VIOLATION = 1000  # characters
_MAX_PATCHES = 1000


class FrameRecord(TypedDict):
    """One gateway payload. `direction` is `to_bot` or `from_bot`; `json` the text as sent, tokens masked.

    `n` counts frames and calls together; `connection` counts the connections of this simulator.
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
    """One call of the OpenAPI or the token endpoint. `code` is the error code of the platform, 0 for success."""

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
    """Queue of patches for one page; a page that falls behind loses them and needs a new snapshot."""

    def __init__(self) -> None:
        self._patches: deque[tuple[str, object]] = deque()
        self._wake = asyncio.Event()
        # Set when the queue has overflowed: the page must load a snapshot before further patches make sense.
        self.stale = False

    def put(self, part: str, value: object) -> None:
        """Queue one patch."""
        if len(self._patches) >= _MAX_PATCHES:
            self.stale = True
            self._patches.clear()
        if not self.stale:
            self._patches.append((part, value))
        self._wake.set()

    async def take(self) -> list[str]:
        """Wait for patches; return them as messages, or an empty list if the feed has become stale."""
        await self._wake.wait()
        self._wake.clear()
        messages = [dump({"kind": "patch", "part": part, "value": value}) for part, value in self._patches]
        self._patches.clear()
        return messages


class Journal:
    """Records of one simulator; the oldest frames and calls are dropped first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._feeds: set[JournalStream] = set()
        self.frames: deque[FrameRecord] = deque()
        self._size = 0  # of the frames, in characters
        self.calls: deque[CallRecord] = deque(maxlen=MAX_CALLS)
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
        self._size += len(text)
        while len(self.frames) > MAX_FRAMES or (self._size > MAX_CHARACTERS and len(self.frames) > 1):
            self._size -= len(self.frames.popleft()["json"])
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
        """Record a rule that the bot has broken."""
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(text[:_MAX_VIOLATION])

    def publish(self, part: str, value: Callable[[], object]) -> None:
        """Send a patch to all pages; `value` is called only if a page is connected."""
        if self._feeds:
            document = value()
            for feed in self._feeds:
                feed.put(part, document)

    def open_feed(self) -> JournalStream:
        """Open the feed of a page; close it with `close_feed`."""
        feed = JournalStream()
        self._feeds.add(feed)
        return feed

    def close_feed(self, feed: JournalStream) -> None:
        """Close the feed of a page."""
        self._feeds.discard(feed)
