"""`qqbot version`: the versions that a bug report should name."""

import argparse
import platform
from importlib.metadata import version

from .._version import __version__

HELP = "print the versions of qqbot, of Python and of the packages that qqbot needs"
DEPENDENCIES = ("aiohttp", "msgspec", "redis")


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Print the versions that a bug report should name."
    parser.set_defaults(command=_version)


def _version(_: argparse.Namespace) -> None:
    print("aioqqbot", __version__)
    for name in DEPENDENCIES:
        print(name, version(name))
    print(platform.python_implementation(), platform.python_version(), "on", platform.platform())
