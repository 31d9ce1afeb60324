"""Endpoints of the C2C menu of the bot, and checks that menus and panels share."""

from unicodedata import east_asian_width

from ...platform import Platform
from ...wire import JsonObject, object_of, objects_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall

BAD_PARAMETER = 40030001
TOO_MANY = 40030013
MISSING = 40030016
_BAD_URL = 40030008
_BAD_TYPE = 40030014

_MAX_ITEMS = 10
_MAX_SUB_ITEMS = 5


def get_menu(platform: Platform, _: EndpointCall) -> object:
    """Source: autogen/api/v2_menu.get."""
    state = platform.bot_state
    version: JsonObject = {"version": state.menu_version}
    return version if state.menu is None else version | {"menu": state.menu}


def update_menu(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_menu.put."""
    menu = object_of(call.body, "menu")
    items = objects_of(menu, "items")
    check_count(items, _MAX_ITEMS)
    for item in items:
        _check_item(item)
    platform.bot_state.menu = menu
    platform.bot_state.menu_version += 1
    return {"version": platform.bot_state.menu_version}


def _check_item(item: JsonObject) -> None:
    check_width(text_of(item, "name"), 10)
    if item.get("type") == "switch":
        if not text_of(object_of(item, "switch"), "switch_id"):
            raise Refusal(MISSING, "required field missing: switch")
    elif item.get("type") == "menu":
        subs = objects_of(item, "sub_menu_items")
        if not subs:
            raise Refusal(MISSING, "required field missing: sub_menu_items")
        check_count(subs, _MAX_SUB_ITEMS)
        for sub in subs:
            check_width(text_of(sub, "name"), 14)
            _check_action(sub)
    else:
        _check_action(item)


def _check_action(item: JsonObject) -> None:
    match item.get("type"):
        case "send_message":
            if not text_of(item, "send_message"):
                raise Refusal(MISSING, "required field missing: send_message")
        case "link":
            check_link(item)
        case _:
            raise Refusal(_BAD_TYPE, "menu type invalid")


def check_link(item: JsonObject) -> None:
    """Raises: Refusal 40030008 for a link without https."""
    if not text_of(item, "link").startswith("https://"):
        raise Refusal(_BAD_URL, "URL must start with https://")


def check_count(items: list[JsonObject], most: int) -> None:
    """Raises: Refusal 40030013 for too many items."""
    if len(items) > most:
        raise Refusal(TOO_MANY, f"too many items, the limit is {most}")


def check_width(name: str, most: int) -> None:
    """Raises: Refusal 40030001 for a name that is empty or too wide; a Chinese character counts 2."""
    if not 1 <= sum(2 if east_asian_width(each) in "WF" else 1 for each in name) <= most:
        raise Refusal(BAD_PARAMETER, f"bad parameter: {name!r} is empty or wider than {most}")
