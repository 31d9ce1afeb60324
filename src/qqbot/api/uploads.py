"""Uploads of media for groups and C2C: by address, in one body, or in parts.

Responsible for choosing between these, for the parts and their repeats, and for remembering finished uploads.
Collaborators: `files` reads the bytes, `resources` have the endpoints (`Steps`). It sends no message.
Source: server-inter/message/rich-media
"""

import asyncio
import base64
import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Protocol

from msgspec import UNSET, Struct

from ..aio.clock import Clock
from ..aio.threads import Threads
from ..errors import ApiError, DecodeError, MediaError, Timeout, TransportError
from ..models.media import (
    FileType,
    MediaUploadBody,
    MediaUploadResult,
    UploadConfig,
    UploadPart,
    UploadPartBody,
    UploadPrepareBody,
    UploadPrepareResult,
)
from ..models.outgoing.messages import Media, Progress
from ..models.targets import Scene
from .exchange import Response
from .files import OpenFile, opened

ONE_BODY = 5 * 1024 * 1024  # bytes that are still sent in one body, as base64
PART_NOT_READY = 40093001
PUT_ATTEMPTS = 3
PUT_TIMEOUT = 300.0  # seconds for one part
MOST_AT_ONCE = 8  # parts, even if the platform allows more
LONGEST_DELAY = 10.0  # seconds between attempts, even if the platform plans more
LONGEST_FINISH = 600.0  # seconds of attempts to finish a part, even if the platform plans more
REMEMBERED = 1024
MARGIN = 10.0  # seconds before it expires in which an upload is not used again: the message takes a while to arrive

_SUFFIXES = {FileType.IMAGE: ".png", FileType.VIDEO: ".mp4", FileType.VOICE: ".silk", FileType.FILE: ""}

Put = Callable[[str, AsyncIterable[bytes], int, float], Awaitable[Response]]
"""Sends a PUT request (url, content, size in bytes, timeout in seconds) without the access token."""


class _Store(Protocol):
    async def __call__(self, *, body: MediaUploadBody, timeout: float | None) -> MediaUploadResult: ...


class Steps(Struct, frozen=True):
    """The endpoints of one conversation: store a file or complete an upload, announce parts, finish a part."""

    store: _Store
    prepare: Callable[[UploadPrepareBody], Awaitable[UploadPrepareResult]]
    finish_part: Callable[[UploadPartBody], Awaitable[None]]


class _Key(Struct, frozen=True):
    """Two uploads with equal keys have the same result."""

    scene: Scene
    type: FileType
    name: str | None
    sha1: str
    size: int


class Uploads:
    """Uploads files, and remembers the results until they expire by `clock` (seconds). Files are read in `threads`."""

    def __init__(self, put: Put, clock: Clock, threads: Threads) -> None:
        self._threads = threads
        self._put = put
        self._clock = clock
        # Results and when they expire (None: never), so that the same bytes are not uploaded again; oldest first.
        self._done: OrderedDict[_Key, tuple[float | None, MediaUploadResult]] = OrderedDict()

    async def upload(self, scene: Scene, media: Media, steps: Steps, timeout: float | None) -> MediaUploadResult:
        """Upload `media` by `steps`, or return the result of the same bytes; `timeout` (seconds) covers all of it.

        Raises: ConfigError if the file is missing, empty, too large or of the wrong kind; MediaError,
        QuotaExceeded, Timeout.
        """
        if media.url is not None:
            body = MediaUploadBody(file_type=media.type, url=media.url, file_name=media.name or UNSET)
            return await steps.store(body=body, timeout=timeout)
        try:
            async with asyncio.timeout(timeout), opened(self._threads, media) as file:
                return await self._from_here(scene, media, file, steps)
        except TimeoutError:
            raise Timeout(f"the upload took longer than {timeout} s; nothing was sent to the conversation") from None

    async def _from_here(self, scene: Scene, media: Media, file: OpenFile, steps: Steps) -> MediaUploadResult:
        digests = await file.digests()
        key = _Key(scene, media.type, media.name, digests.sha1, file.size)
        progress = _ByteCount(media.progress, file.size)
        if (known := self._known(key)) is not None:
            progress.add(file.size)
            return known
        if file.size <= ONE_BODY:
            data = base64.b64encode(await file.read(0, file.size)).decode()
            body = MediaUploadBody(file_type=media.type, file_data=data, file_name=media.name or UNSET)
            result = await steps.store(body=body, timeout=None)
            progress.add(file.size)
        else:
            name = media.name or file.name or f"{media.type.name.lower()}{_SUFFIXES[media.type]}"
            announced = UploadPrepareBody(
                file_type=media.type, file_size=str(file.size), file_name=name, **digests._asdict()
            )
            plan = await steps.prepare(announced)
            await _Parts(self._put, file, steps, plan, progress).put_all()
            end = MediaUploadBody(file_type=media.type, upload_id=plan.upload_id, file_name=name)
            result = await steps.store(body=end, timeout=None)
        self._remember(key, result)
        return result

    def forget(self, result: MediaUploadResult) -> None:
        """Forget a result that the platform no longer accepts."""
        for key in [key for key, (_, known) in self._done.items() if known is result]:
            del self._done[key]

    def _known(self, key: _Key) -> MediaUploadResult | None:
        ends, result = self._done.get(key, (0.0, None))
        if result is not None and ends is not None and ends <= self._clock():
            del self._done[key]
            return None
        return result

    def _remember(self, key: _Key, result: MediaUploadResult) -> None:
        self._done[key] = (self._clock() + result.ttl - MARGIN if result.ttl else None, result)
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)


