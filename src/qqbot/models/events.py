"""The events: the class of each wire name, the intents that it needs, and how its payload is decoded.

Responsible for `EVENTS`, which `event()` fills, and for what a handler can ask of an event.
Collaborators: the payloads are in the modules of their nouns; `intents` records which event needs which bits.
It runs no handlers; see `qqbot.dispatcher`.
"""

import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec

from ..errors import ConfigError, DecodeError
from .audio import AudioAction, AudioLiveMember
from .audits import MessageAudited
from .base import Model
from .channels import Channel
from .codec import Decode, fast, lenient
from .forums import ForumAuditResult, ForumItem, ForumReply, OpenForumEvent, Post, Thread
from .friends import FriendEvent
from .gateway import ReadyData
from .groups import GroupJoinRequestEvent, GroupMemberEvent, GroupRobotEvent
from .guilds import Guild
from .intents import Intents, enter
from .interactions import Interaction
from .messages import C2CMessage, GroupMessage, InboundMessage, Message
from .messages import MessageRecall as DeletedMessage
from .reactions import MessageReaction
from .subscriptions import SubscriptionResults as Subscriptions
from .targets import ReplyTo, Scene, Target
from .users import EnterAIO, MemberWithGuildID, V2User

__all__ = [
    "AtMessageCreate",
    "AudioFinish",
    "AudioLiveMemberNotice",
    "AudioNotice",
    "AudioOffMic",
    "AudioOnMic",
    "AudioOrLiveChannelMemberEnter",
    "AudioOrLiveChannelMemberExit",
    "AudioStart",
    "C2CMessageCreate",
    "C2CMsgReceive",
    "C2CMsgReject",
    "ChannelCreate",
    "ChannelDelete",
    "ChannelMessageEvent",
    "ChannelNotice",
    "ChannelUpdate",
    "DirectMessageCreate",
    "DirectMessageDelete",
    "EnterAio",
    "Event",
    "ForumNotice",
    "ForumPostCreate",
    "ForumPostDelete",
    "ForumPostNotice",
    "ForumPublishAuditResult",
    "ForumReplyCreate",
    "ForumReplyDelete",
    "ForumReplyNotice",
    "ForumThreadCreate",
    "ForumThreadDelete",
    "ForumThreadNotice",
    "ForumThreadUpdate",
    "FriendAdd",
    "FriendDel",
    "FriendNotice",
    "GroupAddRobot",
    "GroupAtMessageCreate",
    "GroupDelRobot",
    "GroupJoinRequest",
    "GroupMemberAdd",
    "GroupMemberNotice",
    "GroupMemberRemove",
    "GroupMessageCreate",
    "GroupMessageEvent",
    "GroupMsgReceive",
    "GroupMsgReject",
    "GroupRobotNotice",
    "GuildCreate",
    "GuildDelete",
    "GuildMemberAdd",
    "GuildMemberNotice",
    "GuildMemberRemove",
    "GuildMemberUpdate",
    "GuildNotice",
    "GuildUpdate",
    "InteractionCreate",
    "MessageAuditNotice",
    "MessageAuditPass",
    "MessageAuditReject",
    "MessageCreate",
    "MessageDelete",
    "MessageDeleteNotice",
    "MessageEvent",
    "MessageReactionAdd",
    "MessageReactionNotice",
    "MessageReactionRemove",
    "OpenForumNotice",
    "OpenForumPostCreate",
    "OpenForumPostDelete",
    "OpenForumReplyCreate",
    "OpenForumReplyDelete",
    "OpenForumThreadCreate",
    "OpenForumThreadDelete",
    "OpenForumThreadUpdate",
    "PublicMessageDelete",
    "Ready",
    "Replyable",
    "Resumed",
    "SubscribeMessageStatus",
    "UnknownEvent",
    "event",
]
"""`qqbot` offers the same names."""


class _KeyFromLane(property):
    """The ordering key of a class that overrides `lane`, its name in 0.1."""


