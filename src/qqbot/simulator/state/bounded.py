"""`forget_oldest`: the bound of what a bot's calls can fill.

Responsible for dropping entries; what is kept, and how many of them, is up to each state.
"""

from typing import Any


def forget_oldest(entries: dict[Any, Any], most: int) -> None:
    """Remove the entries that were added first, until there are `most`."""
    while len(entries) > most:
        del entries[next(iter(entries))]
