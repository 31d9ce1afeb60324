"""The commands of programs and of the page, as JSON: say, click, event, fault, clock, state.

Responsible for reading these documents. Collaborators: `actions` (does the work), `wire.guard` (authorization).
"""

import difflib
import time
from collections.abc import Collection
from dataclasses import dataclass

from ..actions import QUIET, TIMEOUT, Actions, UserAction
from ..exchanges import Exchange
from ..faults.documents import inject
from ..platform import Platform
from ..state import attachments, cards
from ..state.clock import LONGEST_STEP
from ..state.world import SCENES, Conversation, Person, Scene, scene_of
from ..wire import JsonObject
from ..wire.arguments import (
    BadCommand,
    flag,
    objects,
    optional_flag,
    optional_integer,
    optional_text,
    seconds,
    text,
)


class Commands:
    """The commands of one simulator. Each raises ValueError if the document is wrong."""

    def __init__(self, platform: Platform, actions: Actions) -> None:
        self._platform = platform
        self._actions = actions

    # Commands of programs

    async def say(self, document: JsonObject) -> JsonObject:
        """Write a message, and return the replies."""
        times = _Times.of(document)
        action = self.message(document)
        return _exchange_document(await self._actions.do_and_wait(action, timeout=times.timeout, quiet=times.quiet))

    async def click(self, document: JsonObject) -> JsonObject:
        """Press a button, and return the replies and the acknowledgement."""
        times = _Times.of(document)
        action = self.press(document)
        exchange = await self._actions.do_and_wait(action, timeout=times.timeout, quiet=times.quiet)
        return {**_exchange_document(exchange), "ack": exchange.ack}

    async def event(self, document: JsonObject) -> JsonObject:
        """Push any event; one that is not in the tables requires `"new": true`."""
        shard, event_id = optional_integer(document, "shard"), optional_text(document, "id")
        kind, new = text(document, "type"), flag(document, "new", default=False)
        if not new and kind not in self._platform.tables.events:
            raise BadCommand(_unknown_event(kind, self._platform.tables.events))
        return {"event_id": self._platform.push(kind, document.get("d"), event_id=event_id, shard=shard).event_id}

    async def clock(self, document: JsonObject) -> JsonObject:
        """Advance business time, and return it."""
        await self._platform.clock.advance(seconds=seconds(document, "advance", 0.0, LONGEST_STEP))
        return self._platform.clock.document()

    async def fault(self, document: JsonObject) -> JsonObject:
        """Inject a fault: a strike, a rule, or `{"webhook": FLAW, "times": N}` for the next pushes."""
        if "webhook" in document:
            self._platform.webhook.flaw(text(document, "webhook"), optional_integer(document, "times") or 1)
        else:
            inject(self._platform.gateway.faults, document)
        return {}

    async def group(self, document: JsonObject) -> JsonObject:
        """Change how the messages of a group arrive: `all_messages`, `mention_tag`."""
        document = {**document, "scene": "group"}
        delivery = _delivery(document)
        where = self.conversation(document)
        self._platform.world.set_delivery(where, **delivery)
        return {"id": where.id, "all_messages": where.all_messages, "mention_tag": where.mention_tag}

    # Shared with the page

    def message(self, document: JsonObject) -> UserAction:
        """Return the action of writing a message."""
        # Check the whole document before a conversation or a person is created.
        user, mention = optional_text(document, "user"), flag(document, "mention", default=True)
        if document.get("card") is not None:
            card = _card(document)
            where, person = self._speaker(document, user)
            return self._actions.card(person, where, card, mention=mention)
        words, quote = text(document, "text"), optional_text(document, "quote")
        files = attachments.checked(objects(document, "attachments"))
        where, person = self._speaker(document, user)
        return self._actions.message(person, where, words, mention=mention, attachments=files, quote=quote)

    def _speaker(self, document: JsonObject, user: str | None) -> tuple[Conversation, Person]:
        delivery = _delivery(document)
        where = self.conversation(document)
        self._platform.world.set_delivery(where, **delivery)
        return where, self._platform.world.person(where, user or default_person(where))

    def conversation(self, document: JsonObject) -> Conversation:
        """Return the conversation that a document names; a new name creates it."""
        scene = _scene(document)
        name = optional_text(document, "conversation")
        if scene in ("c2c", "dms") and not (name and self._platform.world.knows(scene, name)):
            name = optional_text(document, "user") or name
        if not name:
            raise BadCommand("conversation must be a name or an id")
        return self._platform.world.open(scene, name)

    def press(self, document: JsonObject) -> UserAction:
        """Return the action of pressing a button."""
        message_id = text(document, "message")
        message = self._platform.world.message(message_id)
        if message is None:
            raise BadCommand(f"there is no message {message_id}")
        user, button = optional_text(document, "user"), text(document, "button")
        self._actions.find_button(message_id, button)
        person = self._platform.world.person(message.conversation, user or default_person(message.conversation))
        return self._actions.click(person, message_id, button)

    # State

    def snapshot(self, kept: int = 500) -> JsonObject:
        """Return all that the page shows; the last `kept` messages, frames and calls."""
        platform = self._platform
        return {
            "bot": platform.gateway.document(),
            "conversations": platform.world.conversations_document(),
            "messages": [message.document() for message in platform.world.messages()[-kept:]],
            "frames": list(platform.journal.frames)[-kept:],
            "calls": list(platform.journal.calls)[-kept:],
        }

    def state(self) -> JsonObject:
        """Return the snapshot, and what the page does not show: sessions, budget, faults, violations."""
        gateway = self._platform.gateway
        return {
            **self.snapshot(),
            "sessions": gateway.shards(),
            "budget": self._platform.budget.document(),
            "identifies": list(gateway.identifies),
            "resumes": list(gateway.resumes),
            "faults": self._platform.fault_rules(),
            "fault_counts": dict(gateway.faults.counts),
            "quotas": self._platform.quotas_document(),
            "violations": self._platform.violations(),
            "lost_events": gateway.sessions.never_sent(),
            "now": time.monotonic(),
        }

    def frames(self, since: int) -> JsonObject:
        """Return the frames after number `since`."""
        return {"frames": [frame for frame in self._platform.journal.frames if frame["n"] > since]}


