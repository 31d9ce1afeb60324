"""Channels of guilds, and the messages in them."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

from msgspec import UNSET, UnsetType

from ...errors import ConfigError, DecodeError
from ...models.base import Model
from ...models.channels import (
    Channel,
    ChannelSubType,
    ChannelType,
    CreateChannelBody,
    ModifyChannelBody,
    PrivateType,
    SpeakPermission,
)
from ...models.codec import decoder
from ...models.messages import Message
from ...models.outgoing.messages import Markdown
from ...models.outgoing.messages import Message as Sent
from ...models.outgoing.wire import guild_body
from ...models.setting_guides import ChannelSettingGuideBody
from ...models.targets import ReplyTo, Scene
from ...models.users import Member
from ..route import Route, nothing
from .base import check_range
from .conversations import GuildConversations


class _WrappedMessage(Model, frozen=True, kw_only=True):
    message: Message


class _OnlineNums(Model, frozen=True, kw_only=True):
    online_nums: int = 0


_message = decoder(Message)


_wrapped_message = decoder(_WrappedMessage)


_online_nums = decoder(_OnlineNums)


def _one_message(data: bytes) -> Message:
    """Return the message of an answer; some answers wrap it in an object."""
    try:
        return _wrapped_message(data).message
    except DecodeError:
        return _message(data)


def _online(data: bytes) -> int:
    return _online_nums(data).online_nums


SEND_CHANNEL_MESSAGE = Route("send_channel_message", "POST", "/channels/{channel_id}/messages", Message, sends=True)
GET_CHANNEL_MESSAGE = Route("get_channel_message", "GET", "/channels/{channel_id}/messages/{message_id}", _one_message)
LIST_CHANNEL_MESSAGES = Route("list_channel_messages", "GET", "/channels/{channel_id}/messages", decoder(list[Message]))
MODIFY_CHANNEL_MESSAGE = Route(
    "modify_channel_message", "PATCH", "/channels/{channel_id}/messages/{message_id}", Message
)
DELETE_CHANNEL_MESSAGE = Route(
    "delete_channel_message", "DELETE", "/channels/{channel_id}/messages/{message_id}", nothing
)
SEND_CHANNEL_SETTING_GUIDE = Route(
    "send_channel_setting_guide", "POST", "/channels/{channel_id}/settingguide", Message, sends=True
)
LIST_CHANNELS = Route("list_channels", "GET", "/guilds/{guild_id}/channels", decoder(list[Channel]))
GET_CHANNEL = Route("get_channel", "GET", "/channels/{channel_id}", Channel)
CREATE_CHANNEL = Route("create_channel", "POST", "/guilds/{guild_id}/channels", Channel)
MODIFY_CHANNEL = Route("modify_channel", "PATCH", "/channels/{channel_id}", Channel)
DELETE_CHANNEL = Route("delete_channel", "DELETE", "/channels/{channel_id}", nothing)
LIST_VOICE_MEMBERS = Route("list_voice_members", "GET", "/channels/{channel_id}/voice/members", decoder(list[Member]))
GET_CHANNEL_ONLINE_NUMS = Route("get_channel_online_nums", "GET", "/channels/{channel_id}/online_nums", _online)


MOST_MESSAGES = 20
"""Messages of one page."""


class Channels(GuildConversations):
    """Guild channels. The bot has to be connected to the gateway to send, and an administrator to change channels."""

    scene = Scene.CHANNEL

    async def of_guild(self, guild_id: str, *, timeout: float | None = None) -> list[Channel]:
        """Return the channels of a guild.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/guilds_guild_id_channels.get
        """
        return await self._call(LIST_CHANNELS, guild_id, timeout=timeout)

    async def get(self, channel_id: str, *, timeout: float | None = None) -> Channel:
        """Return one channel.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/channels_channel_id.get
        """
        return await self._call(GET_CHANNEL, channel_id, timeout=timeout)

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
        """Create a channel; `position` is 2 or more for a category, `private_user_ids` may see a private channel.

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
        return await self._call(CREATE_CHANNEL, guild_id, body=body, timeout=timeout)

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
        """Change the given values and leave the others unchanged. Private bots only.

        Raises: PermissionMissing, NotFound; ConfigError if no value is given, or for an empty name.
        Source: autogen/api/channels_channel_id.patch
        """
        body = ModifyChannelBody(
            name=name,
            position=position,
            parent_id=parent_id,
            private_type=private_type,
            speak_permission=speak_permission,
        )
        return await self._call(MODIFY_CHANNEL, channel_id, body=body, timeout=timeout)

    async def delete(self, channel_id: str, *, timeout: float | None = None) -> None:
        """Delete a channel forever. Private bots only.

        Raises: PermissionMissing, NotFound.
        Source: autogen/api/channels_channel_id.delete
        """
        await self._call(DELETE_CHANNEL, channel_id, timeout=timeout)

    async def voice_members(self, channel_id: str, *, timeout: float | None = None) -> list[Member]:
        """Return the members in a voice channel. Private bots only.

        Raises: PermissionMissing, NotFound, ApiError if it is not a voice channel.
        Source: botgo openapi/v1/channel.go, no page
        """
        return await self._call(LIST_VOICE_MEMBERS, channel_id, timeout=timeout)

    async def online_nums(self, channel_id: str, *, timeout: float | None = None) -> int:
        """Return how many members are in an audio, video or live channel.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/role/get_online_nums
        """
        return await self._call(GET_CHANNEL_ONLINE_NUMS, channel_id, timeout=timeout)

    async def setting_guide(self, channel_id: str, user_ids: Iterable[str], *, timeout: float | None = None) -> Message:
        """Ask these administrators to switch on active messages. Experimental: seen in one source only.

        Raises: PermissionMissing, QuotaExceeded, ApiError; ConfigError if there are no ids.
        Source: botgo openapi/v1/setting_guide.go, no page
        """
        body = ChannelSettingGuideBody(content="".join(f"<@{user_id}>" for user_id in user_ids))
        return await self._call(SEND_CHANNEL_SETTING_GUIDE, channel_id, body=body, timeout=timeout)

    async def send_message(
        self, channel_id: str, message: Sent, *, reply_to: ReplyTo | None = None, timeout: float | None = None
    ) -> Message:
        """Send `message` to a channel; a reply if `reply_to` names a message or an event. Sent at most once.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: server-inter/channel/message/send
        """
        body = await self._body(message, reply_to, timeout)
        return await self._call(SEND_CHANNEL_MESSAGE, channel_id, body=body, timeout=timeout)

    async def message(self, channel_id: str, message_id: str, *, timeout: float | None = None) -> Message:
        """Return one message.

        Raises: PermissionMissing, NotFound.
        Source: botgo openapi/v1/message.go, no page
        """
        return await self._call(GET_CHANNEL_MESSAGE, channel_id, message_id, timeout=timeout)

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
        """Return messages around, before or after a message id; at most `limit` (1 to 20).

        Raises: PermissionMissing, for most bots, since the platform seems to have closed this; ConfigError for more
        than one position, or a `limit` out of range.
        Source: botgo openapi/v1/message.go, no page
        """
        if sum(place is not None for place in (around, before, after)) > 1:
            raise ConfigError("give at most one of around, before and after")
        if limit is not None:
            check_range("limit", limit, 1, MOST_MESSAGES)
        query = {"around": around, "before": before, "after": after, "limit": limit}
        return await self._call(LIST_CHANNEL_MESSAGES, channel_id, query=query, timeout=timeout)

    async def iter_messages(
        self,
        channel_id: str,
        *,
        before: str | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Message]:
        """Yield the messages after a message id, oldest first; otherwise those before one, or all, newest first.

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
        """Replace the markdown and the buttons of one of the bot's own messages that has buttons.

        Raises: ContentRejected if the old or the new message has no keyboard, PermissionMissing, NotFound.
        Source: botgo openapi/v1/message.go, no page
        """
        body = guild_body(message)
        return await self._call(MODIFY_CHANNEL_MESSAGE, channel_id, message_id, body=body, timeout=timeout)

    async def recall(
        self, channel_id: str, message_id: str, *, hide_tip: bool | None = None, timeout: float | None = None
    ) -> None:
        """Recall a message; `hide_tip` omits the grey notice. Private bots only.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/message/send-receive/reset
        """
        query = {"hidetip": hide_tip}
        await self._call(DELETE_CHANNEL_MESSAGE, channel_id, message_id, query=query, timeout=timeout)


def _written(message: Message) -> tuple[datetime, int]:
    """Return the sort key of a message: its time, and its number within a second."""
    number = int(message.seq_in_channel) if message.seq_in_channel.isdecimal() else 0
    return message.timestamp or datetime.min.replace(tzinfo=UTC), number
