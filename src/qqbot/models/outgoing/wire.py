"""The bodies of messages that a bot sends: to groups and C2C, and to guild channels.

Responsible for the wire form; pure functions of the values in `messages`. It sends nothing.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, TypeVar, cast

from msgspec import UNSET, Struct, UnsetType, defstruct

from ...errors import ConfigError
from ..base import Body
from ..codec import encode, to_json
from ..keyboards import MessageKeyboard, PromptKeyboard
from ..media import FileType, MediaInfo
from ..messages import MessageReference
from ..targets import ReplyTo, Scene
from .messages import (
    ActionButton,
    Ark,
    Card,
    Embed,
    Markdown,
    MarkdownStyle,
    Media,
    Message,
    MessageStream,
    Outgoing,
    Text,
)

B = TypeVar("B", bound=Body)


class MessageType(IntEnum):
    """The `msg_type` of groups and C2C."""

    TEXT = 0
    MARKDOWN = 2
    ARK = 3
    INPUT_NOTIFY = 6
    MEDIA = 7
    CARD = 8


class MessageMarkdownParams(Body, frozen=True, kw_only=True):
    """The values of one place in a template."""

    key: str
    values: tuple[str, ...]


class MessageMarkdown(Body, frozen=True, kw_only=True):
    """Markdown on the wire."""

    content: str | UnsetType = UNSET
    template_id: int | UnsetType = UNSET
    custom_template_id: str | UnsetType = UNSET
    params: tuple[MessageMarkdownParams, ...] | UnsetType = UNSET
    force_verify_image_resource: bool | UnsetType = UNSET
    style: MarkdownStyle | UnsetType = UNSET
    process_msg: str | UnsetType = UNSET


class ArkObjKvBody(Body, frozen=True, kw_only=True):
    """One value in a line of an ark, on the wire."""

    key: str
    value: str


class ArkObjBody(Body, frozen=True, kw_only=True):
    """One line of an ark on the wire."""

    obj_kv: tuple[ArkObjKvBody, ...]


class ArkKvBody(Body, frozen=True, kw_only=True):
    """One place of an ark on the wire: a value, or lines."""

    key: str
    value: str | UnsetType = UNSET
    obj: tuple[ArkObjBody, ...] | UnsetType = UNSET


class ArkBody(Body, frozen=True, kw_only=True):
    """An ark on the wire."""

    template_id: int
    kv: tuple[ArkKvBody, ...]


class EmbedThumbnailBody(Body, frozen=True, kw_only=True):
    """The picture of an embed on the wire."""

    url: str


class EmbedFieldBody(Body, frozen=True, kw_only=True):
    """One line of an embed on the wire."""

    name: str
    value: str | UnsetType = UNSET


class EmbedBody(Body, frozen=True, kw_only=True):
    """An embed on the wire."""

    title: str
    prompt: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    thumbnail: EmbedThumbnailBody | UnsetType = UNSET
    fields: tuple[EmbedFieldBody, ...] | UnsetType = UNSET


class InputNotify(Body, frozen=True, kw_only=True):
    """The typing notice on the wire. `input_type`: 1 typing, 2 hide it; `input_second`: 1 to 60."""

    input_type: int
    input_second: int


class MessageCardContent(Body, frozen=True, kw_only=True):
    """What a card shows, and the address that a click opens, on the wire."""

    title: str
    description: str
    pic_url: str
    url: str


class MessageCard(Body, frozen=True, kw_only=True):
    """A card with a picture and a link on the wire; `type`: "tuwen" is the only known one."""

    type: str
    content: MessageCardContent


class V2MessageBody(Body, frozen=True, kw_only=True):
    """A message to a group or in C2C, on the wire.

    Source: autogen/api/v2_groups_group_openid_messages.post
    """

    msg_type: MessageType
    content: str | UnsetType = UNSET
    markdown: MessageMarkdown | UnsetType = UNSET
    keyboard: MessageKeyboard | UnsetType = UNSET
    ark: ArkBody | UnsetType = UNSET
    media: MediaInfo | UnsetType = UNSET
    card: MessageCard | UnsetType = UNSET
    input_notify: InputNotify | UnsetType = UNSET
    message_reference: MessageReference | UnsetType = UNSET
    msg_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    msg_seq: int | UnsetType = UNSET
    subscribe_id: str | UnsetType = UNSET
    prompt_keyboard: PromptKeyboard | UnsetType = UNSET
    action_button: ActionButton | UnsetType = UNSET
    stream: MessageStream | UnsetType = UNSET
    feature_id: int | UnsetType = UNSET
    is_wakeup: bool | UnsetType = UNSET


class GuildMessageBody(Body, frozen=True, kw_only=True):
    """A message to a guild channel or a guild private chat, on the wire.

    Source: server-inter/channel/message/send
    """

    content: str | UnsetType = UNSET
    embed: EmbedBody | UnsetType = UNSET
    ark: ArkBody | UnsetType = UNSET
    image: str | UnsetType = UNSET
    markdown: MessageMarkdown | UnsetType = UNSET
    keyboard: MessageKeyboard | UnsetType = UNSET
    message_reference: MessageReference | UnsetType = UNSET
    msg_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


def as_outgoing(message: object) -> Outgoing:
    """Return `message` as a value, a str as `Text`.

    Raises: ConfigError if it is empty or not a message, or its `extra` cannot be sent.
    """
    if isinstance(message, str):
        return Text(message)
    if isinstance(message, Outgoing):
        if message.extra is not None:
            _check_extra(message.extra)
        return message
    raise ConfigError(
        f"a message must be a str, Text, Markdown, Ark, Card, Embed or Media, not {type(message).__name__}"
    )


_OWNED = ("msg_id", "event_id", "msg_seq")
"""Fields that the SDK counts and compares: `extra` cannot have them."""


def _check_extra(extra: Mapping[str, object]) -> None:
    if owned := [name for name in _OWNED if name in extra]:
        raise ConfigError(f"extra= cannot have {', '.join(owned)}: reply with ctx.reply(), or pass reply_to=")
    try:
        encode(dict(extra))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"extra= must be an object that JSON can express: {error}") from None


def _extended(body: B, extra: Mapping[str, object] | None) -> B:
    """Return `body` with the fields of `extra`, as a value of a subclass made for them."""
    if not extra:
        return body
    own = {name: getattr(body, name) for name in body.__struct_fields__}
    added = {f"extra_{number}": key for number, key in enumerate(extra) if key not in own}
    kind = defstruct(
        type(body).__name__,
        [(name, object, UNSET) for name in (*added, *(key for key in extra if key in own))],
        bases=(type(body),),
        rename=added,
        frozen=True,
        kw_only=True,
    )
    new = {name: extra[key] for name, key in added.items()}
    changed = {key: _merged(own[key], value) for key, value in extra.items() if key in own}
    return cast("B", kind(**own | changed | new))


def _merged(old: object, new: object) -> object:
    """Return `new`; objects are merged with those that they replace."""
    old = to_json(old) if isinstance(old, Struct) else old
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    merged = dict(cast("Mapping[str, object]", old))
    for key, value in cast("Mapping[str, object]", new).items():
        merged[key] = _merged(merged.get(key), value)
    return merged


_NO_CARD = "a Card can be sent in groups and C2C only; use Ark or Embed here"
_NO_EMBED = "an Embed can be sent in guild channels and guild private chats only; use Markdown here"


def check_v2(message: Message, reply_to: ReplyTo | None, scene: Scene) -> Outgoing:
    """Return `message` as a value for a group or C2C, before anything is uploaded or sent.

    Raises: ConfigError if it is empty, an embed, or a wake-up message that is a reply or goes to a group.
    """
    message = as_outgoing(message)
    if isinstance(message, Embed):
        raise ConfigError(_NO_EMBED)
    if message.wakeup and scene is not Scene.C2C:
        raise ConfigError("wakeup=True is for C2C: there are no wake-up messages in groups")
    if message.wakeup and reply_to is not None:
        raise ConfigError("wakeup=True cannot be a reply: send it with bot.send(target, ...)")
    return message


def v2_body(
    message: Message, reply_to: ReplyTo | None = None, media: MediaInfo | None = None, *, scene: Scene = Scene.C2C
) -> V2MessageBody:
    """Return the wire body for a group or C2C (`scene`); `media` is the upload of a `Media`.

    Raises: ConfigError if `message` is empty, is a `Media` without its upload, or not possible there.
    """
    return wire_v2(check_v2(message, reply_to, scene), reply_to, media)


def wire_v2(message: Outgoing, reply_to: ReplyTo | None, media: MediaInfo | None) -> V2MessageBody:
    """Return the wire body for a group or C2C of a checked message; `media` is the upload of a `Media`.

    Raises: ConfigError if `message` is a `Media` without its upload.
    """
    fields = _v2_kind(message, media)
    for name in _V2_PASSED_ON:
        if (value := getattr(message, name)) is not UNSET:
            fields[name] = value
    if message.wakeup is not UNSET:
        fields["is_wakeup"] = message.wakeup
    if message.prompt_keyboard:
        fields["prompt_keyboard"] = PromptKeyboard(keyboard=message.prompt_keyboard.wire)
    _refer(fields, message, reply_to)
    if reply_to is not None and reply_to.msg_seq is not None:
        fields["msg_seq"] = reply_to.msg_seq
    return _extended(V2MessageBody(**fields), message.extra)


_V2_PASSED_ON = ("subscribe_id", "action_button", "stream", "feature_id")


def _v2_kind(message: Outgoing, media: MediaInfo | None) -> dict[str, Any]:
    """Return the fields that depend on the kind of the message."""
    match message:
        case Text():
            return {"msg_type": MessageType.TEXT, "content": message.content}
        case Markdown():
            return {"msg_type": MessageType.MARKDOWN, **_markdown(message)}
        case Ark():
            return {"msg_type": MessageType.ARK, "ark": _ark(message)}
        case Card():
            return {"msg_type": MessageType.CARD, "card": _card(message)}
        case Media():
            if media is None:
                raise ConfigError("a Media message needs the MediaInfo of its upload")
            # In 2025 the service refused media without any content.
            return {"msg_type": MessageType.MEDIA, "content": message.text or " ", "media": media}
        case Embed():
            raise ConfigError(_NO_EMBED)


def _refer(fields: dict[str, Any], message: Outgoing, reply_to: ReplyTo | None) -> None:
    """Add the references to the quoted and the answered message."""
    if message.quote is not None:
        missing = message.ignore_missing_quote
        fields["message_reference"] = MessageReference(message_id=message.quote, ignore_get_message_error=missing)
    if reply_to is None:
        return
    if reply_to.msg_id is not None:
        fields["msg_id"] = reply_to.msg_id
    if reply_to.event_id is not None:
        fields["event_id"] = reply_to.event_id


def typing_body(seconds: int, reply_to: ReplyTo) -> V2MessageBody:
    """Return the wire body of the typing notice of C2C.  Raises: ConfigError if `seconds` is not 1 to 60."""
    if not 1 <= seconds <= 60:
        raise ConfigError(f"the typing notice lasts 1 to 60 seconds, not {seconds}")
    return V2MessageBody(
        msg_type=MessageType.INPUT_NOTIFY,
        input_notify=InputNotify(input_type=1, input_second=seconds),
        msg_id=reply_to.msg_id or UNSET,
        event_id=reply_to.event_id or UNSET,
        msg_seq=UNSET if reply_to.msg_seq is None else reply_to.msg_seq,
    )


def guild_body(message: Message, reply_to: ReplyTo | None = None) -> GuildMessageBody:
    """Return the wire body for a guild channel or a guild private chat, without the bytes of an image.

    Raises: ConfigError if `message` is empty, is media other than an image, or has options that guilds lack.
    """
    message = as_outgoing(message)
    _check_guild(message)
    fields = _guild_kind(message)
    _refer(fields, message, reply_to)
    return _extended(GuildMessageBody(**fields), message.extra)


def _guild_kind(message: Outgoing) -> dict[str, Any]:
    """Return the fields that depend on the kind of the message."""
    match message:
        case Text():
            return {"content": message.content}
        case Markdown():
            return _markdown(message)
        case Ark():
            return {"ark": _ark(message)}
        case Card():
            raise ConfigError(_NO_CARD)
        case Media():
            return {"content": message.text or UNSET, "image": message.url or UNSET}
        case Embed():
            return {"embed": _embed(message)}


_V2_ONLY = (*_V2_PASSED_ON, "wakeup")


def _check_guild(message: Outgoing) -> None:
    surplus = [name for name in _V2_ONLY if getattr(message, name) is not UNSET]
    surplus += ["prompt_keyboard"] if message.prompt_keyboard else []
    if surplus:
        raise ConfigError(f"guild messages have no {', '.join(surplus)}: only groups and C2C support it")
    if isinstance(message, Media):
        if message.type is not FileType.IMAGE:
            raise ConfigError(f"guild messages can carry images only, not a {message.type.name.lower()}")
        if message.url is None and message.quote is not None:
            raise ConfigError(
                "in guilds an image that is uploaded cannot quote: send it by its address, or without quote="
            )


def _markdown(message: Markdown) -> dict[str, Any]:
    template = message.template_id
    markdown = MessageMarkdown(
        content=message.content if template is None else UNSET,
        template_id=template if isinstance(template, int) else UNSET,
        custom_template_id=template if isinstance(template, str) else UNSET,
        params=_params(message.params) if message.params else UNSET,
        force_verify_image_resource=message.force_verify_image_resource,
        style=message.style,
        process_msg=message.process_msg,
    )
    return {"markdown": markdown, "keyboard": message.keyboard.wire if message.keyboard else UNSET}


def _params(params: Mapping[str, Sequence[str]]) -> tuple[MessageMarkdownParams, ...]:
    return tuple(MessageMarkdownParams(key=key, values=tuple(values)) for key, values in params.items())


def _ark(message: Ark) -> ArkBody:
    return ArkBody(template_id=message.template_id, kv=tuple(_ark_kv(*item) for item in message.values.items()))


def _ark_kv(key: str, value: str | Sequence[Mapping[str, str]]) -> ArkKvBody:
    if isinstance(value, str):
        return ArkKvBody(key=key, value=value)
    lines = (tuple(ArkObjKvBody(key=name, value=text) for name, text in line.items()) for line in value)
    return ArkKvBody(key=key, obj=tuple(ArkObjBody(obj_kv=line) for line in lines))


def _card(message: Card) -> MessageCard:
    content = MessageCardContent(
        title=message.title, description=message.description, pic_url=message.pic_url, url=message.url
    )
    return MessageCard(type=message.type, content=content)


def _embed(message: Embed) -> EmbedBody:
    return EmbedBody(
        title=message.title,
        prompt=message.prompt,
        description=message.description,
        thumbnail=EmbedThumbnailBody(url=message.thumbnail) if isinstance(message.thumbnail, str) else UNSET,
        fields=tuple(_embed_field(field) for field in message.fields) or UNSET,
    )


def _embed_field(field: str | tuple[str, str]) -> EmbedFieldBody:
    return EmbedFieldBody(name=field) if isinstance(field, str) else EmbedFieldBody(name=field[0], value=field[1])
