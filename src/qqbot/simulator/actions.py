"""What users do: write a message, press a button, join a guild.

Responsible for turning each action into an event, and for waiting until the bot is done with that event.
Collaborators: `payloads` (event bodies), `platform` (pushes events), `exchanges` (what the bot answers).
Does not read JSON commands: see `control.commands` and `page.commands`.
"""

import mimetypes
from dataclasses import dataclass, field, replace

from . import payloads
from .endpoints.guild.reactions import set_reaction, unset_reaction
from .exchanges import Exchange
from .platform import Click, Platform
from .state import cards
from .state.guild import people_of
from .state.world import Conversation, GuildRecord, MessageRecord, Person
from .wire import JsonObject, identity, is_array, object_of, objects_of, text_of

TIMEOUT = 5.0
"""Seconds to wait for the bot."""

QUIET = 0.3
"""Seconds of silence after which a bot in another process counts as done."""

_ATTACHED = {"audio": "voice"}
"""The platform's word for a file that is neither an image nor a video, by the first half of its content type."""


@dataclass(frozen=True, slots=True)
class UserAction:
    """An event that is about to be pushed, and the message that shows it in the chat.

    `other_kind`, `other_id`: type and id of a second event with the same body; '' if there is none.
    """

    event_id: str
    kind: str
    body: JsonObject
    shown: MessageRecord
    click: Click | None = field(default=None)
    other_kind: str = ""
    other_id: str = ""


