"""Messages as the platform sends them: in events, and as the answer to a send.

Responsible for the payloads. See `events` for the events that carry them, and `outgoing` for a bot's own messages.
"""

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from .._names import on_demand
from .base import Aware, Id, Model
from .text import faces_as_text, strip_mentions_of
from .users import Account, GroupMention, Member, User, V2User


class MessageAttachment(Model, frozen=True, kw_only=True):
    """A file that came with a message. `size` is in bytes; `content_type`: "image/png", "voice", "file", ...

    Voice messages have a wav copy and, if it was recognised, their text.

    Source: server-inter/message/send-receive/event
    """

    url: str
    filename: str = ""
    content_type: str = ""
    width: int = 0
    height: int = 0
    size: int = 0
    id: str = ""
    voice_wav_url: str = ""
    asr_refer_text: str = ""

    @property
    def address(self) -> str:
        """The `url` with its scheme, which the platform may omit."""
        return self.url if "://" in self.url else "https://" + self.url.removeprefix("//")


class MessageEmbedThumbnail(Model, frozen=True, kw_only=True):
    """The small picture of an embed."""

    url: str = ""


class MessageEmbedField(Model, frozen=True, kw_only=True):
    """One line of an embed."""

    name: str = ""
    value: str = ""


class MessageEmbed(Model, frozen=True, kw_only=True):
    """A card with lines; guilds only.  Source: server-inter/message/type/embed"""

    title: str = ""
    description: str = ""
    prompt: str = ""
    thumbnail: MessageEmbedThumbnail | None = None
    fields: tuple[MessageEmbedField, ...] = ()


class MessageArkObjKv(Model, frozen=True, kw_only=True):
    """One value of a list item in an ark."""

    key: str
    value: str = ""


class MessageArkObj(Model, frozen=True, kw_only=True):
    """One list item of an ark."""

    obj_kv: tuple[MessageArkObjKv, ...] = ()


class MessageArkKv(Model, frozen=True, kw_only=True):
    """One variable of an ark: a value, or list items."""

    key: str
    value: str = ""
    obj: tuple[MessageArkObj, ...] = ()


class MessageArk(Model, frozen=True, kw_only=True):
    """A card made from a template.  Source: server-inter/message/type/ark"""

    template_id: int
    kv: tuple[MessageArkKv, ...] = ()


class MessageReference(Model, frozen=True, kw_only=True):
    """A quoted message: a guild message id, or in groups and C2C a REFIDX_... index.

    Source: server-inter/message/send-receive/send
    """

    message_id: str
    ignore_get_message_error: bool | UnsetType = UNSET


class InboundMessage(Model, frozen=True, kw_only=True):
    """The common fields of messages in all scenes."""

    id: Id
    content: str = ""
    author: Account = Account()
    timestamp: Aware | None = None
    attachments: tuple[MessageAttachment, ...] = ()

    def text_without_mention(self, me: str) -> str:
        """Return the content without outer blanks and without mentions of the bot, which has the user id `me`."""
        return strip_mentions_of(self.content, (me,))

    def mentions_bot(self, me: str) -> bool:  # noqa: ARG002 - only guilds need the id
        """True if the message mentions the bot, which has the user id `me`; False in private chats."""
        return False


class Message(InboundMessage, frozen=True, kw_only=True):
    """A message in a guild channel or a guild private chat; also the answer to sending one.

    `seq_in_channel` orders the messages of one channel. `src_guild_id` is the guild in which a private chat was opened.

    Source: server-inter/message/model
    """

    channel_id: str = ""
    guild_id: str = ""
    author: User = User()
    edited_timestamp: Aware | None = None
    mention_everyone: bool = False
    embeds: tuple[MessageEmbed, ...] = ()
    mentions: tuple[User, ...] = ()
    member: Member | None = None
    ark: MessageArk | None = None
    seq: int = 0
    seq_in_channel: str = ""
    message_reference: MessageReference | None = None

    def text_without_mention(self, me: str) -> str:
        """Return the content without outer blanks and without mentions of the bot, which has the user id `me`.

        `me` is '' if the bot does not know its own id, for example without a gateway connection; then it is taken to be
        the only bot that the message mentions.
        """
        return super().text_without_mention(me or self._only_bot())

    def mentions_bot(self, me: str) -> bool:
        """True if the message mentions the bot, which has the user id `me`; '' as in `text_without_mention`."""
        me = me or self._only_bot()
        return bool(me) and any(user.id == me for user in self.mentions)

    def _only_bot(self) -> str:
        bots = {user.id for user in self.mentions if user.bot}
        return bots.pop() if len(bots) == 1 else ""

    direct_message: bool = False
    src_guild_id: str = ""
    tts: bool = False
    pinned: bool = False
    type: int = 0
    flags: int = 0


