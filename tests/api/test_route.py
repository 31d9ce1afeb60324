"""The routes against the endpoint table, and how paths are built."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qqbot
from qqbot.api import routes
from qqbot.api.route import Route
from qqbot.api.route_table import ROUTES
from qqbot.errors import ConfigError, DecodeError
from qqbot.simulator.endpoints import rest

PACKAGE = Path(qqbot.__file__).parent
ENDPOINTS = {
    entry["name"]: entry
    for entry in json.loads((PACKAGE / "simulator" / "wire" / "data" / "endpoints.json").read_text(encoding="utf-8"))
}


OMITTED = {
    "get_app_access_token": "absolute URL: the token source asks for tokens",
    "put_media_image": "pre-signed URL of a storage host, without the bot's token",
    "put_upload_part": "pre-signed URL of a storage host, without the bot's token",
}
"""Endpoints that have no route on purpose."""


NOT_SERVED = {
    "create_bind_task": "another host, which the simulator does not stand for",
    "poll_bind_result": "another host, which the simulator does not stand for",
}
"""Routes that the simulator does not answer on purpose."""


def test_every_documented_endpoint_has_a_route() -> None:
    assert OMITTED.keys() <= ENDPOINTS.keys()
    assert ROUTES.keys() == ENDPOINTS.keys() - OMITTED.keys()


def test_every_route_is_served_by_the_simulator() -> None:
    assert ROUTES.keys() - rest._ENDPOINTS.keys() == NOT_SERVED.keys()


@pytest.mark.parametrize("route", ROUTES.values(), ids=lambda route: route.name)
def test_a_route_is_the_documented_endpoint(route: Route[object]) -> None:
    entry = ENDPOINTS[route.name]
    assert (route.method, route.path) == (entry["method"], entry["path"])


def test_a_route_is_found_by_its_name() -> None:
    assert {name: route.name for name, route in ROUTES.items()} == {name: name for name in ROUTES}


def test_each_constant_is_called_in_exactly_one_method() -> None:
    for path in (PACKAGE / "api" / "resources").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id.lower() in ROUTES
        ]
        loaded = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
        assert {name: loaded.count(name) for name in constants} == dict.fromkeys(constants, 1), path.name


def test_ids_are_quoted() -> None:
    path, _ = ROUTES["delete_group_message"].build(("G/../1", "ROBOT1.0_a.b!=?#%"))
    assert path == "/v2/groups/G%2F..%2F1/messages/ROBOT1.0_a.b%21%3D%3F%23%25"


@given(st.text(min_size=1))
def test_an_id_never_leaves_its_place_in_the_path(value: str) -> None:
    try:
        path, _ = ROUTES["get_group_info"].build((value,))
    except ConfigError:
        return
    assert path.startswith("/v2/groups/")
    assert path.endswith("/info")
    assert path.isascii()
    middle = path.removeprefix("/v2/groups/").removesuffix("/info")
    assert middle not in ("", ".", "..")
    assert not set(middle) & set("/?# ")


@pytest.mark.parametrize("bad", ["", ".", "..", "\ud800", 5, None])
def test_unusable_ids_are_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="get_group_info"):
        ROUTES["get_group_info"].build((bad,))


@pytest.mark.parametrize("ids", [(), ("a", "b")])
def test_the_number_of_ids_is_checked(ids: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="takes 1 ids"):
        ROUTES["get_group_info"].build(ids)


def test_the_query_leaves_out_none_and_writes_booleans_small() -> None:
    assert ROUTES["get_me"].build((), {"a": None, "b": True, "c": 0, "d": "x&y"}) == (
        "/users/@me",
        "/users/@me?b=true&c=0&d=x%26y",
    )
    assert Route("r", "GET", "/p?x=1", bytes).build((), {"y": 2})[1] == "/p?x=1&y=2"


@pytest.mark.parametrize("path", ["users", "@evil.example/x", "", "/a b", "/a\r\nX: y", "ftp://h/x", "https:///x"])
def test_a_path_that_could_go_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="must start with"):
        Route("r", "GET", path, bytes)


def test_bytes_are_handed_over_as_they_are() -> None:
    assert Route("r", "GET", "/p", bytes).decode(b"\x00<html>") == b"\x00<html>"


def test_a_function_or_a_type_decodes() -> None:
    assert Route("r", "GET", "/p", len).decode(b"abc") == 3
    assert Route("r", "GET", "/p", dict[str, int]).decode(b'{"a": 1}') == {"a": 1}
    with pytest.raises(DecodeError):
        Route("r", "GET", "/p", dict[str, int]).decode(b"[]")


@pytest.mark.parametrize("body", [b'[{"id": "1"}]', b'{"guilds": [{"id": "1"}]}', b' \n[{"id": "1", "x": null}]'])
def test_both_forms_of_the_guild_list(body: bytes) -> None:
    assert [guild.id for guild in ROUTES["list_my_guilds"].decode(body)] == ["1"]


@pytest.mark.parametrize("body", [b'{"id": "m"}', b'{"message": {"id": "m"}}'])
def test_both_forms_of_one_message(body: bytes) -> None:
    assert ROUTES["get_channel_message"].decode(body).id == "m"


def test_what_says_nothing_takes_any_body() -> None:
    for body in (b"", b"{}", b"<html>"):
        ROUTES["ack_interaction"].decode(body)


@pytest.mark.parametrize(("name", "value"), [("Route", Route), ("ROUTES", ROUTES), ("GET_ME", ROUTES["get_me"])])
def test_the_module_of_0_1_still_has_its_names_and_warns(name: str, value: object) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{name} is in qqbot\.api\.\w+ now"):
        assert getattr(routes, name) is value


def test_the_module_of_0_1_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="NO_SUCH_ROUTE"):
        _ = routes.NO_SUCH_ROUTE


def test_an_answer_without_content() -> None:
    assert Route("bytes", "GET", "/x", bytes).empty() == b""
    assert ROUTES["delete_channel"].empty() is None
    assert ROUTES["list_channels"].empty() == []
    assert ROUTES["get_channel"].empty().id == ""
    with pytest.raises(DecodeError):
        ROUTES["create_panel"].empty()
    with pytest.raises(DecodeError):
        ROUTES["get_thread"].empty()
