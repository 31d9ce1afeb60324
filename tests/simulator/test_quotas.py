"""Quotas of active messages and wake-ups, rate limits, and the rights of an uncertified bot."""

import pytest

from qqbot.simulator.state.profiles import Profile
from qqbot.testing import Simulator
from tests.simulator.bare import BareBot, Socket

TEXT = {"msg_type": 0, "content": "x"}


@pytest.fixture
async def socket(bot: BareBot) -> Socket:
    return await bot.connect_ready()


def messages(sim: Simulator) -> str:
    return f"/v2/users/{sim.user('Alice').openid}/messages"


async def sent(bot: BareBot, path: str, most: int) -> int:
    """Send active messages until one is refused; return how many were accepted, at most `most`."""
    for number in range(most):
        if (await bot.call("POST", path, TEXT))[0] != 200:
            return number
    return most


@pytest.mark.parametrize("scene", ["groups", "users"])
async def test_20_a_minute_and_1000_a_day_to_one_conversation(sim: Simulator, bot: BareBot, scene: str) -> None:
    openid = sim.group("test").id if scene == "groups" else sim.user("Alice").openid
    path = f"/v2/{scene}/{openid}/messages"
    assert await sent(bot, path, 21) == 20
    assert (await bot.refused("POST", path, TEXT))[1] == 40034100
    for _ in range(49):
        await sim.clock.advance(minutes=1)
        assert await sent(bot, path, 20) == 20
    await sim.clock.advance(minutes=1)
    assert (await bot.refused("POST", path, TEXT))[1] == 22009
    await sim.clock.advance(days=1)
    bot.token = (await bot.fetch_token())["access_token"]
    assert await sent(bot, path, 21) == 20


