"""`qqbot version`: the versions that a bug report should name."""

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from .._version import __version__
from .terminal import show

HELP = "print the versions of qqbot, of Python and of the packages that qqbot needs"
DEPENDENCIES = ("aiohttp", "msgspec", "redis")


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = "Print the versions that a bug report should name."
    parser.set_defaults(command=_version)


def _version(_: argparse.Namespace) -> None:
    show(f"aioqqbot {__version__}")
    for name in DEPENDENCIES:
        show(f"{name} {_version_of(name)}")
    show(f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}")


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # bundled by a tool that leaves the metadata out
        return "unknown"
