import asyncio
import time

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqbot.testing import Simulator
from tests.simulator.bare import ALL, CLICKS, GROUP, JSON_VALUES, PRIVATE, BareBot

FIELDS = st.sampled_from(["token", "intents", "shard", "session_id", "seq"])


async def test_gateway_bot(sim: Simulator, bot: BareBot) -> None:
    status, answer = await bot.call("GET", "/gateway/bot")
    assert status == 200
    assert answer["shards"] == 1
    limit = answer["session_start_limit"]
    assert (limit["total"], limit["remaining"], limit["max_concurrency"]) == (1000, 1000, 16)
    assert 0 < limit["reset_after"] <= 86_400_000
    assert (await bot.call("GET", "/gateway"))[1] == {"url": answer["url"]}
    assert answer["url"].startswith("ws://127.0.0.1:")


async def test_gateway_is_asked_for_twice_a_minute(sim: Simulator, bot: BareBot) -> None:
    for _ in range(10):
        assert (await bot.call("GET", "/gateway/bot"))[0] == 200
    assert (await bot.refused("GET", "/gateway"))[0] == 429
    await sim.clock.advance(seconds=31)
    assert (await bot.call("GET", "/gateway"))[0] == 200


async def test_ready(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect()
    ready = await socket.ready()
    assert (ready["s"], ready["op"]) == (1, 0)
    assert ready["d"]["user"]["bot"] is True
    assert sim.identifies[0]["shard"] == (0, 1)
    assert sim.identifies[0]["intents"] == ALL
    await socket.heartbeat()
    assert await socket.next() == {"op": 11}


async def test_heartbeat_before_identify(bot: BareBot) -> None:
    socket = await bot.connect()
    await socket.heartbeat()
    assert await socket.next() == {"op": 11}


async def test_heartbeat_deadline() -> None:
    async with Simulator(heartbeat_interval=0.1) as sim, BareBot(sim) as bot:
        socket = await bot.connect()
        start = time.monotonic()
        assert await socket.close_code() == 4009
        assert time.monotonic() - start >= 0.15


async def test_a_bot_that_is_gone_holds_no_connection() -> None:
    async with Simulator(heartbeat_interval=0.1) as sim, BareBot(sim) as bot:
        await bot.connect_ready()
        for _ in range(2000):
            sim.push("FLOOD", "x" * 10_000)  # more than the socket takes: the platform waits in the middle of a frame
        async with asyncio.timeout(5):
            while sim.connections[0].open or sim.state()["bot"]["online"]:
                await asyncio.sleep(0.02)
        assert (sim.connections[0].closed_by, sim.connections[0].code) == ("platform", 4009)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", 4002),
        ("[]", 4002),
        ('{"op":1,"d":"\\ud800"}', 4002),
        ("[" * 100_000, 4002),
        ('{"d":1}', 4001),
        ('{"op":"2"}', 4001),
        ('{"op":99}', 4001),
        ('{"op":11}', 4003),
        ('{"op":0}', 4003),
        ('{"op":2}', 4002),
        ('{"op":2,"d":{"token":"QQBot x"}}', 4002),
        ('{"op":6}', 4004),
    ],
)
async def test_what_a_bot_must_not_send(bot: BareBot, text: str, code: int) -> None:
    socket = await bot.connect()
    await socket.ws.send_str(text)
    assert await socket.close_code() == code


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(op=st.sampled_from([1, 2, 6]) | JSON_VALUES, body=JSON_VALUES | st.dictionaries(FIELDS, JSON_VALUES))
async def test_no_payload_breaks_the_gateway(op: object, body: object) -> None:
    async with Simulator() as sim, BareBot(sim) as bot:
        socket = await bot.connect()
        await socket.send(op, body)
        await socket.heartbeat()
        message = await socket.ws.receive(5)
        if message.type is aiohttp.WSMsgType.CLOSE:
            assert 4001 <= message.data <= 4013
        else:
            assert message.data == '{"op":11}'


async def test_identify_twice(bot: BareBot) -> None:
    socket = await bot.connect_ready()
    await socket.identify()
    assert await socket.close_code() == 4005


