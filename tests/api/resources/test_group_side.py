"""Group administration, and what the bot keeps for itself: each endpoint against the simulated platform."""

import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from msgspec import UNSET

from qqbot import Api, Credentials, Endpoints
from qqbot.api.exchange import Request, Response
from qqbot.api.resources.menus import UPDATE_MENU
from qqbot.errors import ApiError, ConfigError, ContentRejected, MediaError, NotFound, PermissionMissing, QuotaExceeded
from qqbot.models.group_mutes import SetMemberMuteState
from qqbot.models.media import FileType, UploadPartBody, UploadPrepareBody
from qqbot.models.media_images import MediaImagePrepareBody
from qqbot.models.menus import Menu, MenuItem, MenuItemType, MenuSwitch, SubMenuItem
from qqbot.models.onboarding import BindStatus
from qqbot.models.panels import Panel, PanelItem, PanelScope
from qqbot.models.strategies import StrategyGroupsBody
from qqbot.testing import Simulator

UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
BYTES = b"a picture"
PICTURE = MediaImagePrepareBody.of("cat.png", BYTES)
MENU = Menu(
    items=(
        MenuItem(name="今日天气", type=MenuItemType.SEND_MESSAGE, send_message="/weather"),
        MenuItem(name="Site", type=MenuItemType.LINK, link="https://example.com"),
        MenuItem(name="Quiet", type=MenuItemType.SWITCH, switch=MenuSwitch(switch_id="quiet", default=False)),
        MenuItem(
            name="More",
            type=MenuItemType.MENU,
            sub_menu_items=(SubMenuItem(name="Help", type=MenuItemType.SEND_MESSAGE, send_message="/help"),),
        ),
    )
)
MENU_ON_WIRE = {
    "items": [
        {"name": "今日天气", "type": "send_message", "send_message": "/weather"},
        {"name": "Site", "type": "link", "link": "https://example.com"},
        {"name": "Quiet", "type": "switch", "switch": {"switch_id": "quiet", "default": False}},
        {
            "name": "More",
            "type": "menu",
            "sub_menu_items": [{"name": "Help", "type": "send_message", "send_message": "/help"}],
        },
    ]
}
PANEL = Panel(
    items=(PanelItem.command("weather", "what it is like", only_admin=False), PanelItem.to("https://x.y", "Site")),
    remark="first",
)
PANEL_ON_WIRE = {
    "items": [
        {"name": "weather", "type": "command", "desc": "what it is like", "only_admin": False},
        {"name": "Site", "type": "link", "link": "https://x.y"},
    ],
    "remark": "first",
}


class World(NamedTuple):
    """A group that the bot administers, with two members and a request to join; and one of each thing of the bot."""

    sim: Simulator
    api: Api
    group: str
    alice: str
    bob: str
    stranger: str
    user: str
    strategy: str
    panel: str
    upload: str
    image: str
    session: str
    parts: str


@pytest.fixture
async def sim() -> AsyncGenerator[Simulator]:
    async with Simulator(limits="none") as simulator:
        yield simulator
    assert simulator.violations == []


@pytest.fixture
async def api(sim: Simulator) -> AsyncGenerator[Api]:
    async with Api(sim.credentials, endpoints=sim.endpoints, clock=sim.clock.now) as opened:
        yield opened


def ask_to_join(sim: Simulator, group: str, member: str) -> None:
    """Have somebody ask to join a group."""
    request = {"join_request_id": f"r-{member}", "member_openid": member, "username": f"the {member}"}
    sim.push("GROUP_JOIN_REQUEST", {"group_openid": group, **request, "verify_info": {"method": "verify_message"}})


async def put(api: Api, url: str, content_type: str = "application/octet-stream") -> None:
    """Bring the bytes of the picture to a pre-signed address."""
    async with api.session.put(url, data=BYTES, headers={"Content-Type": content_type}) as answer:
        assert answer.status == 200


async def announce_image(api: Api) -> str:
    """Upload the picture; return the id of the upload, which is not in the library yet."""
    prepared = await api.media_images.prepare(PICTURE)
    await put(api, prepared.presigned_url, PICTURE.content_type)
    return prepared.upload_id


async def add_image(api: Api) -> str:
    """Put the picture into the library; return the id of the image."""
    return (await api.media_images.complete(await announce_image(api), PICTURE.md5)).image_id


