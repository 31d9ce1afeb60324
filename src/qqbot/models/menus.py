"""The menu of a bot in C2C.

The width of a name counts 2 for a Chinese character. A fetched menu can be changed and sent back, and is checked then.
"""

from enum import StrEnum

from ..errors import ConfigError
from .base import UNSET, Body, Model, UnsetType, require
from .batches import check_width

MOST_ITEMS = 10
MOST_SUB_ITEMS = 5
WIDEST_NAME = 10
WIDEST_SUB_NAME = 14


class MenuItemType(StrEnum):
    """The action of a menu item; a sub-item sends a message or opens a link.  Source: autogen/api/v2_menu.put"""

    SWITCH = "switch"
    SEND_MESSAGE = "send_message"
    LINK = "link"
    MENU = "menu"


class MenuSwitch(Body, frozen=True, kw_only=True):
    """A switch for users: if it is on, the scene of a message has `<switch_id>=1`."""

    switch_id: str
    default: bool | UnsetType = UNSET


class SubMenuItem(Body, frozen=True, kw_only=True):
    """An item of a sub-menu: sends the text `send_message`, or opens the https:// `link`."""

    name: str
    type: str
    send_message: str | UnsetType = UNSET
    link: str | UnsetType = UNSET


class MenuItem(Body, frozen=True, kw_only=True):
    """An item of the menu. `type` is one of `MenuItemType` and decides which other fields it needs."""

    name: str
    type: str
    sub_menu_items: tuple[SubMenuItem, ...] | UnsetType = UNSET
    send_message: str | UnsetType = UNSET
    link: str | UnsetType = UNSET
    switch: MenuSwitch | UnsetType = UNSET


class Menu(Body, frozen=True, kw_only=True):
    """A menu of at most 10 items.  Source: autogen/api/v2_menu.put"""

    items: tuple[MenuItem, ...]


class MenuResult(Model, frozen=True, kw_only=True):
    """The menu, None if it was never set.  Source: autogen/api/v2_menu.get"""

    version: int = 0
    menu: Menu | None = None


class MenuBody(Body, frozen=True, kw_only=True):
    """Replaces the whole menu.

    Raises: ConfigError for too many items, a name that is too wide, a link that is not https, or a missing part.
    Source: autogen/api/v2_menu.put
    """

    menu: Menu

    def __post_init__(self) -> None:
        _check_count("a menu", self.menu.items, MOST_ITEMS)
        for item in self.menu.items:
            _check_item(item)


def check_link(name: str, link: str | UnsetType) -> None:
    """Check that `link` is an https:// URL.  Raises: ConfigError, naming the item `name`."""
    if link is UNSET or not link.startswith("https://") or len(link) == len("https://"):
        raise ConfigError(f"the link of {name!r} must start with https://, not {link!r}")


def _check_count(owner: str, items: tuple[object, ...], most: int) -> None:
    if len(items) > most:
        raise ConfigError(f"{owner} has at most {most} items, not {len(items)}")


def _check_item(item: MenuItem) -> None:
    check_width("the name", item.name, WIDEST_NAME)
    match item.type:
        case MenuItemType.SWITCH:
            if item.switch is UNSET:
                raise ConfigError(f"the menu item {item.name!r} needs switch=MenuSwitch(...)")
            require(switch_id=item.switch.switch_id)
        case MenuItemType.MENU:
            if not item.sub_menu_items:
                raise ConfigError(f"the menu item {item.name!r} needs sub_menu_items")
            _check_count(f"the sub-menu {item.name!r}", item.sub_menu_items, MOST_SUB_ITEMS)
            for sub_item in item.sub_menu_items:
                check_width("the name", sub_item.name, WIDEST_SUB_NAME)
                _check_action(sub_item)
        case _:
            _check_action(item)


def _check_action(item: MenuItem | SubMenuItem) -> None:
    match item.type:
        case MenuItemType.LINK:
            check_link(item.name, item.link)
        case MenuItemType.SEND_MESSAGE:
            if not item.send_message:
                raise ConfigError(f"the menu item {item.name!r} needs send_message=, the text to send")
        case _:
            raise ConfigError(f"the menu item {item.name!r} cannot have the type {item.type!r}")
