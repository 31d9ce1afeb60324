"""`EtcdStore`: what an etcd cannot do is reported at once; nothing is written twice, late or over its limits."""

import asyncio
import contextlib
import itertools
import shutil
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web

from qqbot.aio.clock import steady
from qqbot.config import Secret
from qqbot.errors import ConfigError
from qqbot.models.codec import encode
from qqbot.sessions import EtcdSessionManager, Timings
from qqbot.sessions.cluster.etcd_store import EtcdStore
from qqbot.sessions.cluster.state import ClusterState, NodeInfo
from qqbot.sessions.cluster.store import Grant, OwnershipReport, PermitAnswer, StoreAway, Synced
from tests.cancelling import Attempt, cancel_at_each_turn
from tests.etcd.pretender import pretender
from tests.etcd.server import Etcd, etcd, shared_etcd
from tests.sessions.cluster.members import FAST, Platform, Shards, joined, until

__all__ = ["shared_etcd"]

NAMES = itertools.count()
PASSWORD = "hunter2"


def store_of(url: str, name: str, node: str = "a", timings: Timings | None = None) -> EtcdStore:
    return EtcdStore(Secret(url), app_id="1", cluster=name, node=node, timings=timings or Timings())


@pytest.fixture
def name() -> str:
    """A cluster that no other test uses."""
    return f"s{next(NAMES)}"


@pytest.fixture
async def store(shared_etcd: Etcd, name: str) -> AsyncIterator[EtcdStore]:
    async with store_of(shared_etcd.url, name) as store:
        yield store


async def sync(store: EtcdStore, *reports: OwnershipReport, known: ClusterState | None = None) -> Synced:
    return await store.sync("active", NodeInfo(), reports, known=known or ClusterState(), target_active=0)


async def owner(store: EtcdStore, shards: int = 2) -> list[Grant]:
    """Let a node own all shards."""
    await store.admin("plan", shards)
    state = (await sync(store)).state
    granted = await store.claim(state, [(1, index) for index in range(shards)])
    assert granted is not None and len(granted) == shards
    return granted


def report(grant: Grant, state: str = "=") -> OwnershipReport:
    return OwnershipReport(grant.shard_id, grant.token, state)


async def refusal(url: str) -> str:
    """Run a node that cannot start; return its error. No shard was touched."""
    platform, shards = Platform(), Shards()
    with pytest.raises(ConfigError) as refused:
        async with asyncio.timeout(20):
            await EtcdSessionManager(url, timings=FAST).run(platform, shards)
    assert not shards.began_with and not platform.calls
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


# The URL


@pytest.mark.parametrize(
    "url",
    [
        "localhost:2379",
        "redis://localhost",
        "http://localhost:2379",
        "etcd://",
        "etcd://:hunter2@localhost",
        "etcd://user:hunter2@localhost:x",
        "etcd://user:hunter2@localhost:99999",
        "etcd://user:hunter2@localhost:0",
        "etcd://user:hunter2@a, b",
        "etcd://user:hunter2@my host",
        "etcd://user:hunter2@a\x1b[2J",
        "etcd://user:hunter2@a..b",
        "etcd://user:hun\nter2@localhost",
        "user:hunter2@etcd://localhost",
        "etcds://user:hunter2@localhost?ssl_keyfile=/key.pem",
        "etcd://user:hunter2@a,,b",
        "etcd://user:hunter2@localhost/path",
        "etcd://user:hunter2@localhost?ssl_ca_certs=/ca.pem",
        "etcds://user:hunter2@localhost?unknown=1",
    ],
)
def test_a_wrong_url(url: str) -> None:
    with pytest.raises(ConfigError, match="etcd URL") as refused:
        EtcdSessionManager(url)
    assert PASSWORD not in str(refused.value)


def test_the_url_is_not_shown() -> None:
    manager = EtcdSessionManager("etcds://user:hunter2@host:2379,[::1]:2380?ssl_ca_certs=/ca.pem")
    store = manager.store("1")
    assert str(store) == "etcd at etcds://host:2379,[::1]:2380"
    assert PASSWORD not in repr(manager) + repr(store) + repr(store._client._address)