async def upload_part(api: Api, user: str) -> str:
    """Upload a file in parts; return the id of the upload, whose parts are to be joined."""
    body = UploadPrepareBody(
        file_type=FileType.FILE,
        file_size=str(len(BYTES)),
        file_name="cat.png",
        md5=PICTURE.md5,
        sha1=PICTURE.sha1,
        md5_10m=PICTURE.md5,
    )
    plan = await api.c2c.prepare_upload(user, body)
    (part,) = plan.parts
    await put(api, part.presigned_url)
    done = UploadPartBody(upload_id=plan.upload_id, part_index=part.index, block_size=len(BYTES), md5=PICTURE.md5)
    await api.c2c.finish_upload_part(user, done)
    return plan.upload_id


@pytest.fixture
async def world(sim: Simulator, api: Api) -> World:
    group = sim.group("test")
    group.bot_is_admin = True
    alice, bob = group.member("Alice").openid, group.member("Bob").openid
    ask_to_join(sim, group.id, "STRANGER")
    await api.group_blacklist.add(group.id, ["BANNED"])
    strategy = (await api.join_strategies.create(group_openids=[group.id])).strategy_id
    panel = await api.panels.create(PanelScope.GROUP, PANEL, targets=[group.id])
    image, upload = await add_image(api), await announce_image(api)
    session = (await api.webhook_sessions.create("https://x.y/hook", intents=1)).session_id
    user = sim.user("Alice").openid
    parts = await upload_part(api, user)
    return World(sim, api, group.id, alice, bob, "STRANGER", user, strategy, panel, upload, image, session, parts)


class Case(NamedTuple):
    """A call, and what has to arrive; `{names}` in the path and the body are fields of `World`."""

    call: Callable[[World], Awaitable[Any]]
    request: str
    query: dict[str, str] | None = None
    body: object = None
    check: Callable[[World, Any], object] = lambda _, answer: answer is None


