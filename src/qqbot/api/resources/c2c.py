"""C2C: conversations of the bot with one user."""

from functools import partial

from msgspec import UNSET, UnsetType, structs

from ...models.alternatives import CompleteUploadBody, InputNotifyBody
from ...models.media import MediaUploadResult, UploadPartBody, UploadPrepareBody, UploadPrepareResult
from ...models.messages import MessageSendResult
from ...models.outgoing.messages import Markdown, Media, Message, Text
from ...models.outgoing.wire import V2MessageBody, typing_body
from ...models.streams import StreamMessageBody, StreamMessageResult
from ...models.targets import ReplyTo, Scene
from ..route import UPLOAD_TIMEOUT, Route, nothing
from ..streams import C2CStream
from ..uploads import Steps
from ..windows import check_window
from .conversations import Conversations

SEND_C2C_MESSAGE = Route(
    "send_c2c_message", "POST", "/v2/users/{user_openid}/messages", MessageSendResult, repeat="numbered", sends=True
)
DELETE_C2C_MESSAGE = Route("delete_c2c_message", "DELETE", "/v2/users/{user_openid}/messages/{message_id}", nothing)
UPLOAD_C2C_MEDIA = Route(
    "upload_c2c_media",
    "POST",
    "/v2/users/{user_openid}/files",
    MediaUploadResult,
    repeat="always",
    timeout=UPLOAD_TIMEOUT,
)
PREPARE_C2C_UPLOAD = Route(
    "prepare_c2c_upload", "POST", "/v2/users/{user_openid}/upload_prepare", UploadPrepareResult, repeat="always"
)
FINISH_C2C_UPLOAD_PART = Route(
    "finish_c2c_upload_part", "POST", "/v2/users/{user_openid}/upload_part_finish", nothing, repeat="always"
)
SEND_C2C_STREAM_MESSAGE = Route(
    "send_c2c_stream_message", "POST", "/v2/users/{user_openid}/stream_messages", StreamMessageResult, sends=True
)
SEND_C2C_INPUT_NOTIFY_ALT = Route(
    "send_c2c_input_notify_alt", "POST", "/v2/users/{user_openid}/input_notify", nothing, repeat="always"
)
COMPLETE_C2C_UPLOAD_ALT = Route(
    "complete_c2c_upload_alt", "POST", "/v2/users/{user_openid}/complete_upload", MediaUploadResult
)


