import asyncio
from typing import Any

import aiohttp
import pytest

from qqbot.testing import Simulator
from tests.simulator.bare import ALL, BareBot, Socket


@pytest.fixture
async def socket(bot: BareBot) -> Socket:
    return await bot.connect_ready()


async def reconnect(bot: BareBot, socket: Socket) -> Socket:
    again = await bot.connect()
    again.session_id = socket.session_id
    await again.resume(socket.session_id, socket.seq)
    return again


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4004, 4008, 4009])
async def test_close_that_keeps_the_session(sim: Simulator, bot: BareBot, socket: Socket, code: int) -> None:
    sim.faults.close(code, "because")
    assert await socket.close_code() == code
    if code == 4004:
        bot.token = (await bot.fetch_token())["access_token"]
    again = await reconnect(bot, socket)
    assert (await again.next())["t"] == "RESUMED"
    await sim.resumed()
    assert [(each.closed_by, each.code) for each in sim.connections] == [("platform", code), ("", None)]


@pytest.mark.parametrize("code", [4000, 4006, 4007, 4900, 4902, 4903, 4914, 4924])
async def test_close_that_ends_the_session(sim: Simulator, bot: BareBot, socket: Socket, code: int) -> None:
    sim.faults.close(code)
    assert await socket.close_code() == code
    again = await reconnect(bot, socket)
    assert await again.close_code() == 4006


