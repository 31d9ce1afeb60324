"""QQ groups: messages, media, and who is in them."""

from functools import partial

from ...models.media import MediaUploadResult
from ...models.members import GroupBotState, GroupInfo, GroupMember, GroupMembersPage
from ...models.messages import MessageSendResult
from ...models.outgoing import Media, Message
from ...models.targets import ReplyTo
from .. import routes
from .base import Conversations, upload_body


class Groups(Conversations):
    """QQ groups (v2). What is not about messages needs a right by invitation."""

    async def send_message(
        self, group_openid: str, message: Message, *, reply_to: ReplyTo | None = None, timeout: float | None = None
    ) -> MessageSendResult:
        """Send `message` to a group; a reply when `reply_to` names a message or an event.

        A `Media` is uploaded first; `timeout` (seconds) covers both. A reply is repeated under its msg_seq when
        no answer came; if the repeat shows that the first had arrived, the result's `id` is "", since the
        platform does not say it again.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MediaError, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: autogen/api/v2_groups_group_openid_messages.post
        """
        send = partial(self._call, routes.SEND_GROUP_MESSAGE, group_openid)
        return await self._send(send, partial(self.upload_media, group_openid), message, reply_to, timeout)

    async def delete_message(self, group_openid: str, message_id: str, *, timeout: float | None = None) -> None:
        """Recall a message: the bot's own for 2 minutes; as an administrator also those of members.

        Raises: PermissionMissing when it is too late or somebody else's, NotFound.
        Source: autogen/api/v2_groups_group_openid_messages_message_id.delete
        """
        await self._call(routes.DELETE_GROUP_MESSAGE, group_openid, message_id, timeout=timeout)

    async def upload_media(self, group_openid: str, media: Media, *, timeout: float | None = None) -> MediaUploadResult:
        """Have the platform fetch a file for this group, to be sent later; 120 s are allowed by default.

        Raises: MediaError when the platform cannot fetch or convert it, QuotaExceeded.
        Source: autogen/api/v2_groups_group_openid_files.post
        """
        return await self._call(routes.UPLOAD_GROUP_MEDIA, group_openid, body=upload_body(media), timeout=timeout)

    async def info(self, group_openid: str, *, timeout: float | None = None) -> GroupInfo:
        """Return a group's name, introduction and size.

        Raises: PermissionMissing without the right to ask, NotFound.
        Source: autogen/api/v2_groups_group_openid_info.get
        """
        return await self._call(routes.GET_GROUP_INFO, group_openid, timeout=timeout)

    async def bot_state(self, group_openid: str, *, timeout: float | None = None) -> GroupBotState:
        """Return the bot's role in a group, and which messages it gets and may send there.

        Raises: PermissionMissing without the right to ask, NotFound.
        Source: autogen/api/v2_groups_group_openid_bot_state.get
        """
        return await self._call(routes.GET_GROUP_BOT_STATE, group_openid, timeout=timeout)

    async def members(self, group_openid: str, *, cursor: str = "", timeout: float | None = None) -> GroupMembersPage:
        """Return one page of members, the first or the one that `cursor` (`next_cursor` of the last) names.

        Raises: PermissionMissing without the right to ask, NotFound.
        Source: autogen/api/v2_groups_group_openid_members.get
        """
        query = {"cursor": cursor or None}
        return await self._call(routes.LIST_GROUP_MEMBERS, group_openid, query=query, timeout=timeout)

    async def member(self, group_openid: str, member_openid: str, *, timeout: float | None = None) -> GroupMember:
        """Return one member of a group.

        Raises: PermissionMissing without the right to ask, NotFound.
        Source: autogen/api/v2_groups_group_openid_members_member_openid.get
        """
        return await self._call(routes.GET_GROUP_MEMBER, group_openid, member_openid, timeout=timeout)
