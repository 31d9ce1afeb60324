"""QQ groups: messages, media, members."""

from collections.abc import AsyncIterator, Iterable
from functools import partial

from msgspec import UNSET, UnsetType

from ...models.group_members import BatchRemoveBody, BatchRemoveResult, GroupMembersLegacyBody, GroupMembersLegacyPage
from ...models.media import MediaUploadResult, UploadPartBody, UploadPrepareBody, UploadPrepareResult
from ...models.members import GroupBotState, GroupInfo, GroupMember, GroupMembersPage
from ...models.messages import MessageSendResult
from ...models.outgoing.messages import Media, Message
from ...models.outgoing.wire import V2MessageBody
from ...models.targets import ReplyTo, Scene
from ..route import UPLOAD_TIMEOUT, Route, nothing
from ..uploads import Steps
from .base import check_range
from .conversations import Conversations
from .cursors import pages

SEND_GROUP_MESSAGE = Route(
    "send_group_message", "POST", "/v2/groups/{group_openid}/messages", MessageSendResult, repeat="numbered", sends=True
)
DELETE_GROUP_MESSAGE = Route(
    "delete_group_message", "DELETE", "/v2/groups/{group_openid}/messages/{message_id}", nothing
)
UPLOAD_GROUP_MEDIA = Route(
    "upload_group_media",
    "POST",
    "/v2/groups/{group_openid}/files",
    MediaUploadResult,
    repeat="always",
    timeout=UPLOAD_TIMEOUT,
)
PREPARE_GROUP_UPLOAD = Route(
    "prepare_group_upload", "POST", "/v2/groups/{group_openid}/upload_prepare", UploadPrepareResult, repeat="always"
)
FINISH_GROUP_UPLOAD_PART = Route(
    "finish_group_upload_part", "POST", "/v2/groups/{group_openid}/upload_part_finish", nothing, repeat="always"
)
GET_GROUP_INFO = Route("get_group_info", "GET", "/v2/groups/{group_openid}/info", GroupInfo)
GET_GROUP_BOT_STATE = Route("get_group_bot_state", "GET", "/v2/groups/{group_openid}/bot_state", GroupBotState)
LIST_GROUP_MEMBERS = Route("list_group_members", "GET", "/v2/groups/{group_openid}/members", GroupMembersPage)
GET_GROUP_MEMBER = Route("get_group_member", "GET", "/v2/groups/{group_openid}/members/{member_openid}", GroupMember)
LIST_GROUP_MEMBERS_LEGACY = Route(
    "list_group_members_legacy",
    "POST",
    "/v2/groups/{group_openid}/members",
    GroupMembersLegacyPage,
    repeat="always",
)
BATCH_REMOVE_GROUP_MEMBERS = Route(
    "batch_remove_group_members", "POST", "/v2/groups/{group_openid}/batch_remove_members", BatchRemoveResult
)


MOST_LEGACY_MEMBERS = 500
"""Members of one page of the older list."""


