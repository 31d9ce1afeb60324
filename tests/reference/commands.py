"""The page of the command line: every command with its arguments and options.

Responsible for reading them from argparse. Collaborators: `commands.toml` has the words in Chinese; the English
ones are those of `--help`.
"""

import argparse
from collections.abc import Iterator
from typing import Any, cast

from qqbot import cli

from .words import Both, code, pick, read, table

NAME = "commands.md"
TITLE = Both("Commands and their options", "命令及其选项")

CHINESE = read("commands.toml")

INTRODUCTION = Both(
    """What `qqbot COMMAND --help` prints. [The command line](../cli.md) has the exit codes, and shows how the larger
commands are used. This page is written by `nox -s reference`.""",
    """内容与 `qqbot COMMAND --help` 相同。退出码和主要命令的用法见[命令行](../cli.md)。
本页由 `nox -s reference` 生成。""",
)


def page(language: str) -> str:
    """Return the page in one language."""
    parts = [f"# {pick(language, TITLE)}", pick(language, INTRODUCTION)]
    for name, about, parser in commands(cli._parser(), "qqbot"):
        words = CHINESE["commands"][name] if language == "zh" else about
        parts += [f"## {name}", f"{words[0].upper()}{words[1:]}{pick(language, Both('.', '。'))}"]
        rows = [[shown, _about(language, name, key, text)] for shown, key, text in options(parser)]
        if rows:
            parts.append(table(pick(language, Both("argument | meaning", "参数 | 含义")).split(" | "), rows))
    return "\n\n".join(parts) + "\n"


def commands(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Yield each command below a parser: its name, what it does, and its own parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            for name, inner in cast("dict[str, argparse.ArgumentParser]", action.choices).items():
                yield f"{path} {name}", helps[name], inner
                yield from commands(inner, f"{path} {name}")


def options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, str]]:
    """Yield what a command takes: as it is written, its key in `commands.toml`, and the text of `--help`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        value = _value(action)
        if not action.option_strings:
            several = {"?": f"[{value}]", "+": f"{value} ..."}
            yield code(several.get(str(action.nargs), value)), value.partition("[")[0], action.help or ""
        else:
            written = f"{', '.join(action.option_strings)} {value}".strip()
            yield code(written), action.option_strings[-1], action.help or ""


def _value(action: argparse.Action) -> str:
    metavar: Any = action.metavar
    if metavar is None and action.choices is not None:
        return "|".join(map(str, action.choices))
    return str(metavar or "") if action.nargs != 0 else ""


def _about(language: str, command: str, key: str, text: str) -> str:
    return str(CHINESE[command][key]) if language == "zh" else text
