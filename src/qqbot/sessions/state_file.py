"""The file that carries the sessions of one process over to the next one.

Owns its form, its lock, and when and how it is replaced. What the sessions in it are good for is `local`'s.
"""

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import msgspec
from msgspec import Raw, Struct

from ..errors import ConfigError
from ..models.codec import encode, strict
from ..models.gateway import ResumeState

log = logging.getLogger(__name__)

T = TypeVar("T")

VERSION = 1
SAVE_SECONDS = 1.0
WARN_EVERY_SECONDS = 60.0


class _Document(Struct, frozen=True, kw_only=True):
    """The file's content; `shards` by index, of `count`, in the form that `version` has."""

    version: int
    app_id: str
    count: int
    shards: Raw


_decode_document = strict(_Document)
_decode_shards = strict(dict[int, ResumeState])
_MALFORMED = (msgspec.MsgspecError, ValueError, RecursionError)


class StateFile:
    """The sessions of the bot `app_id` at `path`, read and written at once; one process at a time holds it.

    `PATH.lock` is locked while the file is open: the operating system frees it however the process ends.
    """

    def __init__(self, path: Path, app_id: str) -> None:
        self.path = path
        self._app_id = app_id
        self._draft = path.with_name(f"{path.name}.new")
        self._lock: BinaryIO | None = None

    def open(self) -> None:
        """Take the lock, and see that the file can be read and replaced.

        Raises: ConfigError when another bot holds the file, or it cannot be kept at this path.
        """
        try:
            self._lock = _locked(self.path.with_name(f"{self.path.name}.lock"))
            if self._lock is not None:
                self._check()
        except OSError as error:
            self.close()
            raise ConfigError(
                f"sessions cannot be kept in {self.path}: {error.strerror or error}; name a file in a directory that "
                "exists and may be written to. 无法读写状态文件，请检查目录是否存在以及权限"
            ) from None
        if self._lock is None:
            raise ConfigError(
                f"{self.path} is in use by another bot, in this process or another: give each its own state file, or "
                "stop the other one first. 状态文件正被另一个机器人使用"
            )

    def _check(self) -> None:
        """Do once what will be done later.  Raises: OSError."""
        with contextlib.suppress(FileNotFoundError):
            self.path.read_bytes()
        self._write_draft(b"")
        self._draft.unlink()

    def read(self, count: int) -> dict[int, ResumeState]:
        """Return the sessions that the file has for a bot of `count` shards; a WARNING says why there are none."""
        try:
            document = _decode_document(self.path.read_bytes())
            if (why := self._why_foreign(document, count)) is None:
                return _decode_shards(document.shards)
        except FileNotFoundError:
            return {}
        except (OSError, *_MALFORMED) as error:
            why = f"it is damaged ({error})"
        log.warning("%s is not used: %s; new sessions are begun, and the file is written anew", self.path, why)
        return {}

    def _why_foreign(self, document: _Document, count: int) -> str | None:
        if document.version != VERSION:
            return f"its format is version {document.version}, this release reads version {VERSION}"
        if document.app_id != self._app_id:
            return f"it belongs to the bot {document.app_id}, this one is {self._app_id}"
        if document.count != count:
            return f"it is of {document.count} shards, now there are {count}"
        return None

    def write(self, count: int, states: Mapping[int, ResumeState]) -> None:
        """Replace the file by `states`, of `count` shards, as a whole or not at all.  Raises: OSError."""
        document = {"version": VERSION, "app_id": self._app_id, "count": count, "shards": states}
        self._write_draft(encode(document))
        self._draft.replace(self.path)

    def _write_draft(self, content: bytes) -> None:
        # Made anew, for nobody else to read: it names sessions, and an earlier one may be left from a crash.
        self._draft.unlink(missing_ok=True)
        descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as draft:
            draft.write(content)
            draft.flush()
            os.fsync(descriptor)  # else a power cut may leave the new name with nothing behind it

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class States:
    """What is known of the sessions, and its way to the file; an async context manager that holds the file.

    The file is touched in a thread of its own, one thing after another: a slow disk keeps nobody waiting but those
    who ask for a `flush`, and a write that nobody waits for any more is over before the next one begins.
    """

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._count = 0
        self._known: dict[int, ResumeState] = {}
        self._noted = 0  # how many times something was
        self._written = 0
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._warned = -WARN_EVERY_SECONDS

    async def __aenter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qqbot state file")
        try:
            await self._do(self._file.open)
        except BaseException:
            await self._leave()
            raise
        self._writer = asyncio.create_task(self._write_on(), name="qqbot state file")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.cancel()
        try:
            await asyncio.wait([self._writer])
            await self.flush()
        finally:
            await self._leave()
        if not self._writer.cancelled():
            self._writer.result()

    async def _leave(self) -> None:
        """Return when the file is closed; it is closed also where nobody waits for that any more."""
        closing = asyncio.wrap_future(self._thread.submit(self._file.close))
        self._thread.shutdown(wait=False)
        await asyncio.shield(closing)

    async def _do(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def begin(self, count: int) -> dict[int, ResumeState]:
        """Return the sessions that an earlier process left for a bot of `count` shards; from here on they are ours."""
        known = await self._do(partial(self._file.read, count)) if not self._count else {}
        self._count, self._known = count, known
        return dict(known)

    def note(self, index: int, state: ResumeState | None) -> None:
        """Note where the session of shard `index` is; None: there is none."""
        if state is None:
            self._known.pop(index, None)
        else:
            self._known[index] = state
        self._noted += 1
        self._wake.set()

    async def flush(self) -> None:
        """Return when what is noted has been written. Where that fails it is said, and tried again."""
        async with self._writing:
            noted = self._noted
            if noted == self._written:
                return
            try:
                await self._do(partial(self._file.write, self._count, dict(self._known)))
            except OSError as error:
                self._warn(error)
                self._wake.set()
            else:
                self._written = noted

    async def _write_on(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()
            await asyncio.sleep(SAVE_SECONDS)

    def _warn(self, error: OSError) -> None:
        """Say at once, then once a minute, that the file is behind."""
        if (now := time.monotonic()) - self._warned >= WARN_EVERY_SECONDS:
            self._warned = now
            log.warning(
                "%s cannot be written (%s); trying again every second. Until it can, a restart handles again what "
                "happened since the last time",
                self._file.path,
                error.strerror or error,
            )


def _locked(path: Path) -> BinaryIO | None:
    """Return the file at `path`, locked; None where somebody else has it.  Raises: OSError."""
    file = path.open("ab")
    if _try_lock(file):
        return file
    file.close()
    return None


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        """Lock `file` unless somebody else has; the system frees it when the process ends."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        """Lock `file` unless somebody else has; the system frees it when the process ends."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            log.warning("%s cannot be locked (%s): see that only one bot uses it", file.name, error.strerror)
        return True