class Event(Model, frozen=True, kw_only=True):
    """Something that the platform reports. `@bot.on(Event)` handles every event that arrives."""

    wire_name: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__mro__:
            if "ordering_key" in vars(base):
                return
            if "lane" in vars(base):
                break
        warnings.warn(
            f"{cls.__name__} overrides lane, which is called ordering_key now; the old name goes with 1.0",
            DeprecationWarning,
            stacklevel=2,
        )
        # Without a key of its own such a class would lose the order that its `lane` asks for.
        key = _KeyFromLane(lambda event: event.lane)
        cls.ordering_key = key  # type: ignore[method-assign, assignment]  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def ordering_key(self) -> str:
        """Names the conversation in which events are handled in order; '' if order does not matter."""
        return ""

    @property
    def lane(self) -> str:
        """The ordering key. Deprecated: `ordering_key` replaces it, and 1.0 has it no longer."""
        warnings.warn(
            "Event.lane is called ordering_key now; the old name goes with 1.0", DeprecationWarning, stacklevel=2
        )
        # An override of `lane` may call super().lane, so skip the key that was made from that override.
        keys = (vars(base)["ordering_key"] for base in type(self).__mro__ if "ordering_key" in vars(base))
        key: property = next(key for key in keys if not isinstance(key, _KeyFromLane))
        return str(key.__get__(self))


class UnknownEvent(Event, frozen=True):
    """An event that has no class, or an unusable payload.

    `data` is the payload as received; `error` is why it could not be used, None if the event has no class.
    """

    name: str
    data: bytes
    error: str | None = None


class Replyable:
    """Marks events that can be answered with a message."""

    __slots__ = ()

    def reply_target(self) -> Target:
        """Return the conversation to answer in.  Raises: ConfigError if the platform named none."""
        raise NotImplementedError

    def reply_reference(self, event_id: str | None) -> ReplyTo:
        """Return what the answer refers to; `event_id` is the id of the envelope.

        Raises: ConfigError if it is missing.
        Source: server-inter/message/overview
        """
        if not event_id:
            raise ConfigError(f"this {type(self).__name__} came without an event id: send an active message instead")
        return ReplyTo(event_id=event_id)


class MessageEvent(InboundMessage, Event, Replyable, frozen=True, kw_only=True):
    """A message to the bot, in any scene. `@bot.on(MessageEvent)` handles all of them."""

    def reply_reference(self, event_id: str | None) -> ReplyTo:  # noqa: ARG002 - a message is answered by its own id
        """Return what the answer refers to: this message."""
        return ReplyTo(msg_id=self.id)


E = TypeVar("E", bound=Event)

EVENTS: dict[str, type[Event]] = {}
"""The class of each wire name."""

ALIASES = {"GROUP_MEMBER_QUIT": "GROUP_MEMBER_REMOVE"}
"""Other names under which an event may arrive."""

_decoders: dict[str, Decode[Event]] = {}


def event(name: str, *intents: Intents) -> Callable[[type[E]], type[E]]:
    """Register the decorated subclass of `Event` for the wire name `name`; subscribing to it needs `intents`.

    ::

        @event("SOMETHING_NEW", Intents(1 << 20))
        class SomethingNew(Event, frozen=True, kw_only=True):
            group_openid: str

    Raises: ConfigError if the name or the class is taken, or the class is not an event.
    """

    def register(kind: type[E]) -> type[E]:
        _check(name, kind)
        kind.wire_name = name
        EVENTS[name] = kind
        names = (name, *(alias for alias, real in ALIASES.items() if real == name))
        if kind.__module__ != __name__:  # fail now if a user's class cannot decode; those below can
            decoder_of(name)
        bases = tuple(base for base in kind.__mro__[1:] if issubclass(base, Event) and not base.wire_name)
        needed = Intents(0)
        for intent in intents:
            needed |= intent
        enter(needed, kind, names, tuple(base for base in bases if base is not Event))
        return kind

    return register


def _check(name: str, kind: type) -> None:
    if not name:
        raise ConfigError(f"{kind.__name__} needs the wire name of its event, not ''")
    if taken := EVENTS.get(ALIASES.get(name, name)):
        raise ConfigError(f"the event {name} already has the class {taken.__name__}")
    if not issubclass(kind, Event):
        raise ConfigError(f"{kind.__name__} must be a subclass of Event to be the event {name}")
    if "wire_name" in vars(kind):
        raise ConfigError(f"{kind.__name__} is already the event {kind.wire_name}: make a subclass for {name}")


EventSurprise = Callable[[str, str], None]
"""Called with the wire name of an event and the path of a field that did not have its documented form."""


