"""`qqbot intake`: receive the events of a bot, and store them in a broker.

Responsible for the arguments. Collaborators: `ingest.urls` makes the sink, `Bot.run` serves it. It runs no handler:
`qqbot work` does.
"""

import argparse

from ..bot.bot import Bot
from ..bot.program import configure_logging
from ..config import variable
from ..errors import ConfigError
from ..ingest.urls import FORM, sink_of
from ..models.intents import Intents
from . import env_file
from .call import sendable

HELP = "receive events, and store them in a broker for `qqbot work`"
INTENTS = Intents.GROUP_AND_C2C_EVENT | Intents.PUBLIC_GUILD_MESSAGES | Intents.DIRECT_MESSAGE | Intents.INTERACTION


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Receive the events of a bot until SIGINT or SIGTERM, and store them in a broker. 接收事件并存入消息队列"
    )
    parser.epilog = f"The URL: {FORM}. One that holds a password belongs in QQBOT_BROKER_URL. {env_file.HELP}"
    parser.add_argument("--to", metavar="URL", type=sendable, help="the broker (default: QQBOT_BROKER_URL)")
    parser.add_argument(
        "--webhook",
        metavar="HOST:PORT",
        type=sendable,
        help="listen for webhook calls instead of connecting to the gateway",
    )
    parser.add_argument(
        "--intents",
        metavar="NAME,NAME",
        type=_intents,
        default=INTENTS,
        help=f"the events to ask the gateway for (default: {', '.join(_names(INTENTS))})",
    )
    parser.set_defaults(command=_run)


def _names(intents: Intents) -> list[str]:
    return [intent.name or "" for intent in Intents if intent in intents]


def _intents(text: str) -> Intents:
    intents = Intents(0)
    for name in text.split(","):
        intent = Intents.__members__.get(name.strip().upper())
        if intent is None:
            raise argparse.ArgumentTypeError(f"{name!r} is no intent: use {', '.join(Intents.__members__)}")
        intents |= intent
    return intents


def broker_url(url: str | None, option: str) -> str:
    """Return the URL of the option, else of the environment.  Raises: ConfigError if there is none."""
    url = url or variable("QQBOT_BROKER_URL")
    if not url:
        raise ConfigError(f"no broker: set {option} or QQBOT_BROKER_URL, as in {FORM}. 请指定消息队列的地址")
    return url


def _run(arguments: argparse.Namespace) -> None:
    configure_logging()
    env_file.read_env_file(None)
    sink = sink_of(broker_url(arguments.to, "--to"))
    Bot(sink=sink, intents=arguments.intents).run(webhook=arguments.webhook)
