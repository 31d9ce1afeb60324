"""`Shard` on real sockets: one test for each thing that can happen to a connection."""

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress

import aiohttp
import pytest

from qqbot.config import GatewayConfig
from qqbot.errors import (
    ApiError,
    AuthError,
    ConfigError,
    ConnectionFailed,
    GatewayHalted,
    IPNotAllowed,
    RateLimited,
    ServerError,
)
from qqbot.models.gateway import ResumeState, ShardExit
from tests.gateway import wire
from tests.gateway.scripted import IMPATIENT, PATIENCE, Connection, Stage, stage
from tests.sockets import free_port
from tests.stopwatch import stopwatch

STATE = ResumeState(session_id="session", seq=7, done=((9, 9),), me="42", name="robot")
RESUMED_AT_7 = {"token": "QQBot token-1", "session_id": "session", "seq": 7}


@pytest.fixture(name="stage")
async def _stage() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


async def resumes(connection: Connection, seq: int) -> None:
    """Expect a RESUME from `seq` and grant it."""
    op, d = await connection.greet()
    assert isinstance(d, dict)
    assert (op, d["session_id"], d["seq"]) == (6, "session", seq)
    await connection.send(wire.resumed())


async def until(true: Callable[[], bool], run: Coroutine[object, object, object]) -> None:
    """Run a shard until something is true."""
    task = asyncio.create_task(run)
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])


# Opening and events


async def test_identify_ready_and_events(stage: Stage) -> None:
    async with stage.running() as shard:
        connection = await stage.gateway.accept()
        op, d = await connection.greet()
        assert (op, d) == (
            2,
            {"token": "QQBot token-1", "intents": 1 << 25, "shard": [0, 1], "properties": {"$browser": "qqbot"}},
        )
        assert not shard.ready
        await connection.send(wire.ready(), wire.dispatch(2), wire.dispatch(3))
        assert await stage.inbox.has(3) == [1, 2, 3]
        assert shard.ready and shard.me is not None and shard.me.id == "42"
        assert stage.inbox.begun == [("session", 0, ())]
        assert stage.inbox.taken_over == [False]
        assert stage.inbox.raw[1] == wire.dispatch(2)
        assert stage.kinds == ["connected", "identified"]
        state = shard.state()
        assert state is not None and (state.session_id, state.seq, state.received) == ("session", 3, 3)
        assert (state.me, state.name, state.intents) == ("42", "robot", 1 << 25)
        assert abs(state.since - time.time()) < PATIENCE and state.last_event == state.since


async def test_a_saved_state_is_resumed(stage: Stage) -> None:
    async with stage.running(STATE) as shard:
        assert shard.me is not None and shard.me.username == "robot"
        connection = await stage.gateway.accept()
        assert await connection.greet() == (6, RESUMED_AT_7)
        await connection.send(wire.dispatch(8), wire.resumed())
        assert await stage.inbox.has(2) == [8, None]
        assert stage.inbox.begun == [("session", 7, ((9, 9),))]
        assert (stage.inbox.taken_over, stage.inbox.caught_up_at) == ([True], [8])
        assert stage.kinds == ["connected", "resumed"]
    assert (stage.lease.turns, stage.lease.permits) == (0, 0)  # a RESUME is free


async def test_the_turn_is_held_from_before_connecting_until_identify(stage: Stage) -> None:
    async with stage.running():
        connection = await stage.gateway.accept()
        assert stage.lease.turn_held and not stage.lease.permits
        await connection.greet()
        assert not stage.lease.turn_held
        assert (stage.lease.turns, stage.lease.permits) == (1, 1)


async def test_an_expired_permit_is_asked_for_again(stage: Stage) -> None:
    expired = iter([False, False, True])

    class Once:
        def usable(self) -> bool:
            return next(expired)

    async def permit() -> Once:
        return Once()

    stage.lease.identify_permit = permit  # type: ignore[assignment,method-assign]
    async with stage.running():
        await (await stage.gateway.accept()).identified()
    assert next(expired, None) is None


@pytest.mark.parametrize("pause", [0, 0.1])
async def test_heartbeats_go_on_while_a_permit_is_awaited(stage: Stage, pause: float) -> None:
    granted = asyncio.Event()
    permit = stage.lease.identify_permit

    async def late() -> object:
        await granted.wait()
        return await permit()

    stage.lease.identify_permit = late  # type: ignore[assignment,method-assign]
    async with stage.running():
        connection = await stage.gateway.accept()
        await asyncio.sleep(pause)  # the pacemaker sleeps until HELLO is overdue
        await connection.send(wire.hello(0.05))
        for _ in range(4):  # without any op 11, and while the reader waits
            assert await connection.heartbeat() is None
        granted.set()
        assert (await connection.receive())[0] == 2