def decode_event(name: str, data: bytes | msgspec.Raw, on_surprise: EventSurprise | None = None) -> Event:
    """Return the event `name` with the payload `data`, or an `UnknownEvent` if that is impossible. Never raises.

    `on_surprise` is called for each field that did not have its documented form.
    """
    try:
        return decoder_of(name)(data)
    except Exception:  # noqa: BLE001 - the __post_init__ of a user's own event may raise anything
        return decode_odd(name, data, on_surprise)


def decoder_of(name: str) -> Decode[Event]:
    """Return the function that decodes the documented form of the event `name`; it raises if the payload differs."""
    decode = _decoders.get(name)
    if decode is None:
        kind = EVENTS.get(ALIASES.get(name, name))
        if kind is None:
            return lambda data: UnknownEvent(name=name, data=bytes(data))
        decode = _decoders[name] = fast(kind)
    return decode


def decode_odd(name: str, data: bytes | msgspec.Raw, on_surprise: EventSurprise | None = None) -> Event:
    """Decode as far as possible a payload that differs from its documented form. Never raises."""
    kind = EVENTS[ALIASES.get(name, name)]
    if not kind.__struct_fields__:
        return kind()  # RESUMED carries ''

    def note(path: str) -> None:
        if on_surprise is not None:
            on_surprise(name, path)

    try:
        return lenient(kind)(data, note)
    except DecodeError as error:
        return UnknownEvent(name=name, data=bytes(data), error=str(error))
    except Exception as error:  # noqa: BLE001 - as above
        return UnknownEvent(name=name, data=bytes(data), error=f"{type(error).__name__}: {error}")


@event("READY")
class Ready(ReadyData, Event, frozen=True, kw_only=True):
    """A new session began.  Source: dev-prepare/event-emit/websocket"""


@event("RESUMED")
class Resumed(Event, frozen=True, kw_only=True):
    """A session continues; the missed events arrived before this one.  Source: dev-prepare/event-emit/websocket"""


class _OfGroup(Protocol):
    @property
    def group_openid(self) -> str: ...


class InGroup:
    """Events of one group."""

    __slots__ = ()

    @property
    def ordering_key(self: _OfGroup) -> str:
        """Names the group."""
        return f"group:{self.group_openid}"

    def reply_target(self: _OfGroup) -> Target:
        """Return the group."""
        return Target(Scene.GROUP, self.group_openid)


class _OfChannel(Protocol):
    @property
    def channel_id(self) -> str: ...


class InChannel:
    """Events of one guild channel."""

    __slots__ = ()

    @property
    def ordering_key(self: _OfChannel) -> str:
        """Names the channel."""
        return f"channel:{self.channel_id}"

    def reply_target(self: _OfChannel) -> Target:
        """Return the channel."""
        return Target(Scene.CHANNEL, self.channel_id)


class GroupMessageEvent(GroupMessage, InGroup, MessageEvent, frozen=True, kw_only=True):
    """A message in a group, of either kind: which of them a group sends is its owner's choice.

    `@bot.on(GroupMessageEvent, when=meant_for_me)` takes the messages that mention the bot, in every group.
    """


@event("GROUP_AT_MESSAGE_CREATE", Intents.GROUP_AND_C2C_EVENT)
class GroupAtMessageCreate(GroupMessageEvent, frozen=True, kw_only=True):
    """A user mentioned the bot in a group.  Source: autogen/event/group_at_message_create"""

    def mentions_bot(self, me: str) -> bool:  # noqa: ARG002 - the event says so
        """Return True: that is what the event means."""
        return True


@event("GROUP_MESSAGE_CREATE", Intents.GROUP_AND_C2C_EVENT)
class GroupMessageCreate(GroupMessageEvent, frozen=True, kw_only=True):
    """Any message in a group that lets the bot see all messages, also one that mentions the bot.

    Source: autogen/event/group_message_create
    """


@event("C2C_MESSAGE_CREATE", Intents.GROUP_AND_C2C_EVENT)
class C2CMessageCreate(C2CMessage, MessageEvent, frozen=True, kw_only=True):
    """A user wrote to the bot.  Source: autogen/event/c2c_message_create"""

    @property
    def ordering_key(self) -> str:
        """Names the user."""
        return f"c2c:{self.author.openid}"

    def reply_target(self) -> Target:
        """Return the user."""
        return Target(Scene.C2C, self.author.openid)


