"""Guild endpoints of the simulator without the client: refusals and pushed events."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from qqbot.testing import Simulator
from tests.simulator.bare import GUILDS, BareBot

MEMBERS, REACTIONS, FORUMS, AUDIO = 1 << 1, 1 << 10, 1 << 28, 1 << 29


class GuildIds(NamedTuple):
    """Ids of one guild."""

    guild: str
    channel: str
    alice: str
    message: str


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(profile="private") as sim:
        yield sim


@pytest.fixture
async def ids(sim: Simulator, bot: BareBot) -> GuildIds:
    channel = sim.channel("general")
    alice = channel.member("Alice").openid
    message = (await bot.call("POST", f"/channels/{channel.id}/messages", {"content": "x"}))[1]["id"]
    return GuildIds(channel.guild_id, channel.id, alice, message)


FAR = {"start_timestamp": "4102444800000", "end_timestamp": "4102448400000"}
REFUSED: dict[str, tuple[str, object, int]] = {
    "category below 2": ("POST /guilds/{guild}/channels", {"name": "x", "type": 4, "position": 1}, 50001),
    "color": ("POST /guilds/{guild}/roles", {"color": 1 << 32}, 50001),
    "empty role": ("POST /guilds/{guild}/roles", {}, 50001),
    "hoist as a word": ("POST /guilds/{guild}/roles", {"hoist": "yes"}, 12002),
    "built-in role": ("DELETE /guilds/{guild}/roles/2", None, 12001),
    "built-in role of all members": ("PUT /guilds/{guild}/members/{alice}/roles/1", None, 11282),
    "channel admin of no channel": ("PUT /guilds/{guild}/members/{alice}/roles/5", {}, 10003),
    "days": ("DELETE /guilds/{guild}/members/{alice}", {"delete_history_msg_days": 5}, 50001),
    "manage": ("PUT /channels/{channel}/members/{alice}/permissions", {"add": "2"}, 301000),
    "no bits": ("PUT /channels/{channel}/members/{alice}/permissions", {"add": "x"}, 301000),
    "bits in a list": ("PUT /channels/{channel}/members/{alice}/permissions", {"add": [4]}, 12002),
    "no change": ("PUT /channels/{channel}/roles/1/permissions", {}, 301000),
    "no time, and zeros": ("PATCH /guilds/{guild}/mute", {"mute_end_timestamp": "", "mute_seconds": None}, 502005),
    "no time": ("PATCH /guilds/{guild}/mute", {}, 502005),
    "bad time": ("PATCH /guilds/{guild}/members/{alice}/mute", {"mute_seconds": "soon"}, 502005),
    "nothing announced": ("POST /guilds/{guild}/announces", {}, 501001),
    "too many": (
        "POST /guilds/{guild}/announces",
        {"recommend_channels": [{"channel_id": "1", "introduce": "x"}] * 4},
        501016,
    ),
    "foreign channel": (
        "POST /guilds/{guild}/announces",
        {"recommend_channels": [{"channel_id": "1", "introduce": "x"}]},
        501018,
    ),
    "not announced": ("DELETE /channels/{channel}/announces/{message}", None, 501005),
    "no such message": ("POST /channels/{channel}/announces", {"message_id": "1"}, 501008),
    "not pinned": ("DELETE /channels/{channel}/pins/{message}", None, 501012),
    "no times": (
        "POST /channels/{channel}/schedules",
        {"schedule": {"name": "x", "start_timestamp": "soon", "end_timestamp": "later"}},
        302000,
    ),
    "ends before": (
        "POST /channels/{channel}/schedules",
        {"schedule": {"name": "x", "start_timestamp": "4102444800000", "end_timestamp": "4102444800000"}},
        302016,
    ),
    "too long": (
        "POST /channels/{channel}/schedules",
        {"schedule": {"name": "x", "start_timestamp": "4102444800000", "end_timestamp": "4203444800000"}},
        302014,
    ),
    "jumps nowhere": (
        "POST /channels/{channel}/schedules",
        {"schedule": {"name": "x", **FAR, "jump_channel_id": "1"}},
        302024,
    ),
    "type of emoji": ("PUT /channels/{channel}/messages/{message}/reactions/3/1", None, 620001),
    "not set": ("DELETE /channels/{channel}/messages/{message}/reactions/1/4", None, 620004),
    "no title": ("PUT /channels/{channel}/threads", {"title": "", "content": "x", "format": 1}, 503005),
    "no content": ("PUT /channels/{channel}/threads", {"title": "x", "content": "", "format": 1}, 503006),
    "no JSON": ("PUT /channels/{channel}/threads", {"title": "x", "content": "x", "format": 4}, 503014),
    "format": ("PUT /channels/{channel}/threads", {"title": "x", "content": "x", "format": 5}, 503015),
    "not audible": ("PUT /channels/{channel}/mic", None, 50001),
    "guide without a mention": ("POST /channels/{channel}/settingguide", {"content": "x"}, 304051),
    "foreign interface": (
        "POST /guilds/{guild}/api_permission/demand",
        {"channel_id": "{channel}", "api_identify": {"path": "/x", "method": "GET"}, "desc": "x"},
        610009,
    ),
    "granted": (
        "POST /guilds/{guild}/api_permission/demand",
        {"channel_id": "{channel}", "api_identify": {"path": "/guilds/{guild_id}", "method": "GET"}, "desc": "x"},
        610010,
    ),
}


async def test_the_flags_of_the_message_setting_are_booleans(bot: BareBot, ids: GuildIds) -> None:
    _, setting = await bot.call("GET", f"/guilds/{ids.guild}/message/setting")
    assert (setting["disable_create_dm"], setting["disable_push_msg"]) == (False, False)


@pytest.mark.parametrize(("request_line", "body", "code"), REFUSED.values(), ids=REFUSED)
async def test_refusals(bot: BareBot, ids: GuildIds, request_line: str, body: Any, code: int) -> None:
    method, path = request_line.split()
    if isinstance(body, dict) and "channel_id" in body:
        body = body | {"channel_id": ids.channel}
    assert (await bot.refused(method, path.format(**ids._asdict()), body))[1] == code


async def test_the_bot_has_to_be_an_administrator(sim: Simulator, bot: BareBot, ids: GuildIds) -> None:
    sim.guild().bot_is_admin = False
    for line in (
        "DELETE /channels/{channel}",
        "PUT /channels/{channel}/pins/{message}",
        "DELETE /guilds/{guild}/members/{alice}",
        "PATCH /guilds/{guild}/members/{alice}/mute",
    ):
        method, path = line.format(**ids._asdict()).split()
        assert (await bot.refused(method, path))[1] == 11282
    assert (await bot.call("GET", f"/channels/{ids.channel}"))[0] == 200


async def test_user_ids_select_the_mute_of_members(bot: BareBot, ids: GuildIds) -> None:
    path = f"/guilds/{ids.guild}/mute"
    assert await bot.call("PATCH", path, {"mute_seconds": "60"}) == (204, None)
    body = {"mute_seconds": "60", "user_ids": [ids.alice, "1"]}
    assert await bot.call("PATCH", path, body) == (200, {"user_ids": [ids.alice]})


async def test_a_mute_is_visible_until_it_ends(sim: Simulator, bot: BareBot, ids: GuildIds) -> None:
    alice = f"/guilds/{ids.guild}/members/{ids.alice}"

    async def muted() -> bool:
        return bool((await bot.call("GET", alice))[1]["mute"])

    await bot.call("PATCH", f"{alice}/mute", {"mute_seconds": "60"})
    assert await muted()
    await sim.clock.advance(seconds=61)
    assert not await muted()
    await bot.call("PATCH", f"/guilds/{ids.guild}/mute", {"mute_seconds": "60"})
    assert await muted()
    await bot.call("PATCH", f"/guilds/{ids.guild}/mute", {"mute_end_timestamp": "0"})
    assert not await muted()


async def test_audio_events(bot: BareBot, ids: GuildIds) -> None:
    socket = await bot.connect_ready(GUILDS | AUDIO)
    voice = (await bot.call("POST", f"/guilds/{ids.guild}/channels", {"name": "voice", "type": 2}))[1]["id"]
    await bot.call("PUT", f"/channels/{voice}/mic")
    assert (await socket.next())["t"] == "AUDIO_ON_MIC"
    await bot.call("POST", f"/channels/{voice}/audio", {"status": 0, "audio_url": "https://x/a.mp3", "text": "a"})
    started = await socket.next()
    assert (started["t"], started["d"]["audio_url"]) == ("AUDIO_START", "https://x/a.mp3")
    await bot.call("POST", f"/channels/{voice}/audio", {"status": 3})
    assert (await socket.next())["t"] == "AUDIO_FINISH"
    await bot.call("DELETE", f"/channels/{voice}/mic")
    assert (await socket.next())["t"] == "AUDIO_OFF_MIC"


async def test_calls_of_the_bot_are_pushed_as_events(bot: BareBot, ids: GuildIds) -> None:
    socket = await bot.connect_ready(GUILDS | 1 | MEMBERS | REACTIONS | FORUMS)
    created = (await bot.call("POST", f"/guilds/{ids.guild}/channels", {"name": "general", "type": 0}))[1]
    assert (await socket.next())["t"] == "CHANNEL_CREATE"
    assert created["id"] != ids.channel
    await bot.call("PATCH", f"/channels/{created['id']}", {"name": "new"})
    assert (await socket.next())["d"]["name"] == "new"
    await bot.call("DELETE", f"/channels/{created['id']}")
    assert (await socket.next())["t"] == "CHANNEL_DELETE"
    assert (await bot.refused("GET", f"/channels/{created['id']}"))[1] == 10003
    await bot.call("PUT", f"/channels/{ids.channel}/messages/{ids.message}/reactions/2/127881")
    added = await socket.next()
    assert (added["t"], added["d"]["emoji"]) == ("MESSAGE_REACTION_ADD", {"id": "127881", "type": 2})
    await bot.call("DELETE", f"/guilds/{ids.guild}/members/{ids.alice}")
    removed = await socket.next()
    assert (removed["t"], removed["d"]["user"]["id"]) == ("GUILD_MEMBER_REMOVE", ids.alice)
    assert (await bot.refused("GET", f"/guilds/{ids.guild}/members/{ids.alice}"))[1] == 10001


async def test_a_thread_is_audited(bot: BareBot, ids: GuildIds) -> None:
    socket = await bot.connect_ready(FORUMS)
    body = {"title": "t", "content": "c", "format": 1}
    task = (await bot.call("PUT", f"/channels/{ids.channel}/threads", body))[1]
    assert (await socket.next())["t"] == "FORUM_THREAD_CREATE"
    reviewed = await socket.next()
    assert (reviewed["t"], reviewed["d"]["task_id"]) == ("FORUM_PUBLISH_AUDIT_RESULT", task["task_id"])


async def test_a_page_of_reactions_keeps_its_size(sim: Simulator, bot: BareBot, ids: GuildIds) -> None:
    path = f"/channels/{ids.channel}/messages/{ids.message}/reactions/1/4"
    await bot.call("PUT", path)
    page = (await bot.call("GET", f"{path}?limit=1"))[1]
    assert ([user["username"] for user in page["users"]], page["is_end"]) == (["bot"], True)


async def test_daily_limits_of_a_guild_reset(sim: Simulator, bot: BareBot) -> None:
    path = f"/channels/{sim.channel('general').id}/schedules"
    for _ in range(10):
        assert (await bot.call("POST", path, {"schedule": {"name": "x", **FAR}}))[0] == 200
    assert (await bot.refused("POST", path, {"schedule": {"name": "x", **FAR}}))[1] == 302012
    await sim.clock.advance(days=1)
    bot.token = (await bot.fetch_token())["access_token"]
    assert (await bot.call("POST", path, {"schedule": {"name": "x", **FAR}}))[0] == 200


ROLE_FORMS: list[tuple[dict[str, Any], tuple[str, int, int]]] = [
    ({"name": "writers", "color": 5, "hoist": 1}, ("writers", 5, 1)),
    ({"name": "writers", "color": "5", "hoist": "1"}, ("writers", 5, 1)),
    ({"filter": {"name": 1, "color": 1, "hoist": 1}, "info": {"name": "writers", "color": 5}}, ("writers", 5, 0)),
    ({"filter": {"name": 0, "color": 1, "hoist": 0}, "info": {"name": "", "color": 5, "hoist": 1}}, ("readers", 5, 1)),
    ({"filter": {"hoist": "1"}, "info": {"hoist": "0"}}, ("readers", 4, 0)),
    ({"info": {"name": "writers"}}, ("writers", 4, 1)),
    ({"name": "", "color": 0}, ("readers", 0, 1)),
]


@pytest.mark.parametrize(("body", "shown"), ROLE_FORMS)
async def test_a_role_is_changed_in_either_form(
    bot: BareBot, ids: GuildIds, body: dict[str, Any], shown: tuple[str, int, int]
) -> None:
    path = f"/guilds/{ids.guild}/roles"
    role_id = (await bot.call("POST", path, {"name": "readers", "color": 4, "hoist": 1}))[1]["role_id"]
    status, answer = await bot.call("PATCH", f"{path}/{role_id}", {"guild_id": ids.guild, **body})
    assert status == 200
    assert tuple(answer["role"][name] for name in ("name", "color", "hoist")) == shown


async def test_a_role_is_created_in_the_form_of_botgo(bot: BareBot, ids: GuildIds) -> None:
    body = {
        "guild_id": ids.guild,
        "filter": {"name": 1, "color": 1, "hoist": 0},
        "info": {"name": "x", "color": 7, "hoist": 0},
    }
    _, answer = await bot.call("POST", f"/guilds/{ids.guild}/roles", body)
    assert (answer["role"]["name"], answer["role"]["color"]) == ("x", 7)


async def test_without_ids_a_mute_is_of_the_whole_guild(bot: BareBot, ids: GuildIds) -> None:
    for user_ids in ([], None):
        body = {"user_ids": user_ids, "mute_end_timestamp": "0", "mute_seconds": "60"}
        assert await bot.call("PATCH", f"/guilds/{ids.guild}/mute", body) == (204, None)
    status, answer = await bot.call("PATCH", f"/guilds/{ids.guild}/mute", {"user_ids": [ids.alice], "mute_seconds": 60})
    assert (status, answer) == (200, {"user_ids": [ids.alice]})
