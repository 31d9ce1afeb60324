"""`qqbot run`: serve the bot of a file until a signal stops it.

Responsible for the arguments. Collaborators: `loading` finds the bot, `Bot.run` serves it, `config` lists the
environment variables.
"""

import argparse

from ..bot.program import configure_logging
from ..config import VARIABLES
from . import env_file
from .loading import bot_path, load_bot

HELP = "serve the bot of a file, with the credentials of the environment"
FILE_HELP = "a Python file with a Bot at its top level; FILE:name picks one of several"


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Serve the bot of a file until SIGINT or SIGTERM; running handlers may finish. 运行机器人"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # keeps the lines of the epilog
    parser.epilog = "environment 环境变量:\n" + "\n".join(
        f"  {name}\n      {meaning}" for name, meaning in VARIABLES.items()
    )
    parser.epilog += f"\n{env_file.HELP}"
    parser.add_argument("file", metavar="FILE[:bot]", help=FILE_HELP)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    configure_logging()
    env_file.read_env_file(bot_path(arguments.file))
    load_bot(arguments.file).run()