@pytest.mark.parametrize("options", [{"cluster": "a b"}, {"cluster": ""}, {"name": "x" * 60}, {"role": "boss"}])
def test_names_that_cannot_be(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="EtcdSessionManager"):
        EtcdSessionManager("etcd://localhost", **options)  # type: ignore[arg-type]


async def test_a_certificate_that_is_missing() -> None:
    with pytest.raises(ConfigError, match="ssl_ca_certs"):
        async with store_of("etcds://localhost?ssl_ca_certs=/no/such/file", "c"):
            pass


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with the certificates of an authority of our own, of etcd and of a client."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("127.0.0.1", "bot@example.org"):
        issued = authority.issue_cert(name)
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    return tmp_path


async def test_tls_with_certificates_for_both_sides(certificates: Path) -> None:
    ca, server, client = (str(certificates / name) for name in ("ca.pem", "127.0.0.1", "bot@example.org"))
    ours = ssl.create_default_context(cafile=ca)
    ours.load_cert_chain(f"{client}.pem", f"{client}.key")
    options = ("--cert-file", f"{server}.pem", "--key-file", f"{server}.key", "--trusted-ca-file", ca)
    async with etcd(1, *options, "--client-cert-auth", tls=ours) as servers:
        known = f"?ssl_ca_certs={ca}"
        async with store_of(f"{servers.url}{known}&ssl_certfile={client}.pem&ssl_keyfile={client}.key", "c") as store:
            await store.check()
            assert len(await owner(store)) == 2
        plain = servers.url.replace("etcds:", "etcd:")
        for url, cause in (
            (servers.url, "TLS failed .unable to get local issuer certificate.: check ssl_ca_certs"),
            (servers.url.replace("127.0.0.1", "localhost") + known, "TLS failed .Hostname mismatch"),
            (servers.url + known, "TLS failed .*BAD_CERTIFICATE|TLS failed .*CERTIFICATE_REQUIRED"),
            (plain, "if it expects TLS, write etcds://"),
        ):
            async with store_of(url, "c") as store:
                with pytest.raises(StoreAway, match=cause):
                    await store.check()


async def test_tls_where_none_is_expected(shared_etcd: Etcd) -> None:
    async with store_of(shared_etcd.url.replace("etcd:", "etcds:"), "c") as store:
        with pytest.raises(StoreAway, match=r"if it expects no TLS, write etcd://|TLS failed"):
            await store.check()


# Users


