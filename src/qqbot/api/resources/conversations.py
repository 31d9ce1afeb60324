"""Sending to groups and C2C, which differ in paths alone, and what guild channels and private chats share.

Owns no path: each resource names its own routes.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ...models.media import MediaInfo, MediaUploadResult
from ...models.messages import MessageSendResult
from ...models.outgoing import GuildMessageBody, Media, Message, as_outgoing, check_v2, guild_body, v2_body
from ...models.targets import ReplyTo, Scene
from ..files import opened
from ..multipart import Form
from ..sequence import Sequences
from ..uploads import Uploads
from .base import Call, Resource

SHORTEST_TIMEOUT = 0.001  # seconds, where an upload used up the time of its message

MAX_GUILD_IMAGE = 20 * 1024 * 1024
"""Bytes of an image in a form.  Source: autogen/api/v2_users_user_openid_files.post, which limits images so"""


class Conversations(Resource):
    """Groups or users, as far as messages go. `sequences` numbers the replies, `uploads` takes media."""

    scene: Scene

    def __init__(self, call: Call, sequences: Sequences, uploads: Uploads) -> None:
        super().__init__(call)
        self._sequences = sequences
        self._uploads = uploads

    async def _send(
        self,
        send: Callable[..., Awaitable[MessageSendResult]],
        upload: Callable[..., Awaitable[MediaUploadResult]],
        message: Message,
        reply_to: ReplyTo | None,
        timeout: float | None,
    ) -> MessageSendResult:
        """Send by `send(body=, timeout=)`, a `Media` after `upload(media, timeout=)`."""
        message = check_v2(message, reply_to, self.scene)
        media: MediaInfo | None = None
        if isinstance(message, Media):
            now = asyncio.get_running_loop().time
            started = now()
            media = (await upload(message, timeout=timeout)).media
            if timeout is not None:
                timeout = max(timeout - (now() - started), SHORTEST_TIMEOUT)
        return await send(body=v2_body(message, self._numbered(reply_to), media, scene=self.scene), timeout=timeout)

    def _numbered(self, reply_to: ReplyTo | None) -> ReplyTo | None:
        if reply_to is None or reply_to.msg_seq is not None:
            return reply_to
        return self._with_number(reply_to)

    def _with_number(self, reply_to: ReplyTo) -> ReplyTo:
        number = self._sequences.next(reply_to.reference) if reply_to.msg_seq is None else reply_to.msg_seq
        return ReplyTo(reply_to.msg_id, reply_to.event_id, number)


async def guild_message(message: Message, reply_to: ReplyTo | None) -> GuildMessageBody | Form:
    """Return the body of a guild message; an image from here makes it a form.

    Raises: ConfigError when the message does not go to guilds, or its image is missing, empty, too large or none.
    """
    message = as_outgoing(message)
    body = guild_body(message, reply_to)
    if not isinstance(message, Media) or message.url is not None:
        return body
    async with opened(message, MAX_GUILD_IMAGE) as file:
        data = await file.read(0, file.size)
        return Form(body, "file_image", data, message.name or file.name or "image.png")
