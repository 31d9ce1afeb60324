"""Every call with a body, in the forms that clients in Go and Python give its fields.

An optional field that is absent, null, zero or empty means the same; numbers come as text, text as numbers, booleans
as numbers.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qqbot.simulator.wire.tables import Endpoint, Tables
from qqbot.testing import Simulator
from tests.simulator.bare import BareBot

TABLES = Tables()
WITH_BODY = {endpoint.name: endpoint for endpoint in TABLES.endpoints if endpoint.body}

DATA = b"an image"
MD5, SHA1 = hashlib.md5(DATA).hexdigest(), hashlib.sha1(DATA).hexdigest()
START = datetime.now(UTC) + timedelta(days=1)
SOON = START.isoformat(timespec="seconds")
SCHEDULE = {
    "name": "party",
    "start_timestamp": str(int(START.timestamp() * 1000)),
    "end_timestamp": str(int((START + timedelta(hours=1)).timestamp() * 1000)),
}
BUTTON = {
    "id": "b",
    "render_data": {"label": "B", "visited_label": "B", "style": 0},
    "action": {"type": 1, "permission": {"type": 2}, "data": "x"},
}
KEYBOARD = {"content": {"rows": [{"buttons": [BUTTON]}]}}
PANEL = {"items": [{"name": "weather", "type": "command"}]}
PREPARE = {"file_type": 4, "file_size": str(len(DATA)), "file_name": "a.txt", "md5": MD5, "sha1": SHA1, "md5_10m": MD5}
FINISH = {"upload_id": "{upload}", "part_index": 1, "block_size": len(DATA), "md5": MD5}
UPLOAD = {"file_type": 1, "url": "https://a.example/cat.png"}
IMAGE = {"file_name": "a.png", "content_type": "image/png", "file_size": len(DATA), "md5": MD5, "sha1": SHA1}

BODIES: dict[str, dict[str, object]] = {
    "ack_interaction": {"code": 1},
    "add_guild_member_role": {},
    "batch_remove_group_members": {"member_openids": ["{member}"]},
    "complete_c2c_upload_alt": {"upload_id": "{upload}"},
    "complete_media_image": {"upload_id": "{image_upload}", "md5": MD5},
    "control_audio": {"status": 1},
    "create_channel": {"name": "news"},
    "create_channel_announces": {"message_id": "{message}"},
    "create_dms": {"recipient_id": "{alice}", "source_guild_id": "{guild_id}"},
    "create_guild_announces": {"message_id": "{message}", "channel_id": "{channel_id}"},
    "create_guild_role": {"name": "readers"},
    "create_join_approval_strategy": {"group_openids": ["{group_openid}"]},
    "create_panel": {"scope": "c2c", "panel": PANEL},
    "create_schedule": {"schedule": SCHEDULE},
    "create_thread": {"title": "t", "content": "c", "format": 1},
    "create_thread_comment": {"thread_author": "{bot}", "content": "c"},
    "create_webhook_session": {"intents": 1, "shards": [0, 1], "callback_url": "https://a.example"},
    "delete_guild_member": {},
    "demand_api_permission": {
        "channel_id": "{channel_id}",
        "api_identify": {"path": "/guilds/{{guild_id}}/members", "method": "GET"},
        "desc": "why",
    },
    "finish_c2c_upload_part": FINISH,
    "finish_group_upload_part": FINISH | {"upload_id": "{group_upload}"},
    "generate_url_link": {},
    "handle_group_join_request": {"op": "approve"},
    "list_group_members_legacy": {},
    "modify_channel": {},
    "modify_channel_message": {"keyboard": KEYBOARD},
    "modify_channel_permissions": {"add": "4"},
    "modify_channel_role_permissions": {"remove": "4"},
    "modify_group_blacklist": {"op": "add", "member_openids": ["{member}"]},
    "modify_guild_role": {"name": "writers"},
    "modify_join_approval_strategy": {},
    "modify_join_approval_whitelist": {"op": "add", "whitelist_users": ["12345"]},
    "modify_schedule": {"schedule": SCHEDULE},
    "mute_guild": {"mute_seconds": "60"},
    "mute_guild_member": {"mute_seconds": "60"},
    "mute_guild_members": {"mute_seconds": "60", "user_ids": ["{alice}"]},
    "prepare_c2c_upload": PREPARE,
    "prepare_group_upload": PREPARE,
    "prepare_media_image": IMAGE,
    "remove_guild_member_role": {},
    "send_c2c_input_notify_alt": {},
    "send_c2c_message": {"content": "1"},
    "send_c2c_stream_message": {"content_raw": "1", "msg_id": "{asked}"},
    "send_channel_message": {"content": "1"},
    "send_channel_setting_guide": {"content": "<@{alice}>"},
    "send_dms": {"content": "1"},
    "send_dms_setting_guide": {"setting_guide": {"guild_id": "{guild_id}"}},
    "send_group_message": {"content": "1"},
    "set_group_member_mute": {"members": [{"op": "add", "member_openid": "{member}", "mute_expire_at": SOON}]},
    "update_menu": {"menu": {"items": [{"name": "Help", "type": "send_message", "send_message": "/help"}]}},
    "update_panel": {"panel": PANEL},
    "update_panel_target": {"op": "add", "user_openids": ["{user_openid}"]},
    "upload_c2c_media": UPLOAD,
    "upload_group_media": UPLOAD,
}
"""The least body that the platform takes at each endpoint; `{names}` are those of `world`."""

MORE: dict[str, dict[str, object]] = {
    "send_group_message": {
        "msg_type": 2,
        "content": "",
        "markdown": {"template_id": 0, "custom_template_id": "", "params": None, "content": "# x", "style": {}},
        "keyboard": {"id": "", **KEYBOARD},
        "media": {"file_info": ""},
        "ark": {"template_id": 0, "kv": None},
        "message_reference": {"message_id": "", "ignore_get_message_error": False},
    },
    "send_channel_message": {
        "markdown": {"template_id": 0, "custom_template_id": "", "params": [], "content": "# x"},
        "keyboard": {"id": "", **KEYBOARD},
        "embed": {"title": "", "fields": []},
        "ark": {"template_id": 0, "kv": []},
        "image": "",
    },
    "send_c2c_message": {"msg_type": "2", "markdown": {"content": "", "template_id": "7"}, "msg_seq": "0"},
    "send_dms": {
        "markdown": {"content": "x"},
        "keyboard": {"content": {"rows": [{"buttons": [{"render_data": {}, "action": {"permission": {}}}]}]}},
    },
    "mute_guild_member": {"mute_seconds": "60", "mute_end_timestamp": "0"},
    "mute_guild": {"mute_seconds": "60", "user_ids": []},
    "create_join_approval_strategy": {"group_openids": ["{group_openid}"], "group_ids": []},
    "modify_join_approval_strategy": {
        "group_action": {"op": "add", "group_openids": ["{group_openid}"], "group_ids": None}
    },
    "create_guild_role": {"name": "readers", "hoist": "1", "color": "4278245297"},
    "upload_group_media": {**UPLOAD, "file_type": "1", "srv_send_msg": "false"},
    "finish_c2c_upload_part": {**FINISH, "part_index": "1", "block_size": str(len(DATA))},
    "add_guild_member_role": {"channel": {"id": 5}},
    "prepare_media_image": {**IMAGE, "file_size": str(len(DATA))},
}
"""Bodies with what a struct in Go or a careless client adds."""


def test_every_call_with_a_body_is_here() -> None:
    assert BODIES.keys() == WITH_BODY.keys()


def go_zero(kind: str) -> object:
    return {"string": "", "int": 0, "bool": False}.get(kind)


def other_zero(kind: str) -> object:
    if kind.startswith("list"):
        return []
    return {"string": 0, "int": "", "bool": 0, "file": ""}.get(kind, {})


def empty(kind: str) -> object:
    return "" if kind in ("int", "bool", "string", "file") else []


FORMS: dict[str, Callable[[str], object]] = {
    "null": lambda _: None,
    "zero": go_zero,
    "other zero": other_zero,
    "empty": empty,
    "false": lambda _: False,
}


@pytest.fixture
async def sim() -> Any:
    async with Simulator(profile="private", limits="none") as sim:
        yield sim


class World:
    """One of each thing that a call can be about."""

    def __init__(self, sim: Simulator, bot: BareBot) -> None:
        self._sim = sim
        self._bot = bot

    async def made(self) -> dict[str, str]:
        sim, bot = self._sim, self._bot
        channel, group, user = sim.channel("general"), sim.group("test"), sim.user("Alice")
        group.bot_is_admin = True
        guild = channel.guild_id
        sim.push_message("c2c", text="hi")
        sim.push("GROUP_JOIN_REQUEST", {"group_openid": group.id, "member_openid": "S", "join_request_id": "r"})
        names = {
            "guild_id": guild,
            "channel_id": channel.id,
            "group_openid": group.id,
            "user_openid": user.openid,
            "alice": channel.member("Alice").openid,
            "member": group.member("Alice").openid,
            "bot": sim._platform.world.bot_id,
            "asked": sim._platform.world.messages()[-1].id,
        }
        voice = await self._post(f"/guilds/{guild}/channels", {"name": "voice", "type": 2})
        markdown = {"markdown": {"content": "x"}, "keyboard": KEYBOARD}
        shown = await self._post(f"/channels/{channel.id}/messages", markdown)
        message = await self._post(f"/channels/{channel.id}/messages", {"content": "x"})
        await bot.call("PUT", f"/channels/{channel.id}/threads", {"title": "t", "content": "c", "format": 1})
        _, threads = await bot.call("GET", f"/channels/{channel.id}/threads")
        strategy = await self._post("/v2/groups/join_approval_strategy", {"group_openids": [group.id]})
        panel_body = {"scope": "c2c", "target_type": "specific", "user_openids": [user.openid], "panel": PANEL}
        panel = await self._post("/v2/panels", panel_body)
        image = await self._post("/v2/media-images/prepare", IMAGE)
        await self._put(image["presigned_url"], "image/png")
        uploads = [
            await self._post(f"/v2/{place}/upload_prepare", PREPARE)
            for place in (f"users/{user.openid}", f"groups/{group.id}")
        ]
        for upload in uploads:
            await self._put(upload["parts"][0]["presigned_url"], "")
        person = sim._platform.world.person(sim._platform.world.channel("general"), "Alice")
        click = sim._actions.click(person, shown["id"], "b")
        sim._actions.do(click)
        return {
            **names,
            "voice": voice["id"],
            "message": message["id"],
            "shown": shown["id"],
            "thread_id": threads["threads"][0]["thread_info"]["thread_id"],
            "strategy_id": strategy["strategy_id"],
            "panel_id": panel["panel_id"],
            "image_upload": image["upload_id"],
            "upload": uploads[0]["upload_id"],
            "group_upload": uploads[1]["upload_id"],
            "interaction_id": str(click.body["id"]),
            "dms": sim.dms("Alice").conversation_id,
            "role_id": (await self._post(f"/guilds/{guild}/roles", {"name": "r"}))["role_id"],
            "schedule_id": (await self._post(f"/channels/{channel.id}/schedules", {"schedule": SCHEDULE}))["id"],
        }

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        status, answer = await self._bot.call("POST", path, body)
        assert status == 200, answer
        return answer

    async def _put(self, url: str, kind: str) -> None:
        async with self._bot.http.put(url, data=DATA, headers={"Content-Type": kind} if kind else None) as response:
            assert response.status == 200


SPECIAL = {
    "control_audio": {"channel_id": "{voice}"},
    "handle_group_join_request": {"member_openid": "S"},
    "modify_channel_message": {"message_id": "{shown}"},
    "send_dms": {"guild_id": "{dms}"},
    "send_dms_setting_guide": {"guild_id": "{dms}"},
}


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    return value.format(**names) if isinstance(value, str) else value


async def status_of(sim: Simulator, bot: BareBot, name: str, body: dict[str, object]) -> tuple[int, Any]:
    names = await World(sim, bot).made()
    params = {"user_id": names["alice"], "message_id": names["message"], "member_openid": names["member"], **names}
    params |= filled(SPECIAL.get(name, {}), names)
    endpoint = WITH_BODY[name]
    if name == "complete_c2c_upload_alt":
        await bot.call("POST", f"/v2/users/{names['user_openid']}/upload_part_finish", filled(FINISH, names))
    if name == "demand_api_permission":
        sim._platform.rights = type(sim._platform.rights)()  # a public bot, which lacks the interface
    return await bot.call(endpoint.method, endpoint.path.format(**params), filled(body, names))


def with_forms(endpoint: Endpoint, body: dict[str, object], form: Callable[[str], object]) -> dict[str, object]:
    return {field.name: form(field.type) for field in endpoint.body if not field.required} | body


@pytest.mark.parametrize("form", ["absent", *FORMS])
@pytest.mark.parametrize("name", BODIES)
async def test_an_unused_field_does_not_matter(sim: Simulator, bot: BareBot, name: str, form: str) -> None:
    body = with_forms(WITH_BODY[name], BODIES[name], FORMS[form]) if form in FORMS else BODIES[name]
    status, answer = await status_of(sim, bot, name, body)
    assert status in (200, 204), (answer, body)


@pytest.mark.parametrize("name", MORE)
async def test_what_a_careless_client_adds_does_not_matter(sim: Simulator, bot: BareBot, name: str) -> None:
    status, answer = await status_of(sim, bot, name, MORE[name])
    assert status in (200, 204), answer


def otherwise(value: Any) -> Any:
    """The same value in another JSON type."""
    if isinstance(value, dict):
        return {name: otherwise(item) for name, item in value.items()}
    if isinstance(value, list):
        return [otherwise(item) for item in value]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return bool(value) if value in (0, 1) else str(value)
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) < 15 else value


@pytest.mark.parametrize("name", BODIES)
async def test_the_json_type_of_a_scalar_does_not_matter(sim: Simulator, bot: BareBot, name: str) -> None:
    if (body := otherwise(BODIES[name])) == BODIES[name] and repr(body) == repr(BODIES[name]):
        return  # nothing but words
    status, answer = await status_of(sim, bot, name, body)
    assert status in (200, 204), (answer, body)
