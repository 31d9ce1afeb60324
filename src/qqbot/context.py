"""What a handler is called with: the event and the ways to answer it.

Owns no state of its own beyond one event; models stay free of the bot because this carries the rest.
"""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from .api.client import Api
from .errors import LeaseLost
from .gateway.frames import Frame
from .models.events import InteractionCreate, MessageEvent, Replyable
from .models.gateway import ReadyUser, ShardKey
from .models.messages import MessageSendResult
from .models.outgoing import Message
from .models.targets import Target
from .ports import Lease

if TYPE_CHECKING:
    from asyncio import Task

E_co = TypeVar("E_co", covariant=True)
T = TypeVar("T")


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


class Context(Generic[E_co]):
    """One event and the ways to answer it.

    `raw` is the frame as it was received.
    """

    __slots__ = ("_event", "_frame", "_lease", "bot", "raw")

    def __init__(self, event: E_co, frame: Frame, raw: bytes, lease: Lease, bot: Owner) -> None:
        self._event = event
        self._frame = frame
        self._lease = lease
        self.raw = raw
        self.bot = bot

    @property
    def event(self) -> E_co:
        """The event itself; `event.id` is the payload's own id."""
        return self._event

    @property
    def event_id(self) -> str | None:
        """The envelope's id: the same for every delivery of one event, so a key for idempotency."""
        return self._frame.id

    @property
    def api(self) -> Api:
        """The bot's API client."""
        return self.bot.api

    @property
    def shard(self) -> ShardKey:
        """The shard that received the event."""
        return self._lease.shard

    @property
    def text(self) -> str:
        """The message's content without the mention of the bot; '' for what is no message."""
        if isinstance(self._event, MessageEvent):
            return self._event.text_without_mention(self.bot.user_id)
        return ""

    @property
    def target(self: "Context[Replyable]") -> Target:
        """The conversation of the event: `await bot.send(ctx.target, ...)` works later too."""
        return self.event.reply_target()

    async def reply(self: "Context[Replyable]", message: Message, *, timeout: float | None = None) -> MessageSendResult:
        """Answer the event where it happened, within the platform's reply window.

        Raises: ReplyWindowExpired, ContentRejected, RateLimited (`retry_after`, seconds), Timeout, LeaseLost.
        Source: server-inter/message/overview
        """
        if not self._lease.valid():
            raise LeaseLost(f"shard {self._lease.shard} is no longer run by this process: the reply was not sent")
        return await self.api.send(
            self.event.reply_target(),
            message,
            reply_to=self.event.reply_reference(self.event_id),
            timeout=timeout,
        )

    async def ack(self: "Context[InteractionCreate]", code: int = 0) -> None:
        """Acknowledge a click, once and within 5 s.

        `code`: 0 ok, 1 failed, 2 too often, 3 repeated, 4 no permission, 5 admins only.
        Source: autogen/api/interactions_interaction_id.put
        """
        await self.api.interactions.ack(self.event.id, code)

    def __repr__(self) -> str:
        return f"<Context {type(self._event).__name__} {self.event_id}>"
