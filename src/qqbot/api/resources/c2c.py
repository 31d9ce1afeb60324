"""C2C: one user and the bot."""

from functools import partial

from ...models.media import MediaUploadResult
from ...models.messages import MessageSendResult
from ...models.outgoing import Media, Message
from ...models.targets import ReplyTo
from .. import routes
from .base import Conversations, upload_body


class C2C(Conversations):
    """Messages to single users (v2)."""

    async def send_message(
        self, user_openid: str, message: Message, *, reply_to: ReplyTo | None = None, timeout: float | None = None
    ) -> MessageSendResult:
        """Send `message` to a user; a reply when `reply_to` names a message or an event.

        A `Media` is uploaded first; `timeout` (seconds) covers both. A reply is repeated under its msg_seq when
        no answer came; if the repeat shows that the first had arrived, the result's `id` is "", since the
        platform does not say it again.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MediaError, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: autogen/api/v2_users_user_openid_messages.post
        """
        send = partial(self._call, routes.SEND_C2C_MESSAGE, user_openid)
        return await self._send(send, partial(self.upload_media, user_openid), message, reply_to, timeout)

    async def delete_message(self, user_openid: str, message_id: str, *, timeout: float | None = None) -> None:
        """Recall one of the bot's own messages of the last 2 minutes.

        Raises: PermissionMissing when it is too late or somebody else's, NotFound.
        Source: autogen/api/v2_users_user_openid_messages_message_id.delete
        """
        await self._call(routes.DELETE_C2C_MESSAGE, user_openid, message_id, timeout=timeout)

    async def upload_media(self, user_openid: str, media: Media, *, timeout: float | None = None) -> MediaUploadResult:
        """Have the platform fetch a file for this user, to be sent later; 120 s are allowed by default.

        Raises: MediaError when the platform cannot fetch or convert it, QuotaExceeded.
        Source: autogen/api/v2_users_user_openid_files.post
        """
        return await self._call(routes.UPLOAD_C2C_MEDIA, user_openid, body=upload_body(media), timeout=timeout)