ARRIVES = {
    "list_group_members_legacy": Case(
        lambda w: w.api.groups.members_legacy(w.group, start_index=1, limit=1),
        "POST /v2/groups/{group}/members",
        body={"limit": 1, "start_index": 1},
        check=lambda w, a: (a.members[0].member_openid, a.next_index) == (w.bob, 0),
    ),
    "batch_remove_group_members": Case(
        lambda w: w.api.groups.remove_members(w.group, [w.alice, "GONE"], add_to_blacklist=True),
        "POST /v2/groups/{group}/batch_remove_members",
        body={"member_openids": ["{alice}", "GONE"], "add_to_member_blacklist": True},
        check=lambda w, a: (a.remove_members_result, a.add_to_member_blacklist_fail_openids) == ("success", ("GONE",)),
    ),
    "list_group_blacklist": Case(
        lambda w: w.api.group_blacklist.list(w.group, cursor="0", limit=5),
        "GET /v2/groups/{group}/member_blacklist",
        {"cursor": "0", "limit": "5"},
        check=lambda w, a: [user.member_openid for user in a.users] == ["BANNED"] and a.users[0].banned_at.tzinfo,
    ),
    "modify_group_blacklist": Case(
        lambda w: w.api.group_blacklist.add(w.group, ["X", w.alice]),
        "POST /v2/groups/{group}/member_blacklist",
        body={"op": "add", "member_openids": ["X", "{alice}"]},
        check=lambda w, a: a == (w.alice,),
    ),
    "get_group_mute_setting": Case(
        lambda w: w.api.group_mutes.setting(w.group),
        "GET /v2/groups/{group}/restrict_chat_setting",
        check=lambda w, a: (a.global_rule.mode, a.members) == ("none", ()),
    ),
    "set_group_member_mute": Case(
        lambda w: w.api.group_mutes.set(
            w.group, [SetMemberMuteState.until(w.alice, UNTIL, "update"), SetMemberMuteState.ended(w.bob)]
        ),
        "POST /v2/groups/{group}/restrict_chat_setting",
        body={
            "members": [
                {"op": "update", "member_openid": "{alice}", "mute_expire_at": UNTIL.isoformat()},
                {"op": "del", "member_openid": "{bob}", "mute_expire_at": ""},
            ]
        },
    ),
    "list_group_join_requests": Case(
        lambda w: w.api.join_requests.list(w.group, limit=50),
        "GET /v2/groups/{group}/join_request_list",
        {"limit": "50"},
        check=lambda w, a: (a.list[0].username, a.list[0].verify_info.method) == ("the STRANGER", "verify_message"),
    ),
    "handle_group_join_request": Case(
        lambda w: w.api.join_requests.decline(w.group, w.stranger, "r-STRANGER", reason="", add_to_blacklist=False),
        "POST /v2/groups/{group}/approval_join_request/STRANGER",
        body={
            "op": "decline",
            "join_request_id": "r-STRANGER",
            "reject_reason": "",
            "add_to_member_blacklist": False,
        },
    ),
    "list_join_approval_strategies": Case(
        lambda w: w.api.join_strategies.list(limit=1),
        "GET /v2/groups/join_approval_strategy",
        {"limit": "1"},
        check=lambda w, a: a.strategies[0].enabled and a.strategies[0].group_openids == (w.group,),
    ),
    "create_join_approval_strategy": Case(
        lambda w: w.api.join_strategies.create(group_ids=[123456], enabled=False, expire_at=UNTIL, remark=""),
        "POST /v2/groups/join_approval_strategy",
        body={"group_ids": [123456], "is_enable": "off", "expire_at": UNTIL.isoformat(), "remark": ""},
        check=lambda w, a: a.strategy_id and not a.enabled and a.expire_at == UNTIL,
    ),
    "modify_join_approval_strategy": Case(
        lambda w: w.api.join_strategies.modify(
            w.strategy, enabled=True, groups=StrategyGroupsBody(op="add", group_openids=("G2",))
        ),
        "PATCH /v2/groups/join_approval_strategy/{strategy}",
        body={"is_enable": "on", "group_action": {"op": "add", "group_openids": ["G2"]}},
        check=lambda w, a: a.enabled,
    ),
    "delete_join_approval_strategy": Case(
        lambda w: w.api.join_strategies.delete(w.strategy), "DELETE /v2/groups/join_approval_strategy/{strategy}"
    ),
    "execute_join_approval_strategy": Case(
        lambda w: w.api.join_strategies.execute(w.strategy),
        "POST /v2/groups/join_approval_strategy/{strategy}/execute",
    ),
    "modify_join_approval_whitelist": Case(
        lambda w: w.api.join_strategies.add_users(w.strategy, ["10001", "10002"]),
        "POST /v2/groups/join_approval_strategy/{strategy}/whitelist_users",
        body={"op": "add", "whitelist_users": ["10001", "10002"]},
        check=lambda w, a: (a.strategy_id, a.whitelist_user_count) == (w.strategy, 2),
    ),
    "get_menu": Case(lambda w: w.api.menus.get(), "GET /v2/menu", check=lambda w, a: (a.version, a.menu) == (0, None)),
    "update_menu": Case(
        lambda w: w.api.menus.update(MENU), "PUT /v2/menu", body={"menu": MENU_ON_WIRE}, check=lambda w, a: a == 1
    ),
    "list_panels": Case(
        lambda w: w.api.panels.list(PanelScope.GROUP, limit=50),
        "GET /v2/panels",
        {"scope": "group", "limit": "50"},
        check=lambda w, a: a.is_end and [record.panel_id for record in a.records] == [w.panel],
    ),
    "create_panel": Case(
        lambda w: w.api.panels.create(PanelScope.C2C, PANEL, targets=[w.user]),
        "POST /v2/panels",
        body={"scope": "c2c", "panel": PANEL_ON_WIRE, "target_type": "specific", "user_openids": ["{user}"]},
        check=lambda w, a: isinstance(a, str) and a,
    ),
    "get_panel": Case(
        lambda w: w.api.panels.get(w.panel),
        "GET /v2/panels/{panel}",
        check=lambda w, a: (a.panel, a.group_openids, a.version) == (PANEL, (w.group,), 1),
    ),
    "update_panel": Case(
        lambda w: w.api.panels.update(w.panel, Panel(items=(), remark="")),
        "PUT /v2/panels/{panel}",
        body={"panel": {"items": [], "remark": ""}},
        check=lambda w, a: a == 2,
    ),
    "delete_panel": Case(lambda w: w.api.panels.delete(w.panel), "DELETE /v2/panels/{panel}"),
    "update_panel_target": Case(
        lambda w: w.api.panels.add_targets(w.panel, groups=["G2"]),
        "PUT /v2/panels/{panel}/target",
        body={"op": "add", "group_openids": ["G2"]},
    ),
    "prepare_media_image": Case(
        lambda w: w.api.media_images.prepare(PICTURE),
        "POST /v2/media-images/prepare",
        body={
            "file_name": "cat.png",
            "content_type": "image/png",
            "file_size": 9,
            "md5": PICTURE.md5,
            "sha1": PICTURE.sha1,
        },
        check=lambda w, a: a.upload_id and a.presigned_url and a.expires_in == 14400,
    ),
    "complete_media_image": Case(
        lambda w: w.api.media_images.complete(w.upload, PICTURE.md5),
        "POST /v2/media-images/complete",
        body={"upload_id": "{upload}", "md5": PICTURE.md5},
        check=lambda w, a: a.url.startswith("qqbot-media://image/v1/") and a.ttl == 7_776_000,
    ),
    "list_media_images": Case(
        lambda w: w.api.media_images.list(cursor="0"),
        "GET /v2/media-images",
        {"cursor": "0"},
        check=lambda w, a: a.total == 1 and a.images[0].expires_at - a.images[0].created_at == timedelta(days=90),
    ),
    "delete_media_image": Case(lambda w: w.api.media_images.delete(w.image), "DELETE /v2/media-images/{image}/delete"),
    "create_webhook_session": Case(
        lambda w: w.api.webhook_sessions.create("https://x.y/z", intents=3, shard=(1, 2)),
        "POST /gateway/webhook/sessions",
        body={"intents": 3, "shards": [1, 2], "callback_url": "https://x.y/z"},
        check=lambda w, a: a.session_id and a.shard == (1, 2) and a.bot.username == "bot",
    ),
    "check_webhook_sessions": Case(
        lambda w: w.api.webhook_sessions.check(),
        "PATCH /gateway/webhook/sessions",
        {"action": "check"},
        check=lambda w, a: [session.session_id for session in a] == [w.session],
    ),
    "list_webhook_sessions": Case(
        lambda w: w.api.webhook_sessions.all(),
        "GET /gateway/webhook/sessions",
        check=lambda w, a: [(each.callback_url, each.shards) for each in a] == [("https://x.y/hook", (0, 1))],
    ),
    "delete_webhook_session": Case(
        lambda w: w.api.webhook_sessions.delete(w.session), "DELETE /gateway/webhook/sessions/{session}"
    ),
    "generate_url_link": Case(
        lambda w: w.api.users.share_link(""),
        "POST /v2/generate_url_link",
        body={"callback_data": ""},
        check=lambda w, a: a.startswith("https://"),
    ),
    "send_c2c_input_notify_alt": Case(
        lambda w: w.api.c2c.input_notify_alt(w.user, msg_id="m", input_second=60),
        "POST /v2/users/{user}/input_notify",
        body={"msg_id": "m", "input_second": 60},
    ),
    "complete_c2c_upload_alt": Case(
        lambda w: w.api.c2c.complete_upload_alt(w.user, w.parts),
        "POST /v2/users/{user}/complete_upload",
        body={"upload_id": "{parts}"},
        check=lambda w, a: a.media.file_info,
    ),
}


