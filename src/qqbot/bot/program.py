"""Exit codes, signals, logging and the end of the process, for a program that only runs a bot.

Responsible for what belongs to the process; `run_loop` ends in bounded time, whatever tasks and threads go on.
Collaborators: `Bot.run` and the commands use it. It knows nothing of a bot: one that is embedded in another program
uses none of it.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, TypeVar

from .._visible import visible
from ..aio.ending import ENDING_SECONDS, LEFT_BEHIND, end_tasks, render
from ..errors import AuthError, ConfigError, IPNotAllowed, QQBotError

log = logging.getLogger(__name__)

T = TypeVar("T")

EXIT_OK, EXIT_CONFIG, EXIT_CREDENTIALS, EXIT_STOPPED = 0, 3, 4, 5
EXIT_INTERRUPTED = 130

loading: ContextVar[str | None] = ContextVar("qqbot_loading", default=None)
"""The file that a command is importing: `Bot.run` must not block there."""


class _VisibleFormatter(logging.Formatter):
    """Escapes control characters in the whole record: a traceback quotes what the platform and users sent."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def configure_logging() -> None:
    """Log to stderr, INFO or as QQBOT_LOG says, unless the program has configured logging itself."""
    if logging.getLogger().handlers:
        return
    name = os.environ.get("QQBOT_LOG", "info").upper()
    level = logging.getLevelNamesMapping().get(name, logging.INFO)
    handler = logging.StreamHandler()
    handler.setFormatter(_VisibleFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("qqbot").setLevel(level)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs each attempt; our own warnings are throttled
    if name not in logging.getLevelNamesMapping():
        log.warning("QQBOT_LOG=%.100r is no level; use debug, info, warning or error", name.lower())


def exit_code(main: Callable[[], object]) -> int:
    """Call `main`, print its error, and return the exit code for it."""
    try:
        main()
    except ConfigError as error:
        return _print_error(error, EXIT_CONFIG)
    except (AuthError, IPNotAllowed) as error:
        return _print_error(error, EXIT_CREDENTIALS)
    except QQBotError as error:  # GatewayHalted, and all else that a person has to look at
        return _print_error(error, EXIT_STOPPED)
    except KeyboardInterrupt:
        return _print_error("interrupted. 已中断", EXIT_INTERRUPTED)
    return EXIT_OK


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in a new event loop, and close the loop in bounded time.  Raises: what `main` raises.

    `asyncio.run` waits without end for a task that swallows its cancellation, and for the jobs of the default executor.
    Here both are named in the log after some seconds, and left behind.
    """
    before = threading.enumerate()
    runner = asyncio.Runner()
    loop = runner.get_loop()
    executor = ThreadPoolExecutor(thread_name_prefix="asyncio")  # the loop's own could only be closed with a wait
    loop.set_default_executor(executor)
    try:
        return runner.run(main)
    finally:
        try:
            loop.run_until_complete(_end_loop(loop))
            _end_threads(executor, before)
        finally:
            asyncio.set_event_loop(None)
            loop.close()  # and not `runner.close()`, which waits


async def _end_loop(loop: asyncio.AbstractEventLoop) -> None:
    """End the tasks and the asynchronous generators that are left."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    await end_tasks(task for task in left if not task.get_name().endswith(LEFT_BEHIND))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDING_SECONDS):
            await loop.shutdown_asyncgens()


def _end_threads(executor: ThreadPoolExecutor, before: Collection[threading.Thread]) -> None:
    """Wait some seconds for the threads that began meanwhile; name all that the interpreter would wait for."""
    executor.shutdown(wait=False)
    ends_at = time.monotonic() + ENDING_SECONDS
    for thread in _holding():
        if thread not in before:
            thread.join(max(ends_at - time.monotonic(), 0.0))
    executor.shutdown(wait=False, cancel_futures=True)
    frames = sys._current_frames()  # documented all the same  # pyright: ignore[reportPrivateUsage]
    for thread in _holding():
        frame, stack = frames.get(thread.ident or 0), list[FrameType]()
        while frame is not None:
            stack.append(frame)
            frame = frame.f_back
        log.warning(
            "the thread %r goes on, and holds the process: let it end with the bot, or make it a daemon. "
            "线程仍在运行，进程无法退出\n%s",
            thread.name,
            render(reversed(stack)),
        )


def _holding() -> list[threading.Thread]:
    """Return the threads that the interpreter waits for at its end."""
    own = (threading.main_thread(), threading.current_thread())
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in own]


def exit_in_time(code: int) -> None:
    """Let the process end with `code` some seconds after its program has ended, whatever other threads do.

    The interpreter itself waits for them without end: a service that should be restarted would hang until it is killed.
    """
    # `atexit` is too late, since it comes after the wait for the threads; only this comes before it.
    call_at_end: Callable[[Callable[[], object]], object] | None = getattr(threading, "_register_atexit", None)
    if call_at_end is None or threading.current_thread() is not threading.main_thread() or not _holding():
        return
    ending = threading.Event()

    def watch() -> None:
        ending.wait()
        time.sleep(ENDING_SECONDS)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)

    threading.Thread(target=watch, name="qqbot exit", daemon=True).start()
    call_at_end(ending.set)


def _print_error(error: QQBotError | str, code: int) -> int:
    with contextlib.suppress(OSError, AttributeError):  # stderr may be full, or None
        sys.stderr.write(f"qqbot: {visible(str(error))}\n")
    return code


def is_loaded_from(module: ModuleType, path: Path) -> bool:
    """True if `module` was loaded from the file at `path`, by whatever name."""
    file = getattr(module, "__file__", None)
    try:
        return isinstance(file, str) and Path(file).samefile(path)
    except (OSError, ValueError):
        return False


def second_copy(module: ModuleType) -> str | None:
    """Return the name of another module that was loaded from the same file as `module`; None if there is none."""
    if (file := getattr(module, "__file__", None)) is None:
        return None
    path = Path(file)
    others = [(name, other) for name, other in tuple(sys.modules.items()) if other is not module]
    # By the last part of its path first, which nearly always differs: `samefile` asks the disk.
    return next((name for name, other in others if _ends_alike(other, path) and is_loaded_from(other, path)), None)


def _ends_alike(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(path.name)


@contextlib.contextmanager
def on_signal(callback: Callable[[], object]) -> Generator[None]:
    """Call `callback` in the running loop on SIGINT and SIGTERM, by plain signal handlers if the loop has none.

    It does nothing in another thread than the main one, which alone gets signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        try:
            loop.add_signal_handler(number, callback)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(callback))
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            if handler is not None:  # a handler that was not set from Python cannot be restored
                signal.signal(number, handler)


@contextlib.contextmanager
def stop_on_signal(stop: Callable[[], object]) -> Generator[Callable[[], bool]]:
    """Call `stop` on the first SIGINT or SIGTERM, and end the process at once on the second, also during the drain.

    Yield a function that returns True once a signal has come: that may be before there is anything to stop.
    """
    signals = 0

    def count() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            log.warning("second signal: exiting at once, unfinished events will be delivered again")
            os._exit(EXIT_INTERRUPTED)
        stop()

    with on_signal(count):
        yield lambda: signals > 0


async def run_until_signal(main: Coroutine[Any, Any, object]) -> None:
    """Run `main` until it ends or a signal cancels it; a second signal cuts its end short, such as a drain.

    Raises: what `main` raises.
    """
    task = asyncio.create_task(main)
    with on_signal(task.cancel):
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
