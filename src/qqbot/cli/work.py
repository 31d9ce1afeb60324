"""`qqbot work`: run the handlers of a bot for the events in a broker.

Responsible for the arguments, and for the end by a signal. Collaborators: `loading` finds the bot, `ingest.urls` makes
the source, `Bot.work` handles the events. It opens no connection to the gateway: `qqbot intake` does.
"""

import argparse
import logging

from ..bot.bot import Bot
from ..bot.program import configure_logging, run_loop, stop_on_signal
from ..errors import ConfigError
from ..ingest.forwarder import EventSink
from ..ingest.source import EventSource
from ..ingest.urls import FORM, sink_of, source_of
from ..ingest.worker import ATTEMPTS
from . import env_file
from .call import sendable
from .intake import broker_url
from .loading import bot_path, load_bot
from .run import FILE_HELP

HELP = "run the handlers of a file for the events that `qqbot intake` has stored"

log = logging.getLogger(__name__)


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Handle stored events until SIGINT or SIGTERM; running handlers may finish. 处理消息队列中的事件"
    )
    parser.epilog = f"The URLs: {FORM}. One that holds a password belongs in QQBOT_BROKER_URL. {env_file.HELP}"
    parser.add_argument("file", metavar="FILE[:bot]", help=FILE_HELP)
    parser.add_argument(
        "--from", dest="source", metavar="URL", type=sendable, help="the broker (default: QQBOT_BROKER_URL)"
    )
    parser.add_argument(
        "--concurrency", metavar="N", type=_count, default=256, help="events handled at a time (default: 256)"
    )
    parser.add_argument(
        "--max-age", metavar="SECONDS", type=_seconds, help="drop events that are older (default: none)"
    )
    parser.add_argument(
        "--attempts",
        metavar="N",
        type=_count,
        default=ATTEMPTS,
        help=f"how often an event is tried (default: {ATTEMPTS})",
    )
    parser.add_argument(
        "--dead-letters", metavar="URL", type=sendable, help="the broker for events that failed (default: the log)"
    )
    parser.set_defaults(command=_run)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:12]) >= 1 and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0")
    return seconds


def _run(arguments: argparse.Namespace) -> None:
    configure_logging()
    env_file.read_env_file(bot_path(arguments.file))
    url = broker_url(arguments.source, "--from")
    if arguments.dead_letters == url:
        raise ConfigError(
            "--dead-letters is where the events themselves are, so what fails would come again without end: "
            "name another stream or topic. 死信不能存回原来的流或主题，请换一个名称"
        )
    source = source_of(url)
    dead_letters = None if arguments.dead_letters is None else sink_of(arguments.dead_letters)
    run_loop(_work(load_bot(arguments.file), source, dead_letters, arguments))


async def _work(bot: Bot, source: EventSource, dead_letters: EventSink | None, arguments: argparse.Namespace) -> None:
    """Handle events until a signal; exit at once at the second one."""
    with stop_on_signal(bot.__simulated__().ask_to_stop) as stopped:
        async with bot.serve(connect=False):
            if not stopped():
                log.info("working: %s handles stored events", arguments.file)
                await bot.work(
                    source,
                    concurrency=arguments.concurrency,
                    max_age=arguments.max_age,
                    attempts=arguments.attempts,
                    dead_letters=dead_letters,
                )
