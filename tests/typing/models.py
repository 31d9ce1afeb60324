"""Only type-checked, never run: what models, messages and keyboards are to a type checker."""

from datetime import datetime
from typing import assert_type

from qqbot.models import Channel, ForumReply
from qqbot.models.events import (
    AtMessageCreate,
    C2CMessageCreate,
    Event,
    GroupAtMessageCreate,
    InteractionCreate,
    MessageEvent,
    Replyable,
    decode_event,
    event,
)
from qqbot.models.intents import Intents
from qqbot.models.interactions import InteractionType
from qqbot.models.keyboards import Button, Keyboard
from qqbot.models.outgoing.messages import Markdown, Media, Outgoing, Text
from qqbot.models.targets import ReplyTo, Target
from qqbot.models.users import Account, User, V2User


def fields(group: GroupAtMessageCreate, c2c: C2CMessageCreate, guild: AtMessageCreate, any_: MessageEvent) -> None:
    assert_type(group.author, V2User)
    assert_type(c2c.author, V2User)
    assert_type(guild.author, User)
    assert_type(any_.author, Account)
    assert_type(any_.content, str)
    assert_type(group.group_openid, str)
    assert_type(group.timestamp, datetime | None)
    assert_type(group.ordering_key, str)
    assert_type(group.reply_target(), Target)
    assert_type(any_.reply_reference(None), ReplyTo)
    group.content = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def offered_by_the_package(channel: Channel, reply: ForumReply) -> None:
    assert_type(channel.name, str)
    assert_type(reply.reply_info.reply_id, str)


def is_replyable(group: GroupAtMessageCreate, click: InteractionCreate) -> list[Replyable]:
    assert_type(click.type, InteractionType)
    return [group, click]


def messages(keyboard: Keyboard) -> list[Outgoing]:
    Text("a", keyboard=keyboard)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Markdown(keyboard)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Keyboard([Button.callback("a", "b")])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    return [Text("a", quote="b"), Markdown("a", keyboard=keyboard), Media.image("https://a/b")]


@event("TYPED", Intents.GUILDS)
class Typed(Event, frozen=True, kw_only=True):
    """One's own event."""

    order: str


assert_type(Typed(order="1").order, str)
assert_type(decode_event("TYPED", b"{}"), Event)


@event("NO_EVENT")  # pyright: ignore[reportArgumentType, reportUntypedClassDecorator]
class NoEvent:  # type: ignore[type-var]
    """Not an event."""
