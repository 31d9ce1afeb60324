"""What a program that is nothing but a bot needs around it: exit codes, signals, logging.

Owns nothing of the bot; a bot that is embedded in another program uses none of it.
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

from ..errors import AuthError, ConfigError, IPNotAllowed, QQBotError

log = logging.getLogger(__name__)

EXIT_OK, EXIT_CONFIG, EXIT_CREDENTIALS, EXIT_STOPPED = 0, 3, 4, 5
EXIT_INTERRUPTED = 130

loading: ContextVar[str | None] = ContextVar("qqbot_loading", default=None)
"""The file that a command is importing just now: `Bot.run` must not block there."""


def configure_logging() -> None:
    """Log to stderr, INFO or as QQBOT_LOG says, unless the program has configured logging itself."""
    if logging.getLogger().handlers:
        return
    name = os.environ.get("QQBOT_LOG", "info").upper()
    level = logging.getLevelNamesMapping().get(name, logging.INFO)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger("qqbot").setLevel(level)
    if name not in logging.getLevelNamesMapping():
        log.warning("QQBOT_LOG=%s is no level; use debug, info, warning or error", name.lower())


def exit_code(main: Callable[[], object]) -> int:
    """Call `main`; print what went wrong and return the exit code that tells it."""
    try:
        main()
    except ConfigError as error:
        return _complain(error, EXIT_CONFIG)
    except (AuthError, IPNotAllowed) as error:
        return _complain(error, EXIT_CREDENTIALS)
    except QQBotError as error:  # GatewayHalted, and whatever else a person has to look at
        return _complain(error, EXIT_STOPPED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


def _complain(error: QQBotError, code: int) -> int:
    sys.stderr.write(f"qqbot: {error}\n")
    return code


@contextlib.contextmanager
def on_signal(callback: Callable[[], object]) -> Generator[None]:
    """Call `callback` in the running loop on SIGINT and SIGTERM; where loops cannot, by plain signal handlers.

    Outside of the main thread, which gets no signals, it does nothing.
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
            if handler is not None:  # one that was not set from Python cannot be set again
                signal.signal(number, handler)
