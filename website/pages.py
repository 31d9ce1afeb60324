"""The pages of the site: which there are, in which order, and their text as the generator takes it.

Responsible for the nav of `nav.toml`, for pages that are made (examples, reference) or stand outside of docs/
(changelog), and for links that lead out of docs/. Collaborators: `reference` makes the reference; `build` writes the
pages. It decides nothing about how they look.
"""

import ast
import os.path
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from website import markdown, reference

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CHINESE = DOCS / "zh"
EXAMPLES = ROOT / "examples"
NAV = Path(__file__).with_name("nav.toml")
LANGUAGES = ("zh", "en")

HOME = {"README.md": "index.md", "README.zh-CN.md": "index.md"}
"""Files that a page may link to and that the site has under another name."""


class Broken(Exception):
    """A page that cannot be published; the text has every reason, one a line."""


@dataclass(frozen=True)
class Page:
    """A page of the site, by its path, with its title in each language.

    `text`: what stands below the title, if the page is made. `source`: the file, if it is not one of docs/.
    """

    path: str
    titles: dict[str, str]
    text: str | None = None
    source: Path | None = None


@dataclass(frozen=True)
class Section:
    """A part of the nav."""

    titles: dict[str, str]
    pages: tuple[Page, ...]


def sections() -> tuple[Section, ...]:
    """Return the nav, with the pages that are made."""
    return tuple(
        Section(_titles(section), (*_listed(section), *_generated(section)))
        for section in tomllib.loads(NAV.read_text("utf-8"))["section"]
    )


def _titles(entry: dict[str, Any]) -> dict[str, str]:
    return {language: entry[language] for language in LANGUAGES}


def _listed(section: dict[str, Any]) -> Iterator[Page]:
    for page in section.get("pages", ()):
        source = page.get("source")
        yield Page(page["path"], _titles(page), source=ROOT / source if source else None)
    for file in sorted((DOCS / section["folder"]).glob("*.md")) if "folder" in section else ():
        name = headings_of(file)[0].text
        yield Page(file.relative_to(DOCS).as_posix(), dict.fromkeys(LANGUAGES, name))


def headings_of(file: Path) -> list[markdown.Heading]:
    """Return the headings of a file."""
    return markdown.headings(file.read_text("utf-8"))


def _generated(section: dict[str, Any]) -> Iterator[Page]:
    match section.get("generated"):
        case "examples":
            yield from _examples()
        case "api":
            for name, titles, text in reference.pages():
                yield Page(f"api/{name}.md", titles, text)
        case _:
            pass


def _examples() -> Iterator[Page]:
    """Yield the page that lists the examples, and one for each."""
    rows: list[str] = []
    made: list[Page] = []
    for file in sorted(EXAMPLES.rglob("*.py")):
        if not (code := file.read_text("utf-8")):  # makes a folder a package
            continue
        about = ast.get_docstring(ast.parse(code)) or ""
        first, *_ = about.splitlines() or [""]
        name = file.relative_to(EXAMPLES).as_posix()
        rows.append(f"| [{name}](../{_example(file)}) | {first} |")
        made.append(Page(_example(file), dict.fromkeys(LANGUAGES, name), f"{about}\n\n```python\n{code}```\n"))
    table = "\n".join(["| | |", "|---|---|", *rows, ""])
    yield Page("examples/index.md", {"en": "All examples", "zh": "全部示例"}, table)
    yield from made


def _example(file: Path) -> str:
    return f"examples/{file.relative_to(EXAMPLES).with_suffix('.md').as_posix()}"


def written() -> list[str]:
    """Return the paths of the English pages of docs/, which are to exist in Chinese as well."""
    return sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if not page.is_relative_to(CHINESE))


