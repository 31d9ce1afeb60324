"""Reads Markdown: fenced blocks, headings with their anchors, links, tables.

Responsible for what the site and the tests of the pages look at. Pure: text in, values out.
"""

import re
from dataclasses import dataclass

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
HEADING = re.compile(r"^(?P<marks>#{1,6}) (?P<text>.*?)(?: \{#(?P<anchor>[\w-]+)\})?$", re.MULTILINE)
LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)")
FILE_LINK = re.compile(r"\[[\w./-]+\.md\]\((?P<target>[^()\s]+)\)")
"""A link that names a file, which a reader of the repository wants and a reader of the site does not."""

ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
CHINESE_LINE_END = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n *(?=[\u3000-\u9fff\uff00-\uffef])")
"""A line end inside a Chinese sentence, which HTML would show as a blank."""

CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Heading:
    """A heading; `anchor` is what a link to it names, `explicit` is true if the page itself gives it."""

    level: int
    text: str
    anchor: str
    explicit: bool


def prose(text: str) -> str:
    """Return the text without fenced blocks, in as many lines."""
    return FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)


def headings(text: str) -> list[Heading]:
    """Return all headings, with the anchors that a forge gives them unless the page names others."""
    found: list[Heading] = []
    taken: dict[str, int] = {}
    for match in HEADING.finditer(prose(text)):
        anchor = match["anchor"] or slug(match["text"])
        times = taken.get(anchor, 0)
        taken[anchor] = times + 1
        found.append(
            Heading(len(match["marks"]), match["text"], f"{anchor}-{times}" if times else anchor, bool(match["anchor"]))
        )
    return found


def slug(text: str) -> str:
    """Return the anchor of a heading: small letters, digits and hyphens."""
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")


def links(text: str) -> list[str]:
    """Return the targets of all links and images, in their order."""
    return [match["target"] for match in LINK.finditer(SPAN.sub("", prose(text)))]


def fences(text: str) -> list[tuple[str, str]]:
    """Return the language and the text of each fenced block."""
    return [(match["language"], match["text"]) for match in FENCE.finditer(text)]


def tables(text: str) -> list[int]:
    """Return the number of columns of each row of each table."""
    return [len(CELL.split(SPAN.sub("", row))) - 2 for row in ROW.findall(prose(text))]
