"""The pages of docs/ are in step in both languages, and the site has each of them once.

The build itself, with every link and anchor, is `nox -s docs`.
"""

import re
from pathlib import Path

import pytest

import qqbot
from website import __main__ as command
from website import markdown, pages, reference
from website.pages import CHINESE, DOCS, ROOT, Section, Texts

WRITTEN = pages.written()
PAIRS = [path for path in WRITTEN if (CHINESE / path).exists()]


def both(path: str) -> tuple[str, str]:
    return (DOCS / path).read_text("utf-8"), (CHINESE / path).read_text("utf-8")


def test_every_page_exists_in_both_languages_and_is_in_the_nav_once() -> None:
    assert pages.problems(pages.sections()) == []


@pytest.mark.parametrize("path", PAIRS)
def test_same_headings(path: str) -> None:
    english, chinese = (markdown.headings(text) for text in both(path))
    assert [heading.level for heading in chinese] == [heading.level for heading in english]
    assert [(here.text, here.anchor) for here in chinese if here.explicit] == [
        (here.text, there.anchor) for here, there in zip(chinese, english, strict=True) if here.explicit
    ]


@pytest.mark.parametrize("path", PAIRS)
def test_same_code(path: str) -> None:
    english, chinese = (markdown.fences(text) for text in both(path))
    assert chinese == english


@pytest.mark.parametrize("path", PAIRS)
def test_same_tables(path: str) -> None:
    english, chinese = (markdown.tables(text) for text in both(path))
    assert chinese == english


@pytest.mark.parametrize("path", PAIRS)
def test_same_links(path: str) -> None:
    english, chinese = both(path)
    assert targets(CHINESE / path, chinese) == targets(DOCS / path, english)


def targets(page: Path, text: str) -> list[str]:
    """Return where the links of a page lead, in either language, sorted: a sentence may be turned round."""
    found = []
    for link in markdown.links(text):
        name, mark, anchor = link.partition("#")
        if name and ":" not in name:
            place = (page.parent / name).resolve()
            place = DOCS / place.relative_to(CHINESE) if place.is_relative_to(CHINESE) else place
            name = place.relative_to(ROOT).as_posix().replace("README.zh-CN.md", "README.md")
        found.append(name + mark + anchor)
    return sorted(found)


def test_every_public_name_is_in_the_reference_once() -> None:
    listed = [name for names in reference.names().values() for name in names]
    assert sorted(listed) == sorted(set(listed))
    assert {f"qqbot.{name}" for name in qqbot.__all__} - set(listed) == {"qqbot.__version__"}


def test_orphans_doubles_and_missing_pages_are_found() -> None:
    (first, *others) = pages.sections()
    lost = Section(first.titles, (*first.pages[1:], *first.pages[1:], pages.Page("nowhere.md", {})))
    found = pages.problems((lost, *others))
    assert "docs/index.md: not in nav.toml" in found
    assert "nav.toml: docs/nowhere.md does not exist" in found
    assert "nav.toml: start.md is listed twice" in found


def published(text: str, language: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Return what the site has for a page `sub/a.md`, and its broken links."""
    page = folder / "sub" / "a.md"
    page.parent.mkdir(parents=True)
    page.write_text(text, "utf-8")
    (folder / "b.md").write_text("# B\n", "utf-8")
    monkeypatch.setattr(pages, "DOCS", folder)
    monkeypatch.setattr(pages, "CHINESE", folder / "zh")
    monkeypatch.setattr(pages, "ROOT", folder.parent)
    texts = Texts(language, ())
    return texts.of(pages.Page("sub/a.md", {})), texts.broken


def test_links_lead_to_places_of_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"# A\n[b](../b.md#x) [e]({pages.EXAMPLES}/echo.py) [no](../c.md) [web](https://q.qq.com)\n"
    made, broken = published(text, "en", tmp_path / "docs", monkeypatch)
    assert made == "# A {#a}\n[b](../b.md#x) [e](../examples/echo.md) [no](../c.md) [web](https://q.qq.com)\n"
    assert broken == ["docs/sub/a.md: ../c.md leads to nothing on the site"]


def test_a_link_that_names_a_file_shows_the_title() -> None:
    nav = pages.sections()
    security = next(page for section in nav for page in section.pages if page.path == "security.md")
    english = Texts("en", nav).of(security)
    assert "[Working on qqbot](contributing.md#cutting-a-version)" in english
    assert "[Webhooks](webhook.md#security)" in english


def test_a_chinese_page_has_the_anchors_of_the_english_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chinese = tmp_path / "docs" / "zh" / "sub" / "a.md"
    chinese.parent.mkdir(parents=True)
    chinese.write_text("# 甲\n\n## 乙 {#what-it-is}\n\n[b](../b.md) ![i](../../images/i.png)\n", "utf-8")
    (tmp_path / "docs" / "images").mkdir()
    (tmp_path / "docs" / "images" / "i.png").touch()
    made, broken = published("# A\n\n## What it is\n", "zh", tmp_path / "docs", monkeypatch)
    assert made == "# 甲 {#a}\n\n## 乙 {#what-it-is}\n\n[b](../b.md) ![i](../images/i.png)\n"
    assert broken == []


def test_a_fence_in_a_list_is_indented_as_the_generator_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = published("- a\n\n  ```sh\n  # b\n\n  c\n  ```\n", "en", tmp_path / "docs", monkeypatch)
    assert made == "- a\n\n    ```sh\n    # b\n\n    c\n    ```\n"


def test_lines_of_a_chinese_sentence_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# 甲\n乙，\n丙 a\n丁\n\n- 戊。\n  己\n- 庚\n"
    made, _ = published(text, "en", tmp_path / "docs", monkeypatch)
    assert made == "# 甲 {#甲}\n乙，丙 a\n丁\n\n- 戊。己\n- 庚\n"


def test_anchors_are_those_of_a_forge() -> None:
    text = "# One: `Lock`\n\n## Same\n\n```\n# no\n```\n\n## Same\n\n## 中文 {#own}\n"
    found = [(each.anchor, each.explicit) for each in markdown.headings(text)]
    assert found == [("one-lock", False), ("same", False), ("same-1", False), ("own", True)]


def test_external_links_are_listed_with_their_pages() -> None:
    found = command.external_links()
    assert "docs/performance.md" in found["https://trustme.readthedocs.io"]
    assert all(re.fullmatch(r"https?://\S+", url) for url in found)