class ChannelMessageEvent(Message, InChannel, MessageEvent, frozen=True, kw_only=True):
    """A message in a guild channel, of either kind.

    Raises: ValueError if it names no channel: it could not be answered.
    """

    def __post_init__(self) -> None:
        if not self.channel_id:
            raise ValueError("the message names no channel")


@event("AT_MESSAGE_CREATE", Intents.PUBLIC_GUILD_MESSAGES)
class AtMessageCreate(ChannelMessageEvent, frozen=True, kw_only=True):
    """A user mentioned the bot in a channel.  Source: server-inter/channel/message/event"""

    def mentions_bot(self, me: str) -> bool:  # noqa: ARG002 - the event says so
        """Return True: that is what the event means."""
        return True


@event("MESSAGE_CREATE", Intents.GUILD_MESSAGES)
class MessageCreate(ChannelMessageEvent, frozen=True, kw_only=True):
    """Any message in a channel; private bots only.  Source: server-inter/channel/message/event"""


@event("DIRECT_MESSAGE_CREATE", Intents.DIRECT_MESSAGE)
class DirectMessageCreate(Message, MessageEvent, frozen=True, kw_only=True):
    """A guild user wrote to the bot in private.

    Raises: ValueError if it names no guild: it could not be answered.
    Source: server-inter/channel/message/event
    """

    def __post_init__(self) -> None:
        if not self.guild_id:
            raise ValueError("the message names no guild")

    @property
    def ordering_key(self) -> str:
        """Names the guild of this private chat."""
        return f"dms:{self.guild_id}"

    def reply_target(self) -> Target:
        """Return the private chat."""
        return Target(Scene.DMS, self.guild_id)


@event("INTERACTION_CREATE", Intents.INTERACTION)
class InteractionCreate(Interaction, Event, Replyable, frozen=True, kw_only=True):
    """A user clicked a button or a menu item; acknowledge it within 5 s.

    Source: autogen/event/interaction_create
    """

    @property
    def ordering_key(self) -> str:
        """Names the clicks of the conversation: a click does not wait for its messages."""
        place = self.conversation
        return f"interaction:{place.scene.value}:{place.id}" if place else ""

    def reply_target(self) -> Target:
        """Return the conversation of the click.  Raises: ConfigError if the platform named none."""
        place = self.conversation
        if place is None:
            raise ConfigError(f"the interaction {self.id} names no conversation, so it cannot be answered")
        return place


def user_of(event: object) -> str:
    """Return the id of the user that an event comes from, '' if it names none: an openid in groups and C2C."""
    if isinstance(event, MessageEvent):
        author = event.author
        return author.openid if isinstance(author, V2User) else author.id
    if isinstance(event, InteractionCreate):
        return event.group_member_openid or event.user_openid or event.data.resolved.user_id
    return ""


GUILD_ROLES = {"admin": "2", "owner": "4", "channel_admin": "5"}
"""The ids of the roles that every guild has.  Source: openapi/guild/role/model"""
ADMINS = frozenset({"admin", "owner", GUILD_ROLES["admin"], GUILD_ROLES["owner"]})


def roles_of(event: object) -> frozenset[str]:
    """Return the roles of the author of a message: "owner", "admin", "member" in groups, "member" and ids in guilds.

    Empty in private chats, and for what is no message.
    """
    if isinstance(event, GroupMessage):
        return frozenset({event.author.member_role or "member"})
    if isinstance(event, Message) and event.member is not None:
        return frozenset({"member", *event.member.roles})
    return frozenset()


class FriendNotice(FriendEvent, Event, frozen=True, kw_only=True):
    """A user's relation to the bot changed, in any way."""

    @property
    def ordering_key(self) -> str:
        """Names the user."""
        return f"c2c:{self.openid}"

    def reply_target(self) -> Target:
        """Return the user."""
        return Target(Scene.C2C, self.openid)


@event("FRIEND_ADD", Intents.GROUP_AND_C2C_EVENT)
class FriendAdd(FriendNotice, Replyable, frozen=True, kw_only=True):
    """A user added the bot as a friend.  Source: autogen/event/friend_add"""


