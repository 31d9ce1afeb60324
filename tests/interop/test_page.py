"""docs/interop.md shows what test_sdks.py asserts: both come from sdks.toml."""

import re

import pytest

from tests.interop.sdks import ABILITIES, KINDS, SCENES, SDKS, Sdk
from tests.markdown import ROOT

PAGE = (ROOT / "docs" / "interop.md").read_text("utf-8")


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def abilities(sdk: Sdk) -> str:
    scenes = (", ".join(kind for kind in KINDS if f"{scene}.{kind}" not in sdk.missing) or "-" for scene in SCENES)
    rest = ("-" if ability in sdk.missing else "yes" for ability in ("resume", "webhook"))
    return row(sdk.name, *scenes, *rest)


def origin(sdk: Sdk) -> str:
    packages = (f"`{package}`" for package in sdk.packages)
    return row(sdk.name, sdk.registry, ", ".join(packages), sdk.hosts)


def gaps(sdk: Sdk) -> list[str]:
    return [f"- {sdk.name}, no {named(abilities)}: {reason}." for reason, abilities in sdk.gaps.items()]


def named(abilities: list[str]) -> str:
    return ", ".join(ability.replace(".", " ") for ability in abilities)


def rows_under(heading: str) -> list[str]:
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(heading))
    return [line for line in text.splitlines() if line.startswith(("| ", "- "))]


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.slug)
def test_every_gap_is_an_ability(sdk: Sdk) -> None:
    assert set(sdk.missing) <= set(ABILITIES)


def test_the_page_shows_what_each_sdk_can_do() -> None:
    assert rows_under("What each can do")[1:] == [abilities(sdk) for sdk in SDKS]


def test_the_page_names_every_gap() -> None:
    assert rows_under("Gaps") == [line for sdk in SDKS for line in gaps(sdk)]


def test_the_page_shows_where_each_sdk_comes_from() -> None:
    assert rows_under("How each is pointed here")[1:] == [origin(sdk) for sdk in SDKS]
