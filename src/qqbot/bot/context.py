"""`Context`: what a handler is called with, an event and the ways to answer it.

Responsible for what a handler can do with its event: reply, stream, acknowledge, wait for another event. Collaborators:
`api` (carries it out, and checks the reply's window and the lease), `dispatcher` (suspends the handler in `wait_for`).
It has no state beyond the one event, so that models stay free of the bot.
"""

import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar, cast, overload

from msgspec import Struct

from ..aio.log_fields import log_fields
from ..api.client import Api
from ..api.downloads import MAX_BYTES
from ..api.streams import AnswerStream, GatheredAnswer
from ..api.windows import check_window
from ..dispatcher.delivery import Wait, Wanted
from ..dispatcher.log_fields import event_fields
from ..errors import (
    ConfigError,
    ContentRejected,
    DuplicateMessage,
    PermissionMissing,
    QuotaExceeded,
    ReplyWindowExpired,
)
from ..lease import Ownership
from ..models.events import Event, InteractionCreate, MessageEvent, Replyable, user_of
from ..models.frames import Frame
from ..models.gateway import ReadyUser, ShardKey
from ..models.intents import Intents
from ..models.messages import MessageAttachment, MessageSendResult
from ..models.outgoing.messages import Markdown, Message, Text
from ..models.targets import REPLY_LIMITS, REPLY_WINDOWS, TICKET_NUMBERS, ReplyTo, Scene, Target, Ticket
from .interruption import Interruption
from .splitting import split_message

if TYPE_CHECKING:
    from asyncio import Task


class Delivered(Protocol):
    """An event on its way through the handlers, as their `Context` sees it.

    `received` is a moment of the API's clock; `lease` None: it is handled without one.
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
        """The moment when it was accepted."""
        ...

    @property
    def lease(self) -> Ownership | None:
        """The lease that it is handled under."""
        ...

    @property
    def shard(self) -> ShardKey | None:
        """The shard of this process that received it."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the envelope in which a broker delivered it."""
        ...

    @property
    def again(self) -> bool:
        """True if an earlier process may have begun to handle it."""
        ...

    answered: bool
    """Whether its handlers have begun to answer it."""

    def open_interruption(self, wanted: Wanted) -> Wait:
        """Begin to look for an event that interrupts the handler.  Raises: ConfigError."""
        ...

    def close_interruption(self, wait: Wait) -> None:
        """Look for it no longer."""
        ...

    async def wait_for(self, wanted: Wanted, timeout: float | None) -> "Delivered":
        """Suspend the handler until such an event comes; `timeout` in seconds.  Raises: TimeoutError, ConfigError."""
        ...


log = logging.getLogger(__name__)

ACK_SECONDS = 5.0
"""How long a click waits for its acknowledgement.  Source: autogen/event/interaction_create"""

Fallback: TypeAlias = Literal["text", "active"]
"""What is sent in place of an answer that is refused."""

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
        """The bot's own user."""
        ...

    @property
    def user_id(self) -> str:
        """The bot's own user id, '' as long as it is not known."""
        ...

    async def send(self, target: Target, message: Message, *, timeout: float | None = None) -> MessageSendResult:
        """Send an active message to a conversation."""
        ...

    def spawn(
        self, coroutine: Coroutine[object, object, T], *, name: str | None = None, drain: bool = False
    ) -> "Task[T]":
        """Run a task that ends with the bot."""
        ...

    async def stop(self) -> None:
        """Ask the bot to drain and stop."""
        ...


def check_expected(asked: Intents | None, events: Sequence[type[Event]]) -> None:
    """Check that a bot gets such events.  Raises: ConfigError if it does not ask for one of them.

    `asked`: the intents that it asks for; None without a gateway connection: then the sender decides what comes.
    """
    if not events:
        raise ConfigError("wait_for() names no event: write ctx.wait_for(GroupMessageEvent). wait_for() 需要写明事件")
    if asked is None:
        return
    for event in events:
        needed = Intents.of(event)
        if needed and not needed & asked:
            raise ConfigError(
                f"wait_for({event.__name__}) would never end: the bot does not ask for {needed!r}; "
                f"write bot.expect({event.__name__}) beside its handlers. "
                f"机器人没有订阅该事件，请加上 bot.expect({event.__name__})"
            )


