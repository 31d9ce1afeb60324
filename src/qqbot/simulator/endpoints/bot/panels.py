"""Endpoints of the panels of the bot."""

import secrets

from ...platform import Platform
from ...wire import JsonObject, is_array, is_integer, object_of, objects_of, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall, page_of
from .menus import BAD_PARAMETER, MISSING, TOO_MANY, check_count, check_link, check_width

_SCOPES = ("c2c", "group", "channel", "dm")
_TARGETS = {"c2c": "user_openids", "group": "group_openids"}
_LISTED = ("panel_id", "scope", "target_type", "panel", "created_at", "updated_at", "version")
_MAX_PANELS = 20
_MAX_ITEMS = 20
_MAX_TARGETS_PER_CALL = 20
_MAX_TARGETS = 1000
_MAX_REMARK = 255


def list_panels(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_panels.get."""
    scope = _scope(call.query.get("scope", ""))
    panels = [panel for panel in platform.bot_state.panels.values() if panel["scope"] == scope]
    page, cursor = page_of(call, panels, 20, 50)
    records = [{name: panel[name] for name in _LISTED} for panel in page]
    return {"records": records, "next_cursor": cursor, "is_end": not cursor}


def create_panel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_panels.post."""
    panels = platform.bot_state.panels
    scope = _scope(text_of(call.body, "scope"))
    target_type = call.body.get("target_type", "all")
    if target_type not in ("all", "specific"):
        raise Refusal(40030012, "target_type invalid")
    if target_type == "specific" and scope not in _TARGETS:
        raise Refusal(40030018, "not supported for this scope")
    if len(panels) >= _MAX_PANELS:
        raise Refusal(TOO_MANY, f"too many panels, the limit is {_MAX_PANELS}")
    panel_id = f"pn_{secrets.token_hex(8)}"
    now = platform.clock.timestamp()
    panels[panel_id] = {
        "panel_id": panel_id,
        "scope": scope,
        "target_type": target_type,
        "panel": _panel(call),
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }
    if target_type == "specific":
        panels[panel_id][_TARGETS[scope]] = _targets(call, _TARGETS[scope])
    return {"panel_id": panel_id}


def get_panel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_panels_panel_id.get."""
    return _find(platform, call)


def update_panel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_panels_panel_id.put."""
    record = _find(platform, call)
    record["panel"] = _panel(call)
    return {"version": _touch(platform, record)}


def delete_panel(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_panels_panel_id.delete."""
    _find(platform, call)
    del platform.bot_state.panels[call.params["panel_id"]]
    return None


def update_panel_target(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/v2_panels_panel_id_target.put."""
    record = _find(platform, call)
    if call.body.get("op") not in ("add", "del"):
        raise Refusal(40030017, "op must be add or del")
    if record["target_type"] == "all":
        raise Refusal(40030021, "panel is global, no targets")
    kind = _TARGETS[text_of(record, "scope")]
    given, current = _targets(call, kind), record.get(kind)
    if not given:
        raise Refusal(MISSING, f"required field missing: {kind}")
    rest = [each for each in current if each not in given] if is_array(current) else []
    targets = [*rest, *given] if call.body["op"] == "add" else rest
    if len(targets) > _MAX_TARGETS:
        raise Refusal(TOO_MANY, f"too many targets, the limit is {_MAX_TARGETS}")
    record[kind] = targets
    _touch(platform, record)
    return {}


def _touch(platform: Platform, record: JsonObject) -> int:
    version = record["version"]
    assert is_integer(version)
    record |= {"version": version + 1, "updated_at": platform.clock.timestamp()}
    return version + 1


def _find(platform: Platform, call: EndpointCall) -> JsonObject:
    record = platform.bot_state.panels.get(call.params["panel_id"])
    if record is None:
        raise Refusal(40030006, "panel does not exist")
    return record


def _scope(scope: str) -> str:
    if scope not in _SCOPES:
        raise Refusal(40030011, "scope invalid")
    return scope


def _targets(call: EndpointCall, kind: str) -> list[str]:
    value = call.body.get(kind)
    targets = [each for each in value if isinstance(each, str)] if is_array(value) else []
    if len(targets) > _MAX_TARGETS_PER_CALL:
        raise Refusal(TOO_MANY, f"too many targets, the limit is {_MAX_TARGETS_PER_CALL}")
    return targets


def _panel(call: EndpointCall) -> JsonObject:
    panel = object_of(call.body, "panel")
    items = objects_of(panel, "items")
    check_count(items, _MAX_ITEMS)
    for item in items:
        check_width(text_of(item, "name"), 14)
        if description := text_of(item, "desc"):
            check_width(description, 30)
        if item.get("type") not in ("command", "link"):
            raise Refusal(40030015, "panel item type invalid")
        if item.get("type") == "link":
            check_link(item)
    if len(text_of(panel, "remark")) > _MAX_REMARK:
        raise Refusal(BAD_PARAMETER, f"bad parameter: the remark is longer than {_MAX_REMARK}")
    return panel