def filled(template: Any, world: World) -> Any:
    """Fill the fields of `World` into every text of `template`."""
    if isinstance(template, str):
        return template.format_map(world._asdict()) if "{" in template else template
    if isinstance(template, dict):
        return {key: filled(value, world) for key, value in template.items()}
    return [filled(value, world) for value in template] if isinstance(template, list) else template


@pytest.mark.parametrize("case", ARRIVES.values(), ids=ARRIVES)
async def test_request_and_answer(world: World, case: Case) -> None:
    answer = await case.call(world)
    assert case.check(world, answer), answer
    seen = world.sim.calls[-1]
    assert f"{seen['method']} {seen['path']}" == filled(case.request, world)
    assert dict(parse_qsl(seen["query"])) == (case.query or {})
    assert (json.loads(seen["request"]) if seen["request"] else None) == filled(case.body, world)


# What more than one call shows


async def members(world: World) -> list[str]:
    return [member.member_openid async for member in world.api.groups.iter_members(world.group)]


async def banned(world: World) -> list[str]:
    return [user.member_openid async for user in world.api.group_blacklist.iter(world.group)]


async def test_who_is_removed_is_gone_and_kept_out_until_let_in(world: World) -> None:
    await world.api.groups.remove_members(world.group, [world.alice], add_to_blacklist=True)
    assert await members(world) == [world.bob]
    assert await banned(world) == ["BANNED", world.alice]
    assert await world.api.group_blacklist.remove(world.group, [world.alice, "NOBODY"]) == ("NOBODY",)
    assert await banned(world) == ["BANNED"]


