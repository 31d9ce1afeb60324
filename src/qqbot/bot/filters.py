"""Predicates for `when=`: which events of a kind a handler takes.

Responsible for questions about one event; pure. Collaborators: `dispatcher` asks them before it calls a handler.
"""

from collections.abc import Callable

from ..errors import ConfigError
from ..models.events import C2CMessageCreate, DirectMessageCreate, InteractionCreate, MessageEvent
from ..models.interactions import InteractionDetail
from ..models.text import SLASHES, fold, parse_command, strip_leading_mentions


def command(name: str) -> Callable[[MessageEvent], bool]:
    """Return a predicate for messages that start with "/name", after any mentions, in upper or lower case.

    ::

        @bot.on(GroupMessageEvent, when=command("weather"))
        async def weather(ctx: Context[GroupMessageEvent]) -> None:
            _, place = parse_command(ctx.text)

    Raises: ConfigError when `name` is empty or holds blanks.
    """
    wanted = name.removeprefix("/").casefold()
    if not wanted or wanted.split() != [wanted]:
        raise ConfigError(f"command({name!r}) takes one word, such as command('weather'). command() 只接受一个词")

    def starts_with_command(event: MessageEvent) -> bool:
        return parse_command(event.text_without_mention(""))[0].casefold() == wanted

    return starts_with_command


def says(*texts: str) -> Callable[[MessageEvent], bool]:
    """Return a predicate for messages that consist of one of `texts`, with or without a slash, in any case.

    Raises: ConfigError when no text is given.
    """
    wanted = {fold(text.strip().lstrip("/／")) for text in texts}
    if not wanted or "" in wanted:
        raise ConfigError('says() takes texts, such as says("停", "stop"). says() 至少需要一个词')

    def is_said(event: MessageEvent) -> bool:
        text = strip_leading_mentions(event.text_without_mention(""))
        return fold(text[1:] if text.startswith(SLASHES) else text) in wanted

    return is_said


def meant_for_me(event: MessageEvent) -> bool:
    """Return True for a message to the bot: one that mentions it in a group or channel, or any in a private chat.

    Groups send a message that mentions the bot as GROUP_AT_MESSAGE_CREATE, or, if the owner lets the bot see all
    messages, as GROUP_MESSAGE_CREATE. This takes it in both::

        @bot.on(GroupMessageEvent, when=meant_for_me)
        async def answer(ctx: Context[GroupMessageEvent]) -> None:
            await ctx.reply(ctx.text)
    """
    return isinstance(event, C2CMessageCreate | DirectMessageCreate) or event.mentions_bot("")


def button(data: str) -> Callable[[InteractionCreate], bool]:
    """Return a predicate for clicks on buttons whose data starts with `data`: `button("vote:")`.

    Raises: ConfigError when `data` is empty.
    """
    if not data:
        raise ConfigError(
            "button() takes the start of a button's data, such as button('vote:'). button() 需要按钮数据的开头"
        )

    def has_data(event: InteractionCreate) -> bool:
        return event.button_data.startswith(data)

    return has_data


def interaction(*kinds: type[InteractionDetail]) -> Callable[[InteractionCreate], bool]:
    """Return a predicate for interactions of some kinds: `interaction(Feedback, Search)`.

    Raises: ConfigError when no kind is given.
    """
    if not kinds:
        raise ConfigError(
            "interaction() takes kinds of interactions, such as interaction(Feedback). interaction() 至少需要一种"
        )

    def is_of_kind(event: InteractionCreate) -> bool:
        return isinstance(event.detail, kinds)

    return is_of_kind
