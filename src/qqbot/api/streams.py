"""An answer that is written piece by piece: streamed in C2C, sent as one message at the end elsewhere.

Responsible for the pace and the life of one answer. Collaborators: `resources.c2c` has the endpoint.
It sends nothing itself: sending is an argument.
Source: autogen/api/v2_users_user_openid_stream_messages.post
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import UNSET

from .._visible import visible_line
from ..aio.cancellation import cancellations
from ..aio.log_fields import log_fields
from ..aio.loops import check_loop
from ..errors import ApiError, ConfigError, DuplicateMessage, QQBotError, RateLimited, ServerError, TransportError
from ..models.messages import MessageSendResult
from ..models.streams import StreamMessageBody, StreamMessageResult, StreamState
from ..models.targets import ReplyTo

log = logging.getLogger(__name__)

INTERVAL = 0.5  # seconds between fragments; the platform wants 0.3 at least
END_SECONDS = 2.0  # for the end of a stream whose body was cancelled: others wait for the end of the task
REPEATS = (0.5, 1.0, 2.0)  # seconds before each repeat of the fragment that ends a message

_PASSING = (TransportError, ServerError, RateLimited)


class AnswerStream(Protocol):
    """An answer in progress: `async with ctx.stream() as s: await s.write("...")`."""

    @property
    def result(self) -> MessageSendResult | None:
        """The message that was sent; None before that."""
        ...

    async def write(self, text: str) -> None:
        """Add `text`; it is shown soon after.  Raises: what sending raises."""
        ...

    def abandon(self) -> None:
        """Send nothing more, not even what was written: neither now nor at the end."""
        ...

    async def __aenter__(self) -> Self:
        """Begin; nothing is sent yet."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send the rest, and end the answer."""
        ...


class C2CStream:
    """A streamed message: each fragment carries the whole text so far, so that a lost fragment does no harm.

    Text that is written within half a second is sent together; concurrent writes take turns. An exception in the body,
    a cancellation too, ends the message with the text written so far; after a cancellation within 2 s and by one call.
    `abandon` leaves it unfinished.

    If the answer to the first fragment is lost, its message cannot be continued, because its id is unknown. If the
    platform has shown it, that part stays, and `send_whole` sends the whole text as another message at the end.
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
        self._text = ""  # all of it, since each fragment replaces the one before
        self._sent = 0  # fragments tried, the index of the next one
        self._next_at = 0.0  # the platform refuses fragments that follow too fast
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._turn = asyncio.Lock()  # fragments must arrive in order
        self._orphaned = False  # the first fragment was shown but its id is lost, so it cannot be continued
        self._abandoned = False  # nothing is sent any more
        self._ended = False  # a write after the end would be lost in silence
        self._cancellations = 0  # of the task before, which do not count as a cancelled body
        self.result: MessageSendResult | None = None

    async def write(self, text: str) -> None:
        """Add `text`; it is sent at once, or together with text that is written later.

        Once the message exists, or may exist, the next fragment makes up for one that fails temporarily.

        Raises: ContentRejected, ReplyWindowExpired; ConfigError after the end and from another event loop; before the
        message exists also RateLimited, ServerError, and ConnectionFailed or Timeout if nothing was sent.
        """
        check_loop(self._loop, "the stream")
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
            log.info(
                "a fragment of a stream failed, the next one carries its text: %s",
                visible_line(str(failure), 500),
                extra=log_fields(),
            )

    def abandon(self) -> None:
        """Send nothing more: the message stays as it is, unfinished."""
        self._abandoned = True

    async def __aenter__(self) -> Self:
        self._cancellations = cancellations()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if self._abandoned or not self._text.strip():
            return
        cancelled = _is_cancelled(error, self._cancellations)
        try:
            async with asyncio.timeout(END_SECONDS if cancelled else None), self._turn:
                await asyncio.sleep(self._next_at - self._now())
                await self._finish(() if cancelled else REPEATS)
        except (QQBotError, TimeoutError) as failure:
            if error is None:
                raise
            log.warning("the stream was left unfinished: %s", visible_line(repr(failure), 500), extra=log_fields())

    async def _finish(self, repeats: Sequence[float]) -> None:
        if not self._orphaned:
            await self._send_last_fragment(repeats)
        if self._orphaned:
            log.warning(
                "the answer to a stream's first fragment was lost: sending the whole text again as one message",
                extra=log_fields(),
            )
            self.result = await self._send_whole(self._text)

    async def _send_last_fragment(self, repeats: Sequence[float]) -> None:
        maybe_ended = False
        for delay in (*repeats, None):
            try:
                await self._send_fragment(StreamState.FINISHED)
            except _PASSING as failure:
                if delay is None:
                    raise
                maybe_ended = maybe_ended or _is_lost(failure) or isinstance(failure, ServerError)
                log.info(
                    "retrying the last fragment of a stream in %.1f s: %s",
                    delay,
                    visible_line(str(failure), 500),
                    extra=log_fields(),
                )
            except ApiError as refusal:
                # The platform accepts nothing after the end, and has no specific code for it.
                if not maybe_ended or type(refusal) is not ApiError:
                    raise
                log.info(
                    "a stream had already ended before its last fragment was repeated: %s",
                    visible_line(str(refusal), 500),
                    extra=log_fields(),
                )
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
            index=self._sent if self.result else 0,  # without a stream_msg_id it is still the first
            content_type="markdown" if self._markdown else "text",
            content_raw=self._text,
            msg_id=self._reply_to.msg_id or UNSET,
            event_id=self._reply_to.event_id or UNSET,
            stream_msg_id=self.result.id if self.result else UNSET,
            msg_seq=UNSET if self._reply_to.msg_seq is None else self._reply_to.msg_seq,
        )


def _is_lost(failure: QQBotError) -> bool:
    """True if the fragment may have been shown although no answer arrived."""
    return isinstance(failure, TransportError) and failure.maybe_sent


def _is_cancelled(error: BaseException | None, before: int) -> bool:
    """True if a body that ended with `error` was cancelled, after `before` cancellations of its task.

    A task group may raise another error than CancelledError then.
    """
    return error is not None and (not isinstance(error, Exception) or cancellations() > before)


class GatheredAnswer:
    """An answer in a scene without streams: its text is sent as one message at the end.

    An exception in the body, a cancellation too, sends what was written so far; `abandon` sends nothing.
    """

    def __init__(self, send: Callable[[str], Awaitable[MessageSendResult]]) -> None:
        self._send = send
        self._text = ""  # what was written so far
        self._abandoned = False  # nothing is sent
        self._cancellations = 0  # of the task before, which do not count as a cancelled body
        self.result: MessageSendResult | None = None

    async def write(self, text: str) -> None:
        """Add `text`; it is sent at the end."""
        self._text += text

    def abandon(self) -> None:
        """Send nothing."""
        self._abandoned = True

    async def __aenter__(self) -> Self:
        self._cancellations = cancellations()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._abandoned or not self._text.strip():
            return
        cancelled = _is_cancelled(error, self._cancellations)
        try:
            async with asyncio.timeout(END_SECONDS if cancelled else None):
                self.result = await self._send(self._text)
        except (QQBotError, TimeoutError) as failure:
            if error is None:
                raise
            log.warning(
                "what was written of the answer was not sent: %s", visible_line(repr(failure), 500), extra=log_fields()
            )
