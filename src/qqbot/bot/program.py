"""Exit codes, signals and logging, for a program that only runs a bot.

Responsible for what belongs to the process. Collaborators: `Bot.run` and the commands use it. It knows nothing of a
bot: one that is embedded in another program uses none of it.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from .._visible import visible
from ..errors import AuthError, ConfigError, IPNotAllowed, QQBotError

log = logging.getLogger(__name__)

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