async def test_server_side_opcode_after_identify(bot: BareBot) -> None:
    socket = await bot.connect_ready()
    await socket.send(7)
    assert await socket.close_code() == 4001


async def test_wrong_token(bot: BareBot) -> None:
    socket = await bot.connect()
    await socket.identify(token="wrong")
    assert await socket.close_code() == 4004


@pytest.mark.parametrize("shard", [[1, 1], [-1, 2], [0], "x", [0, 0], [True, 2], [0.5, 2]])
async def test_wrong_shard(bot: BareBot, shard: object) -> None:
    socket = await bot.connect()
    await socket.identify(shard=shard)
    assert await socket.close_code() == 4010


@pytest.mark.parametrize("intents", [-1, 1 << 2, 1 << 40])
async def test_unknown_intents(bot: BareBot, intents: int) -> None:
    socket = await bot.connect()
    await socket.identify(intents)
    assert await socket.close_code() == 4013


async def test_private_intents_are_refused_by_op_9_and_4014(bot: BareBot) -> None:
    socket = await bot.connect()
    await socket.identify(PRIVATE)
    assert await socket.next() == {"op": 9, "d": False}
    assert await socket.close_code() == 4014


async def test_private_intents_of_a_private_bot() -> None:
    async with Simulator(profile="private") as sim, BareBot(sim) as bot:
        socket = await bot.connect_ready(PRIVATE)
        channel = sim.channel("general")
        sim.push_message("channel", text="to nobody", mention=False)
        frame = await socket.next_of("MESSAGE_CREATE")
        assert frame["d"]["channel_id"] == channel.id