async def test_a_mute_shows_until_it_ends(world: World) -> None:
    await world.api.group_mutes.mute(world.group, [world.alice, world.bob], until=UNTIL)
    muted = (await world.api.group_mutes.setting(world.group)).members
    assert [(each.username, each.mute_expire_at) for each in muted] == [("Alice", UNTIL), ("Bob", UNTIL)]
    await world.api.group_mutes.unmute(world.group, [world.bob])
    assert [each.username for each in (await world.api.group_mutes.setting(world.group)).members] == ["Alice"]
    await world.sim.clock.advance(hours=25)
    assert (await world.api.group_mutes.setting(world.group)).members == ()


async def test_who_is_let_in_is_a_member_and_asks_no_more(world: World) -> None:
    await world.api.join_requests.approve(world.group, world.stranger, "r-STRANGER")
    assert await members(world) == [world.alice, world.bob, world.stranger]
    assert (await world.api.groups.member(world.group, world.stranger)).username == "the STRANGER"
    assert [request async for request in world.api.join_requests.iter(world.group)] == []
    with pytest.raises(NotFound):
        await world.api.join_requests.approve(world.group, world.stranger, "r-STRANGER")


async def test_who_is_refused_for_good_is_kept_out(world: World) -> None:
    await world.api.join_requests.decline(world.group, world.stranger, "r-STRANGER", add_to_blacklist=True)
    assert await banned(world) == ["BANNED", world.stranger]


async def test_a_whitelist_grows_and_shrinks(world: World) -> None:
    await world.api.join_strategies.add_users(world.strategy, ["1", "2"])
    assert (await world.api.join_strategies.remove_users(world.strategy, ["2", "3"])).whitelist_user_count == 1


async def test_the_groups_of_a_strategy_change(world: World) -> None:
    groups = StrategyGroupsBody(op="add", group_openids=("G2", "G3"))
    await world.api.join_strategies.modify(world.strategy, groups=groups, enabled=False, remark="two more")
    groups = StrategyGroupsBody(op="del", group_openids=(world.group,))
    await world.api.join_strategies.modify(world.strategy, groups=groups)
    (strategy,) = [each async for each in world.api.join_strategies.iter()]
    assert (strategy.group_openids, strategy.enabled, strategy.remark) == (("G2", "G3"), False, "two more")


async def test_a_menu_comes_back_as_it_was_set(world: World) -> None:
    assert await world.api.menus.update(MENU) == 1
    assert (await world.api.menus.get()).menu == MENU
    assert await world.api.menus.update(Menu(items=())) == 2


async def test_the_targets_of_a_panel_change_and_its_items_stay(world: World) -> None:
    await world.api.panels.add_targets(world.panel, groups=["G2"])
    await world.api.panels.remove_targets(world.panel, groups=[world.group])
    record = await world.api.panels.get(world.panel)
    assert (record.group_openids, record.panel) == (("G2",), PANEL)


async def test_an_image_without_its_bytes_is_not_taken(world: World) -> None:
    prepared = await world.api.media_images.prepare(PICTURE)
    with pytest.raises(MediaError) as refused:
        await world.api.media_images.complete(prepared.upload_id, PICTURE.md5, timeout=1)
    assert refused.value.code == 40093001


# Pages


async def test_all_pages_come(world: World) -> None:
    place = world.sim.group("test")
    for number in range(70):
        place.member(f"member {number}")
        ask_to_join(world.sim, world.group, f"A{number}")
        if number < 19:
            await world.api.join_strategies.create(group_ids=[number + 1])
            await world.api.panels.create(PanelScope.CHANNEL, PANEL)
        await add_image(world.api)
    for start in range(0, 120, 20):
        await world.api.group_blacklist.add(world.group, [f"B{start + number}" for number in range(20)])
    assert len(await members(world)) == 72
    assert len(await banned(world)) == 121
    assert len({each.member_openid async for each in world.api.join_requests.iter(world.group)}) == 71
    assert len({each.strategy_id async for each in world.api.join_strategies.iter()}) == 20
    assert len({each.panel_id async for each in world.api.panels.iter(PanelScope.CHANNEL)}) == 19
    assert len({each.image_id async for each in world.api.media_images.iter()}) == 71
    with pytest.raises(QuotaExceeded) as refused:
        await world.api.panels.create(PanelScope.C2C, PANEL)
    assert refused.value.code == 40030013


