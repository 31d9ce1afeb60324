"""An answer that is written bit by bit: streamed in C2C, elsewhere sent as one message at the end.

Owns pacing and the life of one answer; the endpoint is the resource's.
Source: autogen/api/v2_users_user_openid_stream_messages.post
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

from msgspec import UNSET

from ..errors import QQBotError
from ..models.messages import MessageSendResult
from ..models.streams import StreamMessageBody, StreamMessageResult, StreamState
from ..models.targets import ReplyTo

log = logging.getLogger(__name__)

INTERVAL = 0.5  # seconds between fragments; the platform wants 0.3 at least


class AnswerStream(Protocol):
    """An answer in the making: `async with ctx.stream() as s: await s.write("...")`."""

    @property
    def result(self) -> MessageSendResult | None:
        """The message that was made, None while there is none."""
        ...

    async def write(self, text: str) -> None:
        """Add `text`; it is shown soon after.  Raises: what sending raises."""
        ...

    async def __aenter__(self) -> Self:
        """Begin; nothing is sent yet."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show the rest, and end the answer."""
        ...


class C2CStream:
    """A streamed message: each fragment says the whole text so far, so that a lost one does no harm.

    What is written within half a second goes out together. An exception in the body ends the message with what
    was written; a cancelled one is left as it is.
    """

    def __init__(
        self, send: Callable[[StreamMessageBody], Awaitable[StreamMessageResult]], reply_to: ReplyTo, *, markdown: bool
    ) -> None:
        self._send = send
        self._reply_to = reply_to
        self._markdown = markdown
        self._text = ""
        self._index = 0
        self._next_at = 0.0
        self._now = asyncio.get_running_loop().time
        self.result: MessageSendResult | None = None

    async def write(self, text: str) -> None:
        """Add `text`; it is shown at once, or with what is written in the next half second.

        Raises: RateLimited, ContentRejected, ReplyWindowExpired, Timeout.
        """
        self._text += text
        if self._text.strip() and self._now() >= self._next_at:
            await self._send_fragment(StreamState.GENERATING)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError) or not self._text.strip():
            return
        try:
            await asyncio.sleep(self._next_at - self._now())
            await self._send_fragment(StreamState.FINISHED)
        except QQBotError as failure:
            if error is None:
                raise
            log.warning("the stream was left unfinished: %s", failure)

    async def _send_fragment(self, state: StreamState) -> None:
        answer = await self._send(
            StreamMessageBody(
                input_mode="replace",
                input_state=state,
                index=self._index,
                content_type="markdown" if self._markdown else "text",
                content_raw=self._text,
                msg_id=self._reply_to.msg_id or UNSET,
                event_id=self._reply_to.event_id or UNSET,
                stream_msg_id=self.result.id if self.result else UNSET,
                msg_seq=UNSET if self._reply_to.msg_seq is None else self._reply_to.msg_seq,
            )
        )
        self._index += 1
        self._next_at = self._now() + INTERVAL
        if self.result is None:
            self.result = MessageSendResult(id=answer.id, timestamp=answer.timestamp, ext_info=answer.ext_info)


class GatheredAnswer:
    """Where nothing can be streamed: what was written is sent as one message, unless the body raised."""

    def __init__(self, send: Callable[[str], Awaitable[MessageSendResult]]) -> None:
        self._send = send
        self._text = ""
        self.result: MessageSendResult | None = None

    async def write(self, text: str) -> None:
        """Add `text`; it is sent at the end."""
        self._text += text

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._text.strip():
            self.result = await self._send(self._text)
