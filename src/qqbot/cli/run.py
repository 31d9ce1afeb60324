"""`qqbot run`: serve the bot of a file until a signal stops it.

Responsible for the arguments. Collaborators: `loading` finds the bot, `Bot.run` serves it, `config` lists the
environment variables.
"""

import argparse
from contextlib import AbstractAsyncContextManager

from ..bot.bot import Bot
from ..bot.program import configure_logging, run_loop, run_until_signal
from ..config import VARIABLES, ClusterConfig
from ..sessions.base import SessionManager
from . import env_file
from .loading import bot_path, load_bot
from .terminal import tell

HELP = "serve the bot of a file, with the credentials of the environment"
FILE_HELP = "a Python file with a Bot at its top level; FILE:name picks one of several"


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Serve the bot of a file until SIGINT or SIGTERM; running handlers may finish. 运行机器人"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # keeps the lines of the epilog
    parser.epilog = "environment 环境变量:\n" + "\n".join(
        f"  {name}\n      {meaning}" for name, meaning in VARIABLES.items()
    )
    parser.epilog += f"\n{env_file.HELP}, or beside FILE."
    parser.add_argument("file", metavar="FILE[:bot]", help=FILE_HELP)
    parser.add_argument(
        "--reload", action="store_true", help="restart the bot when one of its files changes; it resumes its sessions"
    )
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    configure_logging()
    env_file.read_env_file(bot_path(arguments.file))
    if arguments.reload:
        run_loop(run_until_signal(_reload(arguments.file)))
    else:
        load_bot(arguments.file).run()


async def _reload(target: str) -> None:
    """Serve the bot of a file and its successors, until cancelled."""
    from .reloading import serve_reloading

    def report(text: str, _: str) -> None:
        tell(f"qqbot: {text}")

    await serve_reloading(target, _served, report)


def _served(bot: Bot, sessions: SessionManager) -> AbstractAsyncContextManager[object]:
    """Serve a bot with its own session manager if it has one, else with the one that keeps its sessions."""
    own = bot.__simulated__().settings.sessions is not None or ClusterConfig.from_env() is not None
    return bot.serve(sessions=None if own else sessions)