async def test_4004_revokes_the_token(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.close(4004)
    await socket.close_code()
    assert (await bot.call("GET", "/users/@me"))[0] == 401


async def test_op_7_leaves_the_connection_open(sim: Simulator, socket: Socket) -> None:
    sim.faults.op7()
    assert await socket.next() == {"op": 7}
    event_id = sim.push("N", 1)
    assert (await socket.next())["id"] == event_id


async def test_op_9_ends_the_session_and_leaves_the_connection_open(
    sim: Simulator, bot: BareBot, socket: Socket
) -> None:
    sim.faults.op9()
    assert await socket.next() == {"op": 9, "d": False}
    await socket.heartbeat()
    assert await socket.next() == {"op": 11}
    again = await reconnect(bot, socket)
    assert await again.close_code() == 4006


async def test_op_9_with_a_close_code(sim: Simulator, socket: Socket) -> None:
    sim.faults.op9(close=4014)
    assert (await socket.next())["op"] == 9
    assert await socket.close_code() == 4014


async def test_op_9_resumable(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.op9(resumable=True)
    assert await socket.next() == {"op": 9, "d": True}
    await socket.ws.close()
    again = await reconnect(bot, socket)
    assert (await again.next())["t"] == "RESUMED"


async def test_drop_is_a_reset(sim: Simulator, socket: Socket) -> None:
    sim.faults.drop()
    message = await socket.ws.receive(5)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert socket.ws.close_code == 1006
    assert (sim.connections[0].closed_by, sim.connections[0].code) == ("platform", 1006)


async def test_no_hello(sim: Simulator, bot: BareBot) -> None:
    sim.faults.no_hello()
    ws = await bot.http.ws_connect(sim.api_base + "/websocket")
    with pytest.raises(asyncio.TimeoutError):
        await ws.receive(0.1)
    await bot.connect_ready()


async def test_swallowed_identify(sim: Simulator, bot: BareBot) -> None:
    sim.faults.swallow_identify()
    socket = await bot.connect()
    await socket.identify()
    await socket.heartbeat()
    assert await socket.next() == {"op": 11}
    await bot.connect_ready()
    assert len(sim.identifies) == 2


async def test_swallowed_resume(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.swallow_resume()
    await socket.ws.close()
    again = await reconnect(bot, socket)
    await again.heartbeat()
    assert await again.next() == {"op": 11}
    again = await reconnect(bot, socket)
    assert (await again.next())["t"] == "RESUMED"
    assert len(sim.resumes) == 2


async def test_stopped_acks_are_of_one_connection(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.stop_acks()
    await socket.heartbeat()
    with pytest.raises(asyncio.TimeoutError):
        await socket.next(0.1)
    other = await bot.connect_ready()
    await other.heartbeat()
    assert await other.next() == {"op": 11}


async def test_raw(sim: Simulator, socket: Socket) -> None:
    sim.faults.raw("{broken")
    assert (await socket.ws.receive(5)).data == "{broken"


async def test_close_on_identify_so_many_times(sim: Simulator, bot: BareBot) -> None:
    sim.faults.close_on_identify(4903, times=2)
    for _ in range(2):
        socket = await bot.connect()
        await socket.identify()
        assert await socket.close_code() == 4903
    await bot.connect_ready()


async def test_close_on_resume_until_cleared(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.close_on_resume(4009, times=0)
    await socket.ws.close()
    for _ in range(3):
        assert await (await reconnect(bot, socket)).close_code() == 4009
    sim.faults.clear()
    assert (await (await reconnect(bot, socket)).next())["t"] == "RESUMED"


async def test_op_9_on_identify(sim: Simulator, bot: BareBot) -> None:
    sim.faults.op9_on_identify(times=2)
    sim.faults.op9_on_identify(close=4014)
    for _ in range(2):
        socket = await bot.connect()
        await socket.identify()
        assert await socket.next() == {"op": 9, "d": False}
        await socket.heartbeat()
        assert await socket.next() == {"op": 11}
    socket = await bot.connect()
    await socket.identify()
    assert await socket.close_code() == 4014
    await bot.connect_ready()
    await sim.identified()


async def test_only_one_shard(sim: Simulator, bot: BareBot) -> None:
    first, second = [await bot.connect_ready(ALL, [index, 2]) for index in range(2)]
    sim.faults.close(4009, shard=1)
    assert await second.close_code() == 4009
    await first.heartbeat()
    assert await first.next() == {"op": 11}


async def test_again_on_the_next_connection(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.close(4009, times=2)
    assert await socket.close_code() == 4009
    again = await reconnect(bot, socket)
    assert (await again.next())["t"] == "RESUMED"
    assert await again.close_code() == 4009
    assert (await (await reconnect(bot, socket)).next())["t"] == "RESUMED"


async def test_nothing_to_break(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="no connection is ready"):
        sim.faults.close(4009)


async def test_resumed_counts_from_the_fault(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    for _ in range(2):
        sim.faults.close(4009)
        await socket.close_code()
        waiting = asyncio.create_task(sim.resumed())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        socket = await reconnect(bot, socket)
        await asyncio.wait_for(waiting, 5)
        assert (await socket.next())["t"] == "RESUMED"


async def test_what_was_before_the_fault_does_not_count(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.close(4009)
    await socket.close_code()
    socket = await reconnect(bot, socket)
    assert (await socket.next())["t"] == "RESUMED"
    sim.faults.close(4009)
    waiting = asyncio.create_task(sim.resumed())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


async def test_only_the_identify_of_one_shard(sim: Simulator, bot: BareBot) -> None:
    sim.faults.close_on_identify(4903, shard=1)
    await bot.connect_ready(ALL, [0, 2])
    socket = await bot.connect()
    await socket.identify(shard=[1, 2])
    assert await socket.close_code() == 4903


async def test_session_start_limit(sim: Simulator, bot: BareBot) -> None:
    sim.faults.session_start_limit(total=9, remaining=3, reset_after=5000, max_concurrency=2, shards=4)
    answer = (await bot.call("GET", "/gateway/bot"))[1]
    assert answer["shards"] == 4
    limit: dict[str, Any] = answer["session_start_limit"]
    assert (limit["total"], limit["remaining"], limit["max_concurrency"]) == (9, 3, 2)


async def test_http_rule(sim: Simulator, bot: BareBot) -> None:
    sim.faults.http("GET /users/*", 503, times=2)
    assert await bot.refused("GET", "/users/@me") == (503, 503)
    assert (await bot.call("GET", "/gateway"))[0] == 200
    assert (await bot.refused("GET", "/users/@me"))[0] == 503
    assert (await bot.call("GET", "/users/@me"))[0] == 200
    assert [call["status"] for call in sim.calls if call["path"] == "/users/@me"] == [503, 503, 200]


async def test_http_rule_with_body_and_headers(sim: Simulator, bot: BareBot) -> None:
    sim.faults.http("* /users/@me", 429, body={"code": 11298, "message": "no"}, headers={"Retry-After": "3"})
    sim.faults.http("* /users/@me", 413, body="<html>")
    async with bot.http.get(sim.api_base + "/users/@me") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "3")
        assert (await response.json())["code"] == 11298
    async with bot.http.get(sim.api_base + "/users/@me") as response:
        assert (response.status, response.content_type, await response.text()) == (413, "text/html", "<html>")


async def test_http_rule_on_the_token(sim: Simulator, bot: BareBot) -> None:
    sim.faults.http("POST /app/getAppAccessToken", 500)
    async with bot.http.post(sim.token_url, json={}) as response:
        assert response.status == 500


async def test_sent_but_no_response(sim: Simulator, bot: BareBot) -> None:
    sim.faults.http("POST /v2/groups/*", sent_but_no_response=True)
    with pytest.raises(aiohttp.ClientError):
        await bot.send_to_group(sim.group("test").id, content="hello")
    messages = sim.state()["messages"]
    assert [message["text"] for message in messages] == ["hello"]


async def test_delay(sim: Simulator, bot: BareBot) -> None:
    sim.faults.http("GET /users/@me", delay=5)
    with pytest.raises(asyncio.TimeoutError):
        await bot.call("GET", "/users/@me", timeout=aiohttp.ClientTimeout(total=0.1))
    assert (await bot.call("GET", "/users/@me"))[0] == 200
