"""Sending messages: what groups and C2C share, and what guild channels and private chats share.

Responsible for the steps of a send: upload, reply window, msg_seq, counting the answers. Collaborators: `uploads`,
`sequence`, `windows`. It names no path: each resource has routes of its own.
"""

import asyncio
from types import TracebackType

from ...aio.clock import Clock
from ...aio.threads import Threads
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
from ..windows import check_window
from .base import Call, Resource

FILE_INFO_REFUSED = 304080
SHORTEST_TIMEOUT = 0.001  # seconds, if an upload used up the time of its message

MAX_GUILD_IMAGE = 20 * 1024 * 1024
"""Bytes of an image in a form.  Source: autogen/api/v2_users_user_openid_files.post, which has the same limit"""


class _Counted:
    """Counts what is sent inside it as an answer, unless it was refused or was never sent."""

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
    """The messages of groups or users.

    `sequences` numbers the replies, `uploads` uploads media; the reply windows are moments of `clock`.
    """

    scene: Scene

    def __init__(self, call: Call, sequences: Sequences, uploads: Uploads, clock: Clock) -> None:
        super().__init__(call)
        self._sequences = sequences
        self._uploads = uploads
        self._clock = clock

    async def upload_media(self, openid: str, /, media: Media, *, timeout: float | None = None) -> MediaUploadResult:
        """Upload a file for this conversation."""
        raise NotImplementedError

    async def _post(self, openid: str, *, body: V2MessageBody, timeout: float | None) -> MessageSendResult:
        """Send a complete body."""
        raise NotImplementedError

    async def _send(
        self, openid: str, message: Message, reply_to: ReplyTo | None, timeout: float | None
    ) -> MessageSendResult:
        """Send `message`, a `Media` after its upload.  Raises: ReplyWindowExpired, also if it closed meanwhile."""
        message = check_v2(message, reply_to, self.scene)
        uploaded: MediaUploadResult | None = None
        if isinstance(message, Media):
            now = asyncio.get_running_loop().time
            started = now()
            uploaded = await self.upload_media(openid, message, timeout=timeout)
            if timeout is not None:
                timeout = max(timeout - (now() - started), SHORTEST_TIMEOUT)
        if reply_to is not None:
            check_window(reply_to, self.scene, self._clock())  # once, and here: the upload can take minutes
            reply_to = self._with_number(reply_to)
        body = wire_v2(message, reply_to, None if uploaded is None else uploaded.media)
        try:
            with _Counted(self._sequences, reply_to):
                return await self._post(openid, body=body, timeout=timeout)
        except MediaError as error:
            if uploaded is not None and error.code == FILE_INFO_REFUSED:
                self._uploads.forget(uploaded)  # the next send uploads it again
            raise

    def _counted(self, reply_to: ReplyTo | None) -> "_Counted":
        return _Counted(self._sequences, reply_to)

    def _with_number(self, reply_to: ReplyTo) -> ReplyTo:
        if reply_to.msg_seq is not None:
            return reply_to
        number = self._sequences.next(reply_to.reference)
        return ReplyTo(reply_to.msg_id, reply_to.event_id, number, reply_to.expires_at)


def _may_have_arrived(error: BaseException) -> bool:
    if isinstance(error, TransportError):
        return error.maybe_sent
    return isinstance(error, (MessagePendingAudit, ServerError, DecodeError, asyncio.CancelledError))


class GuildConversations(Resource):
    """The messages of guild channels or private chats; the reply windows are moments of `clock`."""

    scene: Scene

    def __init__(self, call: Call, clock: Clock, threads: Threads) -> None:
        super().__init__(call)
        self._clock = clock
        self._threads = threads

    async def _body(self, message: Message, reply_to: ReplyTo | None, timeout: float | None) -> GuildMessageBody | Form:
        """Return the body of a message.  Raises: ReplyWindowExpired, and what `guild_message` raises."""
        body = await guild_message(self._threads, message, reply_to, timeout)
        if reply_to is not None:
            check_window(reply_to, self.scene, self._clock())
        return body


async def guild_message(
    threads: Threads, message: Message, reply_to: ReplyTo | None, timeout: float | None
) -> GuildMessageBody | Form:
    """Return the body of a guild message; a local image makes it a form, read in `threads` within `timeout` seconds.

    Raises: ConfigError if guilds cannot receive the message, or its image is missing, empty, too large or not an image;
    Timeout, and nothing was sent.
    """
    message = as_outgoing(message)
    body = guild_body(message, reply_to)
    if not isinstance(message, Media) or message.url is not None:
        return body
    try:
        async with asyncio.timeout(timeout), opened(threads, message, MAX_GUILD_IMAGE) as file:
            data = await file.read(0, file.size)
            return Form(body, "file_image", data, message.name or file.name or "image.png")
    except TimeoutError:
        raise Timeout(f"the image could not be read within {timeout} s; nothing was sent") from None
