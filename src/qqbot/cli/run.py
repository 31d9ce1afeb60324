"""`qqbot run`: serve the bot of a file until it is asked to stop."""

import argparse

from ..config import VARIABLES
from .loading import load_bot

HELP = "serve the bot of a file on the platform that the environment names"
FILE_HELP = "a Python file with a Bot at its top level; FILE:name picks one of several"


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Serve the bot of a file until SIGINT or SIGTERM; then its handlers may finish."
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # keeps the lines of the epilog
    parser.epilog = "environment 环境变量:\n" + "\n".join(
        f"  {name}\n      {meaning}" for name, meaning in VARIABLES.items()
    )
    parser.add_argument("file", metavar="FILE[:bot]", help=FILE_HELP)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    load_bot(arguments.file).run()
