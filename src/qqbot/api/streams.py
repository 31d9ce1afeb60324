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

from ..errors import ApiError, ConfigError, DuplicateMessage, QQBotError, RateLimited, ServerError, TransportError
from ..models.messages import MessageSendResult
from ..models.streams import StreamMessageBody, StreamMessageResult, StreamState
from ..models.targets import ReplyTo

log = logging.getLogger(__name__)

INTERVAL = 0.5  # seconds between fragments; the platform wants 0.3 at least
REPEATS = (0.5, 1.0, 2.0)  # seconds before each repeat of the fragment that ends a message

_PASSING = (TransportError, ServerError, RateLimited)


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

    What is written within half a second goes out together; concurrent writes take turns. An exception in the body
    ends the message with what was written; a cancelled one is left as it is.

    Without the answer to the first fragment its message cannot be gone on with: if the platform turns out to have
    shown it, that part stays, and the whole text follows as a message of its own at the end, by `send_whole`.
    """

    def __init__(
        self,
        send: Callable[[StreamMessageBody], Awaitable[StreamMessageResult]],
        send_whole: Callable[[str], Awaitable[MessageSendResult]],
        reply_to: ReplyTo,
        *,
        markdown: bool,
    ) -> None:
        self._send = send
        self._send_whole = send_whole
        self._reply_to = reply_to
        self._markdown = markdown
        self._text = ""
        self._sent = 0
        self._next_at = 0.0
        self._now = asyncio.get_running_loop().time
        self._turn = asyncio.Lock()
        self._orphaned = False
        self._ended = False
        self._cancelling = 0
        self.result: MessageSendResult | None = None

    async def write(self, text: str) -> None:
        """Add `text`; it is shown at once, or with what is written later.

        Once the message is there, or may be, a fragment that fails in passing is made up for by the next one.

        Raises: ContentRejected, ReplyWindowExpired; ConfigError after the end; while nothing was shown, also
        RateLimited, ServerError, and ConnectionFailed or Timeout that sent nothing.
        """
        if self._ended:
            raise ConfigError("this stream has ended: write to it inside its `async with`")
        self._text += text
        async with self._turn:
            if self._is_due():
                await self._show()

    def _is_due(self) -> bool:
        return bool(self._text.strip()) and self._now() >= self._next_at and not (self._ended or self._orphaned)

    async def _show(self) -> None:
        try:
            await self._send_fragment(StreamState.GENERATING)
        except _PASSING as failure:
            if self.result is None and not _is_lost(failure):
                raise
            log.info("a fragment of a stream failed, the next one makes up for it: %s", failure)

    async def __aenter__(self) -> Self:
        self._cancelling = _cancelling()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if self._is_cancelled(error) or not self._text.strip():
            return
        try:
            async with self._turn:
                await asyncio.sleep(self._next_at - self._now())
                await self._finish()
        except QQBotError as failure:
            if error is None:
                raise
            log.warning("the stream was left unfinished: %s", failure)

    def _is_cancelled(self, error: BaseException | None) -> bool:
        """Whether the body was broken off; a task group may raise something else than CancelledError then."""
        return error is not None and (not isinstance(error, Exception) or _cancelling() > self._cancelling)

    async def _finish(self) -> None:
        if not self._orphaned:
            await self._send_last_fragment()
        if self._orphaned:
            log.warning("the answer to a stream's first fragment was lost: its text is sent again, as one message")
            self.result = await self._send_whole(self._text)

    async def _send_last_fragment(self) -> None:
        maybe_ended = False
        for delay in (*REPEATS, None):
            try:
                await self._send_fragment(StreamState.FINISHED)
            except _PASSING as failure:
                if delay is None:
                    raise
                maybe_ended = maybe_ended or _is_lost(failure) or isinstance(failure, ServerError)
                log.info("the end of a stream is sent again in %.1f s: %s", delay, failure)
            except ApiError as refusal:
                # The platform takes nothing after the end, and has no code of its own to say so.
                if not maybe_ended or type(refusal) is not ApiError:
                    raise
                log.info("a stream had ended before the repeat of its end: %s", refusal)
                return
            else:
                return
            await asyncio.sleep(delay)

    async def _send_fragment(self, state: StreamState) -> None:
        fragment = self._fragment(state)
        self._sent += 1
        try:
            answer = await self._send(fragment)
        except DuplicateMessage:
            if self.result is not None or self._sent == 1:
                raise
            self._orphaned = True
            return
        finally:
            self._next_at = self._now() + INTERVAL
        if self.result is None:
            self.result = MessageSendResult(id=answer.id, timestamp=answer.timestamp, ext_info=answer.ext_info)

    def _fragment(self, state: StreamState) -> StreamMessageBody:
        return StreamMessageBody(
            input_mode="replace",
            input_state=state,
            index=self._sent if self.result else 0,  # without a stream_msg_id it is the first, however often sent
            content_type="markdown" if self._markdown else "text",
            content_raw=self._text,
            msg_id=self._reply_to.msg_id or UNSET,
            event_id=self._reply_to.event_id or UNSET,
            stream_msg_id=self.result.id if self.result else UNSET,
            msg_seq=UNSET if self._reply_to.msg_seq is None else self._reply_to.msg_seq,
        )


def _is_lost(failure: QQBotError) -> bool:
    """Whether the fragment may have been shown, though no answer says so."""
    return isinstance(failure, TransportError) and failure.maybe_sent


def _cancelling() -> int:
    """Return how often the current task was cancelled; what it has caught before may still count."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


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