@event("FRIEND_DEL", Intents.GROUP_AND_C2C_EVENT)
class FriendDel(FriendNotice, frozen=True, kw_only=True):
    """A user removed the bot from the friends.  Source: autogen/event/friend_del"""


@event("C2C_MSG_REJECT", Intents.GROUP_AND_C2C_EVENT)
class C2CMsgReject(FriendNotice, frozen=True, kw_only=True):
    """A user switched off active messages.  Source: autogen/event/c2c_msg_reject"""


@event("C2C_MSG_RECEIVE", Intents.GROUP_AND_C2C_EVENT)
class C2CMsgReceive(FriendNotice, Replyable, frozen=True, kw_only=True):
    """A user switched on active messages.  Source: autogen/event/c2c_msg_receive"""


class GroupRobotNotice(GroupRobotEvent, InGroup, Event, frozen=True, kw_only=True):
    """The bot was added to a group or removed, or its notifications were switched."""


@event("GROUP_ADD_ROBOT", Intents.GROUP_AND_C2C_EVENT)
class GroupAddRobot(GroupRobotNotice, Replyable, frozen=True, kw_only=True):
    """The bot was added to a group.  Source: autogen/event/group_add_robot"""


@event("GROUP_DEL_ROBOT", Intents.GROUP_AND_C2C_EVENT)
class GroupDelRobot(GroupRobotNotice, frozen=True, kw_only=True):
    """The bot was removed from a group.  Source: autogen/event/group_del_robot"""


@event("GROUP_MSG_REJECT", Intents.GROUP_AND_C2C_EVENT)
class GroupMsgReject(GroupRobotNotice, frozen=True, kw_only=True):
    """A group switched off active messages.  Source: autogen/event/group_msg_reject"""


@event("GROUP_MSG_RECEIVE", Intents.GROUP_AND_C2C_EVENT)
class GroupMsgReceive(GroupRobotNotice, Replyable, frozen=True, kw_only=True):
    """A group switched on active messages.  Source: autogen/event/group_msg_receive"""


class GroupMemberNotice(GroupMemberEvent, InGroup, Event, frozen=True, kw_only=True):
    """A member joined or left a group."""


@event("GROUP_MEMBER_ADD", Intents.GROUP_MEMBER_EVENT)
class GroupMemberAdd(GroupMemberNotice, frozen=True, kw_only=True):
    """A member joined a group.  Source: autogen/event/group_member_add"""


@event("GROUP_MEMBER_REMOVE", Intents.GROUP_MEMBER_EVENT)
class GroupMemberRemove(GroupMemberNotice, frozen=True, kw_only=True):
    """A member left a group.  Source: autogen/event/group_member_remove"""


# One page documents the first bit, two implementations saw the event with the second.
@event("GROUP_JOIN_REQUEST", Intents.GROUP_MEMBER_EVENT, Intents.GROUP_AND_C2C_EVENT)
class GroupJoinRequest(GroupJoinRequestEvent, InGroup, Event, frozen=True, kw_only=True):
    """A user asks to join a group that the bot administers.  Source: autogen/event/group_join_request"""


@event("SUBSCRIBE_MESSAGE_STATUS", Intents.GROUP_AND_C2C_EVENT)
class SubscribeMessageStatus(Subscriptions, Event, frozen=True, kw_only=True):
    """A user or a group allowed or refused messages by template.  Source: autogen/event/subscribe_message_status"""

    @property
    def ordering_key(self) -> str:
        """Names the group, or the user; '' if the platform named neither."""
        if self.group_openid:
            return f"group:{self.group_openid}"
        return f"c2c:{self.openid}" if self.openid else ""


@event("ENTER_AIO", Intents.ENTER_AIO)
class EnterAio(EnterAIO, Event, frozen=True, kw_only=True):
    """A user opened the chat with the bot. Experimental: seen in one source only.  Source: botgo dto/enter_aio"""

    @property
    def ordering_key(self) -> str:
        """Names the user; '' if the platform did not."""
        return f"c2c:{self.user_openid}" if self.user_openid else ""


class GuildNotice(Guild, Event, frozen=True, kw_only=True):
    """A guild that the bot joined or left, or that was changed by the user `op_user_id`."""

    @property
    def ordering_key(self) -> str:
        """Names the guild."""
        return f"guild:{self.id}"


