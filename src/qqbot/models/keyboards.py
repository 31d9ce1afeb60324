"""Keyboards: rows of buttons below a markdown message.

Responsible for the wire form and its limits; a click arrives as the event `InteractionCreate`.
Source: server-inter/message/trans/msg-btn
"""

from collections.abc import Sequence
from enum import IntEnum
from itertools import count, filterfalse
from typing import Self

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr, replace

from ..errors import ConfigError
from .base import Body

MAX_ROWS = 5
MAX_BUTTONS_IN_ROW = 5
MAX_LABEL = 10  # characters
MAX_MODAL = 40
MAX_MODAL_BUTTON = 4


class ButtonStyle(IntEnum):
    """The style of a button. PROMPT is for the suggestions below a message (`prompt_keyboard=`)."""

    GREY_OUTLINE = 0
    BLUE_OUTLINE = 1
    PROMPT = 2
    RED_TEXT = 3
    BLUE = 4


class ButtonActionType(IntEnum):
    """The action of a click."""

    LINK = 0
    CALLBACK = 1
    COMMAND = 2
    NATIVE = 3
    SUBSCRIBE = 4


class ButtonPermissionType(IntEnum):
    """The kind of users who may click."""

    USERS = 0
    ADMINS = 1
    EVERYONE = 2
    ROLES = 3


class ButtonPermission(Body, frozen=True, kw_only=True):
    """The users who may click a button."""

    type: ButtonPermissionType
    specify_user_ids: tuple[str, ...] | UnsetType = UNSET
    specify_role_ids: tuple[str, ...] | UnsetType = UNSET

    @classmethod
    def everyone(cls) -> Self:
        """Allow everyone who sees the message."""
        return cls(type=ButtonPermissionType.EVERYONE)

    @classmethod
    def admins(cls) -> Self:
        """Allow the administrators of the group or guild."""
        return cls(type=ButtonPermissionType.ADMINS)

    @classmethod
    def users(cls, *ids: str) -> Self:
        """Allow these users only.  Raises: ConfigError if there are none."""
        if not ids:
            raise ConfigError("ButtonPermission.users() needs at least one user id")
        return cls(type=ButtonPermissionType.USERS, specify_user_ids=ids)

    @classmethod
    def roles(cls, *ids: str) -> Self:
        """Allow members with one of these guild roles only.  Raises: ConfigError if there are none."""
        if not ids:
            raise ConfigError("ButtonPermission.roles() needs at least one role id")
        return cls(type=ButtonPermissionType.ROLES, specify_role_ids=ids)


EVERYONE = ButtonPermission.everyone()


class RenderData(Body, frozen=True, kw_only=True):
    """The label of a button; `visited_label` after a click."""

    label: str
    visited_label: str
    style: ButtonStyle


class ButtonModal(Body, frozen=True, kw_only=True):
    """A question before the action: at most 40 characters and no address; 4 characters on each of its buttons.

    Raises: ConfigError if a text is empty, too long, or contains an address.
    """

    content: str
    confirm_text: str | UnsetType = UNSET
    cancel_text: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not self.content.strip() or len(self.content) > MAX_MODAL or "://" in self.content:
            raise ConfigError(f"ButtonModal(content=...) takes 1 to {MAX_MODAL} characters and no address")
        for name in ("confirm_text", "cancel_text"):
            text = getattr(self, name)
            if text is not UNSET and len(text) > MAX_MODAL_BUTTON:
                raise ConfigError(f"ButtonModal({name}={text!r}) has more than {MAX_MODAL_BUTTON} characters")


class SubscribeTemplate(Body, frozen=True, kw_only=True):
    """A template of subscription messages: a number of the platform, or an id of the bot's own templates.

    Raises: ConfigError if not exactly one is given.
    """

    template_id: int | UnsetType = UNSET
    custom_template_id: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.template_id is UNSET) == (self.custom_template_id is UNSET):
            raise ConfigError("SubscribeTemplate takes either template_id or custom_template_id")


class SubscribeData(Body, frozen=True, kw_only=True):
    """The templates that a subscribe button asks the user to allow."""

    template_ids: tuple[SubscribeTemplate, ...]


class ButtonAction(Body, frozen=True, kw_only=True):
    """The action of a click; clients that do not support it show `unsupport_tips`."""

    type: ButtonActionType
    permission: ButtonPermission
    data: str
    unsupport_tips: str | UnsetType = UNSET
    enter: bool | UnsetType = UNSET
    reply: bool | UnsetType = UNSET
    anchor: int | UnsetType = UNSET
    modal: ButtonModal | UnsetType = UNSET
    subscribe_data: SubscribeData | UnsetType = UNSET