@asynccontextmanager
async def with_users() -> AsyncIterator[tuple[Etcd, Callable[..., Awaitable[Any]]]]:
    """An etcd that asks for users: `bot` may use the keys of qqbot, `guest` no key."""
    async with etcd() as servers, aiohttp.ClientSession() as http:
        token = ""

        async def call(path: str, **body: object) -> Any:
            url = f"http://{servers.address(0)}/v3/{path}"
            headers = {"Authorization": token} if token else {}
            async with http.post(url, data=encode(body), headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        permission = {"permType": "READWRITE", "key": b"qqbot/", "range_end": b"qqbot0"}
        await call("auth/role/add", name="root")
        await call("auth/role/add", name="qqbot")
        await call("auth/role/grant", name="qqbot", perm=permission)
        for user, role in (("root", "root"), ("bot", "qqbot"), ("guest", "")):
            await call("auth/user/add", name=user, password=PASSWORD)
            if role:
                await call("auth/user/grant", user=user, role=role)
        await call("auth/enable")
        token = (await call("auth/authenticate", name="root", password=PASSWORD))["token"]
        yield servers, call


async def test_users() -> None:
    async with with_users() as (servers, call):
        assert "refuses the user or the password" in await refusal(servers.url)
        for user in ("bot:wrong", "nobody:hunter2", "guest:hunter2"):
            words = await refusal(servers.url.replace("://", f"://{user}@"))
            assert "refuses the user or the password" in words and "qqbot/1/default/" in words
        async with joined(servers.url.replace("://", "://bot:hunter2@"), Platform()) as a:
            await until(lambda: len(a.indices) == 6)
            await call("auth/user/changepw", name="bot", password="another")
            await asyncio.sleep(FAST.own + FAST.renew)
            assert not a.task.done() and a.indices == [], "a node outlives a password that changes while it runs"
            await call("auth/user/changepw", name="bot", password=PASSWORD)
            await until(lambda: len(a.indices) == 6)


async def test_a_token_that_another_member_does_not_know() -> None:
    async with with_users() as (servers, _), store_of(servers.url.replace("://", "://bot:hunter2@"), "c") as store:
        await owner(store)
        await servers.restart()  # it forgets the tokens
        assert len((await sync(store)).state.owners) == 2


async def test_a_password_where_none_is_asked_for(shared_etcd: Etcd) -> None:
    assert "authentication is not enabled" in await refusal(shared_etcd.url.replace("://", "://bot:hunter2@"))


# What is no etcd, or one that cannot


async def test_members_of_different_etcds(shared_etcd: Etcd, name: str) -> None:
    async with etcd() as another:
        for url in (f"{shared_etcd.url},{another.address(0)}", f"{another.url},127.0.0.1:1,{shared_etcd.address(0)}"):
            assert "2 etcds that know nothing of each other" in await refusal(url)


async def test_a_server_that_is_no_etcd() -> None:
    async def nothing(_: web.BaseRequest) -> web.Response:
        return web.Response(status=404, text="404 page not found")

    async with pretender(nothing) as url:
        assert "no etcd from 3.4 on" in await refusal(url)


async def test_an_etcd_without_its_json_gateway() -> None:
    async with etcd(1, "--enable-grpc-gateway=false") as servers:
        assert "--enable-grpc-gateway" in await refusal(servers.url)


@pytest.mark.parametrize("version", ["3.3.27", "2.3.8", "", "\x1b[2J"])
async def test_an_etcd_that_is_too_old(version: str) -> None:
    async def old(_: web.BaseRequest) -> web.Response:
        return web.json_response({"etcdserver": version})

    async with pretender(old) as url:
        words = await refusal(url)
        assert "at least 3.4" in words and words.isprintable()


async def test_an_answer_that_cannot_be_read() -> None:
    async def noise(_: web.BaseRequest) -> web.Response:
        return web.Response(body=b"\xff[" * 1000)

    async with pretender(noise) as url, store_of(url, "c") as store:
        with pytest.raises(StoreAway, match="not as etcd does"):
            await store.look()


async def test_records_of_another_form(store: EtcdStore, shared_etcd: Etcd) -> None:
    await owner(store)
    await overwrite(shared_etcd, store.coord, encode({"m:schema": "7"}))
    with pytest.raises(ConfigError, match="form 7, this one knows 1"):
        await store.check()
    with pytest.raises(StoreAway, match="form 7"):
        await sync(store)


async def overwrite(servers: Etcd, key: str, value: bytes) -> None:
    body = encode({"key": key.encode(), "value": value})
    url = f"http://{servers.address(0)}/v3/kv/put"
    async with aiohttp.ClientSession() as http, http.post(url, data=body) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("value", [b"", b"\xff", b"[1]", b'{"m:inc":7}', b"[" * 100_000, b'"' + b"x" * 300_000 + b'"'])
async def test_records_that_cannot_be_read_are_lost_and_reported_again(
    store: EtcdStore, shared_etcd: Etcd, value: bytes
) -> None:
    (first, _) = await owner(store)
    known = (await sync(store, report(first, '{"x":1}'))).state
    for key in (store.limit, store.coord):
        await overwrite(shared_etcd, key, value)
        state = (await sync(store, report(first), known=known)).state
        assert state.owners[1, 0].token == first.token and (state.gen, state.shards) == (1, 2)
        assert (await store.permit((1, 0), first.token, 1))[0] is PermitAnswer.LATER, "the count of permits was lost"
    assert state.incarnation > known.incarnation


async def test_an_etcd_without_space_is_away() -> None:
    async with etcd() as servers, store_of(servers.url, "c") as store:
        grants = await owner(store, 4)
        member = servers.members[0]
        member.kill()
        member.options = ("--quota-backend-bytes", "10000")  # less than it has, so it is never healthy
        member.start(f"{member.name}={member.peer}")
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(StoreAway):
                    assert len((await store.look()).owners) == 4  # `qqbot shards` shows it
                    break
        for call in (lambda: sync(store, *map(report, grants)), store.check):
            with pytest.raises(StoreAway, match=r"database space exceeded: .*etcdctl alarm disarm"):
                await call()


async def test_a_history_that_is_never_compacted_is_reported(
    store: EtcdStore, shared_etcd: Etcd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qqbot.sessions.cluster.etcd_store.UNCOMPACTED", 5)
    await owner(store)
    assert await store.is_compacted(), "too little is known to tell"
    for _ in range(6):
        await store.admin("ask", 0, 0)
    assert not await store.is_compacted()
    await store.check()
    assert "--auto-compaction-retention" in caplog.text
    await compact(shared_etcd, (await store._client.range(store.limit, until=soon())).header.revision)
    assert await store.is_compacted()


async def compact(servers: Etcd, revision: int) -> None:
    async with aiohttp.ClientSession() as http:
        url = f"http://{servers.address(0)}/v3/kv/compaction"
        async with http.post(url, data=encode({"revision": str(revision), "physical": True})) as answer:
            assert answer.status == 200


def soon() -> float:
    return asyncio.get_running_loop().time() + 5


# Atomic, bounded and never late


async def test_nodes_that_claim_at_once_share_nothing(shared_etcd: Etcd, name: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(store_of(shared_etcd.url, name, f"n{number}")) for number in range(8)]
        await stores[0].admin("plan", 40)
        for store in stores:
            await sync(store)
        state = await stores[0].look()
        shards = [(1, index) for index in range(40)]
        answers = await asyncio.gather(*(store.claim(state, shards) for store in stores))
        granted = [answer for answer in answers if answer is not None]
        assert [len(answer) for answer in granted] == [40], "two claims were planned from the same version"
        tokens = [grant.token for grant in granted[0]]
        assert tokens == sorted(set(tokens))


async def test_calls_at_once_are_all_carried_out(shared_etcd: Etcd, name: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(store_of(shared_etcd.url, name, f"n{number}")) for number in range(12)
        ]
        await stores[0].admin("plan", 4)
        await asyncio.gather(*(sync(store) for store in stores))
        state = await stores[0].look()
        assert len(state.nodes) == 12 and len({node.join for node in state.nodes.values()}) == 12


async def test_more_shards_than_one_transaction_takes(store: EtcdStore, shared_etcd: Etcd, name: str) -> None:
    grants = await owner(store, 1000)
    found = await sync(store, *(report(grant, f'{{"n":{grant.shard_id[1]}}}') for grant in grants))
    assert not found.lost and len(await store.states()) == 1000
    big = [report(grant, f'"{"x" * 200_000}"') for grant in grants[:12]]  # 2.4 MB
    await sync(store, *big)
    states = await store.states()
    assert all(len(states[each.shard_id]) > 200_000 for each in big)
    async with store_of(shared_etcd.url, name, "b") as other:
        state = (await sync(other)).state
        assert await other.evict(state, "a", state.nodes["a"].stamp)
        state = await other.look()
        again = await other.claim(state, [grant.shard_id for grant in grants])
        assert again is not None and len(again) == 1000 and again[500].state == '{"n":500}'
        assert min(grant.token for grant in again) > max(grant.token for grant in grants)
        assert (await sync(store, *map(report, grants))).lost == {grant.shard_id for grant in grants}


async def test_twenty_thousand_shards(store: EtcdStore) -> None:
    """The records alone fill a transaction; a shard must still not be free before its state is written."""
    store.node = "bot-7d9f8b6c5-abcde-1a2b3c4d"
    grants = await owner(store, 20_000)
    assert not (await sync(store, *map(report, grants))).lost
    txn, sent = store._client.txn, 0

    async def counted(compare: Any, success: Any, failure: Any = (), *, until: float) -> Any:
        nonlocal sent
        sent += bool(compare)
        return await txn(compare, success, failure, until=until)

    store._client.txn = counted  # type: ignore[method-assign]
    assert await store.release(report(grants[0], f'"{"x" * 200_000}"')) and sent == 1
    assert len((await store.states())[1, 0]) > 200_000


async def test_a_lost_generation_of_a_thousand_states_is_put_back(store: EtcdStore) -> None:
    await store.admin("plan", 1000)
    state = (await sync(store)).state
    states = {(1, index): f'{{"n":{index}}}' for index in range(1000)}
    assert await store.restore(state, states) == 1000
    assert await store.states() == states
    assert await store.restore(state, states) == 0


async def test_an_old_call_that_arrives_late_changes_nothing(shared_etcd: Etcd, name: str) -> None:
    """As by a member that stood still: what it sends on later was decided from records that have changed."""
    async with store_of(shared_etcd.url, name) as store, store_of(shared_etcd.url, name, "b") as other:
        (first, second) = await owner(store)
        late: list[tuple[Any, ...]] = []
        txn = store._client.txn

        async def keep(compare: Any, success: Any, failure: Any = (), *, until: float) -> Any:
            if compare:
                late.append((compare, success))
            return await txn(compare, success, failure, until=until)

        store._client.txn = keep  # type: ignore[method-assign]
        await sync(store, report(first, '{"x":1}'), report(second, '{"x":1}'))
        await store.permit((1, 0), first.token, 1)
        await sync(store, report(first, '{"x":2}'), report(second, '{"x":2}'))

        async def send_again() -> None:
            before = await other.look()
            for compare, success in late[:-1]:
                await txn(compare, success, until=soon())
            after = await other.look()
            assert (after.owners, after.states, after.nodes) == (before.owners, before.states, before.nodes)

        await send_again()  # nothing but states and beats has changed since
        assert await store.release(report(second, '{"x":3}'))
        await send_again()
        state = (await sync(other)).state
        assert await other.evict(state, "a", state.nodes["a"].stamp)
        await send_again()


async def test_a_read_that_is_overtaken_makes_no_permit_young(store: EtcdStore) -> None:
    (first, second) = await owner(store)
    pace = store._pace
    pace._seen = deque((moment - pace.spacing, count) for moment, count in pace._seen)  # seen for long enough
    txn, read, go_on = store._client.txn, asyncio.Event(), asyncio.Event()

    async def overtaken(compare: Any, success: Any, failure: Any = (), *, until: float) -> Any:
        store._client.txn = txn  # type: ignore[method-assign]
        answer = await txn(compare, success, failure, until=until)
        read.set()
        await go_on.wait()
        return answer

    store._client.txn = overtaken  # type: ignore[method-assign]
    late = asyncio.create_task(store.permit((1, 0), first.token, 2))
    await read.wait()
    assert await store.permit((1, 1), second.token, 2) == (PermitAnswer.GRANTED, 0.0)
    go_on.set()
    assert await late == (PermitAnswer.GRANTED, 0.0)


async def test_the_log_outlives_a_compaction(store: EtcdStore, shared_etcd: Etcd) -> None:
    await owner(store)
    (position, _), *_ = await store.history(100)
    await store.admin("drain", "a")
    revision = (await store._client.range(store.coord, until=soon())).header.revision
    await compact(shared_etcd, revision)
    kinds = [entry["kind"] for _, entry in await store.entries(position, 0.1)]
    assert kinds == ["join", "claim", "claim", "drain"]
    waiting = asyncio.create_task(store.entries("0-1", 5.0))
    assert [entry["kind"] for _, entry in await waiting][:1] == ["incarnation"]


async def test_a_log_entry_that_cannot_be_read_is_passed_once(store: EtcdStore, shared_etcd: Etcd) -> None:
    await owner(store)
    for number in range(110):  # more than one look at the log returns
        await overwrite(shared_etcd, f"{store.prefix}log/x{number}", b"junk")
    await store.admin("drain", "a")
    (position, _), *_ = await store.history(1000)
    async with asyncio.timeout(2):
        while kinds := await store.entries(position, 0.1):
            position, last = kinds[-1]
    assert last["kind"] == "drain" and [entry["kind"] for _, entry in await store.history(1)] == ["drain"]


async def test_the_log_is_trimmed(store: EtcdStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.sessions.cluster.etcd_store.LOG_LENGTH", 5)
    await owner(store)
    for _ in range(10):
        await store.admin("drain", "a")
    kvs = (await store._client.range(store._log, prefix=True, until=soon())).kvs
    assert len(kvs) <= 6
    assert [entry["kind"] for _, entry in await store.history(3)] == ["drain"] * 3


async def test_a_watch_ends_when_nothing_happens(store: EtcdStore) -> None:
    await owner(store)
    began = steady()
    assert await store.entries("$", 0.3) == []
    assert 0.25 < steady() - began < 3


# Lost data


@asynccontextmanager
async def backup(servers: Etcd) -> AsyncIterator[None]:
    """Restore at the end what etcd holds now; its cluster and its members keep their ids."""
    folder = servers.members[0].folder
    servers.kill()
    shutil.copytree(folder / "data", folder / "backup")
    await servers.restart()
    yield
    servers.kill()
    shutil.rmtree(folder / "data")
    shutil.move(folder / "backup", folder / "data")
    await servers.restart()


async def test_a_backup_that_was_restored_is_noticed(name: str) -> None:
    async with etcd() as servers, store_of(servers.url, name) as a, store_of(servers.url, name, "b") as b:
        (first, _) = await owner(a)
        known = (await sync(b)).state
        async with backup(servers):
            assert await a.release(report(first))
            state = (await sync(b)).state
            (again,) = await b.claim(state, [(1, 0)]) or ()
        state = (await sync(b, report(again), known=state)).state
        assert state.incarnation > known.incarnation
        assert (state.owners[1, 0].node, state.owners[1, 0].token) == ("b", again.token)
        assert (await sync(b, report(again), known=state)).state.incarnation == state.incarnation
        assert (await sync(a)).state.incarnation == state.incarnation, "each node began one"


async def test_a_backup_from_before_a_node_joined_is_noticed(name: str) -> None:
    async with etcd() as servers, store_of(servers.url, name) as a, store_of(servers.url, name, "b") as b:
        await owner(a)
        async with backup(servers):
            known = (await sync(b)).state
        state = (await sync(b)).state
        assert state.incarnation > known.incarnation and state.nodes["b"].join > known.nodes["b"].join


async def test_a_lost_beat_is_noticed_although_the_revision_went_on(store: EtcdStore, shared_etcd: Etcd) -> None:
    """As if other programs had written more into the restored etcd than was lost."""
    (first, _) = await owner(store)
    before = (await sync(store, report(first))).state
    async with aiohttp.ClientSession() as http:
        url = f"http://{shared_etcd.address(0)}/v3/kv/deleterange"
        async with http.post(url, data=encode({"key": f"{store.prefix}beat/a".encode()})) as answer:
            assert answer.status == 200
    assert (await sync(store, report(first))).state.incarnation > before.incarnation


async def test_a_restart_with_the_data_is_the_same_incarnation(name: str) -> None:
    async with etcd() as servers, store_of(servers.url, name) as store:
        (first, _) = await owner(store)
        before = (await sync(store, report(first))).state
        await servers.restart()
        after = (await sync(store, report(first))).state
        assert after.incarnation == before.incarnation and after.version == before.version


# Members


async def test_calls_go_to_the_members_that_answer(name: str) -> None:
    async with etcd(3) as servers, store_of(servers.url, name) as store:
        await owner(store)
        for i in range(3):
            servers.pause(i)
            began = steady()
            async with asyncio.timeout(15):
                while True:
                    try:
                        await sync(store)
                        break
                    except StoreAway:  # an election
                        await asyncio.sleep(0.1)
            assert steady() - began < 10
            servers.resume(i)


async def test_a_majority_that_is_gone_is_away(name: str) -> None:
    async with etcd(3) as servers, store_of(servers.url, name, timings=FAST) as store:
        store._timings = Timings()
        await owner(store)
        store._timings = FAST
        servers.kill(0)
        servers.kill(1)
        for _ in range(3):
            began = steady()
            with pytest.raises(StoreAway):
                await sync(store)
            assert steady() - began < FAST.call + 0.5


# Ends


async def test_a_child_process_is_refused(store: EtcdStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1)
    with pytest.raises(ConfigError, match="belongs to process"):
        await store.look()


def test_a_node_in_each_turn_of_its_loop() -> None:
    @asynccontextmanager
    async def setting() -> AsyncIterator[Attempt]:
        async with etcd() as servers:

            async def attempt() -> None:
                manager, shards = EtcdSessionManager(servers.url, timings=FAST), Shards()
                run = asyncio.create_task(manager.run(Platform(2), shards))
                try:
                    while len(shards.indices) < 2:
                        await asyncio.sleep(0.01)
                finally:
                    await manager.stop(drain=0.1)
                    await asyncio.wait([run])
                    assert not shards.running

            yield attempt

    assert cancel_at_each_turn(setting, most=20) == 20
