"""The file that carries the sessions of one process over to the next one.

Responsible for the format of the file, for its lock, and for when and how it is replaced. Collaborators: `local`
decides which sessions are resumed. It does not judge whether the platform still knows a session.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import msgspec
from msgspec import Raw, Struct

from ..aio.background import background, repeat
from ..aio.threads import Threads
from ..aio.throttle import Throttle
from ..errors import ConfigError, NoThread
from ..models.codec import encode, strict
from ..models.gateway import ResumeState

log = logging.getLogger(__name__)

T = TypeVar("T")

VERSION = 1
SAVE_SECONDS = 1.0  # between two writes; more often costs the disk, less often repeats more events


class _Document(Struct, frozen=True, kw_only=True):
    """The content of the file: `shards` by index, `count` of them in all, in the format of `version`."""

    version: int
    app_id: str
    count: int
    shards: Raw


_decode_document = strict(_Document)
_decode_shards = strict(dict[int, ResumeState])
_MALFORMED = (msgspec.MsgspecError, ValueError, RecursionError)


class StateFile:
    """The sessions of the bot `app_id` at `path`, read and written as a whole; one process at a time may open it.

    `PATH.lock` is locked while the file is open. The operating system unlocks it, however the process ends.
    """

    def __init__(self, path: Path, app_id: str) -> None:
        self.path = path
        self._app_id = app_id
        self._draft = path.with_name(f"{path.name}.new")
        self._lock: BinaryIO | None = None  # None: not open; closing it is what unlocks

    def open(self) -> None:
        """Lock the file, and check that it can be read and replaced.

        Raises: ConfigError if another bot uses the file, or this path cannot hold one.
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
        """Read and write once, so that a missing right fails at the start.  Raises: OSError."""
        with contextlib.suppress(FileNotFoundError):
            self.path.read_bytes()
        self._write_draft(b"")
        self._draft.unlink()

    def read(self, count: int) -> dict[int, ResumeState]:
        """Return the sessions in the file for a bot of `count` shards; log a WARNING if the file cannot be used."""
        try:
            document = _decode_document(self.path.read_bytes())
            if (why := self._why_foreign(document, count)) is None:
                return _decode_shards(document.shards)
        except FileNotFoundError:
            return {}
        except (OSError, *_MALFORMED) as error:
            why = f"it is damaged ({error})"
        log.warning("%s is not used: %s; new sessions are begun, and the file is written again", self.path, why)
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
        """Replace the file with `states`, of `count` shards, as a whole or not at all.  Raises: OSError."""
        document = {"version": VERSION, "app_id": self._app_id, "count": count, "shards": states}
        self._write_draft(encode(document))
        self._draft.replace(self.path)

    def _write_draft(self, content: bytes) -> None:
        # Always a new file with mode 600: it names sessions, and a crash may have left a draft with other rights.
        self._draft.unlink(missing_ok=True)
        descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as draft:
            draft.write(content)
            draft.flush()
            os.fsync(descriptor)  # otherwise a power cut may leave the new name with an empty file

    def close(self) -> None:
        """Unlock the file."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class States:
    """The latest sessions and their way to the file; an async context manager that keeps the file open.

    One thread does all work on the file, one operation after another: a slow disk delays only the callers of `flush`,
    and a write whose caller was cancelled ends before the next one begins.
    """

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._count = 0  # of shards; 0: nothing was read yet
        self._latest: dict[int, ResumeState] = {}  # by shard index: what the next write contains
        self._changes = 0  # in all, so that a change during a write is not taken for written
        self._written = 0  # the value of `_changes` that the file has
        self._wake = asyncio.Event()  # set: the file is behind
        self._writing = asyncio.Lock()  # callers of `flush` that come during a write share the next one
        self._warnings = Throttle()

    async def __aenter__(self) -> Self:
        self._thread = Threads(1, "qqbot state file")
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            await self._open()
            stack.push_async_callback(self.flush)
            writing = background(repeat(self._write_when_due), name="qqbot state file")
            (self._writer,) = await stack.enter_async_context(writing)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)
        if not self._writer.cancelled():
            self._writer.result()

    async def _open(self) -> None:
        while True:
            try:
                return await self._do(self._file.open)
            except NoThread as error:
                if self._warnings.ready():
                    log.warning("sessions cannot be kept in %s yet, trying again: %s", self._file.path, error)
            await asyncio.sleep(SAVE_SECONDS)

    async def _close(self) -> None:
        """Return when the file is closed; if the caller is cancelled, the file is closed all the same."""
        closing = self._thread.submit(self._file.close)
        self._thread.close()
        await asyncio.shield(closing)

    async def _do(self, function: Callable[[], T]) -> T:
        return await self._thread.run(function)

    async def begin(self, count: int) -> dict[int, ResumeState]:
        """Return the sessions that an earlier process left for a bot of `count` shards; from now on they are ours."""
        known = await self._do(partial(self._file.read, count)) if not self._count else {}
        self._count, self._latest = count, known
        return dict(known)

    def note(self, index: int, state: ResumeState | None) -> None:
        """Remember the state of the session of shard `index` for the next write; None: it has no session."""
        if state is None:
            self._latest.pop(index, None)
        else:
            self._latest[index] = state
        self._changes += 1
        self._wake.set()

    async def flush(self) -> None:
        """Return when every change so far is in the file. If writing fails, log it and retry later."""
        async with self._writing:
            changes = self._changes
            if changes == self._written:
                return
            try:
                await self._do(partial(self._file.write, self._count, dict(self._latest)))
            except OSError as error:
                self._warn(error)
                self._wake.set()
            else:
                self._written = changes

    async def _write_when_due(self) -> None:
        await self._wake.wait()
        await self.flush()  # if it raises, the file is still behind
        if self._changes == self._written:
            self._wake.clear()
        await asyncio.sleep(SAVE_SECONDS)

    def _warn(self, error: OSError) -> None:
        """Log at most once a minute that the file is behind."""
        if self._warnings.ready():
            log.warning(
                "%s cannot be written (%s); retrying every second. Until then, a restart handles again the events "
                "since the last write",
                self._file.path,
                error.strerror or error,
            )


def _locked(path: Path) -> BinaryIO | None:
    """Return the file at `path`, locked; None if another process has locked it.  Raises: OSError."""
    file = path.open("ab")
    if _try_lock(file):
        return file
    file.close()
    return None


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        """Lock `file`; return False if it is locked already. The system unlocks it when the process ends."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        """Lock `file`; return False if it is locked already. The system unlocks it when the process ends."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            log.warning("%s cannot be locked (%s): make sure that only one bot uses it", file.name, error.strerror)
        return True