class _ByteCount:
    """Reports the progress of an upload to a callback."""

    def __init__(self, callback: Progress | None, total: int) -> None:
        self._callback = callback
        self._total = total
        self._done = 0  # bytes so far; a part that starts again lowers it

    def add(self, count: int) -> None:
        """Count `count` more bytes; a negative `count` if a part starts again."""
        self._done += count
        if self._callback is not None:
            self._callback(self._done, self._total)


class _Parts:
    """The parts of one upload, several at once."""

    def __init__(self, put: Put, file: OpenFile, steps: Steps, plan: UploadPrepareResult, progress: _ByteCount) -> None:
        self._put = put
        self._file = file
        self._steps = steps
        self._plan = plan
        self._progress = progress

    async def put_all(self) -> None:
        """Send and finish every part; the first failure ends the upload.

        Raises: MediaError, QuotaExceeded, DecodeError for a plan that does not cover the file.
        """
        turns = asyncio.Semaphore(min(max(self._plan.config.concurrency, 1), MOST_AT_ONCE))

        async def one(part: UploadPart, offset: int, size: int) -> None:
            async with turns:
                await self._finish(part, size, await self._put_part(part, offset, size))

        # Not a TaskGroup: before Python 3.13 a failing one leaves this task marked as cancelled.
        tasks = [asyncio.create_task(one(*placed), name="qqbot upload") for placed in self._placed()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    def _placed(self) -> list[tuple[UploadPart, int, int]]:
        """Return the parts with offset and size, by their order: indices may begin at 0 or at 1."""
        placed: list[tuple[UploadPart, int, int]] = []
        offset = 0
        for part in sorted(self._plan.parts, key=lambda part: part.index):
            size = min(part.block_size or self._plan.block_size, self._file.size - offset)
            if size > 0:
                placed.append((part, offset, size))
                offset += size
        if offset < self._file.size:
            raise DecodeError(f"the platform planned parts for {offset} of {self._file.size} bytes")
        return placed

    async def _put_part(self, part: UploadPart, offset: int, size: int) -> str:
        """Send the bytes of a part; return their md5."""
        for attempt in range(1, PUT_ATTEMPTS + 1):
            md5, sent = hashlib.new("md5", usedforsecurity=False), 0

            async def content() -> AsyncGenerator[bytes]:
                nonlocal sent
                async for chunk in self._file.chunks(offset, size):
                    md5.update(chunk)  # noqa: B023 - consumed before the next attempt
                    yield chunk
                    sent += len(chunk)
                    self._progress.add(len(chunk))

            try:
                response = await self._put(part.presigned_url, content(), size, PUT_TIMEOUT)
            except TransportError:
                if attempt == PUT_ATTEMPTS:
                    raise
            else:
                if response.status < 300:
                    return md5.hexdigest()
                if response.status < 500 or attempt == PUT_ATTEMPTS:
                    raise _refused(part, response)
            self._progress.add(-sent)
            await asyncio.sleep(_delay(self._plan.config))
        raise AssertionError("unreachable")

    async def _finish(self, part: UploadPart, size: int, md5: str) -> None:
        body = UploadPartBody(upload_id=self._plan.upload_id, part_index=part.index, block_size=size, md5=md5)
        config: UploadConfig = self._plan.config
        now = asyncio.get_running_loop().time
        ends = now() + min(config.retry_timeout, LONGEST_FINISH)
        while True:
            try:
                return await self._steps.finish_part(body)
            except ApiError as error:
                if error.code != PART_NOT_READY or now() + _delay(config) > ends:
                    raise
            await asyncio.sleep(_delay(config) or 1.0)  # 0 would repeat without a pause


def _delay(config: UploadConfig) -> float:
    """Return the seconds between two attempts: what the platform plans, within reason."""
    return min(max(config.retry_delay, 0), LONGEST_DELAY)


def _refused(part: UploadPart, response: Response) -> MediaError:
    return MediaError(
        response.status,
        0,
        f"the store refused part {part.index}",
        method="PUT",
        path="(a pre-signed address)",
        trace_id=response.trace_id,
    )
