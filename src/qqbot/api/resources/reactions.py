"""Emoji reactions to messages in guild channels."""

from collections.abc import AsyncIterator

from ...models.reactions import Emoji, ReactionUsersPage
from ...models.users import User
from ..route import Route, nothing
from .base import Resource, check_range

ADD_REACTION = Route(
    "add_reaction", "PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{type}/{id}", nothing
)
DELETE_REACTION = Route(
    "delete_reaction", "DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{type}/{id}", nothing
)
LIST_REACTION_USERS = Route(
    "list_reaction_users",
    "GET",
    "/channels/{channel_id}/messages/{message_id}/reactions/{type}/{id}",
    ReactionUsersPage,
)


MOST_USERS = 50
"""Users of one page."""


class Reactions(Resource):
    """Reactions in guild channels. `Emoji.of("🎉")` is a Unicode emoji, `Emoji.face(4)` a face of the platform."""

    async def add(self, channel_id: str, message_id: str, emoji: Emoji, *, timeout: float | None = None) -> None:
        """Add the bot's reaction to a message.

        Raises: PermissionMissing, NotFound, QuotaExceeded if the message has too many kinds, RateLimited.
        Source: server-inter/message/trans/emoji
        """
        await self._call(ADD_REACTION, channel_id, message_id, *_names(emoji), timeout=timeout)

    async def delete(self, channel_id: str, message_id: str, emoji: Emoji, *, timeout: float | None = None) -> None:
        """Remove the bot's reaction from a message.

        Raises: PermissionMissing, NotFound if the bot has no such reaction.
        Source: server-inter/message/trans/emoji
        """
        await self._call(DELETE_REACTION, channel_id, message_id, *_names(emoji), timeout=timeout)

    async def users(
        self,
        channel_id: str,
        message_id: str,
        emoji: Emoji,
        *,
        cookie: str = "",
        limit: int | None = None,
        timeout: float | None = None,
    ) -> ReactionUsersPage:
        """Return one page of the users who reacted: the first, of `limit` (1 to 50) users, or the one at `cookie`.

        Raises: PermissionMissing, NotFound; ConfigError for a `limit` out of range.
        Source: server-inter/message/trans/emoji
        """
        if limit is not None:
            check_range("limit", limit, 1, MOST_USERS)
        query = {"cookie": cookie or None, "limit": limit}
        ids = channel_id, message_id, *_names(emoji)
        return await self._call(LIST_REACTION_USERS, *ids, query=query, timeout=timeout)

    async def iter_users(
        self, channel_id: str, message_id: str, emoji: Emoji, *, timeout: float | None = None
    ) -> AsyncIterator[User]:
        """Yield all users who reacted; `timeout` (seconds) is for each page.

        Raises: as `users`.
        """
        page = await self.users(channel_id, message_id, emoji, limit=MOST_USERS, timeout=timeout)
        asked: set[str] = set()
        while True:
            for user in page.users:
                yield user
            if page.is_end or not page.cookie or page.cookie in asked:
                return
            asked.add(page.cookie)
            page = await self.users(channel_id, message_id, emoji, cookie=page.cookie, timeout=timeout)


def _names(emoji: Emoji) -> tuple[str, str]:
    return str(int(emoji.type)), emoji.id
