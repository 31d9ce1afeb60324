"""Rules of faults: when they are due, what each kind does at each moment, and what is refused."""

import asyncio
import struct
import time
from collections.abc import Callable
from http import HTTPStatus
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qqbot.simulator.faults.documents import KINDS, inject, rule_document
from qqbot.testing import (
    Close,
    Drop,
    Duplicate,
    Fault,
    HalfOpen,
    Hang,
    HtmlBody,
    Http,
    Latency,
    NoHello,
    Op7,
    Op9,
    Raw,
    Reorder,
    SentButNoResponse,
    Simulator,
    StopAcks,
    SwallowIdentify,
    SwallowResume,
    TokenExpired,
    TruncateBody,
)
from tests.simulator.bare import ALL, JSON_VALUES, BareBot, Socket
from tests.sockets import plain_socket

ME = "GET /users/@me"


@pytest.fixture
async def socket(bot: BareBot) -> Socket:
    return await bot.connect_ready()


async def resume(bot: BareBot, socket: Socket) -> Socket:
    again = await bot.connect()
    await again.resume(socket.session_id, socket.seq)
    return again


async def statuses(bot: BareBot, count: int) -> list[int]:
    return [(await bot.call("GET", "/users/@me"))[0] for _ in range(count)]


# When a rule is due


async def test_only_the_nth(sim: Simulator, bot: BareBot) -> None:
    rule = sim.faults.add(ME, Http(500), nth=3)
    assert await statuses(bot, 5) == [200, 200, 500, 200, 200]
    assert (rule.seen, rule.struck, sim.faults.rules) == (3, 1, ())


