"""Pages that name their next one by a cursor. What is on a page is the resources'."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar


class Page(Protocol):
    """One page of a list."""

    @property
    def next_cursor(self) -> str:
        """What asks for the next page; '' on the last one."""
        ...


P = TypeVar("P", bound=Page)


async def pages(fetch: Callable[[str], Awaitable[P]]) -> AsyncIterator[P]:
    """Yield every page of `fetch(cursor)`; a cursor that was followed before ends it."""
    cursor, followed = "", set[str]()
    while cursor not in followed:
        followed.add(cursor)
        page = await fetch(cursor)
        yield page
        if not (cursor := page.next_cursor):
            return
