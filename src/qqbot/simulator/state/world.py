"""Conversations, people and messages.

Responsible for the state only. Collaborators: `payloads` and the endpoints build the wire forms, `journal` sends
changes to the page.
"""

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from ..wire import JsonObject, identity, is_object, text_of
from .bounded import Bounded
from .clock import Clock
from .journal import Journal

Scene = Literal["group", "c2c", "channel", "dms"]
SCENES: tuple[Scene, ...] = ("group", "c2c", "channel", "dms")


def scene_of(value: object) -> Scene | None:
    """Return the scene with this name, None if there is none."""
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
"""Events that add or remove the bot: scene, field with the conversation id, whether the bot has left."""

ROLES = ("member", "admin", "owner")

MAX_MESSAGES = 20000
MAX_CHARACTERS = 64 << 20
"""Characters of all messages."""

MAX_CONVERSATIONS = 20000
MAX_GUILDS = 1000
MAX_MEMBERS = 5000
"""Members of one conversation."""

MAX_PEOPLE = 100_000
"""Members of all conversations."""

_OF_A_MESSAGE = 500  # characters that a message counts for besides its contents

BOT_NAME = "bot"


@dataclass(slots=True)
class Person:
    """A person in a conversation. `id`: the id in this conversation; `role`: member, admin or owner."""

    name: str
    id: str
    role: str = "member"
    joined_at: str = ""


@dataclass(slots=True)
class Conversation:
    """A group, a C2C chat, a channel of a guild, or a private chat of a guild (`dms`).

    `id`: what the bot sends to: group_openid, user_openid, channel id, or the guild id of the private chat.
    `count`: messages so far. `bot_role`: member, admin or owner of a group. `left`: True after the bot was removed from
    the group or the friend list. `all_messages`: True if the owner of the group lets the bot see all messages, so that
    a mention comes as GROUP_MESSAGE_CREATE. `mention_tag`: True if the tag of the bot's mention stays in the content.
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
    all_messages: bool = False
    mention_tag: bool = False
    people: dict[str, Person] = field(default_factory=dict[str, Person])

    def person(self, id_or_name: str) -> Person | None:
        """Return the person with this id or name."""
        return self.people.get(id_or_name) or next((p for p in self.people.values() if p.id == id_or_name), None)


@dataclass(slots=True)
class GuildRecord:
    """A guild, with its channels by name. `bot_is_admin`: True if the bot may change it."""

    id: str
    name: str
    joined_at: str
    bot_is_admin: bool = True
    channels: dict[str, Conversation] = field(default_factory=dict[str, Conversation])


@dataclass(slots=True)
class MessageRecord:
    """One message, as the chat shows it.

    `at`: business time in seconds. `guild`: wire form of a guild message. `ack`: code that acknowledged a click.
    `ref`: reference index for quotes in groups and C2C; `quote`: id of the quoted message. `mention`: True if it
    mentions the bot. `streaming`: True until the last fragment. `replies`: number of replies of the bot. `button`:
    label of the pressed button, on the message `reply_to`. `notice`: kind of a system message. `reactions`: names by
    "type:id" of an emoji. `card`: card of a user in wire form; `text` is then the platform's summary of it.
    `remarks`: why the bot did not answer, see `explanations`. `role`: role of the author at that moment.
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
    remarks: list[JsonObject] = field(default_factory=list[JsonObject])
    role: str = "member"

    def size(self) -> int:
        """Return about how many characters the message takes."""
        parts = (self.keyboard, self.media, self.ark, self.embed, self.card, self.guild, self.attachments, self.remarks)
        texts = len(self.text or "") + len(self.markdown or "")
        return _OF_A_MESSAGE + texts + sum(len(str(part)) for part in parts if part)

    def document(self) -> JsonObject:
        """Return the message in the form of the page and the control API."""
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
            "remarks": self.remarks,
            "role": self.role,
        }


def _no_roles(_: Conversation, __: Person) -> list[str]:
    return []


