"""The world the bot lives in: people, conversations, and the messages that were exchanged.

Owns state only; what goes over the wire is made from it by `payloads` and the endpoints.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from ..wire import JsonObject, identity, is_object, text_of
from .clock import Clock
from .journal import Journal

Scene = Literal["group", "c2c", "channel", "dms"]
SCENES: tuple[Scene, ...] = ("group", "c2c", "channel", "dms")


def scene_of(value: object) -> Scene | None:
    """Return the scene of this name."""
    for scene in SCENES:
        if scene == value:
            return scene
    return None


_MEMBERSHIP: dict[str, tuple[Scene, str, bool]] = {
    "GROUP_ADD_ROBOT": ("group", "group_openid", False),
    "GROUP_DEL_ROBOT": ("group", "group_openid", True),
    "FRIEND_ADD": ("c2c", "openid", False),
    "FRIEND_DEL": ("c2c", "openid", True),
}
"""Events by which the bot comes and goes: where to, what names it, whether it has left."""

MESSAGES_KEPT = 20000

BOT_NAME = "bot"


@dataclass(slots=True)
class Person:
    """Somebody in a conversation. `id` is what this conversation knows the person by; `role` member, admin or owner."""

    name: str
    id: str
    role: str = "member"
    joined_at: str = ""


@dataclass(slots=True)
class Conversation:
    """A group, a C2C chat, a channel of a guild, or a private chat of a guild (`dms`).

    `id` is what the bot addresses: group_openid, user_openid, channel id, or the private chat's guild id.
    `count`: messages so far; `bot_role`: member, admin or owner, in a group; `left`: whether the bot is no longer
    in the group, or no friend of the user.
    """

    scene: Scene
    id: str
    name: str
    guild_id: str = ""
    channel_id: str = ""
    source_guild_id: str = ""
    count: int = 0
    bot_role: str = "member"
    left: bool = False
    people: dict[str, Person] = field(default_factory=dict[str, Person])

    def person(self, id_or_name: str) -> Person | None:
        """Return the person of this id or name."""
        return self.people.get(id_or_name) or next((p for p in self.people.values() if p.id == id_or_name), None)


@dataclass(slots=True)
class GuildRecord:
    """A guild: a name, and channels by name. `bot_is_admin`: whether the bot may change it."""

    id: str
    name: str
    joined_at: str
    bot_is_admin: bool = True
    channels: dict[str, Conversation] = field(default_factory=dict[str, Conversation])


@dataclass(slots=True)
class MessageRecord:
    """One message, as the chat shows it.

    `at` is business time, in seconds; `guild` the wire form where it is one; `ack` the code that acknowledged a click.
    `ref` is what groups and C2C quote it by; `quote` the id of the message that it quotes;
    `mention` whether it mentions the bot. `streaming` while the bot
    still writes it; `replies` how often the bot answered it; `button` the label that a click pressed, on the message
    `reply_to`; `notice` what a message of the system tells. `reactions`: names by "type:id" of an emoji. `card`: what a
    user sent in place of words, in wire form; `text` is then the platform's words for it.
    """

    id: str
    conversation: Conversation
    sender: Literal["user", "bot", "system"]
    author: str
    at: float
    time: str
    kind: str = "text"
    text: str | None = None
    markdown: str | None = None
    keyboard: JsonObject | None = None
    media: JsonObject | None = None
    reply_to: str | None = None
    guild: JsonObject | None = None
    ack: int | None = None
    ref: str = field(default_factory=identity.reference_index)
    quote: str | None = None
    mention: bool = False
    ark: JsonObject | None = None
    embed: JsonObject | None = None
    card: JsonObject | None = None
    attachments: list[JsonObject] = field(default_factory=list[JsonObject])
    streaming: bool = False
    replies: int = 0
    button: str | None = None
    notice: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def document(self) -> JsonObject:
        """Return the message as the page and the control API take it."""
        return {
            "id": self.id,
            "scene": self.conversation.scene,
            "conversation": self.conversation.id,
            "from": self.sender,
            "author": self.author,
            "at": self.at,
            "time": self.time,
            "kind": self.kind,
            "text": self.text,
            "markdown": self.markdown,
            "keyboard": self.keyboard,
            "media": self.media,
            "reply_to": self.reply_to,
            "ack": self.ack,
            "quote": self.quote,
            "mention": self.mention,
            "ark": self.ark,
            "embed": self.embed,
            "card": self.card,
            "attachments": self.attachments,
            "streaming": self.streaming,
            "replies": self.replies,
            "button": self.button,
            "notice": self.notice,
            "reactions": self.reactions,
        }


def _no_roles(_: Conversation, __: Person) -> list[str]:
    return []


class World:
    """Everybody and everything that was said. Asking for a name that is not there creates it.

    `roles_of` tells the ids of somebody's roles in a guild, which are kept elsewhere.
    """

    def __init__(self, app_id: str, clock: Clock, journal: Journal) -> None:
        self._app_id = app_id
        self._clock = clock
        self._journal = journal
        self._conversations: dict[tuple[Scene, str], Conversation] = {}
        self._named: dict[tuple[Scene, str], Conversation] = {}
        self.guilds: dict[str, GuildRecord] = {}
        self._messages: OrderedDict[str, MessageRecord] = OrderedDict()
        self.bot_id = identity.snowflake(app_id, "bot")
        self.roles_of: Callable[[Conversation, Person], list[str]] = _no_roles

    # Conversations

    def group(self, name: str) -> Conversation:
        """Return the group of this name."""
        return self.named("group", name) or self.adopt("group", identity.openid(self._app_id, "group", name), name)

    def user(self, name: str) -> Conversation:
        """Return the C2C chat with the user of this name."""
        if (found := self.named("c2c", name)) is not None:
            return found
        chat = self.adopt("c2c", identity.openid(self._app_id, "user", name), name)
        self._add(chat, Person(name, chat.id))
        return chat

    def guild(self, name: str) -> GuildRecord:
        """Return the guild of this name."""
        if name not in self.guilds:
            self.guilds[name] = GuildRecord(identity.snowflake("guild", name), name, self._clock.timestamp())
        return self.guilds[name]

    def channel(self, name: str, guild_name: str = "guild") -> Conversation:
        """Return the channel of this name in a guild."""
        guild = self.guild(guild_name)
        if name not in guild.channels:
            channel = self.adopt("channel", identity.snowflake("channel", guild_name, name), name)
            channel.guild_id, channel.channel_id = guild.id, channel.id
            guild.channels[name] = channel
        return guild.channels[name]

    def find_guild(self, guild_id: str) -> GuildRecord | None:
        """Return the guild of this id."""
        return next((guild for guild in self.guilds.values() if guild.id == guild_id), None)

    def add_channel(self, guild: GuildRecord, name: str) -> Conversation:
        """Make a channel, whether or not there is one of this name."""
        if name not in guild.channels:
            return self.channel(name, guild.name)
        channel = self.adopt("channel", identity.snowflake("channel", identity.trace_id()), name)
        channel.guild_id, channel.channel_id = guild.id, channel.id
        guild.channels[channel.id] = channel
        return channel

    def remove_channel(self, channel: Conversation) -> None:
        """Delete a channel of a guild."""
        for guild in self.guilds.values():
            guild.channels = {name: each for name, each in guild.channels.items() if each is not channel}
        self._conversations.pop(("channel", channel.id), None)
        self._named = {key: each for key, each in self._named.items() if each is not channel}
        self.publish_conversations()

    def dms(self, name: str, guild_name: str = "guild") -> Conversation:
        """Return the guild private chat with the person of this name."""
        if (found := self.named("dms", name)) is not None:
            return found
        chat = self.adopt("dms", identity.snowflake("dms", guild_name, name), name)
        chat.guild_id, chat.channel_id = chat.id, identity.snowflake("dms channel", guild_name, name)
        chat.source_guild_id = self.guild(guild_name).id
        self._add(chat, Person(name, identity.snowflake("person", name)))
        return chat

    def adopt(self, scene: Scene, conversation_id: str, name: str = "") -> Conversation:
        """Return the conversation of this id; one that was never seen comes into being."""
        key = scene, conversation_id
        if key not in self._conversations:
            conversation = Conversation(scene, conversation_id, name or conversation_id[:8])
            self._conversations[key] = conversation
            self._named.setdefault((scene, conversation.name), conversation)
            self.publish_conversations()
        return self._conversations[key]

    def restore(self, scene: Scene, conversation_id: str, name: str, guild_name: str) -> Conversation:
        """Return the conversation of this id, brought back with what it was called and the guild that it was in."""
        conversation = self.adopt(scene, conversation_id, name)
        if scene == "channel":
            guild = self.guild(guild_name or "guild")
            conversation.guild_id, conversation.channel_id = guild.id, conversation_id
            guild.channels.setdefault(conversation.name, conversation)
        elif scene == "dms":
            conversation.guild_id, conversation.channel_id = conversation_id, conversation_id
            conversation.source_guild_id = self.guild(guild_name or "guild").id
        return conversation

    def restore_person(self, conversation: Conversation, name: str, person_id: str, role: str) -> None:
        """Bring somebody back into a conversation."""
        person = conversation.person(person_id) or self._add(conversation, Person(name, person_id))
        person.role = role or person.role

    def find(self, scene: Scene, conversation_id: str) -> Conversation | None:
        """Return the conversation of this id."""
        return self._conversations.get((scene, conversation_id))

    def named(self, scene: Scene, name: str) -> Conversation | None:
        """Return the first conversation of this name."""
        return self._named.get((scene, name))

    def all(self, scene: Scene | None = None) -> Iterable[Conversation]:
        """Return the conversations of one scene, or of all."""
        return [each for each in self._conversations.values() if scene in (None, each.scene)]

    def knows(self, scene: Scene, name: str) -> bool:
        """Whether there is a conversation of this id or name."""
        return (scene, name) in self._conversations or (scene, name) in self._named

    def open(self, scene: Scene, name: str) -> Conversation:
        """Return the conversation of this id or name; a new name creates it."""
        if (found := self.find(scene, name)) is not None:
            return found
        create = {"group": self.group, "c2c": self.user, "channel": self.channel, "dms": self.dms}
        return create[scene](name)

    def note(self, kind: str, body: object) -> None:
        """Let the bot come or go where an event says so."""
        if kind in _MEMBERSHIP and is_object(body):
            scene, name, left = _MEMBERSHIP[kind]
            if conversation_id := text_of(body, name):
                self.adopt(scene, conversation_id).left = left

    # People

    def person(self, conversation: Conversation, name: str) -> Person:
        """Return the person of this name or id; a new name joins the conversation."""
        if (found := conversation.person(name)) is not None:
            return found
        if conversation.scene == "group":
            person_id = identity.openid(self._app_id, "member", conversation.id, name)
        elif conversation.scene == "c2c":
            person_id = conversation.id
        else:
            person_id = identity.snowflake("person", name)
        return self._add(conversation, Person(name, person_id))

    def admit(self, group: Conversation, openid: str, name: str) -> Person:
        """Let somebody with a known openid into a group."""
        key = name if name and name not in group.people else openid
        return self._add(group, Person(key, openid))

    def expel(self, group: Conversation, person: Person) -> None:
        """Remove somebody from a group."""
        group.people.pop(person.name, None)
        self.publish_conversations()

    def bot_openid(self, conversation: Conversation) -> str:
        """Return the member_openid of the bot itself in a group."""
        return identity.openid(self._app_id, "bot", conversation.id)

    def find_recipient(self, user_id: str) -> str | None:
        """Return the name of the guild member with this id."""
        channels = self.all("channel")
        return next((p.name for channel in channels for p in channel.people.values() if p.id == user_id), None)

    def _add(self, conversation: Conversation, person: Person) -> Person:
        person.joined_at = self._clock.timestamp()
        conversation.people[person.name] = person
        self.publish_conversations()
        return person

    # Messages

    def add(self, message: MessageRecord) -> None:
        """Put a message into its conversation."""
        self._messages[message.id] = message
        message.conversation.count += 1
        if len(self._messages) > MESSAGES_KEPT:
            self._messages.popitem(last=False)
        self._journal.publish("messages", message.document)

    def message(self, message_id: str) -> MessageRecord | None:
        """Return the message of this id."""
        return self._messages.get(message_id)

    def remove(self, message: MessageRecord) -> None:
        """Recall a message: the chat keeps a notice in its place."""
        self._messages.pop(message.id, None)
        message.kind, message.sender, message.text = "notice", "system", f"{message.author} recalled a message"
        message.notice, message.attachments, message.reactions = "recalled", [], {}
        message.markdown = message.keyboard = message.media = message.guild = None
        message.ark = message.embed = message.card = None
        self._journal.publish("messages", message.document)

    def notice(
        self, conversation: Conversation, name: str, *, author: str = "", text: str | None = None
    ) -> MessageRecord:
        """Put a message of the system into a conversation; `name` says what it tells."""
        at, time = self._clock.now(), self._clock.timestamp()
        message = MessageRecord(
            identity.trace_id(), conversation, "system", author, at, time, "notice", text, notice=name
        )
        self.add(message)
        return message

    def tell(self, notice: MessageRecord, name: str) -> None:
        """Let a notice tell something else from now on."""
        notice.notice = name
        self.changed(notice)

    def find_quoted(self, conversation: Conversation, reference: str) -> MessageRecord | None:
        """Return the message of a conversation that this id, or this index of a group or C2C chat, is of."""
        by_id = self.message(reference)
        if by_id is not None:
            return by_id if by_id.conversation is conversation else None
        return next((each for each in self.messages(conversation) if each.ref == reference), None)

    def changed(self, message: MessageRecord) -> None:
        """Show a changed message."""
        self._journal.publish("messages", message.document)

    def messages(self, conversation: Conversation | None = None) -> list[MessageRecord]:
        """Return the messages of one conversation or of all, oldest first."""
        return [each for each in self._messages.values() if conversation in (None, each.conversation)]

    # What the page sees

    def publish_conversations(self) -> None:
        """Tell the page who is where."""
        self._journal.publish("conversations", self.conversations_document)

    def conversations_document(self) -> list[JsonObject]:
        """Return all conversations and who is in them."""
        return [
            {
                "scene": each.scene,
                "id": each.id,
                "name": each.name,
                "guild": self._guild_name(each),
                "members": [self._member_document(each, person) for person in each.people.values()],
            }
            for each in self.all()
        ]

    def _guild_name(self, conversation: Conversation) -> str | None:
        guild = self.find_guild(conversation.source_guild_id or conversation.guild_id)
        return guild.name if guild else None

    def _member_document(self, conversation: Conversation, person: Person) -> JsonObject:
        roles = self.roles_of(conversation, person)
        return {"name": person.name, "id": person.id, "role": person.role, "roles": roles}
