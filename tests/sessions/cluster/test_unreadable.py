"""Records that another version, another program or a stray command has written end no node, and are left out."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from qqbot.errors import ConfigError
from qqbot.models.gateway import GatewayBot, ResumeState
from qqbot.sessions import RedisSessionManager, Timings
from qqbot.sessions.cluster.records import read_cluster_state
from qqbot.sessions.cluster.redis_store import RedisStore
from qqbot.sessions.cluster.state import ClusterHalt, ClusterState, NodeInfo, write
from qqbot.sessions.cluster.store import OwnershipReport, PermitAnswer, StoreAway
from tests.documents import COUNT
from tests.redis.servers import Server
from tests.sessions.cluster.members import FAST, Platform, Shards, joined, until

PREFIX = "qqbot:{1:default}:"
COORD, SESS, PACE, LOG = (PREFIX + name for name in ("coord", "sess", "pace", "log"))
STATE = write(ResumeState(session_id="s", seq=3, done=((5, 6),)))
SHARD = (1, 0)

META = (
    *("rid", "inc", "ov", "tok", "last", "gen", "shards", "next", "timings", "target", "halt", "gateway"),
    *("gateway_at", "asked", "budget", "budget_reset", "floor"),
)
FIELDS = [*(f"m:{name}" for name in META), "n:a", "n:ghost", "d:a", "o:1.0", "o:1.1", "o:1.99999999999999999", "o:x"]
TRUE_ONES = [
    *(b"1:1:A:{}", b"0:0:A:{}", b"5:ghost", b"99:a", b"3 restart", b"2", b"-2", b"100000", STATE.encode()),
    *(write(GatewayBot(url="ws://h/", shards=count)).encode() for count in (1, 10**12, -1)),
    write(ClusterHalt(4914, "banned")).encode(),
]
VALUES = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(TRUE_ONES),
    st.sampled_from(TRUE_ONES).flatmap(lambda whole: st.integers(0, len(whole)).map(lambda end: whole[:end])),
    st.sampled_from(
        [b"9" * 15, b"9" * 16, b"9" * 5000, b"1e999", b"nan", b"0x10", b"007", b"1:" + b"9" * 5000 + b":A:{}"]
    ),
    st.sampled_from([b"9" * 5000 + b":a", b"\xff:a", b"5:\xff", b"{" * 20_000, b"[" * 100_000, b"x" * 300_000]),
    st.sampled_from(
        [b'{"session_id":1}', b'{"session_id":"s","seq":-1}', b'{"session_id":"s","seq":' + b"9" * 5000 + b"}"]
    ),
    st.integers().map(lambda number: str(number).encode()),
)


Put = Callable[[Any, bytes], Coroutine[Any, Any, object]]


def _field(key: str, field: str) -> Put:
    return lambda client, value: client.hset(key, field, value)


def _name(kind: str) -> Put:
    return lambda client, value: client.hset(COORD, kind.encode() + value, 1)


def _key(key: str) -> Put:
    return lambda client, value: client.set(key, value)


PUTS: list[Put] = [
    *(_field(COORD, field) for field in FIELDS),
    *(_name(kind) for kind in ("n:", "o:", "d:", "m:", "")),
    *(_field(SESS, field) for field in ("1.0", "1.1", "x")),
    lambda client, value: client.rpush(PACE, value),
    lambda client, value: client.xadd(LOG, {value: value}),
    *(_key(key) for key in (COORD, SESS, PACE, LOG)),
]
"""The ways in which a value gets into a record."""


async def use(store: RedisStore, known: ClusterState) -> ClusterState:
    """Make every call of a member, of a command and of a test; return what the last sync found."""
    report = OwnershipReport(SHARD, 5, STATE, None)
    synced = await store.sync("active", NodeInfo("h", 1, "0"), [report], known=known, target_active=0)
    await store.states()
    await store.look()
    for grant in await store.claim(synced.state, [(1, 0), (1, 1)]) or []:
        assert 0 < grant.token < 2**53
        await store.release(OwnershipReport(grant.shard_id, grant.token, "="))
    await store.restore(synced.state, {(1, 1): STATE})
    await store.permit(SHARD, 5, 2)
    await store.admin("ask", 1000, 1000)
    await store.put_gateway(GatewayBot(url="ws://h/", shards=2))
    await store.entries("0", 0.001)
    await store.history(10)
    for node in [*synced.state.nodes.values()]:
        await store.evict(synced.state, node.id, "0:0" if not node.join else "none")
    return (await store.sync("active", NodeInfo(), [report], known=known, target_active=0)).state


@asynccontextmanager
async def a_member(store: Server) -> AsyncIterator[tuple[Redis, RedisStore, ClusterState]]:
    """A member of a cluster of two shards that owns one, and the state that it knows."""
    member = RedisStore(store.url, app_id="1", cluster="default", node="a", timings=Timings(call=4.0))
    async with store.client() as client, member:
        await client.flushall()
        await member.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)
        await member.admin("plan", 2)
        known = (await member.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)).state
        assert await member.claim(known, [SHARD])
        yield client, member, await use(member, known)


@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES, put=st.sampled_from(PUTS))
async def test_a_thousand_values(store: Server, caplog: pytest.LogCaptureFixture, value: bytes, put: Put) -> None:
    async with a_member(store) as (client, member, known):
        await put(client, value)
        state = await use(member, known)
        if state.gen == known.gen and state.unreadable.isdisjoint({"m:halt", "m:gateway"}):
            assert state.shards > 0 and state.nodes["a"].join
        assert SHARD not in state.owners or state.owners[SHARD].token > 0
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("value", [b"9" * 5000, b"9" * 16, b"-1", b"nan", b"\xff", b"", b"x" * 300_000], ids=range(7))
async def test_each_record(store: Server, value: bytes) -> None:
    for field in FIELDS:
        async with a_member(store) as (client, member, known):
            await client.hset(COORD, field, value)
            state = await use(member, known)
            last = await use(member, state if state.gen else known)
            assert (last.gen, last.shards) == (1, 2) or field == "m:gen", field
            assert last.nodes["a"].join and last.owners[SHARD].node in ("a", ""), field
            coord = await client.hgetall(COORD)
            for name in (b"m:tok", b"m:ov", b"m:inc", b"m:last"):
                assert coord[name].isdigit() and len(coord[name]) <= 15, (field, name)


@given(
    coord=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=9), VALUES),
    sess=st.dictionaries(st.text(), VALUES),
)
@settings(deadline=None)
def test_reading_is_pure_and_raises_nothing(coord: dict[str, bytes], sess: dict[str, bytes]) -> None:
    texts = [{name: value.decode(errors="replace") for name, value in each.items()} for each in (coord, sess)]
    state = read_cluster_state(*texts)
    assert 0 <= state.shards <= 100_000 and 0 <= state.next_shards <= 100_000


@asynccontextmanager
async def two_nodes(store: Server) -> AsyncIterator[tuple[Any, Any]]:
    async with joined(store.url, Platform(), name="a") as a, joined(store.url, Platform(), name="b") as b:
        await until(lambda: sorted(a.indices + b.indices) == list(range(6)) and len(a.indices) == 3)
        yield a, b


async def test_nodes_go_on(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Each value once; the shards run on, or again as soon as the owners have reported."""
    async with store.client() as client, two_nodes(store) as (a, b):
        names = [name.decode() for name in await client.hkeys(COORD)]
        shards = [name for name in names if name.startswith("o:")]
        nodes = [name for name in names if name.startswith("n:")]
        for field in [
            *shards[:2],
            *nodes,
            "m:inc",
            "m:ov",
            "m:tok",
            "m:gen",
            "m:shards",
            "m:next",
            "m:gateway",
            "m:rid",
        ]:
            await client.hset(COORD, field, b"\xff" + b"9" * 5000)
            await asyncio.sleep(FAST.renew / 3)
        for key in (SESS, PACE, LOG, COORD):
            await client.delete(key)
            await client.set(key, b"a text")
            await asyncio.sleep(FAST.renew)
        await until(lambda: sorted(a.indices + b.indices) == list(range(6)))
        assert not a.task.done() and not b.task.done()
        assert {owner.node.partition("-")[0] for owner in (await look(store)).owners.values()} == {"a", "b"}
        assert (await look(store)).unreadable == frozenset()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    said = [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]
    assert len(said) < 30 and all("\\xff" not in text and "\xff" not in text for text in said)


