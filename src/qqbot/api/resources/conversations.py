"""Sending to groups and C2C, and the body of messages to guild channels and private chats.

Responsible for what these share: uploads before a message, msg_seq, counting answers.
Collaborators: `uploads`, `sequence`, `models.outgoing.wire`. It has no path: each resource defines its own routes.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType

from ...errors import DecodeError, MediaError, MessagePendingAudit, ServerError, Timeout, TransportError
from ...models.media import MediaUploadResult
from ...models.messages import MessageSendResult
from ...models.outgoing.messages import Media, Message
from ...models.outgoing.wire import GuildMessageBody, V2MessageBody, as_outgoing, check_v2, guild_body, wire_v2
from ...models.targets import ReplyTo, Scene
from ..files import opened
from ..multipart import Form
from ..sequence import Sequences
from ..uploads import Uploads
from .base import Call, Resource

FILE_INFO_REFUSED = 304080
SHORTEST_TIMEOUT = 0.001  # seconds, if an upload used up the time of its message

MAX_GUILD_IMAGE = 20 * 1024 * 1024
"""Bytes of an image in a form.  Source: autogen/api/v2_users_user_openid_files.post, which has the same limit"""


class _Counted:
    """Counts the message sent in its body as an answer, if it was not refused and may have been sent."""

    __slots__ = ("_reply_to", "_sequences")

    def __init__(self, sequences: Sequences, reply_to: ReplyTo | None) -> None:
        self._sequences = sequences
        self._reply_to = reply_to

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reply_to = self._reply_to
        if reply_to is not None and reply_to.msg_seq is not None and (error is None or _may_have_arrived(error)):
            self._sequences.answered(reply_to.reference, reply_to.msg_seq)


class Conversations(Resource):
    """Messages to groups or users. `sequences` numbers the replies, `uploads` uploads media."""

    scene: Scene

    def __init__(self, call: Call, sequences: Sequences, uploads: Uploads) -> None:
        super().__init__(call)
        self._sequences = sequences
        self._uploads = uploads

    async def upload_media(self, openid: str, /, media: Media, *, timeout: float | None = None) -> MediaUploadResult:
        """Upload a file for this conversation."""
        raise NotImplementedError

    async def _post(self, openid: str, *, body: V2MessageBody, timeout: float | None) -> MessageSendResult:
        """Send a complete body."""
        raise NotImplementedError

    async def _send(
        self,
        openid: str,
        message: Message,
        reply_to: ReplyTo | None,
        timeout: float | None,
        *,
        check: Callable[[], None] | None,
    ) -> MessageSendResult:
        """Send `message`, a `Media` after its upload; call `check()` between the two."""
        message = check_v2(message, reply_to, self.scene)
        uploaded: MediaUploadResult | None = None
        if isinstance(message, Media):
            now = asyncio.get_running_loop().time
            started = now()
            uploaded = await self.upload_media(openid, message, timeout=timeout)
            if timeout is not None:
                timeout = max(timeout - (now() - started), SHORTEST_TIMEOUT)
        if check is not None:
            check()
        reply_to = self._numbered(reply_to)
        body = wire_v2(message, reply_to, None if uploaded is None else uploaded.media)
        try:
            with self._counted(reply_to):
                return await self._post(openid, body=body, timeout=timeout)
        except MediaError as error:
            if uploaded is not None and error.code == FILE_INFO_REFUSED:
                self._uploads.forget(uploaded)  # the next send uploads it again
            raise

    def _counted(self, reply_to: ReplyTo | None) -> "_Counted":
        return _Counted(self._sequences, reply_to)

    def _numbered(self, reply_to: ReplyTo | None) -> ReplyTo | None:
        if reply_to is None or reply_to.msg_seq is not None:
            return reply_to
        return self._with_number(reply_to)

    def _with_number(self, reply_to: ReplyTo) -> ReplyTo:
        number = self._sequences.next(reply_to.reference) if reply_to.msg_seq is None else reply_to.msg_seq
        return ReplyTo(reply_to.msg_id, reply_to.event_id, number)


def _may_have_arrived(error: BaseException) -> bool:
    if isinstance(error, TransportError):
        return error.maybe_sent
    return isinstance(error, (MessagePendingAudit, ServerError, DecodeError, asyncio.CancelledError))


async def guild_message(message: Message, reply_to: ReplyTo | None, timeout: float | None) -> GuildMessageBody | Form:
    """Return the body of a guild message: a form if it has the bytes of an image, read within `timeout` seconds.

    Raises: ConfigError if guilds cannot receive the message, or its image is missing, empty, too large or not an image;
    Timeout, and nothing was sent.
    """
    message = as_outgoing(message)
    body = guild_body(message, reply_to)
    if not isinstance(message, Media) or message.url is not None:
        return body
    try:
        async with asyncio.timeout(timeout), opened(message, MAX_GUILD_IMAGE) as file:
            data = await file.read(0, file.size)
            return Form(body, "file_image", data, message.name or file.name or "image.png")
    except TimeoutError:
        raise Timeout(f"the image could not be read within {timeout} s; nothing was sent") from None
