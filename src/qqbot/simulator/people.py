"""What tests hold: chats, their members, and the bot's replies.

Responsible for the names and defaults of the public test API. Collaborators: `actions` (does the work).
Does not know the wire protocol.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from .actions import QUIET, TIMEOUT, Actions, UserAction
from .exchanges import Exchange
from .state import cards
from .state.world import Conversation, GuildRecord, MessageRecord, Person, World
from .wire import JsonObject


@dataclass(frozen=True, slots=True)
class Transcript:
    """One message of the bot as the chat shows it. `keyboard`, `media` and `card` are in wire form."""

    id: str
    text: str | None
    markdown: str | None
    keyboard: JsonObject | None
    media: JsonObject | None
    reply_to: str | None
    card: JsonObject | None = None

    @classmethod
    def of(cls, message: MessageRecord) -> "Transcript":
        """Return what the chat shows of a message now."""
        card = cards.as_sent(message.card) if message.card is not None else None
        return cls(message.id, message.text, message.markdown, message.keyboard, message.media, message.reply_to, card)


class Chat:
    """A group or a channel, with its members and messages."""

    def __init__(self, conversation: Conversation, world: World, actions: Actions) -> None:
        self._conversation = conversation
        self._world = world
        self._actions = actions

    @property
    def id(self) -> str:
        """group_openid or channel id."""
        return self._conversation.id

    @property
    def guild_id(self) -> str:
        """The guild id of a channel; '' for a group."""
        return self._conversation.guild_id

    @property
    def bot_is_admin(self) -> bool:
        """True if the bot is an administrator of the group; False at first."""
        return self._conversation.bot_role != "member"

    @bot_is_admin.setter
    def bot_is_admin(self, value: bool) -> None:
        self._conversation.bot_role = "admin" if value else "member"

    @property
    def all_messages(self) -> bool:
        """True if the owner of a group lets the bot see all messages: a mention then comes as GROUP_MESSAGE_CREATE."""
        return self._conversation.all_messages

    @all_messages.setter
    def all_messages(self, value: bool) -> None:
        self._world.set_delivery(self._conversation, all_messages=value, mention_tag=None)

    @property
    def mention_tag(self) -> bool:
        """True if the tag of the mention, `<@member_openid>`, stays in the content of messages of a group."""
        return self._conversation.mention_tag

    @mention_tag.setter
    def mention_tag(self, value: bool) -> None:
        self._world.set_delivery(self._conversation, all_messages=None, mention_tag=value)

    @property
    def messages(self) -> list[Transcript]:
        """What the bot has sent here, oldest first."""
        return [Transcript.of(message) for message in self._actions.sent(self._conversation)]

    def member(self, name: str, *, role: str | None = None) -> "ChatMember":
        """Return the member of this name; a new name joins the chat. `role`: member, admin or owner."""
        person = self._world.person(self._conversation, name)
        person.role = role or person.role
        return ChatMember(person, self._conversation, self._actions)


class GuildChat:
    """A guild: members join and leave, and the bot has rights there."""

    def __init__(self, guild: GuildRecord, actions: Actions) -> None:
        self._guild = guild
        self._actions = actions

    @property
    def id(self) -> str:
        """The guild id."""
        return self._guild.id

    @property
    def bot_is_admin(self) -> bool:
        """True if the bot is an administrator, as it is at first."""
        return self._guild.bot_is_admin

    @bot_is_admin.setter
    def bot_is_admin(self, value: bool) -> None:
        self._guild.bot_is_admin = value

    async def join(self, name: str) -> "BotReply":
        """Let a person join, and return when the bot is done with the event."""
        self._actions.require_bot()
        return BotReply(await self._actions.join_guild(self._guild, name))

    async def leave(self, name: str) -> "BotReply":
        """Let a member leave, and return when the bot is done with the event.  Raises: ValueError if not a member."""
        self._actions.require_bot()
        return BotReply(await self._actions.leave_guild(self._guild, name))


class ChatMember:
    """One person in one conversation, who writes to the bot."""

    def __init__(self, person: Person, conversation: Conversation, actions: Actions) -> None:
        self._person = person
        self._conversation = conversation
        self._actions = actions

    @property
    def name(self) -> str:
        """The name."""
        return self._person.name

    @property
    def openid(self) -> str:
        """member_openid, user_openid or guild user id, depending on the scene."""
        return self._person.id

    @property
    def conversation_id(self) -> str:
        """The id that the bot sends to: group_openid, user_openid, channel id, or the guild id of the private chat."""
        return self._conversation.id

    @property
    def messages(self) -> list[Transcript]:
        """What the bot has sent to this conversation, oldest first."""
        return [Transcript.of(message) for message in self._actions.sent(self._conversation)]

    async def say(
        self,
        text: str,
        *,
        mention: bool = True,
        attachments: Sequence[JsonObject] = (),
        quote: str | None = None,
        timeout: float = TIMEOUT,
        quiet: float = QUIET,
    ) -> "BotReply":
        """Write a message and return when the bot is done with it, or its handler waits for the next message.

        `mention`: True if it mentions the bot (groups and channels). `attachments` in wire form. `quote`: the id
        of the message that it quotes. `timeout`: seconds to wait for the bot; `quiet`: seconds of silence after
        which a bot in another process counts as done.

        Raises: RuntimeError if no bot is connected.
        """
        action = self._actions.message(
            self._person, self._conversation, text, mention=mention, attachments=list(attachments), quote=quote
        )
        return await self._do(action, timeout, quiet)

    async def upload(
        self,
        file: bytes | str | PathLike[str],
        *,
        name: str = "",
        text: str = "",
        mention: bool = True,
        timeout: float = TIMEOUT,
        quiet: float = QUIET,
    ) -> "BotReply":
        """Send a file, with an optional text, and return when the bot is done with it.

        `file`: bytes or a path. `name` decides the type: "cat.png" is an image, "hello.mp3" a voice message; the
        default is the name of the path, or "file". The bot can download it from the URL in the attachment. `timeout`
        and `quiet` in seconds, as in `say`.

        Raises: OSError if the path cannot be read; RuntimeError if no bot is connected.
        """
        if not isinstance(file, bytes):
            name = name or Path(file).name
            file = await asyncio.to_thread(Path(file).read_bytes)
        attachment = self._actions.file(file, name or "file")
        return await self.say(text, mention=mention, attachments=[attachment], timeout=timeout, quiet=quiet)

    async def share(
        self, card: JsonObject, *, mention: bool = True, timeout: float = TIMEOUT, quiet: float = QUIET
    ) -> "BotReply":
        """Send a card, such as a shared web page, and return when the bot is done with it.

        `card` in wire form: `{"ark_type": "tuwen", "fields": {"title": ..., "desc": ..., "jump_url": ...}}`; QQ adds
        `prompt` and `ark_name` if they are missing. A card is sent in place of a text. `timeout` and `quiet` in
        seconds, as in `say`.

        Raises: ValueError if it is no card, and in guilds, which have no cards; RuntimeError if no bot is connected.
        """
        action = self._actions.card(self._person, self._conversation, card, mention=mention)
        return await self._do(action, timeout, quiet)

    async def click(
        self, message_id: str, button: str, *, timeout: float = TIMEOUT, quiet: float = QUIET
    ) -> "BotReply":
        """Press a button of a message, by its id or label, and return when the bot is done with it.

        `timeout` and `quiet` in seconds, as in `say`.

        Raises: ValueError if there is no such button, or this person may not press it; RuntimeError if no bot is
        connected.
        """
        action = self._actions.click(self._person, message_id, button)
        return await self._do(action, timeout, quiet)

    async def search(self, keyword: str, *, timeout: float = TIMEOUT, quiet: float = QUIET) -> "BotReply":
        """Search with the bot, and return when the bot is done with it; `answer` of the reply has the results.

        `timeout` and `quiet` in seconds, as in `say`.

        Raises: RuntimeError if no bot is connected.
        """
        action = self._actions.search(self._person, self._conversation, keyword)
        return await self._do(action, timeout, quiet)

    async def _do(self, action: UserAction, timeout: float, quiet: float) -> "BotReply":
        self._actions.require_bot()
        exchange = await self._actions.do_and_wait(action, timeout=timeout, quiet=quiet)
        if timeout and any(remark["kind"] == "offline" for remark in action.shown.remarks):
            raise RuntimeError(f"no bot has connected within {timeout:g} s. 没有机器人连接")
        return BotReply(exchange, self)


class BotReply:
    """What the bot sent in answer; false if it sent nothing.

    `text`, `markdown`, `keyboard`, `media`, `card` and `id` are those of the first message, None if it has none.
    `messages` has all. `outcome` is what the bot reported: `handled`, `failed`, `unwanted`, `waiting` (the handler is
    suspended in `ctx.wait_for`) or `consumed` (a waiting handler received it); None if it reported nothing. `ack`: the
    code that acknowledged a click; `answer`: the body that answered an interaction.
    """

    def __init__(self, exchange: Exchange, asker: ChatMember | None = None) -> None:
        self._asker = asker
        self.event_id = exchange.event_id
        self.messages = tuple(Transcript.of(message) for message in exchange.replies)
        self.outcome = exchange.outcome
        self.ack = exchange.ack
        self.answer = exchange.answer

    def __bool__(self) -> bool:
        return bool(self.messages)

    def __repr__(self) -> str:
        said = [message.markdown or message.text for message in self.messages]
        return f"BotReply({said!r}, outcome={self.outcome!r})"

    @property
    def _first(self) -> Transcript | None:
        return self.messages[0] if self.messages else None

    @property
    def id(self) -> str | None:
        """The id of the message."""
        return self._first.id if self._first else None

    @property
    def text(self) -> str | None:
        """The text."""
        return self._first.text if self._first else None

    @property
    def markdown(self) -> str | None:
        """The markdown source."""
        return self._first.markdown if self._first else None

    @property
    def keyboard(self) -> JsonObject | None:
        """The keyboard in wire form."""
        return self._first.keyboard if self._first else None

    @property
    def media(self) -> JsonObject | None:
        """The file: kind, url, name."""
        return self._first.media if self._first else None

    @property
    def card(self) -> JsonObject | None:
        """The card: type, and content with title, description, pic_url and url."""
        return self._first.card if self._first else None

    async def click(self, button: str, *, by: ChatMember | None = None, timeout: float = TIMEOUT) -> "BotReply":
        """Press a button of the first message that has a keyboard; `by`: another person than the one who asked.

        `timeout`: seconds to wait for the bot.

        Raises: ValueError if there is no such button, or this person may not press it; RuntimeError if no bot is
        connected.
        """
        person = by or self._asker
        if person is None:
            raise ValueError("no person asked for this message: pass the member who clicks, `by=`")
        message = next((message for message in self.messages if message.keyboard), None)
        if message is None:
            raise ValueError(f"there is no button {button!r}: the bot sent no keyboard ({self!r})")
        return await person.click(message.id, button, timeout=timeout)