class Button(Body, frozen=True, kw_only=True):
    """One button, created by `link`, `callback`, `command`, `prompt`, `native` or `subscribe`.

    A button without an id gets one from its keyboard. `modal` asks the user first; clients that do not support the
    action show `tips`.

    Raises: ConfigError if a label is empty or has more than 10 characters.
    """

    id: str | UnsetType = UNSET
    render_data: RenderData
    action: ButtonAction
    group_id: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise ConfigError("a button needs a label: Button.callback('Yes', 'vote:yes')")
        for label in (self.label, self.render_data.visited_label):
            if len(label) > MAX_LABEL:
                raise ConfigError(f"the label {label!r} has {len(label)} characters, a button shows {MAX_LABEL}")

    @property
    def label(self) -> str:
        """The label before a click."""
        return self.render_data.label

    @classmethod
    def link(
        cls,
        label: str,
        url: str,
        *,
        button_id: str | UnsetType = UNSET,
        visited_label: str | None = None,
        style: ButtonStyle = ButtonStyle.BLUE_OUTLINE,
        permission: ButtonPermission = EVERYONE,
        modal: ButtonModal | UnsetType = UNSET,
        tips: str | UnsetType = UNSET,
    ) -> Self:
        """Return a button that opens `url`, the address of a web page or a mini program.

        Raises: ConfigError if `label` or `url` is empty.
        """
        if not url:
            raise ConfigError(f"the link button {label!r} needs an address")
        action = ButtonAction(
            type=ButtonActionType.LINK, permission=permission, data=url, modal=modal, unsupport_tips=tips
        )
        return cls(id=button_id, render_data=_render(label, visited_label, style), action=action)

    @classmethod
    def callback(
        cls,
        label: str,
        data: str,
        *,
        button_id: str | UnsetType = UNSET,
        visited_label: str | None = None,
        style: ButtonStyle = ButtonStyle.BLUE_OUTLINE,
        permission: ButtonPermission = EVERYONE,
        modal: ButtonModal | UnsetType = UNSET,
        tips: str | UnsetType = UNSET,
        group_id: str | UnsetType = UNSET,
    ) -> Self:
        """Return a button whose click arrives as `InteractionCreate` with `data`.

        A click on one button of a `group_id` greys out the others of that group.

        Raises: ConfigError if `label` is empty.
        """
        action = ButtonAction(
            type=ButtonActionType.CALLBACK, permission=permission, data=data, modal=modal, unsupport_tips=tips
        )
        return cls(id=button_id, render_data=_render(label, visited_label, style), action=action, group_id=group_id)

    @classmethod
    def command(
        cls,
        label: str,
        text: str,
        *,
        enter: bool | UnsetType = UNSET,
        reply: bool | UnsetType = UNSET,
        anchor: int | UnsetType = UNSET,
        button_id: str | UnsetType = UNSET,
        visited_label: str | None = None,
        style: ButtonStyle = ButtonStyle.BLUE_OUTLINE,
        permission: ButtonPermission = EVERYONE,
        modal: ButtonModal | UnsetType = UNSET,
        tips: str | UnsetType = UNSET,
    ) -> Self:
        """Return a button that puts `text` into the user's input box.

        `enter` sends it at once (C2C only); `reply` quotes the message of the button; `anchor` 1 opens the
        picture picker instead (phones, C2C only).

        Raises: ConfigError if `label` or `text` is empty.
        """
        if not text:
            raise ConfigError(f"the command button {label!r} needs a text")
        action = ButtonAction(
            type=ButtonActionType.COMMAND,
            permission=permission,
            data=text,
            enter=enter,
            reply=reply,
            anchor=anchor,
            modal=modal,
            unsupport_tips=tips,
        )
        return cls(id=button_id, render_data=_render(label, visited_label, style), action=action)

    @classmethod
    def prompt(cls, label: str, text: str | None = None) -> Self:
        """Return a suggestion for a message's `prompt_keyboard`: a click writes `text`, or the label.

        Raises: ConfigError if `label` or `text` is empty.
        """
        return cls.command(label, label if text is None else text, style=ButtonStyle.PROMPT)

    @classmethod
    def native(
        cls,
        label: str,
        data: str,
        *,
        button_id: str | UnsetType = UNSET,
        visited_label: str | None = None,
        style: ButtonStyle = ButtonStyle.BLUE_OUTLINE,
        permission: ButtonPermission = EVERYONE,
        modal: ButtonModal | UnsetType = UNSET,
        tips: str | UnsetType = UNSET,
    ) -> Self:
        """Return a button that calls the QQ client's own interface, which `data` names.

        Raises: ConfigError if `label` is empty.
        Source: botgo dto/keyboard, no page
        """
        action = ButtonAction(
            type=ButtonActionType.NATIVE, permission=permission, data=data, modal=modal, unsupport_tips=tips
        )
        return cls(id=button_id, render_data=_render(label, visited_label, style), action=action)

    @classmethod
    def subscribe(
        cls,
        label: str,
        *templates: int | str,
        data: str = "",
        button_id: str | UnsetType = UNSET,
        visited_label: str | None = None,
        style: ButtonStyle = ButtonStyle.BLUE_OUTLINE,
        permission: ButtonPermission = EVERYONE,
        modal: ButtonModal | UnsetType = UNSET,
        tips: str | UnsetType = UNSET,
    ) -> Self:
        """Return a button that asks for permission to send subscription messages of these templates.

        A template is a number of the platform, or the id (str) of one of the bot's own templates.

        Raises: ConfigError if `label` is empty or there are no templates.
        Source: botgo dto/keyboard, no page
        """
        if not templates:
            raise ConfigError(f"the subscribe button {label!r} needs at least one template")
        action = ButtonAction(
            type=ButtonActionType.SUBSCRIBE,
            permission=permission,
            data=data,
            modal=modal,
            unsupport_tips=tips,
            subscribe_data=SubscribeData(template_ids=tuple(_template(each) for each in templates)),
        )
        return cls(id=button_id, render_data=_render(label, visited_label, style), action=action)