# Refusals


async def fill_library(world: World) -> None:
    for _ in range(100):
        await add_image(world.api)


REFUSED: dict[str, tuple[Callable[[World], Awaitable[object]], type[ApiError], int]] = {
    "group": (lambda w: w.api.group_mutes.setting("unknown"), NotFound, 40011028),
    "administrator": (lambda w: w.api.group_mutes.mute(w.group, [admin(w)], until=UNTIL), ApiError, 12002),
    "too long": (
        lambda w: w.api.group_mutes.mute(w.group, [w.bob], until=UNTIL + timedelta(days=30)),
        ApiError,
        12002,
    ),
    "strategy": (lambda w: w.api.join_strategies.delete("unknown"), NotFound, 404),
    "panel": (lambda w: w.api.panels.get("unknown"), NotFound, 40030006),
    "image": (lambda w: w.api.media_images.delete("unknown"), NotFound, 40035008),
    "full library": (fill_library, QuotaExceeded, 40035007),
    "session": (lambda w: w.api.webhook_sessions.delete("unknown"), NotFound, 404),
}


def admin(world: World) -> str:
    return world.sim.group("test").member("Olga", role="admin").openid


@pytest.mark.parametrize(("call", "kind", "code"), REFUSED.values(), ids=REFUSED)
async def test_refusals(
    world: World, call: Callable[[World], Awaitable[object]], kind: type[ApiError], code: int
) -> None:
    with pytest.raises(kind) as refused:
        await call(world)
    assert (refused.value.code, refused.value.trace_id) == (code, world.sim.calls[-1]["trace_id"])


@pytest.mark.parametrize(
    "call",
    [
        lambda w: w.api.group_mutes.setting(w.group),
        lambda w: w.api.group_mutes.unmute(w.group, [w.bob]),
        lambda w: w.api.join_requests.list(w.group),
        lambda w: w.api.join_requests.approve(w.group, w.stranger, "r-STRANGER"),
    ],
)
async def test_only_administrators_may(world: World, call: Callable[[World], Awaitable[object]]) -> None:
    world.sim.group("test").bot_is_admin = False
    assert (await world.api.groups.bot_state(world.group)).member_role == "member"
    with pytest.raises(PermissionMissing) as refused:
        await call(world)
    assert refused.value.code == 11282
    assert refused.value.hint is not None


async def test_a_panel_for_all_has_no_targets(world: World) -> None:
    panel = await world.api.panels.create(PanelScope.GROUP, PANEL)
    with pytest.raises(ApiError) as refused:
        await world.api.panels.add_targets(panel, groups=["G"])
    assert refused.value.code == 40030021


async def test_the_platform_checks_a_link_too(world: World) -> None:
    link = {"name": "Site", "type": "link", "link": "http://x.y"}
    with pytest.raises(ContentRejected) as refused:
        await world.api.call(UPDATE_MENU, body={"menu": {"items": [link]}})
    assert refused.value.code == 40030008


# Bad input, before any request

ITEM = MenuItem(name="Help", type="send_message", send_message="/help")
SUB = SubMenuItem(name="Help", type="send_message", send_message="/help")
COMMAND = PanelItem.command("help")

