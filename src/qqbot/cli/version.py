"""`qqbot version`: the versions that a bug report should name."""

import argparse
import platform
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from .._version import __version__
from .terminal import show, tell

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
    if others := {*packages_distributions().get("qqbot", ())} - {"aioqqbot"}:
        names = ", ".join(sorted(others))
        tell(
            f"{names} installs a package named qqbot too, and overwrites files of aioqqbot: "
            "uninstall both, then install aioqqbot again. "
            f"{names} 也安装了名为 qqbot 的包，会覆盖 aioqqbot 的文件，请全部卸载后重新安装 aioqqbot"
        )


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # bundled by a tool that leaves the metadata out
        return "unknown"