class MessageScene(Model, frozen=True, kw_only=True):
    """The origin of a message; `ext` has further values, each as "key=value"."""

    source: str = ""
    ext: tuple[str, ...] = ()
    callback_data: str = ""

    def value(self, key: str) -> str | None:
        """Return the value of `key` in `ext`; values may contain "=" themselves."""
        pairs = (item.partition("=") for item in self.ext)
        return next((value for name, _, value in pairs if name == key), None)


class ARKData(Model, frozen=True, kw_only=True):
    """A card that a user sent, such as a shared web page or a place."""

    prompt: str = ""
    ark_type: str = ""
    ark_name: str = ""
    fields: dict[str, object] = msgspec.field(default_factory=dict[str, object])


class MsgElement(Model, frozen=True, kw_only=True):
    """One part of a message that contains others: the quoted message, or a message of a forwarded chat."""

    msg_idx: str = ""
    author: V2User = V2User()
    message_type: int = 0
    content: str = ""
    attachments: tuple[MessageAttachment, ...] = ()
    ark_data: ARKData | None = None
    msg_elements: "tuple[MsgElement, ...]" = ()


class V2Message(InboundMessage, frozen=True, kw_only=True):
    """The common fields of messages in groups and C2C.

    `message_type`: 0 text, 3 card, 101 parallel, 102 forwarded chat, 103 quote (see `msg_elements`).
    """

    author: V2User = V2User()
    message_scene: MessageScene = MessageScene()
    message_type: int = 0
    ark_data: ARKData | None = None
    msg_elements: tuple[MsgElement, ...] = ()
    msg_idx: str = ""
    msg_seq: int = 0

    def text_without_mention(self, me: str) -> str:
        """Return the content without outer blanks and mentions of the bot, with the names of faces, "[name]"."""
        return faces_as_text(super().text_without_mention(me))

    @property
    def ref_idx(self) -> str | None:
        """The value of `quote=` to quote this message; None if the platform did not send it."""
        return self.message_scene.value("msg_idx") or self.msg_idx or None


class GroupMessage(V2Message, frozen=True, kw_only=True):
    """A message in a group. `content` may omit the mention of the bot; other mentions are `<@member_openid>`.

    The record of the bot's own mention in `mentions` has `is_you`; the `scope` "all" mentions every member, not the
    bot.

    Source: autogen/event/group_message_create
    """

    group_openid: Id
    group_id: str = ""
    mentions: tuple[GroupMention, ...] = ()

    def text_without_mention(self, me: str) -> str:
        """Return the content without outer blanks and mentions of the bot, with the names of faces, "[name]".

        The bot is known by `is_you`, since a group has other ids for it than `me`.
        """
        text = super().text_without_mention(me)
        own = [each for each in self.mentions if each.is_single and each.is_you]
        ids = {name for each in own for name in (each.id, each.member_openid, each.user_openid) if name}
        return strip_mentions_of(text, ids) if ids else text

    def mentions_bot(self, me: str) -> bool:  # noqa: ARG002 - the record says so
        """True if the message mentions the bot."""
        return any(each.is_single and each.is_you for each in self.mentions)


class C2CMessage(V2Message, frozen=True, kw_only=True):
    """A message of one user to the bot.

    Raises: ValueError if the author has no openid: it could not be answered.
    Source: autogen/event/c2c_message_create
    """

    def __post_init__(self) -> None:
        if not self.author.openid:
            raise ValueError("the author has no openid")


class MessageExtInfo(Model, frozen=True, kw_only=True):
    """`ref_idx`: the value of `quote=` to quote the message that was sent."""

    ref_idx: str = ""


class MessageSendResult(Model, frozen=True, kw_only=True):
    """The answer to sending a message.

    Source: autogen/api/v2_groups_group_openid_messages.post
    """

    id: str = ""
    timestamp: Aware | None = None
    ext_info: MessageExtInfo = MessageExtInfo()


class MessageRecall(Model, frozen=True, kw_only=True):
    """A guild message was recalled by `op_user`; of the message only the ids and the author are included.

    Source: server-inter/message/template/model
    """

    message: Message
    op_user: User = User()


if not TYPE_CHECKING:  # type checkers still report a name that this module never had
    __getattr__ = on_demand(__name__, {}, renamed={"MessageDelete": "MessageRecall"})
