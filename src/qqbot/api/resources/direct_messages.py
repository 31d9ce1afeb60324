"""Private chats with guild users."""

from ...models.guilds import DMS, CreateDMSBody
from ...models.messages import Message
from ...models.outgoing.messages import Message as Sent
from ...models.setting_guides import DMSSettingGuideBody, GuildToSet
from ...models.targets import ReplyTo, Scene
from ..route import Route, nothing
from .conversations import GuildConversations

CREATE_DMS = Route("create_dms", "POST", "/users/@me/dms", DMS, repeat="always")
SEND_DMS = Route("send_dms", "POST", "/dms/{guild_id}/messages", Message, sends=True)
DELETE_DMS = Route("delete_dms", "DELETE", "/dms/{guild_id}/messages/{message_id}", nothing)
SEND_DMS_SETTING_GUIDE = Route("send_dms_setting_guide", "POST", "/dms/{guild_id}/settingguide", Message, sends=True)


class DirectMessages(GuildConversations):
    """Private chats of guilds: each is a guild of its own, named by `guild_id`."""

    scene = Scene.DMS

    async def create(self, recipient_id: str, source_guild_id: str, *, timeout: float | None = None) -> DMS:
        """Open a private chat with a user of a guild that the bot has joined.

        Raises: PermissionMissing, NotFound, QuotaExceeded.
        Source: server-inter/message/dms/post_dms
        """
        body = CreateDMSBody(recipient_id=recipient_id, source_guild_id=source_guild_id)
        return await self._call(CREATE_DMS, body=body, timeout=timeout)

    async def send_message(
        self, guild_id: str, message: Sent, *, reply_to: ReplyTo | None = None, timeout: float | None = None
    ) -> Message:
        """Send `message` to a private chat; a reply if `reply_to` names a message or an event. Sent at most once.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: server-inter/message/dms/post_dms_messages
        """
        body = await self._body(message, reply_to, timeout)
        return await self._call(SEND_DMS, guild_id, body=body, timeout=timeout)

    async def recall(
        self, guild_id: str, message_id: str, *, hide_tip: bool | None = None, timeout: float | None = None
    ) -> None:
        """Recall one of the bot's own messages; `hide_tip` omits the grey notice. Private bots only.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/message/dms/delete_dms
        """
        query = {"hidetip": hide_tip}
        await self._call(DELETE_DMS, guild_id, message_id, query=query, timeout=timeout)

    async def setting_guide(self, guild_id: str, settings_of: str, *, timeout: float | None = None) -> Message:
        """Send a link to the bot's settings in the guild `settings_of`. Experimental: seen in one source only.

        Raises: PermissionMissing, QuotaExceeded, ApiError; ConfigError for an empty id.
        Source: botgo openapi/v1/setting_guide.go, no page
        """
        body = DMSSettingGuideBody(setting_guide=GuildToSet(guild_id=settings_of))
        return await self._call(SEND_DMS_SETTING_GUIDE, guild_id, body=body, timeout=timeout)