@event("GUILD_CREATE", Intents.GUILDS)
class GuildCreate(GuildNotice, frozen=True, kw_only=True):
    """The bot joined a guild.  Source: autogen/event/guild_create"""


@event("GUILD_UPDATE", Intents.GUILDS)
class GuildUpdate(GuildNotice, frozen=True, kw_only=True):
    """A guild was changed; these are the new values.  Source: autogen/event/guild_update"""


@event("GUILD_DELETE", Intents.GUILDS)
class GuildDelete(GuildNotice, frozen=True, kw_only=True):
    """A guild was dissolved, or the bot was removed; these are its last values.  Source: autogen/event/guild_delete"""


class ChannelNotice(Channel, Event, frozen=True, kw_only=True):
    """A channel was created, changed or deleted by the user `op_user_id`; only part of it is included."""

    @property
    def ordering_key(self) -> str:
        """Names the channel."""
        return f"channel:{self.id}"


@event("CHANNEL_CREATE", Intents.GUILDS)
class ChannelCreate(ChannelNotice, frozen=True, kw_only=True):
    """A channel was created.  Source: autogen/event/channel_create"""


@event("CHANNEL_UPDATE", Intents.GUILDS)
class ChannelUpdate(ChannelNotice, frozen=True, kw_only=True):
    """A channel was changed.  Source: autogen/event/channel_update"""


@event("CHANNEL_DELETE", Intents.GUILDS)
class ChannelDelete(ChannelNotice, frozen=True, kw_only=True):
    """A channel was deleted.  Source: autogen/event/channel_delete"""


class GuildMemberNotice(MemberWithGuildID, Event, Replyable, frozen=True, kw_only=True):
    """A member joined or left a guild, or was changed in it.

    It can be answered by its event id in any channel of the guild; the bot must choose one:
    `api.channels.send_message(channel_id, ..., reply_to=event.reply_reference(ctx.event_id))`.
    """

    @property
    def ordering_key(self) -> str:
        """Names the guild."""
        return f"guild:{self.guild_id}"

    def reply_target(self) -> Target:
        """Raise ConfigError: the event belongs to no channel."""
        raise ConfigError(
            f"{type(self).__name__} belongs to no channel, so it names no place to answer in: choose one, and call "
            "api.channels.send_message(channel_id, message, reply_to=event.reply_reference(ctx.event_id))"
        )


@event("GUILD_MEMBER_ADD", Intents.GUILD_MEMBERS)
class GuildMemberAdd(GuildMemberNotice, frozen=True, kw_only=True):
    """A member joined a guild.  Source: server-inter/channel/role/guild_member"""


@event("GUILD_MEMBER_UPDATE", Intents.GUILD_MEMBERS)
class GuildMemberUpdate(GuildMemberNotice, frozen=True, kw_only=True):
    """A member of a guild was changed.  Source: server-inter/channel/role/guild_member"""


@event("GUILD_MEMBER_REMOVE", Intents.GUILD_MEMBERS)
class GuildMemberRemove(GuildMemberNotice, frozen=True, kw_only=True):
    """A member left a guild, or was removed from it.  Source: server-inter/channel/role/guild_member"""


class MessageDeleteNotice(DeletedMessage, Event, frozen=True, kw_only=True):
    """A guild message was recalled, in a channel or a private chat."""

    @property
    def ordering_key(self) -> str:
        """Names the channel; '' if the platform did not."""
        return f"channel:{self.message.channel_id}" if self.message.channel_id else ""


@event("MESSAGE_DELETE", Intents.GUILD_MESSAGES)
class MessageDelete(MessageDeleteNotice, frozen=True, kw_only=True):
    """Any message of a channel was recalled; private bots only.

    Source: dev-prepare/interface-framework/event-emit
    """


@event("PUBLIC_MESSAGE_DELETE", Intents.PUBLIC_GUILD_MESSAGES)
class PublicMessageDelete(MessageDeleteNotice, frozen=True, kw_only=True):
    """A message to the bot in a channel was recalled.  Source: dev-prepare/interface-framework/event-emit"""


