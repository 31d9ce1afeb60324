"""What a handler is called with: the event and the ways to answer it.

Owns no state of its own beyond one event; models stay free of the bot because this carries the rest.
"""

import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from msgspec import Struct

from ..api.client import Api
from ..api.downloads import MAX_BYTES
from ..api.streams import AnswerStream, GatheredAnswer
from ..api.windows import closed, seconds_left
from ..dispatcher.delivery import Wanted
from ..errors import DuplicateMessage, LeaseLost
from ..lease import Lease
from ..models.events import Event, InteractionCreate, MessageEvent, Replyable
from ..models.frames import Frame
from ..models.gateway import ReadyUser, ShardKey
from ..models.messages import MessageAttachment, MessageSendResult
from ..models.outgoing.messages import Markdown, Message, Text
from ..models.targets import REPLY_LIMITS, TICKET_NUMBERS, ReplyTo, Scene, Target, Ticket

if TYPE_CHECKING:
    from asyncio import Task


class Delivered(Protocol):
    """An event on its way through the handlers, as their context sees it.

    `received` is a moment of the API's clock; `lease` None: no shard of this process received it.
    """

    @property
    def event(self) -> Event:
        """The event itself."""
        ...

    @property
    def frame(self) -> Frame:
        """The envelope."""
        ...

    @property
    def raw(self) -> bytes:
        """The frame as it arrived."""
        ...

    @property
    def received(self) -> float:
        """When it was accepted."""
        ...

    @property
    def lease(self) -> Lease | None:
        """Under which it is handled."""
        ...

    @property
    def again(self) -> bool:
        """Whether an earlier process may have begun to handle it."""
        ...

    async def wait_for(self, wanted: Wanted, timeout: float | None) -> "Delivered":
        """Suspend the handler until what is wanted comes; `timeout` in seconds.  Raises: TimeoutError, ConfigError."""
        ...


log = logging.getLogger(__name__)

ACK_SECONDS = 5.0
"""How long a click waits for its acknowledgement.  Source: autogen/event/interaction_create"""

E_co = TypeVar("E_co", covariant=True)
T = TypeVar("T")
W = TypeVar("W", bound=Event)
W2 = TypeVar("W2", bound=Event)


class Owner(Protocol):
    """The bot, as far as a handler needs it."""

    @property
    def api(self) -> Api:
        """The API client."""
        ...

    @property
    def me(self) -> ReadyUser:
        """Who the bot is."""
        ...

    @property
    def user_id(self) -> str:
        """The bot's own user id, '' as long as it is not known."""
        ...

    def spawn(self, coroutine: Coroutine[object, object, T], *, name: str | None = None) -> "Task[T]":
        """Run a task that ends with the bot."""
        ...

    async def stop(self) -> None:
        """Ask the bot to drain and stop."""
        ...

    def check_expected(self, events: Sequence[type[Event]]) -> None:
        """Raises: ConfigError where the bot never gets such an event."""
        ...