async def test_so_many_times_from_the_nth_on(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add(ME, Http(500), nth=2, times=2)
    assert await statuses(bot, 5) == [200, 500, 500, 200, 200]


async def test_until_cleared(sim: Simulator, bot: BareBot) -> None:
    rule = sim.faults.add(ME, Http(500), times=0)
    assert await statuses(bot, 3) == [500, 500, 500]
    assert sim.faults.rules == (rule,)
    sim.faults.clear()
    assert await statuses(bot, 1) == [200]
    assert sim.faults.counts == {"http": 3}


async def test_of_two_that_are_due_the_older_one(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add(ME, Http(501), nth=2)
    sim.faults.add("GET *", Http(502), nth=2)
    assert await statuses(bot, 4) == [200, 501, 502, 200]


async def test_calls_that_do_not_match_do_not_count(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("POST *", Http(500))
    sim.faults.add("* /gateway", Http(500))
    sim.faults.add("GET /users/@me/*", Http(500))
    assert await statuses(bot, 2) == [200, 200]


async def drawn(seed: int, others: bool = False) -> list[int]:
    async with Simulator(seed=seed) as sim, BareBot(sim) as bot:
        sim.faults.add(ME, Http(500), chance=0.5, times=0)
        if others:
            sim.faults.add("* /gateway", Http(500), chance=0.5, times=0)
        found: list[int] = []
        for _ in range(30):
            if others:
                await bot.call("GET", "/gateway")
            found += await statuses(bot, 1)
        return found


async def test_chance_is_drawn_from_the_seed() -> None:
    first = await drawn(7)
    assert set(first) == {200, 500}
    assert await drawn(7) == first
    assert await drawn(8) != first


async def test_what_a_rule_draws_does_not_depend_on_others() -> None:
    assert await drawn(7, others=True) == await drawn(7)


async def test_a_seed_of_its_own() -> None:
    assert Simulator().seed != Simulator().seed
    assert Simulator(seed=3).seed == 3


async def test_of_one_shard(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("IDENTIFY", Close(4000), shard=1, times=0)
    await bot.connect_ready(ALL, [0, 2])
    socket = await bot.connect()
    await socket.identify(shard=[1, 2])
    assert await socket.close_code() == 4000


# Moments of connections


async def test_events_of_a_type(sim: Simulator, socket: Socket) -> None:
    sim.faults.add("DISPATCH GROUP_*", Close(4009), nth=2)
    for kind in ("GROUP_ADD_ROBOT", "FRIEND_ADD", "GROUP_DEL_ROBOT"):
        sim.push(kind, {})
    assert [(await socket.next())["t"] for _ in range(2)] == ["GROUP_ADD_ROBOT", "FRIEND_ADD"]
    assert await socket.close_code() == 4009


@pytest.mark.parametrize(("do", "code"), [(Drop(), 1006), (Close(4009), 4009)])
async def test_what_did_not_go_out_is_replayed(
    sim: Simulator, bot: BareBot, socket: Socket, do: Fault, code: int
) -> None:
    sim.faults.add("DISPATCH", do)
    event_id = sim.push("N", 1)
    assert await socket.close_code() == code
    assert sim.lost_events == [event_id]
    again = await resume(bot, socket)
    assert (await again.next())["id"] == event_id
    assert (await again.next())["t"] == "RESUMED"
    assert sim.lost_events == []


class StubbornSocket:
    """The socket of a transport that refuses every option, as those of some event loops do."""

    def setsockopt(self, *_: object) -> None:
        raise TypeError("transport sockets do not support setsockopt()")


class StubbornTransport:
    """A transport with such a socket."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.abort = transport.abort

    def get_extra_info(self, _: str) -> StubbornSocket:
        return StubbornSocket()


async def test_a_drop_needs_nothing_of_the_socket(
    sim: Simulator, bot: BareBot, socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = sim.connections[0]
    transport = connection._transport
    assert transport is not None
    monkeypatch.setattr(connection, "_transport", StubbornTransport(transport))
    sim.faults.drop()
    sim.push("N", 1)
    assert await socket.close_code() == 1006
    assert (connection.closed_by, connection.code) == ("platform", 1006)


async def test_duplicate(sim: Simulator, socket: Socket) -> None:
    sim.faults.add("DISPATCH", Duplicate())
    sim.push("N", 1)
    sim.push("N", 2)
    frames = [await socket.next() for _ in range(3)]
    assert frames[0] == frames[1]
    assert [frame["d"] for frame in frames] == [1, 1, 2]


async def test_reorder(sim: Simulator, socket: Socket) -> None:
    sim.faults.add("DISPATCH", Reorder(3))
    for number in range(5):
        sim.push("N", number)
    assert [(await socket.next())["s"] for _ in range(5)] == [4, 3, 2, 5, 6]


async def test_reorder_of_one_event(sim: Simulator, socket: Socket) -> None:
    sim.faults.add("DISPATCH", Reorder())
    sim.push("N", 1)
    assert (await socket.next())["d"] == 1


async def test_half_open(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.half_open()
    event_id = sim.push("N", 1)
    await socket.heartbeat()
    with pytest.raises(asyncio.TimeoutError):
        await socket.ws.receive(0.1)
    assert sim.connections[0].open
    again = await resume(bot, socket)
    assert (await again.next())["id"] == event_id


async def test_half_open_that_the_bot_ends_while_it_resumes(
    sim: Simulator, bot: BareBot, socket: Socket, caplog: pytest.LogCaptureFixture
) -> None:
    sim.faults.half_open()
    again = await bot.connect()
    with plain_socket(socket.ws.get_extra_info("socket")) as own:
        own.shutdown(SHUT_RDWR)  # both reach the simulator at once
    await again.resume(socket.session_id, socket.seq)
    assert (await again.next())["t"] == "RESUMED"
    assert not caplog.records


async def test_half_open_outlives_the_heartbeats() -> None:
    async with Simulator(heartbeat_interval=0.05) as sim, BareBot(sim) as bot:
        socket = await bot.connect_ready()
        sim.faults.half_open()
        with pytest.raises(asyncio.TimeoutError):
            await socket.ws.receive(0.3)  # the platform would close with 4009


async def test_op_7_is_no_answer(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    for moment in ("IDENTIFY", "RESUME"):
        sim.faults.add(moment, Op7())
    other = await bot.connect()
    await other.identify()
    assert await other.next() == {"op": 7}
    await other.heartbeat()
    assert await other.next() == {"op": 11}
    await socket.ws.close()
    again = await resume(bot, socket)
    assert await again.next() == {"op": 7}


async def test_op_9_in_place_of_an_event(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.add("DISPATCH", Op9(close=4006))
    event_id = sim.push("N", 1)
    assert await socket.next() == {"op": 9, "d": False}
    assert await socket.close_code() == 4006
    assert await (await resume(bot, socket)).close_code() == 4006
    assert sim.lost_events == [event_id]


async def test_after_op_9_a_session_says_nothing(sim: Simulator, socket: Socket) -> None:
    sim.faults.add("DISPATCH", Op9())
    sim.push("N", 1)
    sim.push("N", 2)
    assert await socket.next() == {"op": 9, "d": False}
    await socket.heartbeat()
    assert await socket.next() == {"op": 11}


async def test_acks_that_stop_with_a_heartbeat(sim: Simulator, socket: Socket) -> None:
    sim.faults.add("HEARTBEAT", StopAcks(), nth=2)
    await socket.heartbeat()
    assert await socket.next() == {"op": 11}
    await socket.heartbeat()
    with pytest.raises(asyncio.TimeoutError):
        await socket.next(0.1)


async def test_ready_that_is_lost(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("READY", Drop())
    socket = await bot.connect()
    await socket.identify()
    assert await socket.close_code() == 1006
    await bot.connect_ready()


async def test_resumed_that_is_lost(sim: Simulator, bot: BareBot, socket: Socket) -> None:
    sim.faults.add("RESUMED", Close(4009))
    await socket.ws.close()
    assert await (await resume(bot, socket)).close_code() == 4009
    assert (await (await resume(bot, socket)).next())["t"] == "RESUMED"


@pytest.mark.parametrize("moment", ["IDENTIFY", "RESUME"])
async def test_token_that_expires(sim: Simulator, bot: BareBot, socket: Socket, moment: str) -> None:
    sim.faults.add(moment, TokenExpired())
    await socket.ws.close()
    again = await bot.connect()
    await (again.identify() if moment == "IDENTIFY" else again.resume(socket.session_id, socket.seq))
    assert await again.close_code() == 4004


async def test_raw_at_the_beginning(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("connected", Raw('{"op":99}'))
    ws = await bot.http.ws_connect(sim.api_base + "/websocket")
    assert (await ws.receive(5)).data == '{"op":99}'
    assert '"op":10' in (await ws.receive(5)).data


async def test_hello_that_is_late(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("connected", Latency(0.1))
    start = time.monotonic()
    await bot.connect_ready()
    assert time.monotonic() - start >= 0.1
    assert sim.faults.counts == {"latency": 1}


async def test_a_while_after_it_was_live(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("live", Latency(0.1, Close(4009)))
    socket = await bot.connect_ready()
    assert await socket.close_code() == 4009
    assert sim.faults.counts == {"latency": 1, "close": 1}


async def test_a_bot_that_is_gone_before_it_is_answered(
    sim: Simulator, bot: BareBot, caplog: pytest.LogCaptureFixture
) -> None:
    request = (
        "GET /websocket HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    address = sim.api_base.removeprefix("http://")
    host, port = address.split(":")
    for _ in range(5):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.format(address).encode())
        writer.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    await bot.connect_ready()
    assert [each.closed_by for each in sim.connections if each.number < 6] == ["bot"] * (len(sim.connections) - 1)
    assert not caplog.records


# Calls


async def test_429_says_when(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add(ME, Http(429, retry_after=3))
    async with bot.http.get(sim.api_base + "/users/@me") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "3")


async def test_page_of_a_proxy(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("POST /v2/groups/*", HtmlBody(413))
    async with bot.http.post(f"{sim.api_base}/v2/groups/G/files", json={}) as response:
        assert (response.status, response.content_type) == (413, "text/html")
        assert f"413 {HTTPStatus(413).phrase}" in await response.text()


async def test_answer_that_ends_in_the_middle(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("POST /v2/groups/*", TruncateBody())
    with pytest.raises(aiohttp.ClientPayloadError):
        await bot.send_to_group(sim.group("test").id, content="hello")
    assert [message["text"] for message in sim.state()["messages"]] == ["hello"]


async def test_call_that_is_dropped_is_not_served(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("POST /v2/groups/*", Drop())
    with pytest.raises(aiohttp.ClientError):
        await bot.send_to_group(sim.group("test").id, content="hello")
    assert sim.state()["messages"] == []
    assert sim.calls[-1]["status"] == 0


async def test_call_that_hangs_until_the_bot_gives_up(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add("POST /v2/groups/*", Hang())
    with pytest.raises(asyncio.TimeoutError):
        await bot.call("POST", "/v2/groups/G/messages", {}, timeout=aiohttp.ClientTimeout(total=0.1))
    async with asyncio.timeout(5):
        while sim.calls[-1]["path"] != "/v2/groups/G/messages":
            await asyncio.sleep(0.01)
    assert (sim.calls[-1]["status"], sim.state()["messages"]) == (0, [])


async def test_token_that_expires_with_a_call(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add(ME, TokenExpired())
    assert await bot.refused("GET", "/users/@me") == (401, 11244)
    bot.token = (await bot.fetch_token())["access_token"]
    assert await statuses(bot, 1) == [200]


async def test_slow_call_that_fails(sim: Simulator, bot: BareBot) -> None:
    sim.faults.add(ME, Latency(0.1, Http(503)))
    start = time.monotonic()
    assert await statuses(bot, 2) == [503, 200]
    assert time.monotonic() - start >= 0.1


# What cannot be


@pytest.mark.parametrize(
    "on",
    [
        "",
        "identify",
        "IDENTIFY now",
        "DISPATCH A B",
        "DISPATCHED",
        "POST",
        "post /x",
        "POST x",
        "/v2",
        "POST /a b",
        "x",
    ],
)
async def test_no_moment(sim: Simulator, on: str) -> None:
    with pytest.raises(ValueError, match="is not a moment: use one of connected, IDENTIFY"):
        sim.faults.add(on, Drop())


@pytest.mark.parametrize(
    ("on", "do"),
    [
        ("IDENTIFY", Http(500)),
        ("DISPATCH", TruncateBody()),
        ("connected", Op7()),
        ("connected", TokenExpired()),
        ("live", NoHello()),
        ("RESUME", SwallowIdentify()),
        ("IDENTIFY", SwallowResume()),
        ("READY", Duplicate()),
        ("HEARTBEAT", Reorder()),
        ("live", SentButNoResponse()),
        ("live", HtmlBody(502)),
        ("HEARTBEAT", Hang()),
        (ME, Close(4009)),
        (ME, StopAcks()),
        (ME, HalfOpen()),
        (ME, Latency(1, Close(4009))),
        ("IDENTIFY", Latency(1, Latency(1, Http(500)))),
    ],
)
async def test_wrong_combination(sim: Simulator, on: str, do: Fault) -> None:
    with pytest.raises(ValueError, match=r"cannot happen on .*, only on: "):
        sim.faults.add(on, do)
    assert sim.faults.rules == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nth": 0}, "nth=0"),
        ({"times": -1}, "times=-1"),
        ({"chance": 0}, "chance=0"),
        ({"chance": 1.1}, "chance=1.1"),
        ({"shard": 0, "on": "connected"}, "before any shard is known"),
        ({"shard": 0, "on": ME}, "before any shard is known"),
    ],
)
async def test_wrong_numbers(sim: Simulator, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sim.faults.add(**{"on": "live", "do": Drop(), **options})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Close(1006),
        lambda: Close(99999),
        lambda: Op9(close=0),
        lambda: Latency(-1),
        lambda: Latency(float("nan")),
        lambda: Latency(1e9),
        lambda: Reorder(1),
        lambda: Http(99),
        lambda: Http(429, retry_after=-1),
        lambda: HtmlBody(600),
    ],
)
def test_wrong_values(make: Callable[[], Fault]) -> None:
    with pytest.raises(ValueError, match=r"must be|is no|two events"):
        make()


async def test_striking_now_what_has_to_wait_for_a_moment(sim: Simulator, socket: Socket) -> None:
    with pytest.raises(ValueError, match="delays a moment"):
        sim.faults.strike(Latency(1))
    with pytest.raises(ValueError, match="cannot happen on 'live'"):
        sim.faults.strike(Duplicate())


# As JSON


async def control(sim: Simulator, bot: BareBot, **document: object) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {sim.control_token}"}
    async with bot.http.post(f"{sim.api_base}/_sim/fault", json=document, headers=headers) as response:
        return response.status, await response.json()


async def test_rules_over_the_control_api(sim: Simulator, bot: BareBot) -> None:
    rule = {"kind": "http", "status": 429, "retry_after": 3, "on": ME, "nth": 2}
    assert await control(sim, bot, **rule) == (200, {})
    assert await statuses(bot, 3) == [200, 429, 200]
    then = {"kind": "close", "code": 4009}
    assert await control(sim, bot, kind="latency", seconds=0.05, then=then, on="live") == (200, {})
    shown = sim.state()["faults"]
    assert [(each["on"], each["kind"], each["seconds"], each["then"]["code"]) for each in shown] == [
        ("live", "latency", 0.05, 4009)
    ]
    assert await (await bot.connect_ready()).close_code() == 4009
    assert sim.state()["fault_counts"] == {"http": 1, "latency": 1, "close": 1}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "http", "status": 500, "on": "IDENTIFY"}, "cannot happen on 'IDENTIFY'"),
        ({"kind": "http", "status": 500}, "cannot happen on 'live'"),
        ({"kind": "http", "status": "500", "on": ME}, "status must be a whole number"),
        ({"kind": "http", "on": ME}, "http needs status"),
        ({"kind": "http", "status": 9, "on": ME}, "9 is not an HTTP status"),
        ({"kind": "http", "status": 500, "headers": {"a": 1}, "on": ME}, "headers must be an object of strings"),
        ({"kind": "drop", "on": ME, "code": 4009}, "drop takes no code"),
        ({"kind": "drop", "on": "nowhere"}, "is not a moment"),
        ({"kind": "drop", "on": 1}, "on must be a string"),
        ({"kind": "drop", "on": ME, "nth": True}, "nth must be a whole number"),
        ({"kind": "drop", "on": ME, "nth": 1.5}, "nth must be a whole number"),
        ({"kind": "drop", "on": ME, "chance": "1"}, "chance must be a number"),
        ({"kind": "drop", "on": ME, "shard": -1}, "shard must be a whole number, not negative"),
        ({"kind": "drop", "nth": 2}, "drop without on takes no nth"),
        ({"kind": "latency", "seconds": 1, "then": "drop", "on": ME}, "then must be an object with a kind"),
        ({"kind": "latency", "seconds": 1, "then": {}, "on": ME}, "kind must be a string"),
        ({"kind": "latency", "seconds": 1, "then": {"kind": "x"}, "on": ME}, "kind must be one of"),
        ({"kind": "latency", "seconds": 1, "then": {"kind": "drop", "x": 1}, "on": ME}, "drop takes no x"),
        ({"kind": "no_hello", "on": "connected"}, "no_hello takes no on"),
        ({"kind": "clear", "times": 1}, "clear takes no times"),
        ({"kind": "session_start_limit", "code": 1}, "session_start_limit takes no code"),
    ],
)
async def test_documents_that_are_wrong(sim: Simulator, bot: BareBot, document: dict[str, object], words: str) -> None:
    status, answer = await control(sim, bot, **document)
    assert (status, list(answer)) == (400, ["error"])
    assert words in answer["error"]
    assert sim.faults.rules == ()


@settings(max_examples=200)
@given(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(sorted(KINDS)) | JSON_VALUES},
        optional=dict.fromkeys(
            (
                *("on", "nth", "times", "chance", "shard", "code", "reason", "resumable", "close", "seconds", "then"),
                *("data", "window", "status", "retry_after", "body", "headers"),
            ),
            st.sampled_from(["live", "IDENTIFY", ME, 1, 0.5, 4009, {"kind": "drop"}]) | JSON_VALUES,
        ),
    )
)
def test_any_document_is_a_rule_or_a_value_error(document: dict[str, object]) -> None:
    faults = Simulator(seed=1).faults
    try:
        inject(faults, document)
    except ValueError:
        assert faults.rules == ()
    else:
        assert [rule_document(rule)["kind"] for rule in faults.rules] == [document["kind"]]
