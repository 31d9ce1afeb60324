"""`qqbot migrate`: rewrite the mechanical part of a bot made with botpy, and mark what is left.

Responsible for the arguments, the output and the summary. Collaborators: `assembly` rewrites one file; it needs libcst,
the extra `migrate`, which is imported only when the command runs. It judges nothing: what has no counterpart is marked.
"""

import argparse
import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from ..terminal import CommandFailed, show, tell

if TYPE_CHECKING:
    from .assembly import Migration

HELP = "rewrite a bot made with botpy for this package"
MISSING = (
    "qqbot migrate needs libcst: pip install 'aioqqbot[migrate]'. 缺少 libcst，请运行 pip install 'aioqqbot[migrate]'"
)


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Rewrite a bot made with botpy: the client's class, intents, replies, calls, messages, commands and logging. "
        "What is left is marked with a comment, '# qqbot migrate: ...'. "
        "将 botpy 机器人改写为本 SDK，未能改写之处以注释标出"
    )
    parser.epilog = (
        "Without an option the new file is printed, and the old one stays. A summary goes to stderr. Exit codes: 0 "
        "rewritten, also if comments are left; 1 the file cannot be read or written; 2 it is no Python; 3 libcst is "
        "missing. Run `git diff` and your formatter afterwards."
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a Python file of the bot")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--write", action="store_true", help="write the new file in place of the old one")
    how.add_argument("--diff", action="store_true", help="print the changes as a unified diff")
    parser.set_defaults(command=_migrate)


def _migrate(arguments: argparse.Namespace) -> None:
    try:
        from libcst import ParserSyntaxError

        from .assembly import migrate
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "libcst":
            raise
        raise CommandFailed(MISSING, code=3) from None
    for path in arguments.files:
        source = _read(path)
        try:
            done = migrate(source)
        except ParserSyntaxError as error:
            raise CommandFailed(f"{path} is no Python: {error.message}. 不是有效的 Python 文件", code=2) from None
        _print(path, source, done, arguments)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()  # the line breaks of the file stay
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{path} cannot be read: {error}. 无法读取文件") from None


def _print(path: Path, source: str, done: "Migration", arguments: argparse.Namespace) -> None:
    if arguments.write:
        _write(path, source, done)
    elif arguments.diff:
        lines = difflib.unified_diff(source.splitlines(), done.code.splitlines(), str(path), str(path), lineterm="")
        show("\n".join(lines))
    else:
        show(done.code.rstrip("\n"))
    tell(_summary(path, done))


def _write(path: Path, source: str, done: "Migration") -> None:
    if done.code == source:
        return
    try:
        path.write_bytes(done.code.encode())
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error}. 无法写入文件") from None


def _summary(path: Path, done: "Migration") -> str:
    if not done.changed:
        return f"{path}: imports no botpy, nothing to do. 未使用 botpy，无需改写"
    head = (
        f"{path}: {done.handlers} handlers, {done.calls} calls rewritten, {len(done.remarks)} left to you. "
        f"已改写 {done.handlers} 个事件处理、{done.calls} 处调用，剩 {len(done.remarks)} 处需手动处理"
    )
    return "\n".join([head, *(f"  {path}:{number}: {text}" for number, text in done.remarks)])