def problems(nav: tuple[Section, ...]) -> list[str]:
    """Return what is wrong with the set of pages: orphans, doubles, pages that are listed and do not exist."""
    listed = [page.path for section in nav for page in section.pages if page.text is None and page.source is None]
    exist = written()
    return [
        *(f"docs/{path}: not in {NAV.name}" for path in exist if path not in listed),
        *(f"{NAV.name}: docs/{path} does not exist" for path in listed if path not in exist),
        *(f"{NAV.name}: {path} is listed twice" for path in sorted({p for p in listed if listed.count(p) > 1})),
        *(f"docs/zh/{path}: missing" for path in exist if not (CHINESE / path).exists()),
        *(
            f"docs/zh/{path}: no English page"
            for path in sorted(page.relative_to(CHINESE).as_posix() for page in CHINESE.rglob("*.md"))
            if path not in exist
        ),
    ]


class Texts:
    """The text of each page in one language, ready for the generator.

    A page that does not exist in Chinese is taken in English; `problems` names it.
    """

    def __init__(self, language: str, nav: tuple[Section, ...]) -> None:
        self.language = language
        self.broken: list[str] = []
        self._titles = {page.path: page.titles[language] for section in nav for page in section.pages}
        self._places = {
            **{(ROOT / file).resolve(): place for file, place in HOME.items()},
            **{page.source.resolve(): page.path for section in nav for page in section.pages if page.source},
            EXAMPLES: "examples/index.md",
            **{file.resolve(): _example(file) for file in EXAMPLES.rglob("*.py")},
        }

    def of(self, page: Page) -> str:
        """Return the text of a page: links inside the site, and anchors that are the same in both languages."""
        if page.text is not None:
            return f"# {page.titles[self.language]}\n\n{page.text}"
        if page.source is not None:
            return self._prepared(page.source, page.source, page.path)
        english = DOCS / page.path
        chinese = CHINESE / page.path
        file = chinese if self.language == "zh" and chinese.exists() else english
        return self._prepared(file, english, page.path)

    def _prepared(self, file: Path, english: Path, path: str) -> str:
        anchors = iter(headings_of(english))

        def heading(match: re.Match[str]) -> str:
            anchor = each.anchor if (each := next(anchors, None)) else markdown.slug(match["text"])
            return f"{match['marks']} {match['text']} {{#{anchor}}}"

        def link(match: re.Match[str]) -> str:
            return f"]({self._moved(match['target'], file, path)})"

        def outside(prose: str) -> str:
            prose = markdown.HEADING.sub(heading, prose)
            prose = markdown.FILE_LINK.sub(lambda match: self._titled(match, file), prose)
            prose = markdown.LINK.sub(link, prose)
            return markdown.CHINESE_LINE_END.sub("", prose)

        return _outside_fences(file.read_text("utf-8"), outside)

    def _titled(self, match: re.Match[str], file: Path) -> str:
        """Return a link that names a file with the title of the page instead."""
        title = self._titles.get(self._place(match["target"].partition("#")[0], file))
        return f"[{title}]({match['target']})" if title else match[0]

    def _moved(self, target: str, file: Path, path: str) -> str:
        """Return a link's target as seen from the place of the page on the site."""
        name, mark, anchor = target.partition("#")
        if not name or ":" in name:
            return target
        if not (place := self._place(name, file)):
            self.broken.append(f"{file.relative_to(ROOT)}: {target} leads to nothing on the site")
            return target
        return os.path.relpath(place, PurePosixPath(path).parent) + mark + anchor

    def _place(self, name: str, file: Path) -> str:
        """Return where on the site a file is that a page links to; "" if it is not there."""
        where = (file.parent / name).resolve()
        for folder in (CHINESE, DOCS):
            if where.is_relative_to(folder):
                place = where.relative_to(folder).as_posix()
                return place if where.exists() or (DOCS / place).exists() else ""
        return self._places.get(where, "")


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Apply `change` to what is not inside a fence; indent a fence in a list by the four spaces that Zensical needs."""
    parts: list[str] = []
    end = 0
    for match in markdown.FENCE.finditer(text):
        parts.append(change(text[end : match.start()]))
        parts.append(re.sub(r"^(?=.)", " " * (-len(match["indent"]) % 4), match[0], flags=re.MULTILINE))
        end = match.end()
    return "".join([*parts, change(text[end:])])