# Ends of a connection


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4009])
async def test_close_codes_that_keep_the_session(stage: Stage, code: int) -> None:
    async with stage.running():
        first = await stage.gateway.accept()
        await first.identified()
        await first.send(wire.dispatch(2))
        await stage.inbox.has(2)
        await first.close(code)
        await resumes(await stage.gateway.accept(), 2)
        await stage.inbox.has(3)
        closed = stage.events[2]
        assert (closed.kind, closed.code) == ("closed", code) and closed.cause
        assert len(stage.inbox.begun) == 1  # the count of the session goes on


@pytest.mark.parametrize("code", [4006, 4007, 4900, 4902])
async def test_close_codes_that_drop_the_session(stage: Stage, code: int) -> None:
    async with stage.running():
        await (first := await stage.gateway.accept()).identified()
        await first.close(code)
        await (await stage.gateway.accept()).identified("next")
        await stage.inbox.has(2)
        assert [begun[0] for begun in stage.inbox.begun] == ["session", "next"]


async def test_4009_is_no_warning(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "qqbot")
    async with stage.running():
        await (first := await stage.gateway.accept()).identified()
        await first.close(4009)
        await resumes(await stage.gateway.accept(), 1)
    assert [record.levelname for record in caplog.records if "4009" in record.getMessage()] == ["INFO"]
    assert all(record.levelno == logging.INFO for record in caplog.records)


async def test_a_tcp_reset(stage: Stage) -> None:
    async with stage.running():
        await (first := await stage.gateway.accept()).identified()
        await stage.inbox.has(1)
        first.reset()
        await resumes(await stage.gateway.accept(), 1)
    assert stage.events[2].code is None


async def test_op_7_with_the_socket_left_open(stage: Stage) -> None:
    async with stage.running():
        await (first := await stage.gateway.accept()).identified()
        await first.send(wire.dispatch(2), wire.RECONNECT)
        assert await first.closed_by_client() == 4000
        await resumes(await stage.gateway.accept(), 2)


async def test_op_7_and_a_peer_that_never_answers_the_goodbye(stage: Stage) -> None:
    async with stage.running():
        await (first := await stage.gateway.accept()).identified()
        await first.send(wire.RECONNECT)  # `first` is not read from here on
        await resumes(await stage.gateway.accept(), 1)


async def test_op_9_left_open_identifies_after_the_deadline(stage: Stage) -> None:
    config = GatewayConfig(close_code_timeout=0.1, hello_timeout=30, ready_timeout=30, pace=0.01)
    async with stage.running(config=config):
        await (first := await stage.gateway.accept()).identified(interval=40)
        await stage.inbox.has(1)
        await asyncio.sleep(0.01)  # the pacemaker sleeps until the next heartbeat now
        await first.send(wire.frame(9, False))
        op, d = await (await stage.gateway.accept()).greet()
        assert op == 2 and isinstance(d, dict) and d["token"] == "QQBot token-2"


async def test_op_9_three_times_while_identifying(stage: Stage) -> None:
    async with stage.running(config=IMPATIENT) as shard:
        for _ in range(3):
            connection = await stage.gateway.accept()
            assert (await connection.greet())[0] == 2
            await connection.send(wire.frame(9, False))
        await (await stage.gateway.accept()).identified()
        await stage.inbox.has(1)
        assert shard.ready


async def test_op_9_then_4914_halts_with_the_reason_in_words(stage: Stage) -> None:
    async with stage.shard() as shard:
        task = asyncio.create_task(shard.run())
        connection = await stage.gateway.accept()
        await connection.greet()
        await connection.send(wire.frame(9, False))
        await connection.close(4914)
        with pytest.raises(GatewayHalted, match="taken down") as halted:
            await task
        assert halted.value.code == 4914 and "4914" in str(halted.value) and "q.qq.com" in str(halted.value)
        assert stage.kinds[-1] == "halted" and stage.events[-1].code == 4914
        assert stage.gateway.connections == 1


async def test_4011_ends_the_run(stage: Stage) -> None:
    async with stage.shard() as shard:
        task = asyncio.create_task(shard.run())
        connection = await stage.gateway.accept()
        await connection.greet()
        await connection.close(4011)
        assert await task == ShardExit("reshard")