class World:
    """People, conversations and messages of one simulator; a look-up by name creates what does not exist.

    What is too much is forgotten: the oldest messages and members, the conversations that were not used for longest.

    `roles_of` returns the role ids of a person in a guild; `platform` sets it, since `guild` stores the roles.
    """

    def __init__(self, app_id: str, clock: Clock, journal: Journal) -> None:
        self._app_id = app_id
        self._clock = clock
        self._journal = journal
        # By (scene, id), oldest first.
        self._conversations: dict[tuple[Scene, str], Conversation] = {}
        # Their keys, the one that was used last at the end.
        self._used: OrderedDict[tuple[Scene, str], None] = OrderedDict()
        # By (scene, name): the first conversation with the name.
        self._named: dict[tuple[Scene, str], Conversation] = {}
        self.guilds: dict[str, GuildRecord] = Bounded(MAX_GUILDS)
        # By id, oldest first.
        self._messages: OrderedDict[str, MessageRecord] = OrderedDict()
        self._sizes: dict[str, int] = {}  # of the messages by id, in characters
        self._size = 0
        self._people = 0  # members of all conversations
        self._unpublished = False  # True while `publishing_once` collects changes of the conversations
        self.bot_id = identity.snowflake(app_id, "bot")
        self.roles_of: Callable[[Conversation, Person], list[str]] = _no_roles

    # Conversations

    def group(self, name: str) -> Conversation:
        """Return the group with this name."""
        return self.named("group", name) or self.adopt("group", identity.openid(self._app_id, "group", name), name)

    def user(self, name: str) -> Conversation:
        """Return the C2C chat with the user with this name."""
        if (found := self.named("c2c", name)) is not None:
            return found
        chat = self.adopt("c2c", identity.openid(self._app_id, "user", name), name)
        self._add(chat, Person(name, chat.id))
        return chat

    def guild(self, name: str) -> GuildRecord:
        """Return the guild with this name."""
        if name not in self.guilds:
            self.guilds[name] = GuildRecord(identity.snowflake("guild", name), name, self._clock.timestamp())
        return self.guilds[name]

    def channel(self, name: str, guild_name: str = "guild") -> Conversation:
        """Return the channel with this name in a guild."""
        guild = self.guild(guild_name)
        if name not in guild.channels:
            channel = self.adopt("channel", identity.snowflake("channel", guild_name, name), name)
            channel.guild_id, channel.channel_id = guild.id, channel.id
            guild.channels[name] = channel
        return guild.channels[name]

    def find_guild(self, guild_id: str) -> GuildRecord | None:
        """Return the guild with this id."""
        return next((guild for guild in self.guilds.values() if guild.id == guild_id), None)

    def add_channel(self, guild: GuildRecord, name: str) -> Conversation:
        """Create a channel, also if its name is already in use."""
        if name not in guild.channels:
            return self.channel(name, guild.name)
        channel = self.adopt("channel", identity.snowflake("channel", identity.trace_id()), name)
        channel.guild_id, channel.channel_id = guild.id, channel.id
        guild.channels[channel.id] = channel
        return channel

    def remove_channel(self, channel: Conversation) -> None:
        """Delete a channel of a guild."""
        if ("channel", channel.id) in self._conversations:
            self._forget(channel)
        self.publish_conversations()

    def dms(self, name: str, guild_name: str = "guild") -> Conversation:
        """Return the guild private chat with the person with this name."""
        if (found := self.named("dms", name)) is not None:
            return found
        chat = self.adopt("dms", identity.snowflake("dms", guild_name, name), name)
        chat.guild_id, chat.channel_id = chat.id, identity.snowflake("dms channel", guild_name, name)
        chat.source_guild_id = self.guild(guild_name).id
        self._add(chat, Person(name, identity.snowflake("person", name)))
        return chat

    def adopt(self, scene: Scene, conversation_id: str, name: str = "") -> Conversation:
        """Return the conversation with this id; create it on first use."""
        key = scene, conversation_id
        if key not in self._conversations:
            conversation = Conversation(scene, conversation_id, name or conversation_id[:8])
            self._conversations[key] = conversation
            self._used[key] = None
            self._named.setdefault((scene, conversation.name), conversation)
            self._forget_conversations()
            self.publish_conversations()
        self._used.move_to_end(key)
        return self._conversations[key]

    def _forget_conversations(self) -> None:
        while len(self._conversations) > MAX_CONVERSATIONS or (
            self._people > MAX_PEOPLE and len(self._conversations) > 1
        ):
            self._forget(self._conversations[next(iter(self._used))])

    def _forget(self, conversation: Conversation) -> None:
        key = conversation.scene, conversation.id
        del self._conversations[key], self._used[key]
        self._people -= len(conversation.people)
        name = conversation.scene, conversation.name
        if self._named.get(name) is conversation:
            del self._named[name]
        for guild in self.guilds.values() if conversation.scene == "channel" else ():
            guild.channels = {name: each for name, each in guild.channels.items() if each is not conversation}

    def restore(self, scene: Scene, conversation_id: str, name: str, guild_name: str) -> Conversation:
        """Restore a conversation from an archive, with its name and its guild."""
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
        """Restore a person of a conversation from an archive."""
        person = conversation.person(person_id) or self._add(conversation, Person(name, person_id))
        person.role = role or person.role

    def find(self, scene: Scene, conversation_id: str) -> Conversation | None:
        """Return the conversation with this id."""
        key = scene, conversation_id
        if key in self._used:
            self._used.move_to_end(key)
        return self._conversations.get(key)

    def named(self, scene: Scene, name: str) -> Conversation | None:
        """Return the first conversation with this name."""
        return self._named.get((scene, name))

    def all(self, scene: Scene | None = None) -> Iterable[Conversation]:
        """Return the conversations of one scene, or of all."""
        return [each for each in self._conversations.values() if scene in (None, each.scene)]

    def knows(self, scene: Scene, name: str) -> bool:
        """True if there is a conversation with this id or name."""
        return (scene, name) in self._conversations or (scene, name) in self._named

    def open(self, scene: Scene, name: str) -> Conversation:
        """Return the conversation with this id or name; a new name creates it."""
        if (found := self.find(scene, name)) is not None:
            return found
        create = {"group": self.group, "c2c": self.user, "channel": self.channel, "dms": self.dms}
        return create[scene](name)

    def observe(self, kind: str, body: object) -> None:
        """Update the membership of the bot from a pushed event."""
        if kind in _MEMBERSHIP and is_object(body):
            scene, name, left = _MEMBERSHIP[kind]
            if conversation_id := text_of(body, name):
                self.adopt(scene, conversation_id).left = left

    # People

    def person(self, conversation: Conversation, name: str) -> Person:
        """Return the person with this name or id; a new name joins the conversation."""
        if (found := conversation.person(name)) is not None:
            return found
        if conversation.scene == "group":
            person_id = identity.openid(self._app_id, "member", conversation.id, name)
        elif conversation.scene == "c2c":
            person_id = conversation.id
        else:
            person_id = identity.snowflake("person", name)
        return self._add(conversation, Person(name, person_id))

    def add_member(self, group: Conversation, openid: str, name: str) -> Person:
        """Add a person with a known openid to a group."""
        key = name if name and name not in group.people else openid
        return self._add(group, Person(key, openid))

    def set_delivery(self, group: Conversation, *, all_messages: bool | None, mention_tag: bool | None) -> None:
        """Change how messages of a group arrive; None keeps a setting.  Raises: ValueError for another scene."""
        if all_messages is None and mention_tag is None:
            return
        if group.scene != "group":
            raise ValueError(f"all_messages and mention_tag are settings of a group, not of {group.scene}")
        group.all_messages = group.all_messages if all_messages is None else all_messages
        group.mention_tag = group.mention_tag if mention_tag is None else mention_tag
        self.publish_conversations()

    def remove_member(self, group: Conversation, person: Person) -> None:
        """Remove a person from a group."""
        if group.people.pop(person.name, None) is not None:
            self._people -= 1
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
        known = len(conversation.people)
        conversation.people[person.name] = person
        if len(conversation.people) > MAX_MEMBERS:
            del conversation.people[next(iter(conversation.people))]
        self._people += len(conversation.people) - known
        self._forget_conversations()
        self.publish_conversations()
        return person

    # Messages

    def add(self, message: MessageRecord) -> None:
        """Add a message to its conversation."""
        self._messages[message.id] = message
        message.conversation.count += 1
        if len(self._messages) > MAX_MESSAGES:
            self._drop(next(iter(self._messages)))
        self.changed(message)

    def message(self, message_id: str) -> MessageRecord | None:
        """Return the message with this id."""
        return self._messages.get(message_id)

    def message_in(self, conversation: Conversation, message_id: str) -> MessageRecord | None:
        """Return the message with this id if it belongs to the conversation."""
        message = self._messages.get(message_id)
        return message if message is not None and message.conversation is conversation else None

    def remove(self, message: MessageRecord) -> None:
        """Recall a message: the chat shows a notice instead."""
        self._drop(message.id)
        message.kind, message.sender, message.text = "notice", "system", f"{message.author} recalled a message"
        message.notice, message.attachments, message.reactions = "recalled", [], {}
        message.markdown = message.keyboard = message.media = message.guild = None
        message.ark = message.embed = message.card = None
        self._journal.publish("messages", message.document)

    def notice(
        self, conversation: Conversation, name: str, *, author: str = "", text: str | None = None
    ) -> MessageRecord:
        """Add a system message to a conversation; `name`: its kind."""
        at, time = self._clock.now(), self._clock.timestamp()
        message = MessageRecord(
            identity.trace_id(), conversation, "system", author, at, time, "notice", text, notice=name
        )
        self.add(message)
        return message

    def change_notice(self, notice: MessageRecord, name: str) -> None:
        """Change the kind of a notice."""
        notice.notice = name
        self.changed(notice)

    def find_quoted(self, conversation: Conversation, reference: str) -> MessageRecord | None:
        """Return the message of a conversation with this id, or with this reference index."""
        by_id = self.message(reference)
        if by_id is not None:
            return by_id if by_id.conversation is conversation else None
        return next((each for each in self.messages(conversation) if each.ref == reference), None)

    def changed(self, message: MessageRecord) -> None:
        """Publish a changed message to the page."""
        if message.id in self._messages:
            self._measure(message)
        self._journal.publish("messages", message.document)

    def _measure(self, message: MessageRecord) -> None:
        """Count the characters of a message, and drop the oldest ones if there are too many."""
        size = message.size()
        self._size += size - self._sizes.get(message.id, 0)
        self._sizes[message.id] = size
        while self._size > MAX_CHARACTERS and len(self._messages) > 1:
            self._drop(next(iter(self._messages)))

    def _drop(self, message_id: str) -> None:
        self._messages.pop(message_id, None)
        self._size -= self._sizes.pop(message_id, 0)

    def messages(self, conversation: Conversation | None = None) -> list[MessageRecord]:
        """Return the messages of one conversation or of all, oldest first."""
        return [each for each in self._messages.values() if conversation in (None, each.conversation)]

    # Documents for the page

    def publish_conversations(self) -> None:
        """Publish all conversations and their members to the page."""
        if not self._unpublished:
            self._journal.publish("conversations", self.conversations_document)

    @contextmanager
    def publishing_once(self) -> Generator[None, None, None]:
        """Publish the conversations once, after the body, however many it changes."""
        self._unpublished = True
        try:
            yield
        finally:
            self._unpublished = False
            self.publish_conversations()

    def conversations_document(self) -> list[JsonObject]:
        """Return all conversations and their members."""
        return [
            {
                "scene": each.scene,
                "id": each.id,
                "name": each.name,
                "guild": self._guild_name(each),
                "all_messages": each.all_messages,
                "mention_tag": each.mention_tag,
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
