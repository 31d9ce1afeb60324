"""`qqbot version`: what a report of a bug should name."""

import argparse
import platform
from importlib.metadata import version

HELP = "print the versions of qqbot, of Python and of what qqbot needs"
DISTRIBUTIONS = ("aioqqbot", "aiohttp", "msgspec", "redis")


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Print versions, as a report of a bug should name them."
    parser.set_defaults(command=_version)


def _version(_: argparse.Namespace) -> None:
    for name in DISTRIBUTIONS:
        print(name, version(name))
    print(platform.python_implementation(), platform.python_version(), "on", platform.platform())
