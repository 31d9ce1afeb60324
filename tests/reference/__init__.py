"""The reference of docs/: pages that are written from the models, the tables and the signatures of the package.

Responsible for which pages there are. Collaborators: one module for each page; `words` has what they share.
"""

from pathlib import Path, PurePosixPath

from . import codes, commands, events, options
from .words import FOLDERS

PAGES = (events, codes, options, commands)


def pages() -> dict[Path, str]:
    """Return the text of each page, by its path from the root of the repository."""
    return {
        Path(PurePosixPath(folder), module.NAME): module.page(language)
        for language, folder in FOLDERS._asdict().items()
        for module in PAGES
    }
