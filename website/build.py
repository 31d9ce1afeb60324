"""Builds the site: the pages of each language go into a folder, Zensical makes HTML of them.

Responsible for the folders, the configuration and the verdict. Collaborators: `pages` for the texts; Zensical, a
process of its own for each language. The Chinese site is the root, the English one is `en/` in it.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from website.pages import CHINESE, DOCS, ROOT, Broken, Section, Texts, problems, sections

HERE = Path(__file__).parent
CONFIG = HERE / "zensical.toml"
WORDS = {
    "zh": {
        "description": "面向 QQ 机器人的 asyncio SDK",
        "light": "切换到浅色主题",
        "dark": "切换到深色主题",
        "system": "跟随系统主题",
    },
    "en": {
        "description": "An asyncio SDK for QQ bots",
        "light": "Switch to the light theme",
        "dark": "Switch to the dark theme",
        "system": "Follow the system's theme",
    },
}
STYLE = re.compile(r"\x1b\[[\d;]*m")
PLACES = {"zh": "", "en": "en"}


def build(folder: Path, *, lenient: bool = False) -> list[str]:
    """Build the site into `folder`, which is emptied first, and return what is wrong with its pages.

    `lenient`: English pages stand in for missing Chinese ones, and nothing is raised for what is wrong.

    Raises: Broken, with every reason.
    """
    nav = sections()
    wrong = problems(nav)
    shutil.rmtree(folder, ignore_errors=True)
    for language, place in PLACES.items():
        work = folder / ".work" / language
        wrong += _stage(work, language, nav)
        wrong += _run(work, lenient=lenient)
        shutil.copytree(work / "html", folder / place, dirs_exist_ok=True)
    shutil.rmtree(folder / ".work")
    if wrong and not lenient:
        raise Broken("\n".join(wrong))
    return wrong


def _stage(work: Path, language: str, nav: tuple[Section, ...]) -> list[str]:
    """Write the pages and the configuration of one language; return the links that lead nowhere."""
    docs = work / "pages"
    texts = Texts(language, nav)
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns(CHINESE.name, "*.md"))
    for section in nav:
        for page in section.pages:
            file = docs / page.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(texts.of(page), "utf-8")
    for asset in ("site.css", "site.js"):
        shutil.copy(HERE / asset, docs)
    values = {
        **WORDS[language],
        "language": language,
        "nav": _nav(nav, language),
        "sources": (ROOT / "src").as_posix(),
        "theme": (HERE / "theme").as_posix(),
    }
    config = re.sub(r"@(\w+)@", lambda match: values[match[1]], CONFIG.read_text("utf-8"))
    (work / "zensical.toml").write_text(config, "utf-8")
    return texts.broken


def _nav(nav: tuple[Section, ...], language: str) -> str:
    """Return the nav as a TOML array; a JSON string is a TOML string."""

    def quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    return "[{}]".format(
        ", ".join(
            "{{ {} = [{}] }}".format(
                quoted(section.titles[language]),
                ", ".join(f"{{ {quoted(page.titles[language])} = {quoted(page.path)} }}" for page in section.pages),
            )
            for section in nav
        )
    )


def _run(work: Path, *, lenient: bool) -> list[str]:
    """Let Zensical build one language; a warning is an error."""
    command = [sys.executable, "-m", "zensical", "build", "--clean", *([] if lenient else ["--strict"])]
    ended = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    sys.stdout.write(f"{work.name}:\n{STYLE.sub('', ended.stdout + ended.stderr.partition('Traceback')[0])}")
    return [f"zensical: exit code {ended.returncode} for {work.name}"] if ended.returncode else []
