"""The two README files are one text in two languages, and what they point at exists."""

import re

import pytest

from tests.markdown import ROOT, blocks, heading_levels

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = [ENGLISH, CHINESE, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def test_same_headings() -> None:
    assert heading_levels(ENGLISH) == heading_levels(CHINESE)


def test_same_blocks() -> None:
    def code(language: str, text: str) -> tuple[str, str]:
        return language, re.sub(r"\s*#.*", "", text)  # comments are translated

    assert [code(block.language, block.text) for block in blocks(ENGLISH)] == [
        code(block.language, block.text) for block in blocks(CHINESE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