class Context(Struct, Generic[E_co], frozen=True, eq=False):
    """One event and the ways to answer it. A Struct, since one is made for every event and msgspec makes them in C."""

    bot: Owner
    _delivered: Delivered
    event: E_co
    """The event itself; `event.id` is the payload's own id."""

    @property
    def raw(self) -> bytes:
        """The frame as it was received."""
        return self._delivered.raw

    @property
    def event_id(self) -> str | None:
        """The envelope's id: the same for every delivery of one event, so a key for idempotency."""
        return self._delivered.frame.id

    @property
    def again(self) -> bool:
        """Whether an earlier process may have begun to handle this event: it died, or was cut short, before its end."""
        return self._delivered.again

    @property
    def api(self) -> Api:
        """The bot's API client."""
        return self.bot.api

    @property
    def shard(self) -> ShardKey | None:
        """The shard that received the event; None for what came by webhook or from another process."""
        lease = self._delivered.lease
        return None if lease is None else lease.shard

    @property
    def text(self) -> str:
        """The message's content without the mention of the bot; '' for what is no message."""
        event = self._delivered.event
        if isinstance(event, MessageEvent):
            return event.text_without_mention(self.bot.user_id)
        return ""

    @property
    def target(self: "Context[Replyable]") -> Target:
        """The conversation of the event: `await bot.send(ctx.target, ...)` works later too."""
        return self.event.reply_target()

    @property
    def reply_deadline(self: "Context[Replyable]") -> datetime:
        """When the reply window closes, counted from when the event arrived.

        Source: server-inter/message/overview
        """
        return datetime.now(UTC) + timedelta(seconds=self._seconds_left())

    def _seconds_left(self: "Context[Replyable]") -> float:
        return seconds_left(self.event.reply_target().scene, self.api.clock() - self._delivered.received)

    @property
    def replies_left(self: "Context[Replyable]") -> int | None:
        """How many answers the platform still takes, None where it sets no limit; counts those of this process.

        One that was refused does not count, one that may have arrived does; notices (`typing`) are no answers.

        Source: server-inter/message/overview
        """
        reply_to = self._reply_to()
        limit = REPLY_LIMITS.get(self.event.reply_target().scene)
        if limit is None or reply_to.msg_id is None:
            return None
        return max(0, limit - self.api.sequences.answers(reply_to.reference))

    def _reply_to(self: "Context[Replyable]") -> ReplyTo:
        return self.event.reply_reference(self.event_id)

    def _check_reply(self: "Context[Replyable]") -> None:
        """Raises: LeaseLost, ReplyWindowExpired where an answer cannot be sent any more."""
        lease = self._delivered.lease
        if lease is not None and not lease.valid():
            raise LeaseLost(f"shard {lease.shard} is no longer run by this process: the reply was not sent")
        if self._seconds_left() <= 0:
            raise closed(self.event.reply_target().scene)

    async def reply(self: "Context[Replyable]", message: Message, *, timeout: float | None = None) -> MessageSendResult:
        """Answer the event where it happened, within the platform's reply window, also where it takes an upload.

        Where an event is repeated because a process died (`again`), an answer that it has sent already is not sent
        twice: the platform knows it by its number, and the result has no id.

        Raises: ReplyWindowExpired (after `reply_deadline` before anything is sent), ContentRejected, RateLimited
        (`retry_after`, seconds), Timeout, LeaseLost.
        Source: server-inter/message/overview
        """
        self._check_reply()
        try:
            return await self.api.send(
                self.target, message, reply_to=self._reply_to(), timeout=timeout, check=self._check_reply
            )
        except DuplicateMessage:
            if not self.again:
                raise
            return MessageSendResult()

    def stream(self: "Context[Replyable]", *, markdown: bool = True) -> AnswerStream:
        """Return an answer to be written bit by bit: `async with ctx.stream() as s: await s.write("...")`.

        In C2C it appears while it is written; elsewhere it is sent as one message at the end.

        Raises: what `reply` raises.
        Source: autogen/api/v2_users_user_openid_stream_messages.post
        """
        self._check_reply()
        target = self.target
        if target.scene is Scene.C2C:
            return self.api.c2c.stream(target.id, self._reply_to(), markdown=markdown)
        kind = Markdown if markdown else Text
        return GatheredAnswer(lambda text: self.reply(kind(text)))

    async def typing(self: "Context[Replyable]", seconds: int = 10) -> None:
        """Show in C2C that the bot is typing, for 1 to 60 seconds; other scenes have no such notice: nothing happens.

        Raises: what `reply` raises.
        Source: autogen/api/v2_users_user_openid_messages.post
        """
        self._check_reply()
        target = self.target
        if target.scene is Scene.C2C:
            await self.api.c2c.typing(target.id, self._reply_to(), seconds=seconds)

    def ticket(self: "Context[Replyable]") -> Ticket:
        """Return the right to answer later or elsewhere: `await api.reply(Ticket.from_json(text), ...)`.

        Each ticket has msg_seq numbers of its own, so that its answers do not collide with others.
        """
        reply_to = self._reply_to()
        first = self.api.sequences.reserve(reply_to.reference, TICKET_NUMBERS)
        return Ticket(target=self.target, reply_to=reply_to, first=first, deadline=self.reply_deadline)

    async def ack(self: "Context[InteractionCreate]", code: int = 0) -> None:
        """Acknowledge a click, once and within 5 s; what comes later is logged as a warning.

        `code`: 0 ok, 1 failed, 2 too often, 3 repeated, 4 no permission, 5 admins only.
        Source: autogen/api/interactions_interaction_id.put
        """
        try:
            await self.api.interactions.ack(self.event.id, code)
        finally:
            self._warn_if_late(self.api.clock() - self._delivered.received)

    def _warn_if_late(self: "Context[InteractionCreate]", seconds: float) -> None:
        if self.event.awaits_ack and seconds > ACK_SECONDS:
            log.warning(
                "%s was acknowledged %.1f s after it came: after %g s the user is told that it failed; "
                "acknowledge first, then work. 请先 ack 再处理",
                self.event_id,
                seconds,
                ACK_SECONDS,
            )

    @overload
    async def wait_for(
        self,
        event: type[W],
        /,
        *,
        when: Callable[[W], bool] | None = ...,
        timeout: float | None = ...,
        anywhere: bool = ...,
    ) -> "Context[W]": ...
    @overload
    async def wait_for(
        self,
        event: type[W],
        event2: type[W2],
        /,
        *,
        when: Callable[[W | W2], bool] | None = ...,
        timeout: float | None = ...,
        anywhere: bool = ...,
    ) -> "Context[W | W2]": ...

    async def wait_for(
        self,
        *events: type[Event],
        when: Callable[[Any], bool] | None = None,
        timeout: float | None = None,
        anywhere: bool = False,
    ) -> "Context[Any]":
        """Suspend the handler until the next event of these classes comes for which `when` holds; take it for itself.

        The context of that event is returned, so that it can be answered; no other handler sees it. It is one of the
        same conversation unless `anywhere`; an event that belongs to none, such as the verdict of a review, is taken
        wherever it comes. `timeout` in seconds; None waits without end. While it is suspended the handler holds up
        nobody; a process that dies then repeats the dialog from the event that began it.

        Raises: TimeoutError; ConfigError when the bot does not ask for these events, or 2048 are open already; what
        `when` raises.
        """
        self.bot.check_expected(events)
        delivered = await self._delivered.wait_for(Wanted(events, when, anywhere), timeout)
        return Context(self.bot, delivered, delivered.event)

    @overload
    async def download(self, attachment: MessageAttachment | str, *, max_bytes: int = ...) -> bytes: ...
    @overload
    async def download(self, attachment: MessageAttachment | str, to: Path, *, max_bytes: int = ...) -> int: ...

    async def download(
        self, attachment: MessageAttachment | str, to: Path | None = None, *, max_bytes: int = MAX_BYTES
    ) -> bytes | int:
        """Fetch a file that came with a message: its bytes, or, written to the file `to`, how many there were.

        An address on this machine or in a private network is refused, and so is more than `max_bytes` (64 MiB).

        Raises: ConfigError for an address that is none or not public, MediaError when the file is too large or
        gone, ConnectionFailed, Timeout, OSError when `to` cannot be written.
        """
        url = (MessageAttachment(url=attachment) if isinstance(attachment, str) else attachment).address
        if to is None:
            return await self.api.downloads.fetch(url, max_bytes=max_bytes)
        return await self.api.downloads.save(url, to, max_bytes=max_bytes)

    def __repr__(self) -> str:
        return f"<Context {type(self._delivered.event).__name__} {self.event_id}>"