class C2C(Conversations):
    """Messages to single users (v2)."""

    scene = Scene.C2C

    async def send_message(
        self,
        user_openid: str,
        message: Message,
        *,
        reply_to: ReplyTo | None = None,
        timeout: float | None = None,
    ) -> MessageSendResult:
        """Send `message` to a user; a reply if `reply_to` names a message or an event.

        A `Media` is uploaded first; `timeout` (seconds) covers both. A reply is repeated under its
        msg_seq when no answer came; if the repeat shows that the first had arrived, the result's `id` is "", since
        the platform does not return it again.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MediaError, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: autogen/api/v2_users_user_openid_messages.post
        """
        return await self._send(user_openid, message, reply_to, timeout)

    async def _post(self, openid: str, *, body: V2MessageBody, timeout: float | None) -> MessageSendResult:
        return await self._call(SEND_C2C_MESSAGE, openid, body=body, timeout=timeout)

    async def typing(
        self, user_openid: str, reply_to: ReplyTo, *, seconds: int = 10, timeout: float | None = None
    ) -> None:
        """Show that the bot is typing, for 1 to 60 seconds or until its next message.

        It answers a message or event of the user, and uses a msg_seq like a reply.

        Raises: ConfigError for other `seconds`, ReplyWindowExpired, RateLimited (`retry_after`, seconds).
        Source: autogen/api/v2_users_user_openid_messages.post
        """
        check_window(reply_to, self.scene, self._clock())
        await self._post(user_openid, body=typing_body(seconds, self._with_number(reply_to)), timeout=timeout)

    async def send_stream_message(
        self, user_openid: str, fragment: StreamMessageBody, *, timeout: float | None = None
    ) -> StreamMessageResult:
        """Send one fragment of a streamed message; `ctx.stream()` and `stream` send a whole one.

        Raises: RateLimited (`retry_after`, seconds), ContentRejected if the text does not begin with the text shown
        before, ReplyWindowExpired, Timeout.
        Source: autogen/api/v2_users_user_openid_stream_messages.post
        """
        return await self._call(SEND_C2C_STREAM_MESSAGE, user_openid, body=fragment, timeout=timeout)

    def stream(self, user_openid: str, reply_to: ReplyTo, *, markdown: bool = True) -> C2CStream:
        """Return an answer to be written bit by bit: `async with api.c2c.stream(...) as s: await s.write("...")`."""
        check_window(reply_to, self.scene, self._clock())
        numbered = self._with_number(reply_to)

        async def send(fragment: StreamMessageBody) -> StreamMessageResult:
            with self._counted(numbered):
                return await self.send_stream_message(user_openid, fragment)

        async def send_whole(text: str) -> MessageSendResult:
            message = Markdown(text) if markdown else Text(text)
            return await self.send_message(user_openid, message, reply_to=structs.replace(reply_to, msg_seq=None))

        return C2CStream(send, send_whole, numbered, markdown=markdown)

    async def recall(self, user_openid: str, message_id: str, *, timeout: float | None = None) -> None:
        """Recall one of the bot's own messages of the last 2 minutes.

        Raises: PermissionMissing if it is too late or not the bot's message, NotFound.
        Source: autogen/api/v2_users_user_openid_messages_message_id.delete
        """
        await self._call(DELETE_C2C_MESSAGE, user_openid, message_id, timeout=timeout)

    async def upload_media(self, user_openid: str, media: Media, *, timeout: float | None = None) -> MediaUploadResult:
        """Upload a file for this user, to send it later; within their ttl the same bytes are not uploaded again.

        The platform downloads an address itself (120 s by default). Up to 5 MiB are sent in one body, more in parts.
        `timeout` (seconds) covers the whole upload.

        Raises: ConfigError if the file is missing, empty, too large or of the wrong kind; MediaError if the platform
        cannot download, convert or store it; QuotaExceeded; Timeout.
        Source: autogen/api/v2_users_user_openid_files.post
        """
        steps = Steps(
            store=partial(self._call, UPLOAD_C2C_MEDIA, user_openid),
            prepare=partial(self.prepare_upload, user_openid),
            finish_part=partial(self.finish_upload_part, user_openid),
        )
        return await self._uploads.upload(self.scene, media, steps, timeout)

    async def prepare_upload(
        self, user_openid: str, body: UploadPrepareBody, *, timeout: float | None = None
    ) -> UploadPrepareResult:
        """Announce an upload in parts and return its plan; `upload_media` does the whole upload.

        Raises: QuotaExceeded if the day's volume is used up (40093002), MediaError.
        Source: autogen/api/v2_users_user_id_upload_prepare.post
        """
        return await self._call(PREPARE_C2C_UPLOAD, user_openid, body=body, timeout=timeout)

    async def finish_upload_part(self, user_openid: str, body: UploadPartBody, *, timeout: float | None = None) -> None:
        """Report that the bytes of a part were sent; `upload_media` does the whole upload.

        Raises: MediaError (40093001) if the part has not arrived yet: call it again; QuotaExceeded (40093002).
        Source: autogen/api/v2_users_user_id_upload_part_finish.post
        """
        await self._call(FINISH_C2C_UPLOAD_PART, user_openid, body=body, timeout=timeout)

    async def input_notify_alt(
        self,
        user_openid: str,
        *,
        msg_id: str | UnsetType = UNSET,
        input_second: int | UnsetType = UNSET,
        timeout: float | None = None,
    ) -> None:
        """Show that the bot is typing, for 1 to 60 seconds. Deprecated: a send with msg_type 6 replaces it.

        Experimental: seen in one source only.

        Raises: NotFound; ConfigError for an empty id, or seconds out of range.
        Source: @alemonjs/qq-bot
        """
        body = InputNotifyBody(msg_id=msg_id, input_second=input_second)
        await self._call(SEND_C2C_INPUT_NOTIFY_ALT, user_openid, body=body, timeout=timeout)

    async def complete_upload_alt(
        self, user_openid: str, upload_id: str, *, timeout: float | None = None
    ) -> MediaUploadResult:
        """Complete an upload in parts. Deprecated: `upload_media` replaces it.

        Experimental: seen in one source only.

        Raises: MediaError, NotFound; ConfigError for an empty id.
        Source: @alemonjs/qq-bot
        """
        body = CompleteUploadBody(upload_id=upload_id)
        return await self._call(COMPLETE_C2C_UPLOAD_ALT, user_openid, body=body, timeout=timeout)
