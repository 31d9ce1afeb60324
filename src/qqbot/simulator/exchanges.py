"""Exchanges: an event, the bot's answers to it, and the moment the bot is done with it.

Responsible for matching the bot's messages with the events that they answer. A bot in this process reports when it is
done; a bot in another process is taken to be done after a quiet period.
"""

import asyncio
import time
from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager

from .state.world import Conversation, MessageRecord
from .wire import JsonObject


class Exchange:
    """One event and what the bot sent in answer. `outcome` is what the bot reported, None if it reported nothing.

    `message_id` and `conversation`: the message that shows the event, None if no chat shows it.
    """

    def __init__(self, event_id: str, message_id: str | None, conversation: Conversation | None) -> None:
        self.event_id = event_id
        self.message_id = message_id
        self.conversation = conversation
        self.replies: list[MessageRecord] = []
        self.ack: int | None = None
        self.answer: JsonObject | None = None
        self.outcome: str | None = None
        # Events whose outcome is still to come: two for a message that a private bot gets as two events.
        self.pending = {event_id}
        self._changed = asyncio.Event()

    def add(self, message: MessageRecord) -> None:
        """Add a message of the bot."""
        self.replies.append(message)
        self._changed.set()

    def acknowledge(self, code: int) -> None:
        """The bot acknowledged the interaction."""
        self.ack = code
        self._changed.set()

    def respond(self, answer: JsonObject) -> None:
        """Record the body that answers the interaction."""
        self.answer = answer
        self._changed.set()

    def settle(self, event_id: str, outcome: str) -> None:
        """Record that the bot is done with an event; of two outcomes the first that is not `unwanted` counts."""
        self.pending.discard(event_id)
        if self.outcome in (None, "unwanted"):
            self.outcome = outcome
        self._changed.set()

    async def settled(self, timeout: float) -> None:
        """Return when the bot is done, or after `timeout` seconds."""
        end = time.monotonic() + timeout
        while self.pending and await self._next(end - time.monotonic()):
            pass

    async def quiet(self, timeout: float, quiet: float) -> None:
        """Return if no answer has come for `quiet` seconds after the first one, or after `timeout` seconds."""
        end = time.monotonic() + timeout
        answered = await self._next(timeout)
        while answered and (left := end - time.monotonic()) > 0:
            answered = await self._next(min(quiet, left))

    async def _next(self, timeout: float) -> bool:
        """Wait for a change; return whether there was one within `timeout` seconds."""
        try:
            async with asyncio.timeout(max(timeout, 0)):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Exchanges:
    """The exchanges that are open. `self_reporting` counts the bots that report when they are done."""

    def __init__(self) -> None:
        self._open: dict[str, Exchange] = {}
        self._listeners: list[list[MessageRecord]] = []
        self.self_reporting = 0

    @contextmanager
    def opened(self, event_id: str, shown: MessageRecord | None) -> Generator[Exchange, None, None]:
        """Open an exchange before its event is pushed; `shown` is what the chat shows of the event."""
        exchange = Exchange(event_id, shown.id if shown else None, shown.conversation if shown else None)
        self._open[event_id] = exchange
        try:
            yield exchange
        finally:
            for each in [key for key, value in self._open.items() if value is exchange]:
                del self._open[each]

    def pushed(self, event_id: str, delivered: list[str]) -> None:
        """Record which events a message was delivered as; `event_id` is the one that its exchange was opened with."""
        if (exchange := self._open.get(event_id)) is not None and delivered:
            exchange.event_id, exchange.pending = delivered[0], set(delivered)
            self._open |= dict.fromkeys(delivered, exchange)

    async def wait_settled(self, event_ids: Collection[str], timeout: float) -> None:
        """Return when a bot has reported each of these events, or after `timeout` seconds for each."""
        with ExitStack() as stack:
            free = [each for each in dict.fromkeys(event_ids) if each not in self._open]
            exchanges = [stack.enter_context(self.opened(each, None)) for each in free]
            for exchange in exchanges:
                await exchange.settled(timeout)

    @contextmanager
    def collect_sent(self) -> Generator[list[MessageRecord], None, None]:
        """Collect all that the bot sends, to any conversation."""
        messages: list[MessageRecord] = []
        self._listeners.append(messages)
        try:
            yield messages
        finally:
            self._listeners.remove(messages)

    async def finish(self, exchange: Exchange, *, timeout: float, quiet: float) -> None:
        """Wait until the bot is done."""
        if self.self_reporting:
            await exchange.settled(timeout)
        else:
            await exchange.quiet(timeout, quiet)

    def settle(self, event_id: str, outcome: str) -> None:
        """Record that a bot is done with an event."""
        if (exchange := self._open.get(event_id)) is not None:
            exchange.settle(event_id, outcome)

    def acknowledge(self, event_id: str, code: int) -> None:
        """Record that the bot acknowledged an interaction."""
        if (exchange := self._open.get(event_id)) is not None:
            exchange.acknowledge(code)

    def respond(self, event_id: str, answer: JsonObject) -> None:
        """Record the body that answers an interaction."""
        if (exchange := self._open.get(event_id)) is not None:
            exchange.respond(answer)

    def sent(self, message: MessageRecord, reference: str) -> None:
        """Add a message of the bot to the exchanges that it belongs to.

        `reference` is its msg_id or event_id. A message belongs to the exchange that it references. If that exchange is
        not open (an active message, a dialog that began earlier), it belongs to all open exchanges of its conversation
        and to those without a conversation.
        """
        for messages in self._listeners:
            messages.append(message)
        here = [each for each in set(self._open.values()) if each.conversation in (None, message.conversation)]
        named = [each for each in here if reference and self._names(each, reference)]
        for exchange in named or here:
            exchange.add(message)

    def _names(self, exchange: Exchange, reference: str) -> bool:
        return reference == exchange.message_id or self._open.get(reference) is exchange
