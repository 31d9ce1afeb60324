"""The bot itself: who it is, where it is, how users find it."""

from ...models.guilds import Guild
from ...models.users import ShareLinkBody, User
from .. import routes
from .base import Resource


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

        Raises: AuthError, IPNotAllowed.
        Source: autogen/api/users_me_guilds.get
        """
        query = {"before": before, "after": after, "limit": limit}
        return await self._call(routes.LIST_MY_GUILDS, query=query, timeout=timeout)

    async def share_link(self, callback_data: str = "", *, timeout: float | None = None) -> str:
        """Return a link by which users add the bot; `callback_data` (at most 32 characters) comes with FRIEND_ADD.

        Raises: ApiError when `callback_data` is refused.
        Source: autogen/api/v2_generate_url_link.post
        """
        body = ShareLinkBody(callback_data=callback_data) if callback_data else ShareLinkBody()
        return await self._call(routes.GENERATE_URL_LINK, body=body, timeout=timeout)