async def look(store: Server) -> ClusterState:
    async with RedisStore(store.url, app_id="1", cluster="default", node="", timings=FAST) as reader:
        return await reader.look()


async def test_a_shard_of_a_node_that_does_not_exist_is_claimed(store: Server) -> None:
    async with store.client() as client, joined(store.url, Platform(), name="a") as a:
        await until(lambda: len(a.indices) == 6)
        await a.vanish()
        await client.hset(COORD, mapping={"o:1.0": "5:ghost", "o:1.1": b"\xff", "n:dead": b"\xff", "n:\xff": b"1"})
        async with joined(store.url, Platform(), name="b") as b:
            await until(lambda: len(b.indices) == 6)
            async with asyncio.timeout(10):
                while len((await look(store)).nodes) > 1:
                    await asyncio.sleep(0.1)


async def test_an_owner_whose_record_was_overwritten_keeps_its_shard(store: Server) -> None:
    """Another node may only claim it after a time in which the owner reports again: never two at once."""
    async with store.client() as client, two_nodes(store) as (a, b):
        mine = {key.index for key in a.shards.live}
        for _ in range(3):
            for index in mine:
                await client.hset(COORD, f"o:1.{index}", b"\xff")
            await asyncio.sleep(FAST.renew * 1.5)
        assert {key.index for key in a.shards.live} == mine
        assert not mine & {key.index for key in b.shards.live}


