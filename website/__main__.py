"""`python -m website FOLDER`: build the site; `python -m website --links`: list its external links."""

import argparse
import re
import sys
from pathlib import Path

from website import markdown
from website.build import build
from website.pages import DOCS, ROOT, Broken


def main() -> int:
    """Do what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="website", description="Build the documentation site from docs/.")
    parser.add_argument("folder", nargs="?", type=Path, help="where the site goes; what is in it is deleted")
    parser.add_argument("--links", action="store_true", help="list the external links of all pages, with the pages")
    parser.add_argument("--lenient", action="store_true", help="report what is wrong, but build as far as possible")
    options = parser.parse_args()
    if options.links:
        for url, pages in external_links().items():
            sys.stdout.write(f"{url}  {', '.join(pages)}\n")
    if options.folder is None:
        return 0
    try:
        wrong = build(options.folder, lenient=options.lenient)
    except Broken as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.writelines(f"{each}\n" for each in wrong)
    return 0


def external_links() -> dict[str, list[str]]:
    """Return each address that a page links to, outside of code, with the pages that link to it."""
    found: dict[str, list[str]] = {}
    for file in [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]:
        text = markdown.SPAN.sub("", markdown.prose(file.read_text("utf-8")))
        for url in sorted(set(re.findall(r"https?://[^\s)>\]，。；）]+", text))):
            found.setdefault(url, []).append(file.relative_to(ROOT).as_posix())
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