class Actions:
    """The actions of all users of one platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def message(
        self,
        person: Person,
        where: Conversation,
        text: str,
        *,
        mention: bool,
        attachments: list[JsonObject],
        quote: str | None = None,
    ) -> UserAction:
        """Return the event of a message; `quote` is the id of the message that it quotes."""
        message = self._written(person, where, text)
        message.attachments, message.quote, message.mention = attachments, quote, mention
        return self._sending(person, message)

    def card(self, person: Person, where: Conversation, card: object, *, mention: bool) -> UserAction:
        """Return the event of a card.  Raises: ValueError if it is no card, or the scene has no cards."""
        card = cards.checked(card, where.scene)
        message = self._written(person, where, cards.summary(card))
        message.card, message.mention = card, mention
        return self._sending(person, message)

    def _written(self, person: Person, where: Conversation, text: str) -> MessageRecord:
        is_v2 = where.scene in ("group", "c2c")
        return self._shown(identity.message_id() if is_v2 else identity.guild_message_id(), where, person, text)

    def _sending(self, person: Person, message: MessageRecord) -> UserAction:
        where = message.conversation
        kind = payloads.message_kind(where, message.mention)
        body = payloads.message_body(self._platform.world, message, person)
        if where.scene in ("channel", "dms"):
            message.guild = body
        action = UserAction(identity.event_id(kind), kind, body, message)
        if kind == "AT_MESSAGE_CREATE" and self._platform.rights.private:
            # The bot gets each message of a channel, by either intent or by both.
            return replace(action, other_kind="MESSAGE_CREATE", other_id=identity.event_id("MESSAGE_CREATE"))
        return action

    def click(self, person: Person, message_id: str, button: str) -> UserAction:
        """Return the event of a button press; `button` is an id or a label.

        Raises: ValueError if there is no such button, or the person may not press it.
        """
        message, found = self.find_button(message_id, button)
        action = object_of(found, "action")
        roles = self._platform.roles_of(message.conversation, person)
        _check_permission(object_of(action, "permission"), person, roles)
        match action.get("type"):
            case 1:  # callback
                return self._press(person, message, found)
            case 2:  # command: the QQ client writes it into the input box
                text = text_of(action, "data")
                return self.message(person, message.conversation, text, mention=True, attachments=[])
            case kind:
                raise ValueError(f"the button {button!r} (action type {kind}) sends no event")

    def find_button(self, message_id: str, button: str) -> tuple[MessageRecord, JsonObject]:
        """Return a message and its button of this id or label.  Raises: ValueError if there is none."""
        message = self._platform.world.message(message_id)
        if message is None:
            raise ValueError(f"there is no message {message_id}")
        return message, _find_button(message, button)

    def _press(self, person: Person, message: MessageRecord, button: JsonObject) -> UserAction:
        label = text_of(object_of(button, "render_data"), "label")
        shown = self._shown(identity.trace_id(), message.conversation, person, f"{person.name} pressed “{label}”")
        shown.kind, shown.reply_to, shown.button = "click", message.id, label
        body = payloads.click_body(
            self._platform.settings.app_id,
            message,
            person,
            button_id=text_of(button, "id"),
            data=text_of(object_of(button, "action"), "data"),
            timestamp=shown.time,
        )
        event_id = identity.event_id("INTERACTION_CREATE")
        return UserAction(event_id, "INTERACTION_CREATE", body, shown, Click(event_id, shown))

    def search(self, person: Person, where: Conversation, keyword: str) -> UserAction:
        """Return the event of a search by the bot."""
        shown = self._shown(identity.trace_id(), where, person, f"{person.name} searched for “{keyword}”")
        shown.kind = "click"
        body = payloads.search_body(self._platform.settings.app_id, person, keyword, shown.time)
        event_id = identity.event_id("INTERACTION_CREATE")
        return UserAction(event_id, "INTERACTION_CREATE", body, shown, Click(event_id, shown))

    def recall(self, person: Person, message_id: str) -> None:
        """Recall a message of this person.  Raises: ValueError if another sender wrote it."""
        message = self._platform.world.message(message_id)
        if message is None or message.sender != "user" or message.author != person.name or message.kind == "click":
            raise ValueError(f"{person.name} has written no message {message_id}")
        event = payloads.recall_body(message, person)
        self._platform.world.remove(message)
        if event is not None:
            self._platform.push(*event)

    def react(self, person: Person, message_id: str, emoji: str) -> None:
        """Add an emoji ("type:id") to a message of a channel, or remove it again.  Raises: ValueError."""
        message = self._platform.world.message(message_id)
        kind, _, emoji_id = emoji.partition(":")
        if message is None or message.conversation.scene != "channel" or kind not in ("1", "2") or not emoji_id:
            raise ValueError(f"{emoji!r} cannot be put on {message_id}: only on messages of channels, as type:id")
        key = message_id, kind, emoji_id
        users = self._platform.guild_states.channel(message.conversation).reactions.get(key, [])
        change = unset_reaction if person.id in users else set_reaction
        change(self._platform, message.conversation, key, person.id)

    def _shown(self, message_id: str, where: Conversation, person: Person, text: str) -> MessageRecord:
        clock = self._platform.clock
        at, time = clock.now(), clock.timestamp()
        return MessageRecord(message_id, where, "user", person.name, at, time, text=text, role=person.role)

    def require_bot(self) -> None:
        """Raises: RuntimeError if no bot can be connected, because the simulator has not started."""
        if not self._platform.listening and self._platform.webhook.url is None:
            raise RuntimeError(
                "no bot is connected, and the simulator has not started: speak inside `async with qq.run(bot):`. "
                "没有机器人连接"
            )

    def do(self, action: UserAction) -> list[str]:
        """Push the events and show the message in the chat; return the ids of the events that a session received."""
        if action.click is not None:
            self._platform.clicks[text_of(action.body, "id")] = action.click
        events = {action.event_id: action.kind} | ({action.other_id: action.other_kind} if action.other_kind else {})
        pushed = {each: self._platform.push(kind, action.body, event_id=each) for each, kind in events.items()}
        delivered = [event_id for event_id, push in pushed.items() if push.receivers]
        explanations = self._platform.explanations
        interaction = [] if action.click is None else [text_of(action.body, "id")]
        explanations.show(action.shown, delivered or [action.event_id], *interaction)
        self._platform.exchanges.pushed(action.event_id, delivered)
        self._platform.world.add(action.shown)
        if action.click is not None:
            action.click.delivered = bool(delivered)
        if not delivered:
            intent = self._platform.tables.intent_of(action.kind)
            reason = self._platform.gateway.why_undelivered(action.body, intent)
            explanations.undelivered(action.shown, reason, action.kind, intent)
        return delivered

    async def do_and_wait(self, action: UserAction, *, timeout: float = TIMEOUT, quiet: float = QUIET) -> Exchange:
        """Do it as soon as the bot is connected, and return when the bot is done with it; times in seconds."""
        await self._platform.wait_receiver(action.body, timeout)
        exchanges = self._platform.exchanges
        with exchanges.opened(action.event_id, action.shown) as exchange:
            if self.do(action):
                await exchanges.finish(exchange, timeout=timeout, quiet=quiet)
        return exchange

    async def push_and_wait(
        self, kind: str, body: object, *, timeout: float = TIMEOUT, quiet: float = QUIET
    ) -> Exchange:
        """Push an event that no chat shows, and return when the bot is done with it; times in seconds."""
        await self._platform.gateway.wait_session(body, timeout)
        event_id, exchanges = identity.event_id(kind), self._platform.exchanges
        with exchanges.opened(event_id, None) as exchange:
            if self._platform.push(kind, body, event_id=event_id).receivers:
                await exchanges.finish(exchange, timeout=timeout, quiet=quiet)
        return exchange

    async def join_guild(self, guild: GuildRecord, name: str) -> Exchange:
        """Add a person to a guild; they become a member of its first channel."""
        channel = next(iter(guild.channels.values()), None) or self._platform.world.channel("general", guild.name)
        person = self._platform.world.person(channel, name)
        return await self.push_and_wait("GUILD_MEMBER_ADD", self._member(guild, person))

    async def leave_guild(self, guild: GuildRecord, name: str) -> Exchange:
        """Remove a person from a guild.  Raises: ValueError if they are not a member."""
        person = next((each for each in people_of(guild).values() if each.name == name), None)
        if person is None:
            raise ValueError(f"{name} is no member of the guild {guild.name}")
        body = self._member(guild, person)
        for channel in guild.channels.values():
            self._platform.world.remove_member(channel, person)
        return await self.push_and_wait("GUILD_MEMBER_REMOVE", body)

    def _member(self, guild: GuildRecord, person: Person) -> JsonObject:
        member = self._platform.guild_states.member_document(guild, person)
        return {**member, "guild_id": guild.id, "op_user_id": person.id}

    def file(self, data: bytes, name: str) -> JsonObject:
        """Store a file; return it as an attachment in wire form."""
        kind, url = attachment_type(name), self._platform.files.store(data, name=name)
        file: JsonObject = {"content_type": kind, "filename": name, "size": len(data), "url": url}
        return file | ({"voice_wav_url": url} if kind == "voice" else {})

    def sent(self, where: Conversation) -> list[MessageRecord]:
        """Return what the bot has sent to a conversation, oldest first."""
        return [message for message in self._platform.world.messages(where) if message.sender == "bot"]


def attachment_type(name: str) -> str:
    """Return the content type of an attachment with this name."""
    guessed = mimetypes.guess_type(name)[0] or ""
    return guessed if guessed.startswith(("image/", "video/")) else _ATTACHED.get(guessed.partition("/")[0], "file")


def _find_button(message: MessageRecord, button: str) -> JsonObject:
    rows = objects_of(object_of(message.keyboard or {}, "content"), "rows")
    buttons = [each for row in rows for each in objects_of(row, "buttons")]
    for each in buttons:
        if text_of(each, "id") == button:
            return each
    for each in buttons:
        if text_of(object_of(each, "render_data"), "label") == button:
            return each
    labels = [text_of(object_of(each, "render_data"), "label") for each in buttons]
    raise ValueError(f"there is no button {button!r}; the message has {labels}")


def _check_permission(permission: JsonObject, person: Person, roles: list[str]) -> None:
    named, wanted = permission.get("specify_user_ids"), permission.get("specify_role_ids")
    match permission.get("type"):
        case 0 if not (is_array(named) and person.id in named):
            raise ValueError(f"{person.name} is not among those who may press this button")
        case 1 if person.role not in ("admin", "owner"):
            raise ValueError(f"only admins may press this button; {person.name} is a {person.role}")
        case 3 if not (is_array(wanted) and any(role in wanted for role in roles)):
            raise ValueError(f"{person.name} has none of the roles that may press this button")
        case _:
            pass
