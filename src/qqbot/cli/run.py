"""`qqbot run`: serve the bot of a file until it is asked to stop."""

import argparse

from .loading import load_bot

HELP = "serve the bot of a file on the platform that the environment names"
FILE_HELP = "a Python file with a Bot at its top level; FILE:name picks one of several"


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Serve the bot of a file until SIGINT or SIGTERM; then its handlers may finish."
    parser.epilog = (
        "Read from the environment: QQBOT_APP_ID, QQBOT_SECRET or QQBOT_SECRET_FILE, QQBOT_API_BASE, "
        "QQBOT_TOKEN_URL, QQBOT_SHARDS, QQBOT_LOG (debug shows bodies, secrets masked)."
    )
    parser.add_argument("file", metavar="FILE[:bot]", help=FILE_HELP)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    load_bot(arguments.file).run()