async def test_4004_drops_that_token_and_goes_on(stage: Stage) -> None:
    async with stage.running(STATE):
        first = await stage.gateway.accept()
        await first.greet()
        await first.close(4004)
        op, d = await (await stage.gateway.accept()).greet()
        assert (op, d) == (6, {**RESUMED_AT_7, "token": "QQBot token-2"})


async def test_two_refused_resumes_then_identify(stage: Stage) -> None:
    async with stage.running(STATE):
        for _ in range(2):
            connection = await stage.gateway.accept()
            assert (await connection.greet())[0] == 6
            await connection.close(1000)
        assert (await (await stage.gateway.accept()).greet())[0] == 2


async def test_4902_each_time_it_resumes(stage: Stage) -> None:
    async with stage.running(STATE):
        for _ in range(2):
            resuming = await stage.gateway.accept()
            assert (await resuming.greet())[0] == 6
            await resuming.close(4902)
            identifying = await stage.gateway.accept()
            await identifying.identified()
            await identifying.close(4009)


# Deadlines


async def test_hello_never_comes(stage: Stage) -> None:
    async with stage.running(config=IMPATIENT):
        await stage.gateway.accept()
        await (await stage.gateway.accept()).identified()


async def test_identify_is_swallowed(stage: Stage) -> None:
    async with stage.running(config=IMPATIENT):
        await (await stage.gateway.accept()).greet()
        await (await stage.gateway.accept()).identified()


async def test_resume_is_swallowed_then_granted(stage: Stage) -> None:
    async with stage.running(STATE, config=IMPATIENT):
        assert (await (await stage.gateway.accept()).greet())[0] == 6
        await resumes(await stage.gateway.accept(), 7)


async def test_missing_acks_end_a_half_open_connection_within_two_beats(stage: Stage) -> None:
    async with stage.running():
        first = await stage.gateway.accept()
        await first.identified(interval=0.2)
        async with stopwatch() as watch:
            await resumes(await stage.gateway.accept(), 1)  # the goodbye to `first` is never answered
            assert watch.seconds < 2 * 0.2 + 0.5
    assert stage.events[2].cause == "heartbeats were not acknowledged"


async def test_heartbeats_that_are_acknowledged_keep_the_connection(stage: Stage) -> None:
    async with stage.running():
        connection = await stage.gateway.accept()
        await connection.identified(interval=0.05)
        for _ in range(6):
            assert await connection.heartbeat() == 1
            await connection.send(wire.ACK)
        assert stage.gateway.connections == 1


async def test_the_servers_own_heartbeat_is_answered(stage: Stage) -> None:
    async with stage.running():
        connection = await stage.gateway.accept()
        await connection.identified()
        await connection.send(wire.dispatch(5), wire.frame(1, 5))
        assert await connection.heartbeat() == 5