async def test_intents_filter(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready(CLICKS)
    sim.push_message("group", text="x")
    sim.push("NOT_IN_THE_TABLE", {"a": 1})
    assert (await socket.next())["t"] == "NOT_IN_THE_TABLE"
    assert sim.lost_events == []


async def test_pacing_is_enforced() -> None:
    async with Simulator(max_concurrency=1, identify_window=1.5) as sim, BareBot(sim) as bot:
        await bot.connect_ready()
        hasty = await bot.connect()
        await hasty.identify(shard=[1, 2])
        assert await hasty.next() == {"op": 9, "d": False}
        assert await hasty.close_code() == 4903
        assert len(sim.violations) == 1
        await asyncio.sleep(1.5)
        await bot.connect_ready()
        assert len(sim.violations) == 1
        times = [each["time"] for each in sim.identifies]
        assert times == sorted(times)
        assert times[1] - times[0] < 1.5


async def test_budget_is_enforced(sim: Simulator, bot: BareBot) -> None:
    sim.faults.session_start_limit(total=5, remaining=0, reset_after=60_000)
    limit = (await bot.call("GET", "/gateway/bot"))[1]["session_start_limit"]
    assert (limit["total"], limit["remaining"]) == (5, 0)
    assert 59_000 < limit["reset_after"] <= 60_000
    socket = await bot.connect()
    await socket.identify()
    assert await socket.close_code() == 4903
    assert len(sim.violations) == 1
    await sim.clock.advance(seconds=61)
    await bot.connect_ready()
    assert (await bot.call("GET", "/gateway/bot"))[1]["session_start_limit"]["remaining"] == 4


async def test_replay_after_resume(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()
    sim.push("ONE", 1)
    assert (await socket.next())["d"] == 1
    await socket.ws.close(code=4000)
    for number in (2, 3):
        sim.push("MORE", number)
    assert len(sim.lost_events) == 2
    again = await bot.connect()
    await again.resume(socket.session_id, 2)
    frames = [await again.next() for _ in range(3)]
    assert [(frame["s"], frame["t"], frame["d"]) for frame in frames] == [
        (3, "MORE", 2),
        (4, "MORE", 3),
        (5, "RESUMED", ""),
    ]
    assert sim.lost_events == []
    assert sim.resumes[0]["seq"] == 2
    assert [(each.closed_by, each.code) for each in sim.connections] == [("bot", 4000), ("", None)]


async def test_what_was_sent_but_not_received_is_replayed(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()
    ids = [sim.push("N", number) for number in range(3)]
    for _ in range(3):
        await socket.next()
    await socket.ws.close()
    again = await bot.connect()
    await again.resume(socket.session_id, 2)
    assert [(await again.next())["id"] for _ in range(2)] == ids[1:]


async def test_a_session_that_nobody_resumes_loses_its_events(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()
    await socket.ws.close()
    event_id = sim.push("N", 1)
    await bot.connect_ready()
    assert sim.lost_events == [event_id]
    again = await bot.connect()
    await again.resume(socket.session_id, 1)
    assert await again.close_code() == 4006


async def test_a_session_ends_with_its_connection_not_with_the_answer_to_the_close(
    sim: Simulator, bot: BareBot
) -> None:
    await bot.connect_ready()
    sim.faults.close(4009)
    socket = await bot.connect_ready()
    sim.push("N", 1)
    assert (await socket.next())["t"] == "N"
    assert sim.lost_events == []


async def test_second_resume_of_a_living_session(bot: BareBot) -> None:
    socket = await bot.connect_ready()
    second = await bot.connect()
    await second.resume(socket.session_id, 1)
    assert (await second.next())["t"] == "RESUMED"
    assert await socket.close_code() == 4902


async def test_bare_token_is_good_for_a_resume(bot: BareBot) -> None:
    socket = await bot.connect_ready()
    await socket.ws.close()
    again = await bot.connect()
    await again.send(6, {"token": bot.token, "session_id": socket.session_id, "seq": 1})
    assert (await again.next())["t"] == "RESUMED"


@pytest.mark.parametrize("seq", [-1, 99, "1", None, True])
async def test_wrong_seq(bot: BareBot, seq: object) -> None:
    socket = await bot.connect_ready()
    await socket.ws.close()
    again = await bot.connect()
    await again.resume(socket.session_id, seq)
    assert await again.close_code() == 4007


@pytest.mark.parametrize("session_id", ["unknown", 1, None, ["x"]])
async def test_unknown_session(bot: BareBot, session_id: object) -> None:
    socket = await bot.connect()
    await socket.resume(session_id, 1)
    assert await socket.close_code() == 4006


async def test_shard_routing(sim: Simulator, bot: BareBot) -> None:
    sockets = [await bot.connect_ready(ALL, [index, 3]) for index in range(3)]
    guild = (7 << 22) + 1  # the lower bits do not count
    sim.push("GUILD_MEMBER_NEW", {"guild_id": str(guild)})
    assert (await sockets[7 % 3].next())["t"] == "GUILD_MEMBER_NEW"
    for scene in ("group", "c2c"):
        for _ in range(2):
            sim.push_message(scene, text="x")
    sim.push("END", {}, shard=0)
    sim.push("END", {}, shard=1)
    sim.push("END", {}, shard=2)
    seen = []
    for index, socket in enumerate(sockets):
        while (frame := await socket.next())["t"] != "END":
            seen.append((frame["t"], index))
    assert len(seen) == 4
    assert len(set(seen)) == 2, "a conversation changed its shard"


async def test_flood_against_a_bot_that_does_not_read(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready(GROUP)
    start = time.monotonic()
    for number in range(20_000):
        sim.push("FLOOD", {"number": number, "text": "x" * 300})
    assert time.monotonic() - start < 20
    await asyncio.sleep(0.1)
    await socket.heartbeat()
    numbers = []
    acked = False
    while len(numbers) < 20_000:
        frame = await socket.next()
        if frame["op"] == 11:
            acked = True
        else:
            numbers.append(frame["d"]["number"])
    assert acked
    assert numbers == list(range(20_000))
    assert sim.lost_events == []


async def test_ready_waits_for_all(sim: Simulator, bot: BareBot) -> None:
    waiting = asyncio.create_task(sim.ready(2))
    sockets = [await bot.connect_ready(ALL, [0, 2])]
    assert not waiting.done()
    sockets.append(await bot.connect_ready(ALL, [1, 2]))
    await asyncio.wait_for(waiting, 5)
