"""`qqbot new`: write a new bot, with tests, a Dockerfile and a compose file, into a folder of its own.

Responsible for the name and the folder. Collaborators: the files in `skeleton`, which are copied with the name filled
in. It installs nothing and overwrites nothing.
"""

import argparse
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from ..errors import ConfigError
from .terminal import show

HELP = "write a new bot, with tests and Docker files, into a new folder"
NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?")
TAKEN = {"aioqqbot", "qqbot", "bot", "routers", "tests", "con", "prn", "aux", "nul"}
"""Names that hide a package, or that Windows has for devices."""

PLACEHOLDER = "__NAME__"
SUFFIX = ".in"  # so that no tool reads the files as part of this package, and none is left out of a wheel
DOT = "dot_"

NEXT = """\
{name}/ is ready. 已生成 {name}/

  cd {name}
  pip install -e ".[test]"
  pytest
  qqbot simulate bot.py"""


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Write a new bot into the folder NAME, which must not exist or be empty. 生成一个新的机器人项目"
    )
    parser.epilog = "Exit codes: 0 written, 2 NAME is no name of a package, 3 the folder cannot be used."
    parser.add_argument(
        "name", metavar="NAME", type=_name, help="the folder, and the name of the package: letters, digits, . _ -"
    )
    parser.set_defaults(command=_new)


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text.lower() in TAKEN:
        why = "is taken" if text.lower() in TAKEN else "is no name of a package"
        raise argparse.ArgumentTypeError(
            f"{text!r:.80} {why}: use up to 50 letters, digits, '.', '_' and '-', a letter first and no mark last, "
            "such as my-bot. 名称只能用英文字母、数字和 . _ -，以字母开头"
        )
    return text


def _new(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.name)
    try:
        if not _is_free(folder):
            raise ConfigError(
                f"{folder} exists already and is not an empty folder: nothing was written. Choose another name. "
                "该目录已存在且不为空，请换一个名称"
            )
        for path, text in skeleton(arguments.name):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}. 无法写入该目录") from None
    show(NEXT.format(name=arguments.name))


def _is_free(folder: Path) -> bool:
    if folder.is_symlink() or folder.is_file():
        return False
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def skeleton(name: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the files of a new bot: the path inside its folder, and the text."""
    yield from _files(files(str(__package__)) / "skeleton", PurePosixPath(), name)


def _files(folder: Traversable, path: PurePosixPath, name: str) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, path / entry.name, name)
        elif entry.name.endswith(SUFFIX):
            target = entry.name.removesuffix(SUFFIX)
            target = "." + target.removeprefix(DOT) if target.startswith(DOT) else target
            yield path / target, entry.read_text("utf-8").replace(PLACEHOLDER, name)
