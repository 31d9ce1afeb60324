"""The file that carries the sessions of one process over to the next one.

Responsible for the format of the file, for its lock, and for when and how it is replaced. Collaborators: `local`
decides which sessions are resumed. It does not judge whether the platform still knows a session.
"""

import asyncio
import contextlib
import errno
import logging
import os
import stat
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from weakref import WeakMethod

import msgspec
from msgspec import Raw, Struct

from .._visible import visible_line
from ..aio.background import background, repeat
from ..aio.threads import Threads
from ..aio.throttle import Throttle
from ..errors import ConfigError, NoThread
from ..models.codec import encode, strict
from ..models.gateway import ResumeState

log = logging.getLogger(__name__)

VERSION = 1
MOST_BYTES = 64 * 1024 * 1024  # of a file that is read: 1024 shards, each with thousands of finished ranges
MOST_LINKED = 16  # former contents that are kept locked because a hard link still names them
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

    A symbolic link at `path` is followed once, when the file is opened: what it names is locked and replaced, not the
    link. While the file is open, `PATH.lock` is locked, and so is what the file contains, which may have another name
    (a hard link). The operating system unlocks both, however the process ends.
    """

    def __init__(self, path: Path, app_id: str) -> None:
        self.path = path
        self._app_id = app_id
        self._opened: Path | None = None  # what `path` names, while it is open
        self._lock: BinaryIO | None = None  # None: not open; closing it is what unlocks
        self._contents: list[BinaryIO] = []  # locked: what the file contains, and contained if that still has a name

    @property
    def _target(self) -> Path:
        return self._opened or Path(os.path.realpath(self.path))

    @property
    def _draft(self) -> Path:
        return self._target.with_name(f"{self._target.name}.new")

    def open(self) -> None:
        """Lock the file, and check that it can be read and replaced.

        Raises: ConfigError if another bot uses the file, or this path cannot hold one.
        """
        free = False
        try:
            self._opened = self._target  # absolute: it stays the same if the working directory changes
            _check_present(self._opened)
            self._lock = _locked(self._opened.with_name(f"{self._opened.name}.lock"))
            if free := self._lock is not None and self._lock_content():
                self._write_draft(b"")  # a missing right fails at the start
                self._draft.unlink()
        except (OSError, ValueError) as error:  # ValueError: a path that no system has
            self.close()
            raise ConfigError(
                f"sessions cannot be kept in {self.path}: {getattr(error, 'strerror', None) or error}; name a file in "
                "a directory that exists and may be written to. 无法读写状态文件，请检查目录是否存在以及权限"
            ) from None
        if not free:
            self.close()
            raise ConfigError(
                f"{self.path} is in use by another bot, in this process or another: give each its own state file, or "
                "stop the other one first. 状态文件正被另一个机器人使用"
            )
        _close_in_children(self)

    def _lock_content(self) -> bool:
        """Lock what the file contains now; False if another bot has locked it under another name.  Raises: OSError."""
        try:
            file = _open_regular(self._target, os.O_RDONLY)
        except FileNotFoundError:
            return True
        if not LOCKS_CONTENT:  # there, an open file cannot be replaced
            file.close()
            return True
        with contextlib.suppress(OSError):  # some network file systems lock no file that is only read
            if not _try_lock(file):
                file.close()
                return False
        self._contents.append(file)
        for former in self._contents[:-1]:
            if os.fstat(former.fileno()).st_nlink == 0 or len(self._contents) > MOST_LINKED:
                self._contents.remove(former)
                former.close()
        return True

    def read(self, count: int) -> dict[int, ResumeState]:
        """Return the sessions in the file for a bot of `count` shards; log a WARNING if the file cannot be used."""
        try:
            document = _decode_document(self._content())
            if (why := self._why_foreign(document, count)) is None:
                states = _decode_shards(document.shards)
                if all(0 <= index < count for index in states):
                    return states
                why = "it is damaged (it names a shard that there cannot be)"
        except FileNotFoundError:
            return {}
        except (OSError, *_MALFORMED) as error:
            why = f"it is damaged ({visible_line(str(error))})"
        log.warning("%s is not used: %s; new sessions are begun, and the file is written again", self.path, why)
        return {}

    def _content(self) -> bytes:
        """Return the bytes of the file.  Raises: OSError; ValueError if there are too many."""
        with _open_regular(self._target, os.O_RDONLY) as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        return content

    def _why_foreign(self, document: _Document, count: int) -> str | None:
        if document.version != VERSION:
            return f"its format is version {document.version}, this release reads version {VERSION}"
        if document.app_id != self._app_id:
            return f"it belongs to the bot {visible_line(document.app_id, 40)}, this one is {self._app_id}"
        if document.count != count:
            return f"it is of {document.count} shards, now there are {count}"
        return None

    def write(self, count: int, states: Mapping[int, ResumeState]) -> None:
        """Replace the file with `states`, of `count` shards, as a whole or not at all.  Raises: OSError."""
        document = {"version": VERSION, "app_id": self._app_id, "count": count, "shards": states}
        _check_present(self._target)
        self._write_draft(encode(document))
        self._draft.replace(self._target)
        if self._lock is not None:
            self._lock_content()

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
        while self._contents:
            self._contents.pop().close()
        if self._lock is not None:
            self._lock.close()
        self._lock = self._opened = None


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
                return await self._thread.run(self._file.open)
            except NoThread as error:
                if self._warnings.ready():
                    log.warning("sessions cannot be kept in %s yet, trying again: %s", self._file.path, error)
            await asyncio.sleep(SAVE_SECONDS)

    async def _close(self) -> None:
        """Return when the file is closed; if the caller is cancelled, the file is closed all the same."""
        try:
            closing = self._thread.submit(self._file.close)
        except NoThread:  # there was none before either, which could have opened it
            return
        finally:
            self._thread.close()
        await asyncio.shield(closing)

    async def begin(self, count: int) -> dict[int, ResumeState]:
        """Return the sessions that an earlier process left for a bot of `count` shards; from now on they are ours."""
        known = await self._thread.run(partial(self._file.read, count)) if not self._count else {}
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
                await self._thread.run(partial(self._file.write, self._count, dict(self._latest)))
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


def _close_in_children(file: StateFile) -> None:
    """Close `file` in each child process that is forked from now on: with the descriptor it would keep the lock."""
    if hasattr(os, "register_at_fork"):
        close = WeakMethod(file.close)
        os.register_at_fork(after_in_child=lambda: None if (inherited := close()) is None else inherited())


def _locked(path: Path) -> BinaryIO | None:
    """Return the file at `path`, locked; None if another process has locked it.  Raises: OSError."""
    file = _open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        if _try_lock(file):
            return file
    except OSError as error:
        log.warning("%s cannot be locked (%s): make sure that only one bot uses it", path, error.strerror)
        return file
    file.close()
    return None


_CAUTION = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def _open_regular(path: Path, flags: int) -> BinaryIO:
    """Open a regular file only: to open a device or a pipe may block, or do something.  Raises: OSError."""
    _check_present(path)
    descriptor = os.open(path, flags | _CAUTION, 0o600)
    try:
        _check_regular(os.fstat(descriptor), path)  # again: it may have been replaced in between
        return os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check_present(path: Path) -> None:
    """Check that `path` names a regular file, or nothing.  Raises: OSError."""
    with contextlib.suppress(FileNotFoundError):
        _check_regular(path.lstat(), path)


def _check_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


if sys.platform == "win32":
    import msvcrt

    LOCKS_CONTENT = False

    def _try_lock(file: BinaryIO) -> bool:
        """Lock `file` until it is closed; return False if it is locked already.  Raises: OSError."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    LOCKS_CONTENT = True

    def _try_lock(file: BinaryIO) -> bool:
        """Lock `file` until it is closed; return False if it is locked already.  Raises: OSError."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
