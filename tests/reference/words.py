"""The two languages of the reference, and Markdown as it is written there.

Responsible for reading the tables of words beside this module, and for escaping. A word that is missing is a KeyError
that names it, so that no page is written in half a language.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qqbot.errors import Hint

HERE = Path(__file__).parent


class Both(NamedTuple):
    """A text in English and in Chinese."""

    en: str
    zh: str


FOLDERS = Both("docs/reference", "docs/zh/reference")
"""Where the pages of each language are."""


def read(name: str) -> dict[str, Any]:
    """Return a table of words."""
    return tomllib.loads((HERE / name).read_text("utf-8"))


def pick(language: str, text: Both | Hint) -> str:
    """Return a text in one language, "en" or "zh"."""
    return text.zh if language == "zh" else text.en


def heading(language: str, level: int, text: Both, anchor: str) -> str:
    """Return a heading; `anchor` is that of the English one, in a form that GitHub does not show."""
    return f"{'#' * level} {text.en}" if language == "en" else f'<a id="{anchor}"></a>\n\n{"#" * level} {text.zh}'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """Return `text` as code."""
    return f"`{text}`"


def summary(owner: type) -> str:
    """Return the docstring of a class without its source and its errors, as one paragraph."""
    text = " ".join((owner.__doc__ or "").split())
    return re.split(r"\s*(?:Source|Raises):", text)[0]


def source(owner: type) -> str:
    """Return what a docstring names as the source; '' if it names none."""
    found = re.search(r"Source: (.+)", owner.__doc__ or "")
    return found[1].strip() if found else ""