@event("DIRECT_MESSAGE_DELETE", Intents.DIRECT_MESSAGE)
class DirectMessageDelete(MessageDeleteNotice, frozen=True, kw_only=True):
    """A message in a private chat was recalled.  Source: dev-prepare/interface-framework/event-emit"""

    @property
    def ordering_key(self) -> str:
        """Names the guild of this private chat; '' if the platform did not."""
        return f"dms:{self.message.guild_id}" if self.message.guild_id else ""


class MessageReactionNotice(MessageReaction, InChannel, Event, Replyable, frozen=True, kw_only=True):
    """A reaction was added to a message, thread, post or reply, or removed."""


@event("MESSAGE_REACTION_ADD", Intents.GUILD_MESSAGE_REACTIONS)
class MessageReactionAdd(MessageReactionNotice, frozen=True, kw_only=True):
    """A user added a reaction.  Source: openapi/reaction/model"""


@event("MESSAGE_REACTION_REMOVE", Intents.GUILD_MESSAGE_REACTIONS)
class MessageReactionRemove(MessageReactionNotice, frozen=True, kw_only=True):
    """A user removed a reaction.  Source: openapi/reaction/model"""


class MessageAuditNotice(MessageAudited, Event, frozen=True, kw_only=True):
    """The review of a message that the bot sent has ended.

    It has no ordering key, because a handler that waits for the result holds the key of its conversation.
    """


@event("MESSAGE_AUDIT_PASS", Intents.MESSAGE_AUDIT)
class MessageAuditPass(MessageAuditNotice, frozen=True, kw_only=True):
    """The message was sent as `message_id`.  Source: server-inter/channel/message/event"""


@event("MESSAGE_AUDIT_REJECT", Intents.MESSAGE_AUDIT)
class MessageAuditReject(MessageAuditNotice, frozen=True, kw_only=True):
    """The message was refused.  Source: server-inter/channel/message/event"""


class ForumNotice(ForumItem, InChannel, Event, frozen=True, kw_only=True):
    """Something happened in a forum; private bots only."""


class ForumThreadNotice(Thread, ForumNotice, Replyable, frozen=True, kw_only=True):
    """Something happened to a thread; private bots only."""


@event("FORUM_THREAD_CREATE", Intents.FORUMS_EVENT)
class ForumThreadCreate(ForumThreadNotice, frozen=True, kw_only=True):
    """A user created a thread.  Source: server-inter/channel/content/forum/forum"""


@event("FORUM_THREAD_UPDATE", Intents.FORUMS_EVENT)
class ForumThreadUpdate(ForumThreadNotice, frozen=True, kw_only=True):
    """A user changed a thread.  Source: server-inter/channel/content/forum/forum"""


@event("FORUM_THREAD_DELETE", Intents.FORUMS_EVENT)
class ForumThreadDelete(ForumThreadNotice, frozen=True, kw_only=True):
    """A user deleted a thread.  Source: server-inter/channel/content/forum/forum"""


class ForumPostNotice(Post, ForumNotice, Replyable, frozen=True, kw_only=True):
    """Something happened to a post in a thread; private bots only."""


@event("FORUM_POST_CREATE", Intents.FORUMS_EVENT)
class ForumPostCreate(ForumPostNotice, frozen=True, kw_only=True):
    """A user posted in a thread.  Source: server-inter/channel/content/forum/forum"""


@event("FORUM_POST_DELETE", Intents.FORUMS_EVENT)
class ForumPostDelete(ForumPostNotice, frozen=True, kw_only=True):
    """A user deleted a post.  Source: server-inter/channel/content/forum/forum"""


class ForumReplyNotice(ForumReply, ForumNotice, Replyable, frozen=True, kw_only=True):
    """Something happened to a reply to a post; private bots only."""


@event("FORUM_REPLY_CREATE", Intents.FORUMS_EVENT)
class ForumReplyCreate(ForumReplyNotice, frozen=True, kw_only=True):
    """A user replied to a post.  Source: server-inter/channel/content/forum/forum"""


@event("FORUM_REPLY_DELETE", Intents.FORUMS_EVENT)
class ForumReplyDelete(ForumReplyNotice, frozen=True, kw_only=True):
    """A user deleted a reply.  Source: server-inter/channel/content/forum/forum"""