MISUSES: dict[str, tuple[Callable[[Api], Awaitable[object]], str]] = {
    "no members": (lambda a: a.groups.remove_members("G", []), "1 to 20"),
    "too many members": (lambda a: a.groups.remove_members("G", ["M"] * 21), "1 to 20 in one call, not 21"),
    "empty member": (lambda a: a.group_blacklist.add("G", [""]), "empty id"),
    "empty group": (lambda a: a.group_blacklist.add("", ["M"]), "is not an id"),
    "legacy limit": (lambda a: a.groups.members_legacy("G", limit=501), "1 to 500"),
    "legacy start": (lambda a: a.groups.members_legacy("G", start_index=-1), "start_index"),
    "blacklist limit": (lambda a: a.group_blacklist.list("G", limit=101), "1 to 100"),
    "requests limit": (lambda a: a.join_requests.list("G", limit=0), "1 to 50"),
    "strategies limit": (lambda a: a.join_strategies.list(limit=51), "1 to 50"),
    "panels limit": (lambda a: a.panels.list(PanelScope.DM, limit=51), "1 to 50"),
    "naive mute": (lambda a: a.group_mutes.mute("G", ["M"], until=UNTIL.replace(tzinfo=None)), "time zone"),
    "nobody to mute": (lambda a: a.group_mutes.unmute("G", []), "1 to 20"),
    "empty request id": (lambda a: a.join_requests.approve("G", "M", ""), "join_request_id is empty"),
    "no groups": (lambda a: a.join_strategies.create(), "exactly one"),
    "two kinds of groups": (lambda a: a.join_strategies.create(group_openids=["G"], group_ids=[1]), "exactly one"),
    "too many groups": (lambda a: a.join_strategies.create(group_ids=range(1, 102)), "1 to 100"),
    "group number": (lambda a: a.join_strategies.create(group_ids=[0]), "positive"),
    "naive end": (lambda a: a.join_strategies.create(group_ids=[1], expire_at=UNTIL.replace(tzinfo=None)), "time zone"),
    "long remark": (lambda a: a.join_strategies.modify("S", remark="x" * 256), "255"),
    "no change": (lambda a: a.join_strategies.modify("S"), "give at least one of"),
    "openid on a whitelist": (lambda a: a.join_strategies.add_users("S", ["ABC"]), "not a QQ number"),
    "long menu": (lambda a: a.menus.update(Menu(items=(ITEM,) * 11)), "at most 10 items, not 11"),
    "wide name": (lambda a: a.menus.update(one(name="六个汉字超宽", send_message="/x")), "12 wide"),
    "no name": (lambda a: a.menus.update(one(name="", send_message="/x")), "0 wide"),
    "http link": (lambda a: a.menus.update(one("link", link="http://x.y")), "https://"),
    "link without a link": (lambda a: a.menus.update(one("link")), "https://"),
    "nothing to send": (lambda a: a.menus.update(one("send_message")), "needs send_message="),
    "switch without one": (lambda a: a.menus.update(one("switch")), "needs switch="),
    "empty sub-menu": (lambda a: a.menus.update(one("menu")), "needs sub_menu_items"),
    "long sub-menu": (lambda a: a.menus.update(one("menu", sub_menu_items=(SUB,) * 6)), "at most 5"),
    "menu in a menu": (
        lambda a: a.menus.update(one("menu", sub_menu_items=(SubMenuItem(name="x", type="menu"),))),
        "cannot have the type",
    ),
    "unknown type": (lambda a: a.menus.update(one("dance")), "cannot have the type 'dance'"),
    "long panel": (lambda a: a.panels.create(PanelScope.DM, Panel(items=(COMMAND,) * 21)), "at most 20 items"),
    "wide command": (lambda a: a.panels.update("P", Panel(items=(PanelItem.command("八个汉字就太宽了"),))), "16 wide"),
    "wide description": (
        lambda a: a.panels.update("P", Panel(items=(PanelItem.command("x", "d" * 31),))),
        "31 wide",
    ),
    "panel link": (lambda a: a.panels.update("P", Panel(items=(PanelItem.to("x.y", "x"),))), "https://"),
    "panel type": (lambda a: a.panels.update("P", Panel(items=(PanelItem(name="x", type="y"),))), "'command'"),
    "panel remark": (lambda a: a.panels.update("P", Panel(remark="x" * 256)), "255"),
    "targets of a channel": (lambda a: a.panels.create(PanelScope.CHANNEL, PANEL, targets=["C"]), "only c2c and group"),
    "too many targets": (lambda a: a.panels.create(PanelScope.GROUP, PANEL, targets=["G"] * 21), "0 to 20"),
    "two kinds of targets": (lambda a: a.panels.add_targets("P", users=["U"], groups=["G"]), "exactly one"),
    "no targets": (lambda a: a.panels.remove_targets("P", users=[]), "1 to 20"),
    "session shard": (lambda a: a.webhook_sessions.create("https://x", intents=1, shard=(2, 2)), "index < count"),
    "session address": (lambda a: a.webhook_sessions.create("x.y", intents=1), "URL"),
    "image hash": (lambda a: a.media_images.complete("U", "md5"), "32 hexadecimal digits"),
    "image upload": (lambda a: a.media_images.complete("", PICTURE.md5), "upload_id is empty"),
    "typing": (lambda a: a.c2c.input_notify_alt("U", input_second=61), "1 to 60"),
    "empty upload": (lambda a: a.c2c.complete_upload_alt("U", ""), "upload_id is empty"),
    "link data": (lambda a: a.users.share_link("x" * 33), "32"),
    "bind key": (lambda a: a.onboarding.create_bind_task("c2hvcnQ="), "32 random bytes"),
    "bind task": (lambda a: a.onboarding.poll_bind_result(""), "task_id is empty"),
}