class Groups(Conversations):
    """QQ groups (v2). All calls other than messages and media need a right that is granted by invitation."""

    scene = Scene.GROUP

    async def send_message(
        self,
        group_openid: str,
        message: Message,
        *,
        reply_to: ReplyTo | None = None,
        timeout: float | None = None,
    ) -> MessageSendResult:
        """Send `message` to a group; a reply if `reply_to` names a message or an event.

        A `Media` is uploaded first; `timeout` (seconds) covers both. A reply is repeated under its
        msg_seq when no answer came; if the repeat shows that the first had arrived, the result's `id` is "", since
        the platform does not return it again.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MediaError, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: autogen/api/v2_groups_group_openid_messages.post
        """
        return await self._send(group_openid, message, reply_to, timeout)

    async def _post(self, openid: str, *, body: V2MessageBody, timeout: float | None) -> MessageSendResult:
        return await self._call(SEND_GROUP_MESSAGE, openid, body=body, timeout=timeout)

    async def recall(self, group_openid: str, message_id: str, *, timeout: float | None = None) -> None:
        """Recall a message: the bot's own within 2 minutes; as an administrator also messages of members.

        Raises: PermissionMissing if it is too late or another's message, NotFound.
        Source: autogen/api/v2_groups_group_openid_messages_message_id.delete
        """
        await self._call(DELETE_GROUP_MESSAGE, group_openid, message_id, timeout=timeout)

    async def upload_media(self, group_openid: str, media: Media, *, timeout: float | None = None) -> MediaUploadResult:
        """Upload a file for this group, to send it later; within their ttl the same bytes are not uploaded again.

        The platform downloads an address itself (120 s by default). Up to 5 MiB are sent in one body, more in parts.
        `timeout` (seconds) covers the whole upload.

        Raises: ConfigError if the file is missing, empty, too large or of the wrong kind; MediaError if the platform
        cannot download, convert or store it; QuotaExceeded; Timeout.
        Source: autogen/api/v2_groups_group_openid_files.post
        """
        steps = Steps(
            store=partial(self._call, UPLOAD_GROUP_MEDIA, group_openid),
            prepare=partial(self.prepare_upload, group_openid),
            finish_part=partial(self.finish_upload_part, group_openid),
        )
        return await self._uploads.upload(self.scene, media, steps, timeout)

    async def prepare_upload(
        self, group_openid: str, body: UploadPrepareBody, *, timeout: float | None = None
    ) -> UploadPrepareResult:
        """Announce an upload in parts and return its plan; `upload_media` does the whole upload.

        Raises: QuotaExceeded if the day's volume is used up (40093002), MediaError.
        Source: autogen/api/v2_groups_group_id_upload_prepare.post
        """
        return await self._call(PREPARE_GROUP_UPLOAD, group_openid, body=body, timeout=timeout)

    async def finish_upload_part(
        self, group_openid: str, body: UploadPartBody, *, timeout: float | None = None
    ) -> None:
        """Report that the bytes of a part were sent; `upload_media` does the whole upload.

        Raises: MediaError (40093001) if the part has not arrived yet: call it again; QuotaExceeded (40093002).
        Source: autogen/api/v2_groups_group_id_upload_part_finish.post
        """
        await self._call(FINISH_GROUP_UPLOAD_PART, group_openid, body=body, timeout=timeout)

    async def info(self, group_openid: str, *, timeout: float | None = None) -> GroupInfo:
        """Return a group's name, introduction and size.

        Raises: PermissionMissing without that right, NotFound.
        Source: autogen/api/v2_groups_group_openid_info.get
        """
        return await self._call(GET_GROUP_INFO, group_openid, timeout=timeout)

    async def bot_state(self, group_openid: str, *, timeout: float | None = None) -> GroupBotState:
        """Return the bot's role in a group, and which messages it receives and may send there.

        Raises: PermissionMissing without that right, NotFound.
        Source: autogen/api/v2_groups_group_openid_bot_state.get
        """
        return await self._call(GET_GROUP_BOT_STATE, group_openid, timeout=timeout)

    async def members(self, group_openid: str, *, cursor: str = "", timeout: float | None = None) -> GroupMembersPage:
        """Return one page of members: the first, or the one at `cursor` (`next_cursor` of the last page).

        Raises: PermissionMissing without that right, NotFound.
        Source: autogen/api/v2_groups_group_openid_members.get
        """
        query = {"cursor": cursor or None}
        return await self._call(LIST_GROUP_MEMBERS, group_openid, query=query, timeout=timeout)

    async def member(self, group_openid: str, member_openid: str, *, timeout: float | None = None) -> GroupMember:
        """Return one member of a group.

        Raises: PermissionMissing without that right, NotFound.
        Source: autogen/api/v2_groups_group_openid_members_member_openid.get
        """
        return await self._call(GET_GROUP_MEMBER, group_openid, member_openid, timeout=timeout)

    async def iter_members(self, group_openid: str, *, timeout: float | None = None) -> AsyncIterator[GroupMember]:
        """Yield all members of a group; `timeout` (seconds) is for each page.

        Raises: as `members`.
        """
        async for page in pages(lambda cursor: self.members(group_openid, cursor=cursor, timeout=timeout)):
            for member in page.members:
                yield member

    async def members_legacy(
        self,
        group_openid: str,
        *,
        start_index: int = 0,
        limit: int = MOST_LEGACY_MEMBERS,
        timeout: float | None = None,
    ) -> GroupMembersLegacyPage:
        """Return at most `limit` (1 to 500) members, from `start_index`. Deprecated: `members` replaces it.

        Raises: PermissionMissing without that right, NotFound; ConfigError for a number out of range.
        Source: server-inter/group/manage
        """
        check_range("limit", limit, 1, MOST_LEGACY_MEMBERS)
        check_range("start_index", start_index, 0, 2**32 - 1)
        body = GroupMembersLegacyBody(limit=limit, start_index=start_index)
        return await self._call(LIST_GROUP_MEMBERS_LEGACY, group_openid, body=body, timeout=timeout)

    async def remove_members(
        self,
        group_openid: str,
        member_openids: Iterable[str],
        *,
        add_to_blacklist: bool | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> BatchRemoveResult:
        """Remove 1 to 20 members, with `add_to_blacklist` forever; the answer lists failed additions to the blacklist.

        Raises: PermissionMissing without that right, NotFound; ConfigError for too many or empty ids.
        Source: autogen/api/v2_groups_group_openid_batch_remove_members.post
        """
        body = BatchRemoveBody(member_openids=tuple(member_openids), add_to_member_blacklist=add_to_blacklist)
        return await self._call(BATCH_REMOVE_GROUP_MEMBERS, group_openid, body=body, timeout=timeout)