@event("FORUM_PUBLISH_AUDIT_RESULT", Intents.FORUMS_EVENT)
class ForumPublishAuditResult(ForumAuditResult, ForumNotice, frozen=True, kw_only=True):
    """The review of something published in a forum has ended.  Source: server-inter/channel/content/forum/forum"""


class OpenForumNotice(OpenForumEvent, InChannel, Event, frozen=True, kw_only=True):
    """Something happened in a forum; the content is not included."""


@event("OPEN_FORUM_THREAD_CREATE", Intents.OPEN_FORUM_EVENT)
class OpenForumThreadCreate(OpenForumNotice, frozen=True, kw_only=True):
    """A user created a thread.  Source: server-inter/channel/content/forum/open_forum"""


@event("OPEN_FORUM_THREAD_UPDATE", Intents.OPEN_FORUM_EVENT)
class OpenForumThreadUpdate(OpenForumNotice, frozen=True, kw_only=True):
    """A user changed a thread.  Source: server-inter/channel/content/forum/open_forum"""


@event("OPEN_FORUM_THREAD_DELETE", Intents.OPEN_FORUM_EVENT)
class OpenForumThreadDelete(OpenForumNotice, frozen=True, kw_only=True):
    """A user deleted a thread.  Source: server-inter/channel/content/forum/open_forum"""


@event("OPEN_FORUM_POST_CREATE", Intents.OPEN_FORUM_EVENT)
class OpenForumPostCreate(OpenForumNotice, frozen=True, kw_only=True):
    """A user posted in a thread.  Source: server-inter/channel/content/forum/open_forum"""


@event("OPEN_FORUM_POST_DELETE", Intents.OPEN_FORUM_EVENT)
class OpenForumPostDelete(OpenForumNotice, frozen=True, kw_only=True):
    """A user deleted a post.  Source: server-inter/channel/content/forum/open_forum"""


@event("OPEN_FORUM_REPLY_CREATE", Intents.OPEN_FORUM_EVENT)
class OpenForumReplyCreate(OpenForumNotice, frozen=True, kw_only=True):
    """A user replied to a post.  Source: server-inter/channel/content/forum/open_forum"""


@event("OPEN_FORUM_REPLY_DELETE", Intents.OPEN_FORUM_EVENT)
class OpenForumReplyDelete(OpenForumNotice, frozen=True, kw_only=True):
    """A user deleted a reply.  Source: server-inter/channel/content/forum/open_forum"""


class AudioNotice(AudioAction, InChannel, Event, frozen=True, kw_only=True):
    """Audio of the bot in a voice channel."""


@event("AUDIO_START", Intents.AUDIO_ACTION)
class AudioStart(AudioNotice, frozen=True, kw_only=True):
    """Audio began.  Source: server-inter/channel/content/audio/model"""


@event("AUDIO_FINISH", Intents.AUDIO_ACTION)
class AudioFinish(AudioNotice, frozen=True, kw_only=True):
    """Audio ended.  Source: server-inter/channel/content/audio/model"""


@event("AUDIO_ON_MIC", Intents.AUDIO_ACTION)
class AudioOnMic(AudioNotice, frozen=True, kw_only=True):
    """The bot switched its microphone on.  Source: server-inter/channel/content/audio/model"""


@event("AUDIO_OFF_MIC", Intents.AUDIO_ACTION)
class AudioOffMic(AudioNotice, frozen=True, kw_only=True):
    """The bot switched its microphone off.  Source: server-inter/channel/content/audio/model"""


class AudioLiveMemberNotice(AudioLiveMember, InChannel, Event, frozen=True, kw_only=True):
    """A member entered or left an audio, video or live channel."""


@event("AUDIO_OR_LIVE_CHANNEL_MEMBER_ENTER", Intents.AUDIO_OR_LIVE_CHANNEL_MEMBER)
class AudioOrLiveChannelMemberEnter(AudioLiveMemberNotice, frozen=True, kw_only=True):
    """A member entered.  Source: server-inter/channel/role/audio_or_live_channel_member"""


@event("AUDIO_OR_LIVE_CHANNEL_MEMBER_EXIT", Intents.AUDIO_OR_LIVE_CHANNEL_MEMBER)
class AudioOrLiveChannelMemberExit(AudioLiveMemberNotice, frozen=True, kw_only=True):
    """A member left.  Source: server-inter/channel/role/audio_or_live_channel_member"""
