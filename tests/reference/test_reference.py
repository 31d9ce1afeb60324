"""The pages of the reference are what the generator writes, and have all that the package has."""

import re
from pathlib import Path

import pytest

from qqbot import cli
from qqbot.api import codes as error_codes
from qqbot.gateway.close_codes import CLOSE_CODES
from qqbot.models.events import EVENTS, Replyable
from tests.markdown import ROOT
from tests.reference import codes, commands, events, pages

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=Path.as_posix)
def test_the_page_is_what_the_generator_writes(path: Path) -> None:
    assert (ROOT / path).read_text("utf-8") == PAGES[path], "run nox -s reference"


def test_there_are_no_other_pages() -> None:
    for folder in {path.parent for path in PAGES}:
        assert {page.relative_to(ROOT) for page in (ROOT / folder).iterdir()} == {
            p for p in PAGES if p.parent == folder
        }


def section(name: str) -> str:
    """Return what the page of events has on one of them."""
    page = PAGES[Path("docs/reference", events.NAME)]
    (found,) = re.findall(rf"^### {name}$\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
    return found


@pytest.mark.parametrize("wire_name", EVENTS)
def test_an_event_has_name_fields_and_how_it_is_answered(wire_name: str) -> None:
    kind = EVENTS[wire_name]
    text = section(kind.__name__)
    assert f"`{wire_name}`" in text
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", text, re.MULTILINE)
    assert rows == list(kind.__struct_encode_fields__)
    assert ("minutes" in text) == issubclass(kind, Replyable)


def test_windows_are_those_of_the_conversation() -> None:
    assert "to the message, for 60 minutes, 4 times at most" in section("C2CMessageCreate")
    assert "to the message, for 5 minutes, 5 times at most" in section("GroupAtMessageCreate")
    assert "by the event id, for 5 minutes; in C2C 60" in section("InteractionCreate")
    assert "reply: not possible" in section("GroupDelRobot")


def test_every_link_leads_to_a_heading_of_the_page() -> None:
    for path, page in PAGES.items():
        anchors = {text.lower() for text in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}
        anchors |= set(re.findall(r'^<a id="(.+)"></a>$', page, re.MULTILINE))
        anchors |= {text.replace(" ", "-") for text in anchors}
        assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors, path


@pytest.mark.parametrize("family", codes.FAMILIES)
def test_every_code_with_a_rule_is_listed(family: error_codes.Family) -> None:
    every = error_codes._TABLES[family]  # nothing public lists them
    assert {number for number, _ in codes.rules(family)} == set(every)


def test_every_close_code_is_listed() -> None:
    assert set(CLOSE_CODES) <= {row["code"] for row, _ in codes.closes()}


def test_every_command_is_listed_with_its_options() -> None:
    page = PAGES[Path("docs/reference", commands.NAME)]
    for name, _, parser in commands.commands(cli._parser(), "qqbot"):
        text = re.split(r"^## ", page.partition(f"## {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
        assert text.count("\n| `") == len(parser._actions) - 1 - (parser._subparsers is not None), name
