"""What programs and the page ask of the simulator, as JSON: say, click, event, fault, state.

Owns the reading of these documents; who may ask is decided in `guard`.
"""

import time
from dataclasses import dataclass

from .actions import QUIET, TIMEOUT, Actions, Deed
from .exchanges import Exchange
from .fault_documents import inject, rule_document
from .platform import Platform
from .wire import JsonObject, is_integer, is_number, objects_of, text_of
from .world import SCENES, Conversation, scene_of


class BadCommand(ValueError):
    """A document that is no command; the text says what is wrong with it."""


class Commands:
    """The commands of one simulator. Each raises ValueError for a document that is wrong."""

    def __init__(self, platform: Platform, actions: Actions) -> None:
        self._platform = platform
        self._actions = actions

    # Asked by programs

    async def say(self, document: JsonObject) -> JsonObject:
        """Write a message, and return the replies."""
        times = _Times.of(document)
        deed = self._message(document)
        return _told(await self._actions.do_and_wait(deed, timeout=times.timeout, quiet=times.quiet))

    async def click(self, document: JsonObject) -> JsonObject:
        """Press a button, and return the replies and the acknowledgement."""
        times = _Times.of(document)
        deed = self._press(document)
        exchange = await self._actions.do_and_wait(deed, timeout=times.timeout, quiet=times.quiet)
        return {**_told(exchange), "ack": exchange.ack}

    async def event(self, document: JsonObject) -> JsonObject:
        """Push any event."""
        shard = _optional_integer(document, "shard")
        event_id = _optional_text(document, "id")
        pushed = self._platform.push(_text(document, "type"), document.get("d"), event_id=event_id, shard=shard)
        return {"event_id": pushed.event_id}

    async def fault(self, document: JsonObject) -> JsonObject:
        """Break something: by a rule, or `{"webhook": FLAW, "times": N}` the next pushes."""
        if "webhook" in document:
            self._platform.webhook.flaw(_text(document, "webhook"), _optional_integer(document, "times") or 1)
        else:
            inject(self._platform.gateway.faults, document)
        return {}

    # Asked by the page, which sees the answer in the chat

    def post(self, document: JsonObject) -> None:
        """Write a message."""
        self._actions.do(self._message(document))

    def press(self, document: JsonObject) -> None:
        """Press a button."""
        self._actions.do(self._press(document))

    def _message(self, document: JsonObject) -> Deed:
        where = self._conversation(document)
        person = self._platform.world.person(where, _optional_text(document, "user") or _somebody(where))
        mention = document.get("mention", True)
        if not isinstance(mention, bool):
            raise BadCommand("mention must be true or false")
        attachments = objects_of(document, "attachments")
        return self._actions.message(person, where, _text(document, "text"), mention=mention, attachments=attachments)

    def _conversation(self, document: JsonObject) -> Conversation:
        scene = scene_of(document.get("scene"))
        if scene is None:
            raise BadCommand(f"scene must be one of {', '.join(SCENES)}")
        name = _optional_text(document, "conversation")
        if scene in ("c2c", "dms") and not (name and self._platform.world.knows(scene, name)):
            name = _optional_text(document, "user") or name
        if not name:
            raise BadCommand("conversation must be a name or an id")
        return self._platform.world.open(scene, name)

    def _press(self, document: JsonObject) -> Deed:
        message_id = _text(document, "message")
        message = self._platform.world.message(message_id)
        if message is None:
            raise BadCommand(f"there is no message {message_id}")
        name = _optional_text(document, "user") or _somebody(message.conversation)
        person = self._platform.world.person(message.conversation, name)
        return self._actions.click(person, message_id, _text(document, "button"))

    # What there is

    def snapshot(self, kept: int = 500) -> JsonObject:
        """Return all that the page shows; of frames and calls the last `kept`."""
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
            "identifies": gateway.identifies,
            "resumes": gateway.resumes,
            "faults": [rule_document(rule) for rule in gateway.faults.rules],
            "fault_counts": dict(gateway.faults.counts),
            "violations": self._platform.journal.violations,
            "lost_events": gateway.sessions.never_sent(),
            "now": time.monotonic(),
        }

    def frames(self, since: int) -> JsonObject:
        """Return the frames after number `since`."""
        return {"frames": [frame for frame in self._platform.journal.frames if frame["n"] > since]}


@dataclass(frozen=True, slots=True)
class _Times:
    """How long a program waits, in seconds."""

    timeout: float
    quiet: float

    @classmethod
    def of(cls, document: JsonObject) -> "_Times":
        return cls(_seconds(document, "timeout", TIMEOUT), _seconds(document, "quiet", QUIET))


def _told(exchange: Exchange) -> JsonObject:
    return {
        "event_id": exchange.event_id,
        "replies": [message.document() for message in exchange.replies],
    }


def _somebody(where: Conversation) -> str:
    return next(iter(where.people), "Alice")


def _text(document: JsonObject, name: str) -> str:
    if not isinstance(document.get(name), str):
        raise BadCommand(f"{name} must be a string")
    return text_of(document, name)


def _optional_text(document: JsonObject, name: str) -> str | None:
    return None if document.get(name) is None else _text(document, name)


def _optional_integer(document: JsonObject, name: str) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if not is_integer(value) or not 0 <= value < 1 << 53:
        raise BadCommand(f"{name} must be a whole number, not negative")
    return value


def _seconds(document: JsonObject, name: str, default: float) -> float:
    value = document.get(name)
    if value is None:
        return default
    if not is_number(value) or not 0 <= value <= 600:
        raise BadCommand(f"{name} must be seconds, 0 to 600")
    return float(value)