@dataclass(frozen=True, slots=True)
class _Times:
    """The timeouts of a command, in seconds."""

    timeout: float
    quiet: float

    @classmethod
    def of(cls, document: JsonObject) -> "_Times":
        return cls(seconds(document, "timeout", TIMEOUT), seconds(document, "quiet", QUIET))


def _scene(document: JsonObject) -> Scene:
    scene = scene_of(document.get("scene"))
    if scene is None:
        raise BadCommand(f"scene must be one of {', '.join(SCENES)}")
    return scene


def _delivery(document: JsonObject) -> dict[str, bool | None]:
    """Return how the messages of a group shall arrive.  Raises: BadCommand."""
    settings = {name: optional_flag(document, name) for name in ("all_messages", "mention_tag")}
    if settings != dict.fromkeys(settings) and _scene(document) != "group":
        raise BadCommand(f"{' and '.join(settings)} are settings of a group, not of {document['scene']}")
    return settings


def _card(document: JsonObject) -> JsonObject:
    for name in ("text", "attachments", "quote"):
        if document.get(name):
            raise BadCommand(f"a card is sent alone: send {name} in a separate message")
    return cards.checked(document["card"], _scene(document))


def _exchange_document(exchange: Exchange) -> JsonObject:
    return {
        "event_id": exchange.event_id,
        "replies": [message.document() for message in exchange.replies],
    }


def default_person(where: Conversation) -> str:
    """Return the member who acts if the command names none."""
    return next(iter(where.people), "Alice")


def _unknown_event(kind: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(kind, known, 1)
    words = f"did you mean {close[0]}? " if close else ""
    return f'there is no event type {kind}; {words}Add "new": true to push one that the documentation does not have'
