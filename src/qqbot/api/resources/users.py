"""The bot itself: its user, its guilds, links to it."""

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from ...errors import DecodeError
from ...models.base import Model
from ...models.codec import decoder
from ...models.guilds import Guild
from ...models.users import ShareLinkBody, User
from ..route import Route
from .base import Resource, check_range


class _GuildList(Model, frozen=True, kw_only=True):
    guilds: tuple[Guild, ...]


class _UrlLink(Model, frozen=True, kw_only=True):
    url: str


class _WrappedUrlLink(Model, frozen=True, kw_only=True):
    data: _UrlLink


_guild_array = decoder(list[Guild])


_guild_list = decoder(_GuildList)


_url_link = decoder(_WrappedUrlLink)


def _guilds(data: bytes) -> list[Guild]:
    """Return the guilds of an answer: the page documents an object, but the service sends a bare array."""
    if not data.lstrip().startswith(b"{"):
        return _guild_array(data)
    try:
        return list(_guild_list(data).guilds)
    except DecodeError:
        return _guild_array(data)  # a single guild


def _share_url(data: bytes) -> str:
    return _url_link(data).data.url


GET_ME = Route("get_me", "GET", "/users/@me", User)
LIST_MY_GUILDS = Route("list_my_guilds", "GET", "/users/@me/guilds", _guilds)
GENERATE_URL_LINK = Route(
    "generate_url_link", "POST", "/v2/generate_url_link", _share_url, repeat="always", family="share_link"
)


MOST_GUILDS = 100
"""Guilds of one page."""


class Users(Resource):
    """The bot as a user."""

    async def me(self, *, timeout: float | None = None) -> User:
        """Return the bot itself.

        Raises: AuthError, IPNotAllowed.
        Source: autogen/api/users_me.get
        """
        return await self._call(GET_ME, timeout=timeout)

    async def guilds(
        self,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> list[Guild]:
        """Return guilds that the bot has joined: at most `limit` (1 to 100), those before or after a guild id.

        Raises: AuthError, IPNotAllowed; ConfigError for a `limit` out of range.
        Source: autogen/api/users_me_guilds.get
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_GUILDS)
        query = {"before": before, "after": after, "limit": limit}
        return await self._call(LIST_MY_GUILDS, query=query, timeout=timeout)

    async def iter_guilds(self, *, timeout: float | None = None) -> AsyncIterator[Guild]:
        """Yield all guilds that the bot has joined; `timeout` (seconds) is for each page.

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
        """Return a link with which users add the bot; FRIEND_ADD carries `callback_data` (at most 32 characters).

        Raises: ApiError if `callback_data` is refused; ConfigError if it is too long.
        Source: autogen/api/v2_generate_url_link.post
        """
        body = ShareLinkBody(callback_data=callback_data)
        return await self._call(GENERATE_URL_LINK, body=body, timeout=timeout)