def one(kind: str = "send_message", **fields: Any) -> Menu:
    """Return a menu of one item."""
    return Menu(items=(MenuItem(**{"name": "x", "type": kind, **fields}),))


@pytest.mark.parametrize(("call", "words"), MISUSES.values(), ids=MISUSES)
async def test_bad_input_is_no_request(
    sim: Simulator, api: Api, call: Callable[[Api], Awaitable[object]], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        await call(api)
    assert sim.calls == []


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("cat.bmp", b"x", "not an image"),
        ("cat", b"x", "not an image"),
        (".png", b"x", "not an image"),
        ("cat.png", b"", "bytes"),
    ],
)
def test_what_is_no_image_of_the_library(name: str, data: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MediaImagePrepareBody.of(name, data)


def test_the_kind_of_an_image_fits_its_name() -> None:
    with pytest.raises(ConfigError, match="extension"):
        MediaImagePrepareBody(
            file_name="a.png", content_type="image/gif", file_size=1, md5=PICTURE.md5, sha1=PICTURE.sha1
        )


def test_a_mute_needs_its_end() -> None:
    for missing in ("", UNSET):
        with pytest.raises(ConfigError, match="mute_expire_at"):
            SetMemberMuteState(op="add", member_openid="M", mute_expire_at=missing)


# The portal


class Portal:
    """Answers calls to the portal; a transport of the client's. `requests`: what arrived."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        """Take one request."""
        self.requests.append(request)
        return Response(200, {}, json.dumps(self.answers.pop(0)).encode())


def sent_json(request: Request) -> object:
    """Return the body of a request."""
    assert isinstance(request.body, bytes)
    return json.loads(request.body)


async def test_credentials_by_qr_code() -> None:
    key = base64.b64encode(bytes(32)).decode()
    bound = {"status": 2, "bot_appid": 102, "bot_encrypt_secret": "c2VjcmV0", "user_openid": "U"}
    portal = Portal({"retcode": 0, "data": {"task_id": "t 1"}}, {"retcode": 0, "msg": "success", "data": bound})
    async with Api(Credentials("1", "x"), endpoints=Endpoints.production(), transport=portal) as api:
        task = await api.onboarding.create_bind_task(key)
        result = await api.onboarding.poll_bind_result(task.task_id)
    assert task.url("tool") == "https://q.qq.com/qqbot/openclaw/connect.html?task_id=t+1&source=tool&_wv=2"
    assert (result.status, result.bot_appid, result.user_openid) == (BindStatus.COMPLETED, "102", "U")
    assert [(each.method, each.url, sent_json(each)) for each in portal.requests] == [
        ("POST", "https://q.qq.com/lite/create_bind_task", {"key": key}),
        ("POST", "https://q.qq.com/lite/poll_bind_result", {"task_id": "t 1"}),
    ]
    assert all("Authorization" not in each.headers for each in portal.requests)
    assert all(each.headers["Accept"] == "application/json" for each in portal.requests)  # else: a page for people


async def test_the_encrypted_secret_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    portal = Portal({"retcode": 0, "data": {"status": 2, "bot_encrypt_secret": "c2VjcmV0"}})
    async with Api(Credentials("1", "x"), endpoints=Endpoints.production(), transport=portal) as api:
        await api.onboarding.poll_bind_result("t")
    assert "poll_bind_result" in caplog.text
    assert "c2VjcmV0" not in caplog.text


async def test_the_portal_refuses() -> None:
    portal = Portal({"retcode": 1001, "msg": "busy"})
    async with Api(Credentials("1", "x"), endpoints=Endpoints.production(), transport=portal) as api:
        with pytest.raises(ApiError, match="busy") as refused:
            await api.onboarding.poll_bind_result("t")
    assert (refused.value.code, refused.value.path) == (1001, "https://q.qq.com/lite/poll_bind_result")
