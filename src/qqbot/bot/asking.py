"""Asking a user: questions with buttons or free answers, yes or no, and the pages of a long list.

Responsible for the keyboards, for who may press, and for what replaces a keyboard that the platform refuses.
Collaborators: `context` has the methods and waits for the answers. Nothing outlives the handler that asks.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol

from ..aio.log_fields import log_fields
from ..errors import ConfigError, ContentRejected, PermissionMissing, QQBotError
from ..models.events import ADMINS, Event, InteractionCreate, MessageEvent, roles_of, user_of
from ..models.keyboards import MAX_BUTTONS_IN_ROW, MAX_LABEL, MAX_ROWS, Button, ButtonPermission, Keyboard
from ..models.outgoing.messages import Markdown
from ..models.targets import Scene
from ..models.text import fold
from .filters import meant_for_me

log = logging.getLogger(__name__)

MOST_CHOICES = MAX_ROWS * MAX_BUTTONS_IN_ROW
VISITED = "✓ "  # before the label of a button that was pressed


class Asking(Protocol):
    """The context of an event, as far as a question needs it."""

    @property
    def event(self) -> Any:
        """The event."""
        ...

    @property
    def event_id(self) -> str | None:
        """The id of the envelope."""
        ...

    @property
    def text(self) -> str:
        """The content without the mention of the bot."""
        ...

    @property
    def reply(self) -> Callable[[Any], Awaitable[object]]:
        """Answers the event."""
        ...

    def check_expected(self, *events: type[Event]) -> None:
        """Raises: ConfigError if the bot does not ask for these events."""
        ...

    @property
    def wait_for(self) -> "Callable[..., Awaitable[Any]]":
        """Waits for an event.  Raises: TimeoutError, ConfigError."""
        ...


async def ask(ctx: Asking, question: str, choices: Sequence[str] | None, *, admins: bool, timeout: float | None) -> str:
    """Ask the user of an event, or administrators; return the choice, or the words.  Raises: see `Context.ask`."""
    if admins and ctx.event.reply_target().scene in (Scene.C2C, Scene.DMS):
        raise ConfigError("ctx.ask(admins=True) is for groups and channels. 单聊里没有管理员，不能用 admins=True")
    user = None if admins else user_of(ctx.event)
    if choices is None:
        await ctx.reply(question)
        answer = await ctx.wait_for(MessageEvent, when=partial(_is_written, user), timeout=timeout)
        return str(answer.text)
    ctx.check_expected(InteractionCreate)
    _check(choices)
    name = secrets.token_hex(4)  # tells the buttons of this question from those of others
    buttons = {f"{name}:{number}": choice for number, choice in enumerate(choices)}
    await _show(ctx, question, _rows(buttons, user), _numbered(question, choices))
    answer = await ctx.wait_for(InteractionCreate, MessageEvent, when=_answers(user, buttons, choices), timeout=timeout)
    if isinstance(answer.event, InteractionCreate):
        await acknowledge(answer)
        return buttons[answer.event.button_data]
    found = _chosen(answer.text, choices)
    assert found is not None  # else the predicate had not taken it
    return found


async def show_pages(ctx: Asking, pages: Sequence[str], timeout: float) -> None:
    """Show pages one at a time until no button was pressed for `timeout` seconds.  Raises: see `Context.pages`."""
    if not pages:
        raise ConfigError("ctx.pages() needs at least one page. ctx.pages() 至少需要一页")
    if len(pages) > 1:
        ctx.check_expected(InteractionCreate)
    user, name, at, place = user_of(ctx.event), secrets.token_hex(4), 0, ctx
    while True:
        moves = {
            f"{name}:{to}": label for to, label in ((at - 1, "上一页"), (at + 1, "下一页")) if 0 <= to < len(pages)
        }
        text = f"{pages[at]}\n\n{at + 1}/{len(pages)}" if len(pages) > 1 else pages[at]
        shown = await _show(place, text, _rows(moves, user) if moves else (), text)
        if not moves or not shown:
            return
        try:
            place = await ctx.wait_for(InteractionCreate, when=_answers(user, moves, ()), timeout=timeout)
        except TimeoutError:
            return
        await acknowledge(place)
        at = int(place.event.button_data.partition(":")[2])


async def acknowledge(click: Any) -> None:
    """Acknowledge a click; that it was too late is logged, and no reason to forget the answer."""
    try:
        await click.ack()
    except QQBotError as error:
        log.warning("the click %s could not be acknowledged: %s", click.event_id, error, extra=click.log_fields())


def _check(choices: Sequence[str]) -> None:
    if isinstance(choices, str) or not 1 <= len(choices) <= MOST_CHOICES or len(set(choices)) < len(choices):
        raise ConfigError(
            f"ctx.ask() takes a list of 1 to {MOST_CHOICES} different choices, not {choices!r}. "
            f"ctx.ask() 需要 1 到 {MOST_CHOICES} 个不同的选项"
        )
    for choice in choices:
        if not choice.strip() or len(choice) > MAX_LABEL:
            raise ConfigError(
                f"the choice {choice!r} does not fit on a button: 1 to {MAX_LABEL} characters. "
                f"选项应为 1 到 {MAX_LABEL} 个字"
            )


def _rows(buttons: dict[str, str], user: str | None) -> tuple[tuple[Button, ...], ...]:
    """Return the rows of buttons that only `user` may press; None: only administrators."""
    if user is None:
        permission = ButtonPermission.admins()
    else:
        permission = ButtonPermission.users(user) if user else ButtonPermission.everyone()
    made = [
        Button.callback(label, data, visited_label=(VISITED + label)[:MAX_LABEL], permission=permission)
        for data, label in buttons.items()
    ]
    width = max(1, min(MAX_BUTTONS_IN_ROW, -(-len(made) // MAX_ROWS)) if len(made) > MAX_BUTTONS_IN_ROW else len(made))
    return tuple(tuple(made[first : first + width]) for first in range(0, len(made), width))


async def _show(ctx: Asking, text: str, rows: Sequence[Sequence[Button]], plain: str) -> bool:
    """Answer with a keyboard, or, if it is refused here, with `plain`; return whether there are buttons."""
    if rows:
        try:
            await ctx.reply(Markdown(text, keyboard=Keyboard(rows)))
        except (PermissionMissing, ContentRejected) as refusal:
            fields = log_fields(trace_id=refusal.trace_id)
            log.info("keyboards are refused here, so the choices are sent as text: %s", refusal, extra=fields)
        else:
            return True
    await ctx.reply(plain)
    return False


def _numbered(question: str, choices: Sequence[str]) -> str:
    return "\n".join((question, *(f"{number}. {choice}" for number, choice in enumerate(choices, 1))))


def _answers(user: str | None, buttons: dict[str, str], choices: Sequence[str]) -> Callable[[Any], bool]:
    """Return a predicate for what `user` presses, or writes in place of that; None: what an administrator does."""

    def answers(event: InteractionCreate | MessageEvent) -> bool:
        if isinstance(event, InteractionCreate):  # a click names no role: the platform lets only administrators press
            return event.button_data in buttons and user in (None, user_of(event))
        return _is_from(user, event) and _chosen(event.text_without_mention(""), choices) is not None

    return answers


def _is_from(user: str | None, event: MessageEvent) -> bool:
    """True for a message of this user; None: of an administrator."""
    return not ADMINS.isdisjoint(roles_of(event)) if user is None else user_of(event) == user


def _is_written(user: str | None, event: MessageEvent) -> bool:
    """True for words to the bot of this user; None: of an administrator."""
    return _is_from(user, event) and meant_for_me(event) and event.text_without_mention("") != ""


def _chosen(text: str, choices: Sequence[str]) -> str | None:
    """Return the choice that a text names, by its words or its number."""
    word = fold(text.strip())
    for number, choice in enumerate(choices, 1):
        if word in (fold(choice), str(number), f"{number}."):
            return choice
    return None
