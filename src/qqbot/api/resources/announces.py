"""Announcements of guilds and channels."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from ...models.announces import Announces, AnnouncesType, ChannelAnnouncesBody, GuildAnnouncesBody, RecommendChannel
from ..route import Route, nothing
from .base import Resource

CREATE_GUILD_ANNOUNCES = Route(
    "create_guild_announces", "POST", "/guilds/{guild_id}/announces", Announces, repeat="always"
)
DELETE_GUILD_ANNOUNCES = Route("delete_guild_announces", "DELETE", "/guilds/{guild_id}/announces/{message_id}", nothing)
CREATE_CHANNEL_ANNOUNCES = Route(
    "create_channel_announces", "POST", "/channels/{channel_id}/announces", Announces, repeat="always"
)
DELETE_CHANNEL_ANNOUNCES = Route(
    "delete_channel_announces", "DELETE", "/channels/{channel_id}/announces/{message_id}", nothing
)


ALL = "all"
"""Stands for every announcement, in place of a message id."""


class Announcements(Resource):
    """Announcements. The bot must be an administrator. A message and recommended channels replace each other."""

    async def create(
        self,
        guild_id: str,
        channel_id: str,
        message_id: str,
        *,
        kind: AnnouncesType | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> Announces:
        """Announce a message in its guild.

        Raises: PermissionMissing, NotFound, ContentRejected; ConfigError for an empty id.
        Source: server-inter/channel/content/announces/post_guild_announces
        """
        body = GuildAnnouncesBody(message_id=message_id, channel_id=channel_id, announces_type=kind)
        return await self._create(guild_id, body, timeout)

    async def recommend(
        self,
        guild_id: str,
        channels: Iterable[RecommendChannel],
        *,
        kind: AnnouncesType | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> Announces:
        """Recommend 1 to 3 channels that everyone may see; they replace the earlier recommendation.

        Raises: PermissionMissing, NotFound, QuotaExceeded; ConfigError for an empty id or too many channels.
        Source: server-inter/channel/content/announces/post_guild_announces
        """
        body = GuildAnnouncesBody(recommend_channels=tuple(channels), announces_type=kind)
        return await self._create(guild_id, body, timeout)

    async def _create(self, guild_id: str, body: GuildAnnouncesBody, timeout: float | None) -> Announces:
        return await self._call(CREATE_GUILD_ANNOUNCES, guild_id, body=body, timeout=timeout)

    async def delete(self, guild_id: str, message_id: str = ALL, *, timeout: float | None = None) -> None:
        """Delete an announcement; without `message_id` every one, including recommended channels.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/announces/delete_guild_announces
        """
        await self._call(DELETE_GUILD_ANNOUNCES, guild_id, message_id, timeout=timeout)

    async def create_in_channel(self, channel_id: str, message_id: str, *, timeout: float | None = None) -> Announces:
        """Announce a message in its channel. Deprecated: the platform dropped it, `pins.add` replaces it.

        Raises: PermissionMissing, NotFound; ConfigError for an empty id.
        Source: server-inter/channel/content/announces/post_channel_announces
        """
        body = ChannelAnnouncesBody(message_id=message_id)
        return await self._call(CREATE_CHANNEL_ANNOUNCES, channel_id, body=body, timeout=timeout)

    async def delete_in_channel(self, channel_id: str, message_id: str = ALL, *, timeout: float | None = None) -> None:
        """Delete a channel's announcement. Deprecated: the platform dropped it, `pins.delete` replaces it.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/announces/delete_channel_announces
        """
        await self._call(DELETE_CHANNEL_ANNOUNCES, channel_id, message_id, timeout=timeout)