async def test_a_fault_in_the_pacemaker_is_not_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(self: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("qqbot.gateway.protocol.GatewayProtocol.tick", fault)
    async with stage.shard() as shard:
        task = asyncio.create_task(shard.run())
        await (await stage.gateway.accept()).send(wire.hello(0.05))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(task, PATIENCE)


class OddError(BaseException):
    pass


@pytest.mark.parametrize("error", [asyncio.CancelledError, TimeoutError, RecursionError, OddError])
async def test_a_pacemaker_that_dies_ends_its_connection_whatever_it_raised(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fault(self: object) -> None:
        monkeypatch.undo()
        raise error

    async with stage.shard() as shard:
        task = asyncio.create_task(shard.run())
        first = await stage.gateway.accept()
        await first.identified(interval=0.2)
        await stage.inbox.has(1)
        monkeypatch.setattr("qqbot.gateway.protocol.GatewayProtocol.tick", fault)
        if error is asyncio.CancelledError:  # it came out of something that the pacemaker awaited
            await resumes(await stage.gateway.accept(), 1)
            task.cancel()
        else:
            await asyncio.wait([task], timeout=PATIENCE)
        with pytest.raises(error):
            await task
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("qqbot pacemaker")]


async def test_a_pacemaker_that_something_else_cancelled_ends_its_connection(stage: Stage) -> None:
    async with stage.running():
        await (await stage.gateway.accept()).identified()
        await stage.inbox.has(1)
        [pacemaker] = [task for task in asyncio.all_tasks() if task.get_name().startswith("qqbot pacemaker")]
        pacemaker.cancel()
        await resumes(await stage.gateway.accept(), 1)


def narrow_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return made


async def test_a_peer_that_reads_nothing_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each op 1 is answered: without room for the answers neither the reader nor the pacemaker could go on."""
    monkeypatch.setattr("qqbot.gateway.connection.SEND_SECONDS", 0.2)
    release = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire.upgraded(await reader.readuntil(b"\r\n\r\n")) + wire.in_websocket(wire.hello()))
        with suppress(OSError):
            while not release.is_set():
                writer.write(wire.in_websocket(wire.frame(1)) * 1000)
                await writer.drain()
        writer.transport.abort()

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow = aiohttp.TCPConnector(socket_factory=narrow_socket)
    async with (
        await asyncio.start_server(flood, sock=listening) as server,
        aiohttp.ClientSession(connector=narrow) as it,
    ):
        host, port = server.sockets[0].getsockname()
        stage.session = it
        async with stage.shard(STATE, url=f"ws://{host}:{port}/") as shard:
            await until(lambda: "closed" in stage.kinds, shard.run())
            release.set()


# Frames that do not fit


async def test_unusable_frames_cost_nothing_and_are_logged_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async with stage.running() as shard:
        connection = await stage.gateway.accept()
        await connection.identified()
        unusable = [b"{not json", wire.dispatch(None), wire.frame(77)] * 3
        await connection.send(*unusable, wire.dispatch(2))
        await stage.inbox.has(2)
        assert shard.skipped == {"malformed frame": 3, "dispatch without s": 3, "unknown op": 3}
        assert stage.gateway.connections == 1
    assert len([record for record in caplog.records if "skipped" in record.getMessage()]) == 3


async def test_a_jump_of_s_is_a_warning(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async with stage.running() as shard:
        connection = await stage.gateway.accept()
        await connection.identified()
        await connection.send(*(wire.dispatch(s) for s in (2, 5000, 50_000, 50_001)))
        assert await stage.inbox.has(5) == [1, 2, 5000, 50_000, 50_001]
        assert shard.ready and stage.gateway.connections == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1 and "from 2 to 5000" in warnings[0], "further ones within a minute are not reported"


async def test_a_session_that_only_repeats_is_replaced(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async with stage.running() as shard:
        first = await stage.gateway.accept()
        await first.identified()
        await first.send(*(wire.dispatch(1) for _ in range(100)))
        assert await first.closed_by_client() == 4000
        second = await stage.gateway.accept()
        await second.identified("next")
        await stage.inbox.has(51)
        assert shard.session_id == "next"
    assert [record.levelname for record in caplog.records if "broken" in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize("session_id", ["", 17])
async def test_a_ready_with_an_odd_session_id_ends_nothing(stage: Stage, session_id: object) -> None:
    async with stage.running(config=IMPATIENT) as shard:
        first = await stage.gateway.accept()
        await first.greet()
        await first.send(wire.frame(0, {"session_id": session_id}, s=1, t="READY"))
        if session_id == "":
            await (await stage.gateway.accept()).identified("17")
        await stage.inbox.has(1)
        state = shard.state()
        assert state is not None and state.session_id == "17"


async def test_a_frame_too_large_twice_is_given_up(stage: Stage) -> None:
    config = GatewayConfig(max_frame_bytes=1024, pace=0.01)
    large = wire.frame(0, {"content": "x" * 2000}, s=2, t="X")
    async with stage.running(config=config) as shard:
        first = await stage.gateway.accept()
        await first.identified()
        await first.send(large)
        second = await stage.gateway.accept()
        await resumes(second, 1)
        await second.send(large)
        await resumes(await stage.gateway.accept(), 2)
        assert shard.lost_events == 1
    assert [event.code for event in stage.events if event.kind == "closed"] == [1009, 1009, None]


# Back-pressure


async def test_a_full_intake_stops_reading_but_is_no_zombie(stage: Stage) -> None:
    stage.inbox.limit = 10
    async with stage.running() as shard:
        connection = await stage.gateway.accept()
        await connection.identified(interval=0.05)
        await connection.send(*(wire.dispatch(s) for s in range(2, 500)))
        await stage.inbox.has(10)
        for _ in range(8):  # four times what would be a zombie
            await connection.heartbeat()
        assert len(stage.inbox.frames) == 10 and shard.ready
        stage.inbox.widen(1_000_000)
        assert await stage.inbox.has(499) == list(range(1, 500))
        await connection.send(wire.ACK)
        assert stage.gateway.connections == 1


async def test_a_full_intake_does_not_keep_a_resume_from_being_sent(stage: Stage) -> None:
    stage.inbox.limit = 0
    async with stage.running(STATE, config=IMPATIENT) as shard:
        connection = await stage.gateway.accept()
        assert (await connection.greet())[0] == 6
        await connection.send(wire.dispatch(8), wire.resumed())
        await asyncio.sleep(2 * IMPATIENT.resumed_timeout)
        assert stage.gateway.connections == 1
        stage.inbox.widen(10)
        await stage.inbox.has(2)
        assert shard.ready


async def test_other_tasks_run_while_frames_are_queued(stage: Stage) -> None:
    async with stage.running():
        connection = await stage.gateway.accept()
        await connection.identified()
        await stage.inbox.has(1)
        seen: list[int] = []

        async def watch() -> None:
            while len(stage.inbox.frames) < 2000:
                seen.append(len(stage.inbox.frames))
                await asyncio.sleep(0)

        watcher = asyncio.create_task(watch())
        await connection.send(*(wire.dispatch(s) for s in range(2, 2001)))
        await asyncio.wait_for(watcher, PATIENCE)
        assert max(after - before for before, after in itertools.pairwise(seen)) <= 64


# The lease


async def test_a_lost_lease_stops_before_the_next_dispatch(stage: Stage) -> None:
    async with stage.shard() as shard:
        task = asyncio.create_task(shard.run())
        connection = await stage.gateway.accept()
        await connection.identified()
        await stage.inbox.has(1)
        stage.lease.live = False
        await connection.send(wire.dispatch(2))
        assert await task == ShardExit("lost")
        assert len(stage.inbox.frames) == 1 and stage.kinds[-1] == "lease_lost"
        goodbye = asyncio.create_task(connection.closed_by_client())
    assert await goodbye == 4000


async def test_a_lost_lease_neither_identifies_nor_resumes(stage: Stage) -> None:
    for state in (None, STATE):
        async with stage.shard(state) as shard:
            stage.lease.live = True
            task = asyncio.create_task(shard.run())
            connection = await stage.gateway.accept()
            stage.lease.live = False
            await connection.send(wire.hello())
            assert await task == ShardExit("lost")
            goodbye = asyncio.create_task(connection.nothing_but_goodbye())
        assert await goodbye == 4000


# Ending


async def test_cancellation_leaves_the_socket_open_and_leaving_closes_with_4000(stage: Stage) -> None:
    tasks = asyncio.all_tasks()
    async with stage.shard() as shard:
        task = asyncio.create_task(shard.run())
        connection = await stage.gateway.accept()
        await connection.identified()
        await stage.inbox.has(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await connection.send(wire.dispatch(2))  # still open, no longer read
        state = shard.state()
        assert state is not None and (state.session_id, state.seq) == ("session", 1)
        assert len(stage.inbox.frames) == 1
        goodbye = asyncio.create_task(connection.closed_by_client())
    assert await goodbye == 4000
    assert not [t for t in asyncio.all_tasks() - tasks if "qqbot" in t.get_name()]


async def test_the_last_end_is_reported_once(stage: Stage) -> None:
    async with stage.running() as shard:
        await (first := await stage.gateway.accept()).identified()
        await first.close(4009)
        await resumes(await stage.gateway.accept(), 1)
        await stage.inbox.has(2)
        assert shard.ready
    assert stage.kinds == ["connected", "identified", "closed", "connected", "resumed", "closed"]
    assert stage.events[-1].cause == "the shard was ended"


async def test_ending_without_a_connection_reports_nothing(stage: Stage) -> None:
    async with stage.shard() as shard:
        task = asyncio.create_task(shard.run())
        connection = await stage.gateway.accept()
        await connection.greet()
        await connection.close(4011)
        await task
    assert stage.kinds == ["connected", "closed"]


async def test_cancellation_at_any_point_leaks_no_task(stage: Stage) -> None:
    for steps in range(40):
        async with stage.shard() as shard:
            task = asyncio.create_task(shard.run())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert not stage.lease.turn_held
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("qqbot pacemaker")]


async def test_leaving_with_a_peer_that_is_gone_takes_a_bounded_time(stage: Stage) -> None:
    async with stage.running():
        connection = await stage.gateway.accept()
        await connection.identified()
        await stage.inbox.has(1)
        start = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - start < 10


# What a connection needs


async def test_an_unreachable_gateway_warns_once_and_is_tried_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage.shard(url=f"ws://127.0.0.1:{free_port()}/") as shard:
        await until(lambda: stage.lease.turns >= 5, shard.run())
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1 and "cannot be reached" in warnings[0] and "QQBOT_API_BASE" in warnings[0]


async def test_each_new_outage_is_warned_of(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.tokens.failures = [OSError("unreachable")] * 3
    async with stage.running():
        await (first := await stage.gateway.accept()).identified()
        await stage.inbox.has(1)
        stage.tokens.failures = [OSError("unreachable")] * 3
        await first.close(4009)
        await resumes(await stage.gateway.accept(), 1)
    assert len([record for record in caplog.records if "token" in record.getMessage()]) == 2


async def test_a_handshake_that_is_never_answered_is_given_up(stage: Stage) -> None:
    release = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, stage.shard(url=f"ws://{host}:{port}/", config=IMPATIENT) as shard:
        await until(lambda: stage.lease.turns >= 3, shard.run())
        release.set()


async def test_an_attempt_that_never_reached_hello_keeps_the_session(stage: Stage) -> None:
    async with stage.running(STATE):
        for _ in range(4):
            (await stage.gateway.accept()).reset()
        await resumes(await stage.gateway.accept(), 7)


async def test_a_token_that_cannot_be_fetched_is_tried_for_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.tokens.failures = [ConnectionFailed("no route"), OSError("unreachable"), ApiError(500, 0, "broken")]
    async with stage.running():
        await (await stage.gateway.accept()).identified()
    assert len([record for record in caplog.records if "token" in record.getMessage()]) == 1


async def test_token_retries_slow_down(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    plain_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await plain_sleep(0)

    monkeypatch.setattr("qqbot.gateway.shard.asyncio.sleep", sleep)
    stage.tokens.failures = [
        *[ConnectionFailed("no route")] * 6,
        RateLimited(429, 0, "slow down"),
        *[ConnectionFailed("no route")] * 2,
        ServerError(500, 0, "broken"),
        AuthError(200, 100016, "invalid secret"),
    ]
    async with stage.shard(config=GatewayConfig(pace=0.1), chance=lambda: 0.0) as shard:
        with pytest.raises(AuthError):
            await shard.run()
    assert pauses == pytest.approx([0.15, 0.3, 0.6, 1.2, 2.4, 3, 3, 3, 3, 3])
    pauses.clear()
    stage.tokens.failures = [ServerError(500, 0, "broken"), OSError("no route"), AuthError(200, 100016, "no")]
    async with stage.shard(config=GatewayConfig(), chance=lambda: 1.0) as shard:
        with pytest.raises(AuthError):
            await shard.run()
    assert pauses == pytest.approx([30, 6])


@pytest.mark.parametrize("refusal", [AuthError(200, 100016, "invalid secret"), IPNotAllowed(401, 11298, "ip")])
async def test_a_definite_refusal_ends_the_run(stage: Stage, refusal: ApiError) -> None:
    stage.tokens.failures = [refusal]
    async with stage.shard() as shard:
        with pytest.raises(type(refusal)):
            await asyncio.wait_for(shard.run(), PATIENCE)
    assert stage.gateway.connections == 0


async def test_an_address_that_would_send_the_token_in_the_clear_is_refused(stage: Stage) -> None:
    async with stage.shard(url="ws://gateway.example/?a=1") as shard:
        with pytest.raises(ConfigError, match="in the clear"):
            await asyncio.wait_for(shard.run(), PATIENCE)


async def test_no_password_of_a_proxy_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        asked: list[str] = []

        def proxy_for(url: str) -> str:
            asked.append(url)
            return f"http://joe:hidden@127.0.0.1:{port}"

        for url in ("ws://localhost:9/ws?key=hidden", "wss://localhost:9/ws?key=hidden"):
            asked.clear()
            async with stage.shard(url=url, options={"proxy_for": proxy_for}) as shard:
                await until(lambda: len(asked) > 1, shard.run())
            assert set(asked) == {url}
    assert "407" in caplog.text and "localhost:9/ws " in caplog.text
    assert "hidden" not in caplog.text


async def test_no_query_of_the_gateways_address_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    url = stage.gateway.url + "nothing-here?key=hidden"
    async with stage.shard(url=url) as shard:
        await until(lambda: stage.lease.turns > 1, shard.run())
    assert "no websocket was opened (HTTP 404" in caplog.text
    assert "hidden" not in caplog.text


async def test_no_token_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage.running():
        await (first := await stage.gateway.accept()).identified()
        await first.close(4004)
        await (await stage.gateway.accept()).identified()
    assert "token-" not in caplog.text
