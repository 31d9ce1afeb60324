"""Lists whose pages name the next page by a cursor. Responsible for following the cursors only."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar


class Page(Protocol):
    """One page of a list."""

    @property
    def next_cursor(self) -> str:
        """The cursor of the next page; '' on the last page."""
        ...


P = TypeVar("P", bound=Page)


async def pages(fetch: Callable[[str], Awaitable[P]]) -> AsyncIterator[P]:
    """Yield every page of `fetch(cursor)`; stop at a cursor that was followed before, to avoid an endless loop."""
    cursor, followed = "", set[str]()
    while cursor not in followed:
        followed.add(cursor)
        page = await fetch(cursor)
        yield page
        if not (cursor := page.next_cursor):
            return
