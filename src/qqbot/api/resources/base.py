"""What resources have in common: the way to make a call; sending to groups and C2C, which differ in paths alone.

Owns no path: each resource names its own routes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from msgspec import UNSET

from ...models.media import MediaInfo, MediaUploadBody, MediaUploadResult
from ...models.messages import MessageSendResult
from ...models.outgoing import Media, Message, v2_body
from ...models.targets import ReplyTo
from ..routes import Query, Route
from ..sequence import Sequences

T = TypeVar("T")

SHORTEST_TIMEOUT = 0.001  # seconds, where an upload used up the time of its message


class Call(Protocol):
    """Makes a call; `Api.call` is one."""

    async def __call__(
        self, route: Route[T], *ids: str, query: Query | None = None, body: object = None, timeout: float | None = None
    ) -> T:
        """Call `route` and return its decoded answer."""
        ...


class Resource:
    """A group of endpoints."""

    def __init__(self, call: Call) -> None:
        self._call = call


class Conversations(Resource):
    """Groups or users, as far as messages go. `sequences` numbers the replies."""

    def __init__(self, call: Call, sequences: Sequences) -> None:
        super().__init__(call)
        self._sequences = sequences

    async def _send(
        self,
        send: Callable[..., Awaitable[MessageSendResult]],
        upload: Callable[..., Awaitable[MediaUploadResult]],
        message: Message,
        reply_to: ReplyTo | None,
        timeout: float | None,
    ) -> MessageSendResult:
        """Send by `send(body=, timeout=)`, a `Media` after `upload(media, timeout=)`."""
        media: MediaInfo | None = None
        if isinstance(message, Media):
            now = asyncio.get_running_loop().time
            started = now()
            media = (await upload(message, timeout=timeout)).media
            if timeout is not None:
                timeout = max(timeout - (now() - started), SHORTEST_TIMEOUT)
        return await send(body=v2_body(message, self._numbered(reply_to), media), timeout=timeout)

    def _numbered(self, reply_to: ReplyTo | None) -> ReplyTo | None:
        if reply_to is None or reply_to.msg_seq is not None:
            return reply_to
        reference = reply_to.msg_id or reply_to.event_id
        assert reference is not None
        return ReplyTo(reply_to.msg_id, reply_to.event_id, self._sequences.next(reference))


def upload_body(media: Media) -> MediaUploadBody:
    """Return the body that has the platform fetch `media`, without sending it."""
    return MediaUploadBody(file_type=media.type, url=media.url, file_name=media.name or UNSET)
