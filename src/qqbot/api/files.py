"""The bytes of a file to be sent, from a path, from bytes, or from a stream.

Responsible for reading, and for the checks that need no platform: it exists, is not empty, not too large, of the right
kind. Disks are read in threads; a stream is written to a temporary file first, so that no whole file is in memory.
Collaborators: `uploads` sends the bytes. It makes no request.
"""

import asyncio
import contextlib
import hashlib
import io
import os
import tempfile
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..aio.threads import Threads
from ..errors import ConfigError, Timeout
from ..models.media import FORMATS, HEAD, FileType, fits
from ..models.outgoing.messages import Media

MAX_BYTES = 200 * 1024 * 1024
"""The platform's hard limit.  Source: autogen/api/v2_users_user_openid_files.post"""

FIRST_BYTES = 10_002_432
"""What `md5_10m` covers.  Source: autogen/api/v2_users_user_id_upload_prepare.post"""

CHUNK = 256 * 1024
SILENCE = 120.0  # seconds that a stream of media may pause


class Digests(NamedTuple):
    """Hashes of a file, hexadecimal; `md5_10m` is the md5 of its first `FIRST_BYTES`."""

    md5: str
    sha1: str
    md5_10m: str


class OpenFile:
    """A file that several tasks can read at any offset at once, in `threads`. `size` is in bytes."""

    def __init__(self, threads: Threads, file: BinaryIO, size: int, name: str | None = None) -> None:
        self._threads = threads
        self.size = size
        self.name = name
        self._file = file
        self._lock = threading.Lock()  # seek and read must not interleave between threads

    async def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`."""
        return await self._threads.run(partial(self._read, offset, count))

    def _read(self, offset: int, count: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(count)

    async def chunks(self, offset: int, count: int) -> AsyncGenerator[bytes]:
        """Yield `count` bytes from `offset` in chunks.  Raises: ConfigError if the file became shorter."""
        end = offset + count
        while offset < end:
            chunk = await self.read(offset, min(CHUNK, end - offset))
            if not chunk:
                raise ConfigError(f"{self.name or 'the file'} became shorter during the upload")
            offset += len(chunk)
            yield chunk

    async def digests(self) -> Digests:
        """Return the hashes, computed in one pass."""
        md5, sha1, first = (hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "md5"))
        left = FIRST_BYTES
        async for chunk in self.chunks(0, self.size):
            md5.update(chunk)
            sha1.update(chunk)
            if left > 0:
                first.update(chunk[:left])
                left -= len(chunk)
        return Digests(md5.hexdigest(), sha1.hexdigest(), first.hexdigest())


@asynccontextmanager
async def opened(threads: Threads, media: Media, limit: int = MAX_BYTES) -> AsyncGenerator[OpenFile]:
    """Open the source of `media`, and read it in `threads`.

    At most `limit` bytes, and any number of any kind if it is not to be checked.

    Raises: ConfigError if it is missing, empty, too large, or not of its kind; NoThread.
    """
    match media.source:
        case bytes():
            file: BinaryIO = io.BytesIO(media.source)
            name = None
        case os.PathLike():
            path = Path(media.source)
            file, name = await in_thread(threads, lambda: _open(path), _close), path.name
        case str():
            raise ConfigError("media that the platform fetches has no bytes here")
        case _:
            file, name = await _spooled(threads, media.source, limit if media.check else None), None
    try:
        size = await threads.run(partial(file.seek, 0, os.SEEK_END))
        source = OpenFile(threads, file, size, name)
        if media.check:
            await _check(source, media.type, limit)
        yield source
    finally:
        file.close()


async def in_thread(threads: Threads, open_: Callable[[], BinaryIO], drop: Callable[[BinaryIO], object]) -> BinaryIO:
    """Return the file that `open_` opens in one of `threads`; after a cancellation, pass it to `drop` instead."""

    def drop_later(opening: "asyncio.Future[BinaryIO]") -> None:
        if not opening.cancelled() and opening.exception() is None:
            drop(opening.result())

    opening = threads.submit(open_)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(drop_later)
        raise


def _close(file: BinaryIO) -> None:
    file.close()


def _open(path: Path) -> BinaryIO:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigError(f"{path} is not a regular file: pass an async iterable of bytes instead")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(path)!r:.200} cannot be read: {error_words(error)}") from None


def error_words(error: OSError | ValueError) -> str:
    """Return what is wrong with a path; a ValueError means that no file can have this name."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it contains NUL" if "null" in str(error) else "it contains half a character"


async def _spooled(threads: Threads, chunks: AsyncIterable[bytes], limit: int | None) -> BinaryIO:
    with contextlib.ExitStack() as stack:
        file: BinaryIO = stack.enter_context(await in_thread(threads, tempfile.TemporaryFile, _close))
        try:
            async with asyncio.timeout(SILENCE) as silence:
                size = 0
                async for chunk in chunks:
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise _too_large(size, limit)
                    await threads.run(partial(file.write, chunk))
                    silence.reschedule(asyncio.get_running_loop().time() + SILENCE)
        except TimeoutError:
            raise Timeout(f"the stream of media yielded nothing for {SILENCE:g} s; nothing was sent") from None
        stack.pop_all()
        return file


async def _check(source: OpenFile, kind: FileType, limit: int) -> None:
    what = source.name or "the media"
    if source.size == 0:
        raise ConfigError(f"{what} is empty: it has 0 bytes; check=False sends it all the same")
    if source.size > limit:
        raise _too_large(source.size, limit)
    if not fits(kind, await source.read(0, HEAD)):
        raise ConfigError(
            f"{what} is not a {kind.name.lower()} that the platform accepts: it accepts {FORMATS[kind]}; "
            "check=False sends it all the same"
        )


def _too_large(size: int, limit: int) -> ConfigError:
    return ConfigError(
        f"the media has {size} bytes or more, the platform accepts at most {limit}; check=False sends it all the same"
    )