class Context(Struct, Generic[E_co], frozen=True, eq=False):
    """One event and the ways to answer it. A Struct, since one is made for every event and msgspec makes them in C."""

    bot: Owner
    api: Api
    _check_expected: Callable[[Sequence[type[Event]]], None]
    _delivered: Delivered
    event: E_co
    """The event itself; `event.id` is the payload's own id."""

    @property
    def raw(self) -> bytes:
        """The frame as it was received."""
        return self._delivered.raw

    @property
    def event_id(self) -> str | None:
        """The id of the envelope: the same for every delivery of one event, so a key for idempotency."""
        return self._delivered.frame.id

    @property
    def again(self) -> bool:
        """True if an earlier process may have begun to handle this event, and was stopped before the end."""
        return self._delivered.again

    @property
    def shard(self) -> ShardKey | None:
        """The shard that received the event; None for what came by webhook or from another process."""
        return self._delivered.shard

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the envelope in which a broker delivered the event; empty if none did."""
        return self._delivered.headers

    @property
    def text(self) -> str:
        """The content of the message without the mention of the bot; '' if the event is no message."""
        event = self._delivered.event
        if isinstance(event, MessageEvent):
            return event.text_without_mention(self.bot.user_id)
        return ""

    @property
    def mentions_me(self) -> bool:
        """True if the event is a message that mentions the bot; False in private chats, where none is needed."""
        event = self._delivered.event
        return isinstance(event, MessageEvent) and event.mentions_bot(self.bot.user_id)

    @property
    def target(self: "Context[Replyable]") -> Target:
        """The conversation of the event: `await bot.send(ctx.target, ...)` works later too."""
        return self.event.reply_target()

    @property
    def reply_deadline(self: "Context[Replyable]") -> datetime:
        """When the reply window closes, counted from when the event arrived.

        Source: server-inter/message/overview
        """
        age = self.api.clock() - self._delivered.received
        left = REPLY_WINDOWS[self.event.reply_target().scene] - age
        return datetime.now(UTC) + timedelta(seconds=left)

    @property
    def replies_left(self: "Context[Replyable]") -> int | None:
        """How many answers the platform still takes, None if it sets no limit; counts those of this process.

        An answer that was refused does not count, one that may have arrived does; notices (`typing`) are no answers.

        Source: server-inter/message/overview
        """
        scene = self.event.reply_target().scene
        reply_to, limit = self._reply_to(self.event, scene), REPLY_LIMITS.get(scene)
        if limit is None or reply_to.msg_id is None:
            return None
        return max(0, limit - self.api.sequences.answers(reply_to.reference))

    def _reply_to(self: "Context[Replyable]", event: Replyable, scene: Scene) -> ReplyTo:
        delivered = self._delivered
        found = event.reply_reference(delivered.frame.id)
        if not delivered.answered:
            delivered.answered = True
            self.api.sequences.begin(found.reference, delivered.lease, again=delivered.again)
        expires_at = delivered.received + REPLY_WINDOWS[scene]
        return ReplyTo(found.msg_id, found.event_id, expires_at=expires_at)

    @property
    def replyable(self) -> "Context[Replyable] | None":
        """This context if its event can be answered, for code that takes any event: `if r := ctx.replyable: ...`."""
        return cast("Context[Replyable]", self) if isinstance(self._delivered.event, Replyable) else None

    @overload
    async def reply(
        self: "Context[Replyable]",
        message: Message,
        *,
        split: Literal[False] = ...,
        fallback: Collection[Fallback] = ...,
        timeout: float | None = ...,
    ) -> MessageSendResult: ...
    @overload
    async def reply(
        self: "Context[Replyable]",
        message: str | Text | Markdown,
        *,
        split: Literal[True],
        fallback: Collection[Fallback] = ...,
        timeout: float | None = ...,
    ) -> list[MessageSendResult]: ...

    async def reply(
        self: "Context[Replyable]",
        message: Message,
        *,
        split: bool = False,
        fallback: Collection[Fallback] = (),
        timeout: float | None = None,
    ) -> MessageSendResult | list[MessageSendResult]:
        """Answer the event where it happened, within the platform's reply window; a `Media` is uploaded first.

        `split` sends a text of more than 4000 characters in parts, cut between paragraphs or sentences, with the
        fences of code whole; the last part has the keyboard. `fallback`: "text" sends markdown that is refused here as
        plain text, "active" an answer that comes too late, or is one too many, as an active message; both are logged.

        If the event is repeated because a process died (`again`), or came by webhook or from another process, an answer
        that was sent already is not sent twice: the platform knows it by its number, and the result has no id.

        Raises: ReplyWindowExpired (after `reply_deadline`, without sending the message), ContentRejected, RateLimited
        (`retry_after`, seconds), Timeout, LeaseLost; ConfigError before anything is sent if `split` makes more parts
        than `replies_left`.
        Source: server-inter/message/overview
        """
        if not split:
            return await (self._reply(message, fallback, timeout) if fallback else self._answer(message, timeout))
        parts = split_message(message)
        left = self.replies_left
        if left is not None and len(parts) > left and "active" not in fallback:
            raise ConfigError(
                f"the text needs {len(parts)} messages, and {left} more answers are allowed here: shorten it. "
                f"需要 {len(parts)} 条消息，但只能再回复 {left} 条：请缩短内容"
            )
        return [await self._reply(part, fallback, timeout) for part in parts]

    async def _reply(
        self: "Context[Replyable]", message: Message, fallback: Collection[Fallback], timeout: float | None
    ) -> MessageSendResult:
        try:
            return await self._answer(message, timeout)
        except (PermissionMissing, ContentRejected) as refusal:
            if "text" not in fallback or not isinstance(message, Markdown) or not message.content:
                raise
            fields = self.log_fields() | log_fields(trace_id=refusal.trace_id)
            log.info("markdown is refused here, so it is sent as text: %s", refusal, extra=fields)
            return await self._reply(Text(message.content), fallback, timeout)
        except (ReplyWindowExpired, QuotaExceeded) as refusal:
            if "active" not in fallback:
                raise
            fields = self.log_fields() | log_fields(trace_id=getattr(refusal, "trace_id", None))
            log.info("the answer is sent as an active message: %s", refusal, extra=fields)
            return await self.api.send(self.target, message, timeout=timeout)

    async def _answer(self: "Context[Replyable]", message: Message, timeout: float | None) -> MessageSendResult:
        event = self.event
        target = event.reply_target()
        reply_to = self._reply_to(event, target.scene)
        try:
            return await self.api.send(target, message, reply_to=reply_to, timeout=timeout)
        except DuplicateMessage:
            # A call of the platform may come to two processes, and nothing marks the second one.
            if not self.again and self.shard is not None:
                raise
            return MessageSendResult()

    def stream(self: "Context[Replyable]", *, markdown: bool = True) -> AnswerStream:
        """Return an answer to be written piece by piece: `async with ctx.stream() as s: await s.write("...")`.

        In C2C it appears while it is written; elsewhere it is sent as one message at the end.

        Raises: what `reply` raises.
        Source: autogen/api/v2_users_user_openid_stream_messages.post
        """
        target, reply_to = self.target, self._reply_to(self.event, self.target.scene)
        if target.scene is Scene.C2C:
            return self.api.c2c.stream(target.id, reply_to, markdown=markdown)
        # Before the answer is written: elsewhere it is sent, and refused, at its end only.
        check_window(reply_to, target.scene, self.api.clock())
        kind = Markdown if markdown else Text
        return GatheredAnswer(lambda text: self.reply(kind(text)))

    async def typing(self: "Context[Replyable]", seconds: int = 10) -> None:
        """Show in C2C that the bot is typing, for 1 to 60 seconds; other scenes have no such notice: nothing happens.

        Raises: what `reply` raises.
        Source: autogen/api/v2_users_user_openid_messages.post
        """
        target = self.target
        if target.scene is Scene.C2C:
            await self.api.c2c.typing(target.id, self._reply_to(self.event, target.scene), seconds=seconds)

    def ticket(self: "Context[Replyable]") -> Ticket:
        """Return the right to answer later, or in another process: `await api.reply(Ticket.from_json(text), ...)`.

        Each ticket has msg_seq numbers of its own, so that its answers do not collide with others.
        """
        reply_to = self.event.reply_reference(self.event_id)
        first = self.api.sequences.reserve(reply_to.reference, TICKET_NUMBERS)
        return Ticket(target=self.target, reply_to=reply_to, first=first, deadline=self.reply_deadline)

    async def ack(self: "Context[InteractionCreate]", code: int = 0) -> None:
        """Acknowledge a click, once and within 5 s; a later one is logged as a warning.

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
                "%.200r was acknowledged %.1f s after it came: after %g s the user sees a failure; "
                "acknowledge first, then work. 请先 ack 再处理",
                self.event_id,
                seconds,
                ACK_SECONDS,
                extra=self.log_fields() | log_fields(),
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
        """Suspend the handler until the next event of these classes comes and `when` holds for it; take that event.

        The context of that event is returned, so that it can be answered; no other handler sees it. It is one of the
        same conversation unless `anywhere`; an event that belongs to none, such as the verdict of a review, is taken
        wherever it comes. `timeout` in seconds; None waits forever. A suspended handler holds up no other event; if the
        process dies meanwhile, the dialog is repeated from the event that began it.

        Raises: TimeoutError; ConfigError when the bot does not ask for these events, or 2048 are open already;
        LeaseLost when another process gets the shard, and repeats the dialog; what `when` raises.
        """
        self._check_expected(events)
        delivered = await self._delivered.wait_for(Wanted(events, when, anywhere), timeout)
        return self._of(delivered)

    def _of(self, delivered: Delivered) -> "Context[Any]":
        """Return the context of another event that this handler takes."""
        return Context(self.bot, self.api, self._check_expected, delivered, delivered.event)

    @overload
    def interrupted_by(
        self, event: type[W], /, *, when: Callable[[W], bool] | None = ..., anyone: bool = ...
    ) -> "Interruption[Context[W]]": ...
    @overload
    def interrupted_by(
        self, event: type[W], event2: type[W2], /, *, when: Callable[[W | W2], bool] | None = ..., anyone: bool = ...
    ) -> "Interruption[Context[W | W2]]": ...

    def interrupted_by(
        self, *events: type[Event], when: Callable[[Any], bool] | None = None, anyone: bool = False
    ) -> "Interruption[Context[Any]]":
        """Return a block that the next event of these classes, for which `when` holds, ends: a stop word, a click.

        ::

            async with ctx.interrupted_by(MessageEvent, when=says("停", "stop")) as stop:
                async with ctx.stream() as answer:
                    async for piece in model(ctx.text):
                        await answer.write(piece)
            if stop.context is not None:
                await stop.context.reply("已停止")

        The event is one of the same user in the same conversation, or of any user there (`anyone`). It does not wait
        for its turn, and no other handler sees it. The block is cancelled, which ends a stream in it, and the handler
        goes on behind the block.

        Raises: ConfigError when the bot does not ask for these events, or too many are open; what `when` raises.
        """
        self._check_expected(events)
        user = "" if anyone else user_of(self._delivered.event)

        def interrupts(event: Event) -> bool:
            return (not user or user_of(event) == user) and (when is None or when(event))

        wanted = Wanted(events, interrupts)
        delivered = self._delivered
        return Interruption(lambda: delivered.open_interruption(wanted), delivered.close_interruption, self._of)

    @overload
    async def ask(
        self: "Context[Replyable]",
        question: str,
        choices: Sequence[str] | None = ...,
        *,
        admins: bool = ...,
        timeout: float | None = ...,
        late: None = ...,
    ) -> str: ...
    @overload
    async def ask(
        self: "Context[Replyable]",
        question: str,
        choices: Sequence[str] | None = ...,
        *,
        admins: bool = ...,
        timeout: float | None = ...,
        late: str,
    ) -> str | None: ...

    async def ask(
        self: "Context[Replyable]",
        question: str,
        choices: Sequence[str] | None = None,
        *,
        admins: bool = False,
        timeout: float | None = None,
        late: str | None = None,
    ) -> str | None:
        """Ask the user of the event with a button for each choice (at most 25), and return the one that is chosen.

        Only that user may press; the click is acknowledged. Words of a choice or its number answer as well, and where
        the platform refuses keyboards the choices are a numbered text. Without `choices`, the next text that this user
        writes to the bot is the answer. `admins` asks the administrators of the group or channel in place of the user.
        `timeout` in seconds; None waits forever. With `late`, nothing is raised after the timeout: that text is sent,
        and None returned.

        Raises: TimeoutError; ConfigError for choices that fit on no button, for `admins` in a private chat, or, with
        choices, if the bot does not ask for interactions: `@bot.on(..., asks=True)`, or
        `bot.expect(InteractionCreate)`; what `reply` raises.
        """
        from .asking import ask  # noqa: PLC0415 - most bots ask nothing

        try:
            return await ask(self, question, choices, admins=admins, timeout=timeout)
        except TimeoutError:
            if late is None:
                raise
        await self.reply(late)
        return None

    @overload
    async def confirm(
        self: "Context[Replyable]",
        question: str,
        *,
        yes: str = ...,
        no: str = ...,
        admins: bool = ...,
        timeout: float | None = ...,
        late: None = ...,
    ) -> bool: ...
    @overload
    async def confirm(
        self: "Context[Replyable]",
        question: str,
        *,
        yes: str = ...,
        no: str = ...,
        admins: bool = ...,
        timeout: float | None = ...,
        late: str,
    ) -> bool | None: ...

    async def confirm(
        self: "Context[Replyable]",
        question: str,
        *,
        yes: str = "确定",
        no: str = "取消",
        admins: bool = False,
        timeout: float | None = None,
        late: str | None = None,
    ) -> bool | None:
        """Ask the user of the event, or `admins`, a question with two buttons; return whether `yes` was chosen.

        `timeout` in seconds; None waits forever. With `late`, that text is sent after the timeout, and None returned.

        Raises: as `ask`.
        """
        if late is None:
            return await self.ask(question, (yes, no), admins=admins, timeout=timeout) == yes
        answer = await self.ask(question, (yes, no), admins=admins, timeout=timeout, late=late)
        return None if answer is None else answer == yes

    async def pages(self: "Context[Replyable]", pages: Sequence[str], *, timeout: float = 120.0) -> None:
        """Answer with the first page and buttons for the others; return when none was pressed for `timeout` seconds.

        Each page is an answer of its own, to the click. Without keyboards the first page is shown alone.

        Raises: ConfigError without a page, or as `ask`; what `reply` raises.
        """
        from .asking import show_pages  # noqa: PLC0415 - the same

        await show_pages(self, pages, timeout)

    def check_expected(self, *events: type[Event]) -> None:
        """Raises: ConfigError if the bot does not ask for one of these events."""
        self._check_expected(events)

    @overload
    async def download(self, attachment: MessageAttachment | str, *, max_bytes: int = ...) -> bytes: ...
    @overload
    async def download(self, attachment: MessageAttachment | str, to: Path, *, max_bytes: int = ...) -> int: ...

    async def download(
        self, attachment: MessageAttachment | str, to: Path | None = None, *, max_bytes: int = MAX_BYTES
    ) -> bytes | int:
        """Return the bytes of a file that came with a message; with `to`, write them there and return their number.

        An address on this machine or in a private network is refused, and so is more than `max_bytes` (64 MiB).

        Raises: ConfigError for an address that is none or not public, MediaError when the file is too large or
        gone, ConnectionFailed, Timeout, OSError when `to` cannot be written.
        """
        url = (MessageAttachment(url=attachment) if isinstance(attachment, str) else attachment).address
        if to is None:
            return await self.api.downloads.fetch(url, max_bytes=max_bytes)
        return await self.api.downloads.save(url, to, max_bytes=max_bytes)

    def log_fields(self, handler: str = "") -> dict[str, object]:
        """Return what log records carry about this event, for `extra=`: event, event_id, conversation, user, shard.

        `handler` is added if it is given. What is not known is left out.
        """
        delivered = self._delivered
        return event_fields(delivered.event, delivered.frame, delivered.lease, handler)

    def __repr__(self) -> str:
        return f"<Context {type(self._delivered.event).__name__} {self.event_id}>"