def _template(name: int | str) -> SubscribeTemplate:
    if isinstance(name, str):
        return SubscribeTemplate(custom_template_id=name)
    return SubscribeTemplate(template_id=name)


def _render(label: str, visited_label: str | None, style: ButtonStyle) -> RenderData:
    shown_after = label if visited_label is None else visited_label
    return RenderData(label=label, visited_label=shown_after, style=style)


class KeyboardRow(Body, frozen=True, kw_only=True):
    """One row on the wire."""

    buttons: tuple[Button, ...]


class KeyboardContent(Body, frozen=True, kw_only=True):
    """The rows on the wire."""

    rows: tuple[KeyboardRow, ...]


class MessageKeyboard(Body, frozen=True, kw_only=True):
    """A keyboard on the wire: a template's id, or rows."""

    id: str | UnsetType = UNSET
    content: KeyboardContent | UnsetType = UNSET


class PromptKeyboard(Body, frozen=True, kw_only=True):
    """Suggestions below a message, on the wire.  Source: botgo dto/message_create, no page"""

    keyboard: MessageKeyboard


class Keyboard(Struct, frozen=True):
    """Up to 5 rows of up to 5 buttons: `Keyboard([[Button.callback("Yes", "vote:yes")]])`.

    Buttons without an id are numbered. `Keyboard.template(id)` is a keyboard that was approved in the console.

    Raises: ConfigError if there are no buttons or too many, a row is empty, or two buttons share an id.
    """

    rows: Sequence[Sequence[Button]]
    template_id: str | None = None

    @classmethod
    def template(cls, template_id: str) -> Self:
        """Return the keyboard of this template.  Raises: ConfigError if the id is empty."""
        if not template_id:
            raise ConfigError("Keyboard.template() needs the id that the console shows")
        return cls((), template_id)

    def __post_init__(self) -> None:
        if self.template_id is not None:
            if self.rows:
                raise ConfigError("a keyboard is either a template or rows of buttons")
            return
        _check_size(self.rows)
        used = [button.id for row in self.rows for button in row if button.id is not UNSET]
        twice = sorted({str(name) for name in used if used.count(name) > 1})
        if twice:
            raise ConfigError(f"button ids must be unique in a keyboard; used twice: {', '.join(twice)}")
        force_setattr(self, "rows", _numbered(self.rows, set(used)))

    @property
    def wire(self) -> MessageKeyboard:
        """The keyboard on the wire."""
        if self.template_id is not None:
            return MessageKeyboard(id=self.template_id)
        rows = tuple(KeyboardRow(buttons=tuple(row)) for row in self.rows)
        return MessageKeyboard(content=KeyboardContent(rows=rows))


def _check_size(rows: Sequence[Sequence[Button]]) -> None:
    if not 1 <= len(rows) <= MAX_ROWS:
        raise ConfigError(f"a keyboard has 1 to {MAX_ROWS} rows, this one has {len(rows)}")
    for number, row in enumerate(rows, 1):
        if not 1 <= len(row) <= MAX_BUTTONS_IN_ROW:
            raise ConfigError(f"a keyboard row has 1 to {MAX_BUTTONS_IN_ROW} buttons, row {number} has {len(row)}")


def _numbered(rows: Sequence[Sequence[Button]], used: set[str | UnsetType]) -> tuple[tuple[Button, ...], ...]:
    """Return the rows with an id on each button: its number, or the next free number."""
    free = filterfalse(used.__contains__, map(str, count(1)))
    return tuple(
        tuple(replace(button, id=next(free)) if button.id is UNSET else button for button in row) for row in rows
    )
