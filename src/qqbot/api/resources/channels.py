"""Channels of guilds, and the messages in them."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

from msgspec import UNSET, UnsetType

from ...errors import ConfigError
from ...models.channels import (
    Channel,
    ChannelSubType,
    ChannelType,
    CreateChannelBody,
    ModifyChannelBody,
    PrivateType,
    SpeakPermission,
)
from ...models.messages import Message
from ...models.outgoing import Markdown, guild_body
from ...models.outgoing import Message as Sent
from ...models.setting_guides import ChannelSettingGuideBody
from ...models.targets import ReplyTo
from ...models.users import Member
from .. import routes
from .base import Resource, check_range
from .conversations import guild_message

MOST_MESSAGES = 20
"""Messages of one page."""


class Channels(Resource):
    """Guild channels. The bot has to be connected to the gateway to send, and an administrator to change channels."""

    async def of_guild(self, guild_id: str, *, timeout: float | None = None) -> list[Channel]:
        """Return the channels of a guild.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/guilds_guild_id_channels.get
        """
        return await self._call(routes.LIST_CHANNELS, guild_id, timeout=timeout)

    async def get(self, channel_id: str, *, timeout: float | None = None) -> Channel:
        """Return one channel.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/channels_channel_id.get
        """
        return await self._call(routes.GET_CHANNEL, channel_id, timeout=timeout)

    async def create(
        self,
        guild_id: str,
        name: str,
        kind: ChannelType = ChannelType.TEXT,
        *,
        sub_type: ChannelSubType | UnsetType = UNSET,
        position: int | UnsetType = UNSET,
        parent_id: str | UnsetType = UNSET,
        private_type: PrivateType | UnsetType = UNSET,
        private_user_ids: tuple[str, ...] | UnsetType = UNSET,
        speak_permission: SpeakPermission | UnsetType = UNSET,
        application_id: str | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> Channel:
        """Make a channel; `position` is 2 or more for a category, `private_user_ids` may see a private one.

        Private bots only.

        Raises: PermissionMissing, NotFound, QuotaExceeded; ConfigError for an empty name or a bad position.
        Source: autogen/api/guilds_guild_id_channels.post
        """
        body = CreateChannelBody(
            name=name,
            type=kind,
            sub_type=sub_type,
            position=position,
            parent_id=parent_id,
            private_type=private_type,
            private_user_ids=private_user_ids,
            speak_permission=speak_permission,
            application_id=application_id,
        )
        return await self._call(routes.CREATE_CHANNEL, guild_id, body=body, timeout=timeout)

    async def modify(
        self,
        channel_id: str,
        *,
        name: str | UnsetType = UNSET,
        position: int | UnsetType = UNSET,
        parent_id: str | UnsetType = UNSET,
        private_type: PrivateType | UnsetType = UNSET,
        speak_permission: SpeakPermission | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> Channel:
        """Change what is given and leave the rest. Private bots only.

        Raises: PermissionMissing, NotFound; ConfigError when nothing is given, or an empty name.
        Source: autogen/api/channels_channel_id.patch
        """
        body = ModifyChannelBody(
            name=name,
            position=position,
            parent_id=parent_id,
            private_type=private_type,
            speak_permission=speak_permission,
        )
        return await self._call(routes.MODIFY_CHANNEL, channel_id, body=body, timeout=timeout)

    async def delete(self, channel_id: str, *, timeout: float | None = None) -> None:
        """Delete a channel, for good. Private bots only.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/channels_channel_id.delete
        """
        await self._call(routes.DELETE_CHANNEL, channel_id, timeout=timeout)

    async def voice_members(self, channel_id: str, *, timeout: float | None = None) -> list[Member]:
        """Return who is in a voice channel. Private bots only.

        Raises: PermissionMissing, NotFound, ApiError when it is no voice channel.
        Source: botgo openapi/v1/channel.go, no page
        """
        return await self._call(routes.LIST_VOICE_MEMBERS, channel_id, timeout=timeout)

    async def online_nums(self, channel_id: str, *, timeout: float | None = None) -> int:
        """Return how many are in an audio, video or live channel.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/role/get_online_nums
        """
        return await self._call(routes.GET_CHANNEL_ONLINE_NUMS, channel_id, timeout=timeout)

    async def setting_guide(self, channel_id: str, user_ids: Iterable[str], *, timeout: float | None = None) -> Message:
        """Ask these administrators to switch active messages on. Experimental: seen in one source only.

        Raises: PermissionMissing, QuotaExceeded, ApiError; ConfigError when there are no ids.
        Source: botgo openapi/v1/setting_guide.go, no page
        """
        body = ChannelSettingGuideBody(content="".join(f"<@{user_id}>" for user_id in user_ids))
        return await self._call(routes.SEND_CHANNEL_SETTING_GUIDE, channel_id, body=body, timeout=timeout)

    async def send_message(
        self, channel_id: str, message: Sent, *, reply_to: ReplyTo | None = None, timeout: float | None = None
    ) -> Message:
        """Send `message` to a channel; a reply when `reply_to` names a message or an event. Sent at most once.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: server-inter/channel/message/send
        """
        body = await guild_message(message, reply_to, timeout)
        return await self._call(routes.SEND_CHANNEL_MESSAGE, channel_id, body=body, timeout=timeout)

    async def message(self, channel_id: str, message_id: str, *, timeout: float | None = None) -> Message:
        """Return one message.

        Raises: PermissionMissing, NotFound.
        Source: botgo openapi/v1/message.go, no page
        """
        return await self._call(routes.GET_CHANNEL_MESSAGE, channel_id, message_id, timeout=timeout)

    async def messages(
        self,
        channel_id: str,
        *,
        around: str | None = None,
        before: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> list[Message]:
        """Return messages around, before or after a message id, at most `limit` (20 at most).

        Raises: PermissionMissing: the platform seems to have closed this to most bots; ConfigError for two places,
        and a `limit` out of range.
        Source: botgo openapi/v1/message.go, no page
        """
        if sum(place is not None for place in (around, before, after)) > 1:
            raise ConfigError("messages are read around, before or after one: give at most one of them")
        if limit is not None:
            check_range("limit", limit, 1, MOST_MESSAGES)
        query = {"around": around, "before": before, "after": after, "limit": limit}
        return await self._call(routes.LIST_CHANNEL_MESSAGES, channel_id, query=query, timeout=timeout)

    async def iter_messages(
        self,
        channel_id: str,
        *,
        before: str | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Message]:
        """Yield the messages after one, oldest first, or those before one, or all, newest first.

        `timeout` (seconds) is for each page.

        Raises: as `messages`.
        """
        seen: set[str] = set()
        while page := await self.messages(channel_id, before=before, after=after, limit=MOST_MESSAGES, timeout=timeout):
            new = [message for message in page if message.id not in seen]
            if not new:
                return
            new.sort(key=_written, reverse=after is None)
            for message in new:
                yield message
            seen = {message.id for message in page}
            before, after = (new[-1].id, None) if after is None else (None, new[-1].id)

    async def modify_message(
        self, channel_id: str, message_id: str, message: Markdown, *, timeout: float | None = None
    ) -> Message:
        """Replace markdown and buttons of one of the bot's own messages that has buttons.

        Raises: ContentRejected when the old or the new one has no keyboard, PermissionMissing, NotFound.
        Source: botgo openapi/v1/message.go, no page
        """
        body = guild_body(message)
        return await self._call(routes.MODIFY_CHANNEL_MESSAGE, channel_id, message_id, body=body, timeout=timeout)

    async def recall(
        self, channel_id: str, message_id: str, *, hide_tip: bool | None = None, timeout: float | None = None
    ) -> None:
        """Recall a message, with `hide_tip` without the grey notice. Private bots only.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/message/send-receive/reset
        """
        query = {"hidetip": hide_tip}
        await self._call(routes.DELETE_CHANNEL_MESSAGE, channel_id, message_id, query=query, timeout=timeout)


def _written(message: Message) -> tuple[datetime, int]:
    """Order messages, those of one second by their number."""
    number = int(message.seq_in_channel) if message.seq_in_channel.isdecimal() else 0
    return message.timestamp or datetime.min.replace(tzinfo=UTC), number