async def test_another_form_while_running(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with store.client() as client, joined(store.url, Platform()) as a:
        await until(lambda: len(a.indices) == 6)
        await client.hset(COORD, "m:schema", "7")
        before = await client.hgetall(COORD)
        await until(lambda: a.indices == [])
        assert await client.hgetall(COORD) == before, "records of another form were changed"
        assert "form 7, this one knows 1" in caplog.text and not a.task.done()
        with pytest.raises(ConfigError, match="form 7"):
            await RedisSessionManager(store.url, timings=FAST).run(Platform(), Shards())
        await client.hset(COORD, "m:schema", "1")
        await until(lambda: len(a.indices) == 6)


async def test_a_state_that_is_too_long_is_not_stored(store: Server) -> None:
    member = RedisStore(store.url, app_id="1", cluster="default", node="a", timings=FAST)
    async with member:
        await member.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)
        await member.admin("plan", 1)
        state = (await member.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)).state
        grants = await member.claim(state, [SHARD])
        assert grants is not None
        report = OwnershipReport(SHARD, grants[0].token, "x" * 300_000)
        with contextlib.suppress(StoreAway):
            await member.sync("active", NodeInfo(), [report], known=state, target_active=0)
        assert await member.states() == {}


async def test_what_is_no_reason_halts_nothing_and_hides_no_reason(store: Server) -> None:
    member = RedisStore(store.url, app_id="1", cluster="default", node="a", timings=FAST)
    async with store.client() as client, member:
        await member.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)
        await member.admin("plan", 1)
        state = (await member.sync("active", NodeInfo(), [], known=ClusterState(), target_active=0)).state
        grants = await member.claim(state, [SHARD])
        assert grants is not None
        for value in (b"\xff", b"{", b"{}", b'{"reason":7,"code":1}', b"[" * 100_000, b"stop"):
            await client.hset(COORD, "m:halt", value)
            assert (await member.look()).halt is None
            answer, _ = await member.permit(SHARD, grants[0].token, 100)
            assert answer in (PermitAnswer.GRANTED, PermitAnswer.LATER)
        await member.halt(ClusterHalt(4914, "banned"))
        await member.halt(ClusterHalt(None, "a later one"))
        assert (await member.look()).halt == ClusterHalt(4914, "banned")
        assert (await member.permit(SHARD, grants[0].token, 100))[0] is PermitAnswer.HALTED
