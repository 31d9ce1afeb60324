"""A thousand random documents as HELLO, as READY and as any frame: no error, no hang, no growth."""

import asyncio
import functools
import json
import logging
import math
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from qqbot.config import GatewayConfig
from qqbot.gateway.protocol import GatewayProtocol, HelloReceived, SessionReady
from qqbot.models.gateway import ResumeState
from tests.documents import COUNT
from tests.gateway import wire
from tests.gateway.scripted import PATIENCE, Connection, Stage, stage

pytestmark = pytest.mark.timeout(300)  # to think up the documents takes a busy machine its time

BATCH = 25
HASTY = GatewayConfig(hello_timeout=2, ready_timeout=2, resumed_timeout=2, close_code_timeout=0.05, pace=1e-6)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 2**53, 2**63, 2**64, 10**400])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", " ", "nan", "inf", "-1", "9" * 5000, "\0", "\ud800", "x" * 5000])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner), max_leaves=4
)
OPS = st.sampled_from([0, 1, 7, 9, 10, 11]) | SCALARS


def shaped(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return objects that have all or some of `fields`, also in a list, or any values at all."""
    objects = st.fixed_dictionaries(fields) | st.fixed_dictionaries({}, optional=fields)
    return either(objects, objects | st.lists(objects, max_size=2) | VALUES)


def either(good: st.SearchStrategy[object], other: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Draw from each as often; `|` would draw as often from each part of `other`."""
    return st.sampled_from([good, other]).flatmap(lambda strategy: strategy)


def frames(op: st.SearchStrategy[object], body: st.SearchStrategy[object], **more: st.SearchStrategy[object]):
    frame = {"op": op, "d": body}
    made = either(st.fixed_dictionaries(frame | more), st.fixed_dictionaries(frame, optional=more))
    return made.map(lambda value: json.dumps(value).encode())


HELLO = frames(st.just(10), shaped(heartbeat_interval=st.sampled_from([45000, "45000", 20.5]) | VALUES))
READY = frames(
    st.just(0),
    shaped(
        session_id=either(st.sampled_from(["session", 17]), VALUES),
        user=either(st.just({"id": "1", "username": "bot"}), shaped(id=VALUES, username=VALUES)),
        version=VALUES,
        shard=VALUES,
    ),
    s=either(st.just(1), VALUES),
    t=st.just("READY"),
)
ANY = (
    frames(OPS, VALUES, s=VALUES, t=st.sampled_from(["READY", "RESUMED", "X"]) | VALUES, id=VALUES)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"", b"{", b"[" * 5000, b'{"op":0,"d":' + b"[" * 5000 + b"]" * 5000 + b"}"])
)
STRATEGIES = {"HELLO": HELLO, "READY": READY, "any": ANY}
KINDS = pytest.mark.parametrize("kind", STRATEGIES)


@functools.cache
def random_documents(kind: str) -> list[bytes]:
    made: list[bytes] = []

    @settings(max_examples=COUNT, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(STRATEGIES[kind])
    def collect(document: bytes) -> None:
        made.append(document)

    collect()
    return made


@KINDS
def test_the_protocol_reads_them_all(kind: str) -> None:
    for phase in ("connected", "identifying", "resuming", "live"):
        read_all(random_documents(kind), phase)


def read_all(documents: Sequence[bytes], phase: str) -> None:
    now = 0.0
    state = ResumeState(session_id="session", seq=7) if phase == "resuming" else None
    protocol = GatewayProtocol(GatewayConfig(), state, clock=lambda: now, chance=lambda: 0.5)

    def begin() -> None:
        protocol.connected()
        if phase == "connected":
            return
        protocol.receive(wire.hello())
        protocol.resume("token") if protocol.resumable else protocol.identify("token", 1, (0, 1))
        if phase == "live":
            protocol.receive(wire.ready())

    tracemalloc.start()
    try:
        for number, document in enumerate(documents):
            if number == COUNT // 10:
                before = tracemalloc.get_traced_memory()[0]
            begin()
            protocol.receive(document)
            assert now <= protocol.deadline() <= now + 300 and math.isfinite(protocol.deadline())
            if protocol.session_id is not None:
                ResumeState(session_id=protocol.session_id, seq=protocol.seq)
            now += 100
            protocol.tick()
            protocol.closed(None)
        assert tracemalloc.get_traced_memory()[0] - before < 100_000
    finally:
        tracemalloc.stop()


async def play(connection: Connection, kind: str, batch: Sequence[bytes]) -> bool:
    """Open a session with `batch` in its place; return False if the connection ended before."""
    try:
        await connection.send(*(batch if kind == "HELLO" else ()), wire.hello())
        op, _ = await connection.receive()
        await connection.send(*(batch if kind == "READY" else ()), wire.ready() if op == 2 else wire.resumed())
        await connection.send(*(batch if kind == "any" else ()), wire.RECONNECT)
        await connection.closed_by_client()
    except (ConnectionError, AssertionError):
        return False
    finally:
        connection.over.set()
    return True


@KINDS
async def test_a_shard_lives_through_them_all(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    documents = [document for document in random_documents(kind) if document]
    caplog.set_level(logging.INFO)
    async with stage() as made, made.running(config=HASTY) as shard:
        tasks = len(asyncio.all_tasks())
        async with asyncio.timeout(12 * PATIENCE):
            for start in range(0, len(documents), BATCH):
                await play(await made.gateway.accept(), kind, documents[start : start + BATCH])
            await live(made)
        assert shard.ready
        assert len(asyncio.all_tasks()) <= tasks + 5
        assert len(shard.skipped) <= 5
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    assert max(len(record.getMessage()) for record in caplog.records) < 1000
    assert len(caplog.records) < 5 * made.gateway.connections + 20


async def live(made: Stage) -> None:
    """Accept connections until one is good, and check that an event arrives."""
    event = wire.dispatch(2**52, "THE_LAST")
    while not made.inbox.frames or made.inbox.frames[-1].t != "THE_LAST":
        connection = await made.gateway.accept()
        op, _ = await connection.greet()
        await connection.send(wire.ready() if op == 2 else wire.resumed(), event)
        await asyncio.sleep(0.1)


def test_the_documents_are_worth_their_time() -> None:
    """Some are accepted, some are not."""
    for kind, action in (("HELLO", HelloReceived), ("READY", SessionReady)):
        protocol = GatewayProtocol(GatewayConfig(), None, clock=lambda: 0.0, chance=lambda: 0.5)
        accepted = 0
        for document in random_documents(kind):
            protocol.connected()
            if action is SessionReady:
                protocol.receive(wire.hello())
                protocol.identify("token", 1, (0, 1))
            accepted += isinstance(protocol.receive(document), action)
        assert 0 < accepted < COUNT
