"""The commands of the page: everything that a user does there. The bot's answer appears in the chat, not in the result.

Responsible for these commands. Collaborators: `control.commands` (those shared with programs).
"""

from collections.abc import Awaitable, Callable

from ..actions import Actions
from ..control.commands import Commands, default_person
from ..faults.documents import catalogue
from ..platform import Platform
from ..state import cards
from ..state.replies import REPLIES, WINDOWS
from ..state.world import ROLES, SCENES, Conversation, MessageRecord, Person
from ..webhook import FLAWS
from ..wire import JsonObject
from ..wire.arguments import BadCommand, flag, optional_text, seconds, text
from .templates import event_template, known_fields
from .testcase import as_test

_ENVELOPE = ("do", "id")
"""The fields that the page adds to a command: its name, and the id of the result."""

_Command = Callable[[JsonObject], Awaitable[JsonObject]]


class PageCommands:
    """The commands of all pages. Each raises ValueError if the document is wrong."""

    def __init__(self, platform: Platform, actions: Actions, commands: Commands) -> None:
        self._platform = platform
        self._actions = actions
        self._shared = commands
        self._commands: dict[str, _Command] = {
            "say": self._say,
            "click": self._click,
            "recall": self._recall,
            "react": self._react,
            "open": self._open,
            "audit": self._audit,
            "template": self._template,
            "test": self._test,
            "clock": commands.clock,
            "event": commands.event,
            "fault": commands.fault,
            "group": commands.group,
        }

    async def do(self, document: JsonObject) -> JsonObject:
        """Run a command; return what the page does not receive by patches."""
        command = self._commands.get(text(document, "do"))
        if command is None:
            raise BadCommand(f"there is no command {document['do']!r}; known are {', '.join(self._commands)}")
        return await command({name: value for name, value in document.items() if name not in _ENVELOPE})

    def snapshot(self) -> JsonObject:
        """Return all that the page shows."""
        platform = self._platform
        limits = {scene: {"window": WINDOWS[scene], "replies": REPLIES[scene]} for scene in SCENES}
        return {
            **self._shared.snapshot(),
            "clock": platform.clock.document(),
            "limits": limits,
            "quotas": platform.quotas_document(),
            "webhook": {"url": platform.webhook.url, "flaws": list(FLAWS)},
            "faults": platform.fault_rules(),
            "fault_kinds": catalogue(),
            "card_types": list(cards.NAMES),
            "events": [kind for kind in platform.tables.events if kind not in ("READY", "RESUMED")],
        }

    # In the chat

    async def _say(self, document: JsonObject) -> JsonObject:
        self._actions.do(self._shared.message(document))
        return {}

    async def _click(self, document: JsonObject) -> JsonObject:
        self._actions.do(self._shared.press(document))
        return {}

    async def _recall(self, document: JsonObject) -> JsonObject:
        message, person = self._about(document)
        self._actions.recall(person, message.id)
        return {}

    async def _react(self, document: JsonObject) -> JsonObject:
        message, person = self._about(document)
        self._actions.react(person, message.id, text(document, "emoji"))
        return {}

    def _about(self, document: JsonObject) -> tuple[MessageRecord, Person]:
        message = self._platform.world.message(text(document, "message"))
        if message is None:
            raise BadCommand(f"there is no message {document['message']}")
        return message, self._platform.world.person(message.conversation, text(document, "user"))

    # Around it

    async def _open(self, document: JsonObject) -> JsonObject:
        """Create a conversation or a member, or change the role of a member."""
        where = self._shared.conversation(document)
        name, role = optional_text(document, "user"), optional_text(document, "role")
        if role not in (None, *ROLES):
            raise BadCommand(f"role must be one of {', '.join(ROLES)}")
        if name:
            person = self._platform.world.person(where, name)
            person.role = role or person.role
            self._platform.world.publish_conversations()
        return {"scene": where.scene, "id": where.id}

    async def _audit(self, document: JsonObject) -> JsonObject:
        """Review the next guild message."""
        self._platform.audits.expect(
            passes=flag(document, "passes", default=True), delay=seconds(document, "delay", 3.0)
        )
        return {}

    async def _template(self, document: JsonObject) -> JsonObject:
        where = self._shared.conversation(document)
        person = self._platform.world.person(where, optional_text(document, "user") or default_person(where))
        known = known_fields(self._platform.world, self._platform.clock, where, person)
        return {"d": event_template(self._platform.tables, text(document, "type"), known)}

    async def _test(self, document: JsonObject) -> JsonObject:
        where: Conversation = self._shared.conversation(document)
        return {"text": as_test(self._platform, where)}
