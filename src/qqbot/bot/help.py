"""Help: what the commands of a bot are, as the answer to /help and as the platform's panels and menu.

Responsible for the list of the commands that a user may use, and for publishing the commands of each scene
(`sync_panels`). Collaborators: `handler_table` has the commands, `api` publishes them. Nothing is published by itself.
"""

import logging
from collections.abc import Sequence

from msgspec import UNSET

from ..api.client import Api
from ..errors import ConfigError
from ..models.batches import check_width
from ..models.events import (
    C2CMessageCreate,
    ChannelMessageEvent,
    DirectMessageCreate,
    Event,
    GroupMessageEvent,
    MessageEvent,
)
from ..models.menus import MOST_ITEMS as MOST_MENU_ITEMS
from ..models.menus import WIDEST_NAME as WIDEST_MENU_NAME
from ..models.menus import Menu, MenuItem, MenuItemType
from ..models.panels import MOST_ITEMS, WIDEST_DESCRIPTION, WIDEST_NAME, Panel, PanelItem, PanelRecord, PanelScope
from ..models.text import fold
from .arguments import is_chinese
from .commands import Command
from .context import Context
from .handler_table import HandlerTable

log = logging.getLogger(__name__)

REMARK = "qqbot: commands of this bot"
"""Marks the panels that `sync_panels` keeps; others are left alone."""

SCOPES: dict[PanelScope, type[Event]] = {
    PanelScope.C2C: C2CMessageCreate,
    PanelScope.GROUP: GroupMessageEvent,
    PanelScope.CHANNEL: ChannelMessageEvent,
    PanelScope.DM: DirectMessageCreate,
}


async def answer_help(ctx: Context[MessageEvent], table: HandlerTable, wanted: str) -> None:
    """Answer with the commands that the user may use, or, with `wanted`, with the one of that name.

    Raises: what a permission or the reply raises.
    """
    lines: list[str] = []
    for handler in table.commands_for(ctx.event):
        command = handler.command
        if command is None or (handler.when is not None and not handler.when(ctx.event)):
            continue
        if wanted and fold(wanted.lstrip("/／")) not in {" ".join(call) for call in command.calls()}:
            continue
        if all([await rule.allow.allows(ctx) for rule in handler.rules]):
            lines += _lines_of(command, whole=bool(wanted))
    chinese = is_chinese("".join((ctx.text, *lines)))
    await ctx.reply("\n".join(lines) or ("没有可用的命令" if chinese else "There is no such command"))


def _lines_of(command: Command, *, whole: bool) -> list[str]:
    lines = [f"{command.usage}  {command.summary}".rstrip()]
    if whole and len(command.names) > 1:
        lines.append("= " + " ".join(f"/{name}" for name in command.names[1:]))
    return lines


# The platform's panels and menu


async def sync_panels(api: Api, table: HandlerTable) -> None:
    """Publish the commands of each scene as a panel, and those of C2C that need no arguments in the menu.

    What is there already is not changed, so each start may call this; panels of others stay, and so do items of the
    menu that are no commands.

    Raises: what the calls raise.
    """
    for scope, event in SCOPES.items():
        commands = _commands_in(table, event)
        await _sync_panel(api, scope, _panel_items(commands))
    await _sync_menu(api, _commands_in(table, C2CMessageCreate))


def _commands_in(table: HandlerTable, event: type[Event]) -> list[Command]:
    return [found.command for found in table.registrations if found.command is not None and found.overlaps(event)]


def _panel_items(commands: Sequence[Command]) -> tuple[PanelItem, ...]:
    items: list[PanelItem] = []
    for command in commands:
        name = command.label.removeprefix("/")
        if _fits(name, WIDEST_NAME):
            summary = command.summary if _fits(command.summary, WIDEST_DESCRIPTION) else ""
            items.append(PanelItem.command(name, summary or UNSET, only_admin=command.only_admins or UNSET))
    if len(items) > MOST_ITEMS:
        log.warning(
            "a panel has %d commands at most: %s are left out", MOST_ITEMS, [item.name for item in items[MOST_ITEMS:]]
        )
    return tuple(items[:MOST_ITEMS])


async def _sync_panel(api: Api, scope: PanelScope, items: tuple[PanelItem, ...]) -> None:
    known: PanelRecord | None = None
    async for record in api.panels.iter(scope):
        if record.panel.remark == REMARK:
            known = record
            break
    if known is None:
        if items:
            await api.panels.create(scope, Panel(items=items, remark=REMARK))
    elif not items:
        await api.panels.delete(known.panel_id)
    elif [_shown(item) for item in known.panel.items] != [_shown(item) for item in items]:
        await api.panels.update(known.panel_id, Panel(items=items, remark=REMARK))


def _shown(item: PanelItem) -> tuple[str, str, bool]:
    return item.name, item.desc or "", bool(item.only_admin)


async def _sync_menu(api: Api, commands: Sequence[Command]) -> None:
    wanted = [
        MenuItem(name=command.names[0], type=MenuItemType.SEND_MESSAGE, send_message=command.label)
        for command in commands
        if not any(parameter.required for parameter in command.signature.parameters)
        and _fits(command.names[0], WIDEST_MENU_NAME)
    ]
    menu = (await api.menus.get()).menu
    there = () if menu is None else menu.items
    others = [item for item in there if not (item.send_message or "").startswith("/")]
    items = (*others, *wanted[: MOST_MENU_ITEMS - len(others)])
    if items and [(item.name, item.type, item.send_message) for item in there] != [
        (item.name, item.type, item.send_message) for item in items
    ]:
        await api.menus.update(Menu(items=items))


def _fits(text: str, widest: int) -> bool:
    try:
        check_width("the text", text, widest)
    except ConfigError:
        if text:
            log.warning("%r is too wide for the platform's panel or menu: at most %d", text, widest)
        return False
    return True
