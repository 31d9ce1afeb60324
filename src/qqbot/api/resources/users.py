"""The bot itself: who it is, where it is, how users find it."""

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from ...models.guilds import Guild
from ...models.users import ShareLinkBody, User
from .. import routes
from .base import Resource, check_range

MOST_GUILDS = 100
"""Guilds of one page."""


class Users(Resource):
    """The bot as a user."""

    async def me(self, *, timeout: float | None = None) -> User:
        """Return the bot itself.

        Raises: AuthError, IPNotAllowed.
        Source: autogen/api/users_me.get
        """
        return await self._call(routes.GET_ME, timeout=timeout)

    async def guilds(
        self,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> list[Guild]:
        """Return guilds that the bot is in: at most `limit` (100 at most), those before or after a guild id.

        Raises: AuthError, IPNotAllowed; ConfigError for a `limit` out of range.
        Source: autogen/api/users_me_guilds.get
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_GUILDS)
        query = {"before": before, "after": after, "limit": limit}
        return await self._call(routes.LIST_MY_GUILDS, query=query, timeout=timeout)

    async def iter_guilds(self, *, timeout: float | None = None) -> AsyncIterator[Guild]:
        """Yield all guilds that the bot is in; `timeout` (seconds) is for each page.

        Raises: as `guilds`.
        """
        after: str | None = None
        while page := await self.guilds(after=after, limit=MOST_GUILDS, timeout=timeout):
            for guild in page:
                yield guild
            if after == page[-1].id:
                return
            after = page[-1].id

    async def share_link(self, callback_data: str | UnsetType = UNSET, *, timeout: float | None = None) -> str:
        """Return a link by which users add the bot; `callback_data` (at most 32 characters) comes with FRIEND_ADD.

        Raises: ApiError when `callback_data` is refused; ConfigError when it is too long.
        Source: autogen/api/v2_generate_url_link.post
        """
        body = ShareLinkBody(callback_data=callback_data)
        return await self._call(routes.GENERATE_URL_LINK, body=body, timeout=timeout)