async def test_replies_and_typing_are_not_active_messages(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    assert await sent(bot, messages(sim), 21) == 20
    sim.push_message("c2c", text="x")
    asked = (await socket.next())["d"]["id"]
    assert (await bot.call("POST", messages(sim), TEXT | {"msg_id": asked}))[0] == 200
    notify = {"msg_type": 6, "input_notify": {"input_type": 1, "input_second": 5}}
    assert (await bot.call("POST", messages(sim), notify))[0] == 200


@pytest.mark.parametrize(("profile", "taken"), [("public", [20, 20, 20, 0]), ("uncertified", [20, 10, 0, 0])])
async def test_all_groups_together(profile: Profile, taken: list[int]) -> None:
    async with Simulator(profile=profile) as sim, BareBot(sim) as bot:
        paths = [f"/v2/groups/{sim.group(str(number)).id}/messages" for number in range(4)]
        assert [await sent(bot, path, 20) for path in paths] == taken
        await sim.clock.advance(minutes=1)
        assert await sent(bot, paths[3], 1) == 1


async def test_c2c_of_an_uncertified_bot() -> None:
    async with Simulator(profile="uncertified") as sim, BareBot(sim) as bot:
        paths = [f"/v2/users/{sim.user(name).openid}/messages" for name in ("Alice", "Bob")]
        assert [await sent(bot, path, 20) for path in paths] == [20, 10]


async def test_a_channel_20_a_day_and_2_channels_of_a_guild(sim: Simulator, bot: BareBot) -> None:
    one, two, three = [f"/channels/{sim.channel(name).id}/messages" for name in ("a", "b", "c")]
    assert await sent(bot, one, 21) == 20
    assert (await bot.refused("POST", one, TEXT))[1] == 304045
    assert await sent(bot, two, 1) == 1
    assert (await bot.refused("POST", three, TEXT))[1] == 304047
    other = f"/channels/{sim.channel('a', guild='other').id}/messages"
    assert await sent(bot, other, 1) == 1
    await sim.clock.advance(days=1)
    bot.token = (await bot.fetch_token())["access_token"]
    assert await sent(bot, three, 1) == 1


async def test_private_chats_2_a_day_each(sim: Simulator, bot: BareBot) -> None:
    for name in ("Alice", "Bob"):
        path = f"/dms/{sim.dms(name).conversation_id}/messages"
        assert await sent(bot, path, 3) == 2
        assert (await bot.refused("POST", path, TEXT))[1] == 304049


@pytest.mark.parametrize(
    ("kind", "name", "code"), [("GROUP_MSG", "group_openid", 40034105), ("C2C_MSG", "openid", 40054013)]
)
async def test_opt_out_of_active_messages(sim: Simulator, bot: BareBot, kind: str, name: str, code: int) -> None:
    group, user = sim.group("test").id, sim.user("Alice").openid
    openid, path = (group, f"/v2/groups/{group}/messages") if kind == "GROUP_MSG" else (user, messages(sim))
    sim.push(f"{kind}_REJECT", {name: openid, "timestamp": 1})
    assert (await bot.refused("POST", path, TEXT))[1] == code
    sim.push(f"{kind}_RECEIVE", {name: openid, "timestamp": 2})
    assert await sent(bot, path, 1) == 1


async def test_one_wake_up_per_window(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    path, body = messages(sim), TEXT | {"is_wakeup": True}

    async def wake() -> int:
        status, answer = await bot.call("POST", path, body)
        return 0 if status == 200 else answer["code"]

    assert await wake() == 40034123, "the user never wrote"
    sim.push_message("c2c", text="x")
    asked = (await socket.next())["d"]["id"]
    assert (await bot.refused("POST", path, body | {"msg_id": asked}))[1] == 40034123
    for days in (1, 2, 4, 23):
        assert (await wake(), await wake()) == (0, 40034122)
        await sim.clock.advance(days=days)
        bot.token = (await bot.fetch_token())["access_token"]
    assert await wake() == 40034123, "30 days are over"
    sim.push_message("c2c", text="back again")
    assert await wake() == 0


async def test_a_streamed_wake_up_counts_too(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.push_message("c2c", text="x")
    path = f"/v2/users/{sim.user('Alice').openid}/stream_messages"
    fragment = {"index": 0, "content_raw": "one", "is_wakeup": True, "msg_seq": 1, "input_state": 10}
    assert (await bot.call("POST", path, fragment))[0] == 200
    assert (await bot.refused("POST", path, fragment))[1] == 40034122


async def test_rate_limit_per_minute(sim: Simulator, bot: BareBot) -> None:
    path = f"/v2/groups/{sim.group('test').id}/info"
    for _ in range(30):
        assert (await bot.call("GET", path))[0] == 200
    headers = {"Authorization": f"QQBot {bot.token}"}
    async with bot.http.get(sim.api_base + path, headers=headers) as response:
        assert response.status == 429 and int(response.headers["Retry-After"]) in (1, 2)
    await sim.clock.advance(seconds=2)
    assert (await bot.call("GET", path))[0] == 200


async def test_rate_limit_per_second_is_optional() -> None:
    async with Simulator(limits="all") as sim, BareBot(sim) as bot:
        answers = [await bot.call("DELETE", f"/v2/groups/{sim.group('test').id}/messages/x") for _ in range(30)]
        assert any(status == 429 for status, _ in answers)
    async with Simulator() as sim, BareBot(sim) as bot:
        answers = [await bot.call("DELETE", f"/v2/groups/{sim.group('test').id}/messages/x") for _ in range(30)]
        assert not any(status == 429 for status, _ in answers)


async def test_rights_of_an_uncertified_bot() -> None:
    async with Simulator(profile="uncertified") as sim, BareBot(sim) as bot:
        channel, group = sim.channel("general").id, sim.group("test").id
        assert (await bot.refused("GET", f"/v2/groups/{group}/info"))[1] == 11253
        body = {"markdown": {"content": "x"}}
        assert (await bot.refused("POST", f"/channels/{channel}/messages", body))[1] == 304036
        styled = {"msg_type": 2, "markdown": {"content": "x"}}
        assert (await bot.call("POST", f"/v2/groups/{group}/messages", styled))[0] == 200


async def test_token_lifetime_as_a_number() -> None:
    async with Simulator(numeric_expiry=True) as sim, BareBot(sim) as bot:
        assert type((await bot.fetch_token())["expires_in"]) is int
