"""Panels: commands and links that a bot offers in conversations of one kind, to all or to some.

A fetched panel can be changed and sent back, and is checked then.
"""

from enum import StrEnum
from typing import Literal

from ..errors import ConfigError
from .base import UNSET, Aware, Body, Id, Model, UnsetType
from .batches import check_ids, check_width
from .menus import check_link

MOST_ITEMS = 20
MOST_TARGETS = 20  # of one call
MOST_REMARK = 255  # characters
WIDEST_NAME = 14
WIDEST_DESCRIPTION = 30


class PanelScope(StrEnum):
    """The conversations that show a panel.  Source: autogen/api/v2_panels.post"""

    C2C = "c2c"
    GROUP = "group"
    CHANNEL = "channel"
    DM = "dm"


class PanelItem(Body, frozen=True, kw_only=True):
    """A command, or a link (https:// only). `only_admin`: only administrators see it."""

    name: str
    type: str
    desc: str | UnsetType = UNSET
    only_admin: bool | UnsetType = UNSET
    link: str | UnsetType = UNSET

    @classmethod
    def command(cls, name: str, desc: str | UnsetType = UNSET, *, only_admin: bool | UnsetType = UNSET) -> "PanelItem":
        """Return a command."""
        return cls(name=name, type="command", desc=desc, only_admin=only_admin)

    @classmethod
    def to(
        cls, link: str, name: str, desc: str | UnsetType = UNSET, *, only_admin: bool | UnsetType = UNSET
    ) -> "PanelItem":
        """Return an item that opens `link`."""
        return cls(name=name, type="link", desc=desc, only_admin=only_admin, link=link)


class Panel(Body, frozen=True, kw_only=True):
    """At most 20 items; users do not see the remark (at most 255 characters).  Source: autogen/api/v2_panels.post"""

    items: tuple[PanelItem, ...] = ()
    remark: str | UnsetType = UNSET
    version: int | UnsetType = UNSET


class PanelRecord(Model, frozen=True, kw_only=True):
    """A stored panel. `target_type`: "all" or "specific"; only `get` returns the openids, at most 1000.

    Source: autogen/api/v2_panels_panel_id.get
    """

    panel_id: Id
    scope: str
    target_type: str
    panel: Panel
    created_at: Aware | None = None
    updated_at: Aware | None = None
    version: int = 0
    user_openids: tuple[str, ...] = ()
    group_openids: tuple[str, ...] = ()


class PanelPage(Model, frozen=True, kw_only=True):
    """Panels of one scope; `next_cursor` asks for the next page if not `is_end`.  Source: autogen/api/v2_panels.get"""

    records: tuple[PanelRecord, ...]
    next_cursor: str = ""
    is_end: bool = False


class PanelBody(Body, frozen=True, kw_only=True):
    """Replaces the items and the remark of a panel.

    Raises: ConfigError for too many items, a name that is too wide, a link that is not https.
    Source: autogen/api/v2_panels_panel_id.put
    """

    panel: Panel

    def __post_init__(self) -> None:
        _check_panel(self.panel)


class NewPanelBody(Body, frozen=True, kw_only=True):
    """Creates a panel for all, or for some users (scope c2c) or groups (scope group), at most 20 in this call.

    Raises: ConfigError for an invalid panel, targets that do not match the scope, or too many.
    Source: autogen/api/v2_panels.post
    """

    scope: PanelScope
    panel: Panel
    target_type: Literal["all", "specific"] | UnsetType = UNSET
    user_openids: tuple[str, ...] | UnsetType = UNSET
    group_openids: tuple[str, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_panel(self.panel)
        if self.target_type != "specific" and (self.user_openids or self.group_openids):
            raise ConfigError("openids go with target_type 'specific' only")


def new_panel_body(scope: PanelScope, panel: Panel, targets: tuple[str, ...] | None) -> NewPanelBody:
    """Return the body that creates a panel for all (`targets` None), or for these users or groups.

    Raises: ConfigError as `NewPanelBody`.
    """
    if targets is None:
        return NewPanelBody(scope=scope, panel=panel)
    check_ids("targets", targets, MOST_TARGETS, least=0)
    match scope:
        case PanelScope.C2C:
            return NewPanelBody(scope=scope, panel=panel, target_type="specific", user_openids=targets)
        case PanelScope.GROUP:
            return NewPanelBody(scope=scope, panel=panel, target_type="specific", group_openids=targets)
        case _:
            raise ConfigError(f"a panel of the scope {scope.value!r} is for all: only c2c and group have targets")


class PanelTargetBody(Body, frozen=True, kw_only=True):
    """Shows a panel to 1 to 20 more users or groups, or stops showing it to them.

    Raises: ConfigError if there are not either users or groups; for too many or empty ids.
    Source: autogen/api/v2_panels_panel_id_target.put
    """

    op: Literal["add", "del"]
    user_openids: tuple[str, ...] | UnsetType = UNSET
    group_openids: tuple[str, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.user_openids is UNSET) == (self.group_openids is UNSET):
            raise ConfigError("a panel's targets are users or groups, by its scope: give exactly one of the two")
        check_ids("targets", self.user_openids or self.group_openids or (), MOST_TARGETS)


def _check_panel(panel: Panel) -> None:
    if len(panel.items) > MOST_ITEMS:
        raise ConfigError(f"a panel has at most {MOST_ITEMS} items, not {len(panel.items)}")
    if panel.remark is not UNSET and len(panel.remark) > MOST_REMARK:
        raise ConfigError(f"the remark has {len(panel.remark)} characters, {MOST_REMARK} are allowed")
    for item in panel.items:
        _check_item(item)


def _check_item(item: PanelItem) -> None:
    check_width("the name", item.name, WIDEST_NAME)
    if item.desc:
        check_width("the description", item.desc, WIDEST_DESCRIPTION)
    if item.type not in ("command", "link"):
        raise ConfigError(f"the panel item {item.name!r} is a 'command' or a 'link', not {item.type!r}")
    if item.type == "link":
        check_link(item.name, item.link)
