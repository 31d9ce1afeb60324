"""Guilds, and what they allow the bot to send."""

from ...models.guilds import Guild, MessageSetting
from ..route import Route
from .base import Resource

GET_GUILD = Route("get_guild", "GET", "/guilds/{guild_id}", Guild)
GET_MESSAGE_SETTING = Route("get_message_setting", "GET", "/guilds/{guild_id}/message/setting", MessageSetting)


class Guilds(Resource):
    """Guilds that the bot has joined; `users.guilds` lists them."""

    async def get(self, guild_id: str, *, timeout: float | None = None) -> Guild:
        """Return one guild.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/guilds_guild_id.get
        """
        return await self._call(GET_GUILD, guild_id, timeout=timeout)

    async def message_setting(self, guild_id: str, *, timeout: float | None = None) -> MessageSetting:
        """Return which active messages the bot may send and where, and whether it may open private chats.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/speak/setting/message_setting
        """
        return await self._call(GET_MESSAGE_SETTING, guild_id, timeout=timeout)
