"""`RedisSessionManager`: nodes share, hand over and take over shards, whatever happens to the store."""

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from qqbot import AuthError, Bot, ConfigError, Credentials, Endpoints, GatewayError, GatewayHalted
from qqbot.aio.clock import steady
from qqbot.lease import Lease, StandbyLease
from qqbot.models.gateway import GatewayBot, ResumeState, ShardExit
from qqbot.sessions import RedisSessionManager, SessionManager, Timings
from qqbot.sessions.cluster.node import Node
from qqbot.sessions.cluster.owned_shard import OwnedShard
from qqbot.sessions.cluster.redis_store import RedisStore
from qqbot.sessions.cluster.shard_runner import ShardRunner
from qqbot.sessions.cluster.state import ShardId
from qqbot.testing import SessionManagerContract, Simulator
from tests.redis.servers import Engine, Server, as_cluster, default_engine, started, with_sentinels
from tests.sessions.cluster.members import FAST, PATIENCE, Member, Platform, Shards, joined, until

ALL = [0, 1, 2, 3, 4, 5]
EIGHT = [f"{index}/8" for index in range(8)]


def shared(*members: Member) -> list[int]:
    return sorted(index for member in members for index in member.indices)


async def test_one_node_runs_everything(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a:
        await until(lambda: a.indices == ALL)
        view = await a.manager.snapshot()
        assert [shard.shard.index for shard in view.shards] == ALL and view.count == 6
        assert [(node.role, node.shards) for node in view.nodes] == [("active", 6)]
        assert view.remaining == 1000 - 6, view
    assert platform.calls == 1


async def test_a_node_leaves_as_soon_as_its_shards_are_released(store: Server) -> None:
    slow = Timings(renew=1.0, call=0.2, own=1.5, observe=1.8, slack=0.2, window=0.2, stop=6.0)
    async with joined(store.url, Platform(), timings=slow) as a:
        await until(lambda: a.indices == ALL)
        begun = steady()
        await a.manager.stop(drain=1.0)
        assert steady() - begun < 0.9 * slow.renew, "it waited for the next renewal"


async def test_it_is_left_alone_by_other_loops(store: Server) -> None:
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)

        async def watch() -> object:
            return a.manager.watch()

        for call in (a.manager.stop, a.manager.snapshot, watch):
            with pytest.raises(ConfigError, match="run_coroutine_threadsafe"):
                await asyncio.to_thread(lambda call=call: asyncio.run(call()))  # type: ignore[misc]
        assert len((await a.manager.snapshot()).shards) == len(ALL)


async def test_a_second_node_gets_its_half_and_gives_it_back(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a:
        await until(lambda: a.indices == ALL)
        async with joined(store.url, platform) as b:
            await until(lambda: len(b.indices) == 3 and shared(a, b) == ALL)
            moved = b.shards.began_with
            assert len(moved) == 3 and all(state is not None for _, state in moved)
        await until(lambda: a.indices == ALL)
        assert len(a.shards.identified) == 6 and not b.shards.identified


async def test_a_node_that_vanishes_is_missed(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a, joined(store.url, platform) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        await b.vanish()
        await until(lambda: a.indices == ALL)
        assert len(a.shards.identified) + len(b.shards.identified) == 6


async def test_a_shard_is_not_handed_over_while_it_waits_for_ready(store: Server) -> None:
    shards = Shards()
    shards.ready.clear()
    async with joined(store.url, Platform(), shards) as a:
        await until(lambda: len(shards.identified) == 6)
        async with joined(store.url, Platform()) as b:
            await asyncio.sleep(FAST.observe + FAST.renew)
            assert len(a.shards.running) == 6 and not b.shards.began_with
            shards.ready.set()
            await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
            assert not b.shards.identified


async def test_a_store_that_comes_back_empty_costs_nothing(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a, joined(store.url, platform) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        before = (await a.manager.snapshot()).incarnation
        begun = len(a.shards.began_with + b.shards.began_with)
        await store.restart(empty=True)
        await asyncio.sleep(2 * FAST.observe)
        view = await a.manager.snapshot()
        assert view.incarnation > before and len(view.shards) == 6
        assert all(shard.state is not None for shard in view.shards)
        assert len(a.shards.began_with + b.shards.began_with) == begun


async def test_states_are_written_again_to_a_store_without_its_data(store: Server) -> None:
    shards = Shards()
    shards.idle = True
    async with joined(store.url, Platform(), shards) as a:
        await until(lambda: a.indices == ALL)
        await store.restart(empty=True)
        async with asyncio.timeout(PATIENCE):
            while [shard.state is None for shard in (await a.manager.snapshot()).shards] != [False] * 6:
                await asyncio.sleep(0.05)
        assert len(a.shards.began_with) == 6


async def test_the_store_is_away_for_longer_than_a_lease(store: Server) -> None:
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)
        store.kill()
        await until(lambda: not a.indices and not a.shards.running)
        assert (await a.manager.snapshot()).lost_leases == {"expired": 6}
        back = steady()
        await store.start()
        await until(lambda: a.indices == ALL)
        assert steady() - back > FAST.own, "an owner that this store never knew could still have been at work"
        assert len(a.shards.identified) == 6
        assert all(state is not None for _, state in a.shards.began_with[6:])


async def test_a_store_that_freezes_shortly_costs_nothing(store: Server) -> None:
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)
        store.freeze()
        await asyncio.sleep(FAST.call + 0.1)
        store.thaw()
        await asyncio.sleep(FAST.own)
        assert a.indices == ALL and len(a.shards.began_with) == 6


async def test_an_owner_dies_together_with_the_data(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a, joined(store.url, platform) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        node = a.manager._node
        assert node is not None
        await until(lambda: all(node._copies.stored((1, index)) for index in ALL))
        begun = len(a.shards.began_with)
        await b.vanish()
        await store.restart(empty=True)
        await until(lambda: a.indices == ALL)
        taken_over = a.shards.began_with[begun:]
        assert len(taken_over) == 3 and all(state is not None for _, state in taken_over)


async def test_an_owner_dies_with_the_data_and_the_nodes_with_copies_a_little_later(store: Server) -> None:
    platform = Platform()
    async with joined(store.url, platform) as a, joined(store.url, platform) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        await asyncio.sleep(2 * FAST.renew)
        await b.vanish()
        await store.restart(empty=True)
        async with joined(store.url, platform) as c:
            async with asyncio.timeout(PATIENCE):
                while [shard.state is None for shard in (await a.manager.snapshot()).shards] != [False] * 3:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(2 * FAST.renew)
            await a.vanish()
            await until(lambda: c.indices == ALL)
            assert not c.shards.identified


async def test_stopping_while_the_store_is_away(store: Server) -> None:
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(joined(store.url, Platform()))
        await until(lambda: a.indices == ALL)
        store.kill()
        async with asyncio.timeout(FAST.stop):
            await stack.aclose()


async def test_starting_before_the_store_is_there(store: Server) -> None:
    store.kill()
    shards = Shards()
    async with joined(store.url, Platform(), shards) as a:
        await asyncio.sleep(3 * FAST.renew)
        assert not a.task.done()
        await store.start()
        await until(lambda: a.indices == ALL)


async def test_fifty_nodes_that_start_together_ask_the_platform_once(store: Server) -> None:
    platform = Platform(50)
    async with AsyncExitStack() as stack:
        joining = [joined(store.url, platform, timings=Timings(), name=f"n{number}") for number in range(50)]
        members = await asyncio.gather(*(stack.enter_async_context(each) for each in joining))
        async with asyncio.timeout(40):
            while len((await members[0].manager.snapshot()).nodes) < 50:
                await asyncio.sleep(0.2)
        await until(lambda: platform.calls)
        await asyncio.sleep(0.5)
        assert platform.calls == 1


async def test_one_round_trip_a_renewal_whatever_the_number_of_shards(store: Server) -> None:
    shards = Shards()
    shards.pace = FAST.renew
    async with joined(store.url, Platform(100), shards) as a, store.client() as client:
        await until(lambda: len(a.indices) == 100)
        await asyncio.sleep(FAST.renew)
        before = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]
        await asyncio.sleep(10 * FAST.renew)
        calls = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"] - before
        assert calls <= 12


async def test_a_claim_whose_answer_was_lost_is_taken_up(store: Server) -> None:
    async with joined(store.url, Platform()) as a, joined(store.url, Platform()) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        name = next(node.id for node in (await a.manager.snapshot()).nodes if node.shards)
        async with RedisStore(store.url, app_id="1", cluster="default", node=name, timings=FAST) as forger:
            free = asyncio.create_task(b.manager.stop(drain=1.0))  # its shards are claimed without the node
            for _ in range(2000):
                state = await forger.look()
                shard_ids = [shard_id for shard_id, owner in state.owners.items() if not owner.node]
                if shard_ids and await forger.claim(state, shard_ids):
                    break
                await asyncio.sleep(0)
            await free
        await until(lambda: shared(a) == ALL)


async def test_one_halt_ends_every_node(store: Server) -> None:
    shards = Shards()
    async with joined(store.url, Platform(), shards) as a, joined(store.url, Platform()) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        events = a.manager.watch()
        shards.errors = dict.fromkeys(ALL, GatewayHalted(4914, "taken down"))
        await b.manager.stop()  # a starts the shards of b, and its platform refuses them
        with pytest.raises(GatewayHalted, match="taken down"):
            await asyncio.wait_for(a.task, PATIENCE)
        kinds = [event.kind async for event in events]
        assert "halted" in kinds and "claimed" in kinds
    async with joined(store.url, Platform()) as c:
        with pytest.raises(GatewayHalted, match="unhalt"):
            await asyncio.wait_for(c.task, PATIENCE)
        assert not c.shards.began_with


async def test_a_shard_that_fails_ends_the_node_and_leaves_its_shards_to_others(store: Server) -> None:
    shards = Shards()
    async with joined(store.url, Platform()) as b, joined(store.url, Platform(), shards) as a:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        shards.errors = dict.fromkeys(ALL, AuthError(401, 11244, "no"))
        await b.manager.stop()
        with pytest.raises(AuthError):
            await asyncio.wait_for(a.task, PATIENCE)
    async with joined(store.url, Platform()) as c:
        await until(lambda: c.indices == ALL)


async def test_too_few_shards_is_an_error_if_the_number_is_fixed(store: Server) -> None:
    shards = Shards()
    shards.exits = {2: ShardExit("reshard")}
    async with joined(store.url, Platform(6, recommended=8), shards) as a:
        with pytest.raises(GatewayHalted, match="QQBOT_SHARDS=8"):
            await asyncio.wait_for(a.task, PATIENCE)


class Closed(Shards):
    """Its shard 2 of 4 is closed with 4011, without a session, as soon as `close` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.close = asyncio.Event()

    async def __call__(self, lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
        if (lease.shard.index, lease.shard.count) != (2, 4):
            return await super().__call__(lease, info, state)
        await self.close.wait()
        return ShardExit("reshard")


@pytest.mark.parametrize("closed", [True, False])
async def test_a_roll_keeps_all_events_if_an_old_shard_has_no_session(store: Server, closed: bool) -> None:
    platform, shards = Platform("4+", recommended=4), Closed() if closed else Shards()
    async with joined(store.url, platform, shards) as a:
        await until(lambda: a.indices == ([0, 1, 3] if closed else [0, 1, 2, 3]))
        shards.ready.clear()
        if isinstance(shards, Closed):
            platform.answer = Platform("4+", recommended=8).answer
            shards.close.set()
        else:
            async with RedisStore(store.url, app_id="1", cluster="default", node="", timings=FAST) as person:
                assert await person.admin("begin", (await person.look()).version, 8)
        await until(lambda: len(kept(shards)) == 8)
        if closed:
            await until(lambda: set(kept(shards)) == {math.inf})
        else:
            await asyncio.sleep(3 * FAST.renew)
            assert max(kept(shards)) < math.inf
        shards.ready.set()
        await until(lambda: a.indices == list(range(8)))


def kept(shards: Shards) -> list[float]:
    """For how long the shards of the next generation keep events."""
    leases = [lease for key, lease in shards.running.items() if key.count == 8]
    return [lease.kept for lease in leases if isinstance(lease, StandbyLease)]


async def test_an_empty_budget_is_waited_out(
    store: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.sessions.cluster.session_limit.ASK_LIFE", 1.0)
    platform = Platform(2, remaining=1, reset_after=4_500)
    async with joined(store.url, platform) as a:
        await until(lambda: len(a.indices) == 1)
        await until(lambda: "no more sessions" in caplog.text)
        platform.answer = Platform(2).answer
        await until(lambda: len(a.indices) == 2)
        assert 2 <= platform.calls <= 4


async def test_a_count_that_changed_while_no_node_ran(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with joined(store.url, Platform(6)) as a:
        await until(lambda: a.indices == ALL)
        async with joined(store.url, Platform(4)):
            await until(lambda: "qqbot shards roll 4" in caplog.text)
    async with joined(store.url, Platform(4)) as b:
        await until(lambda: b.indices == [0, 1, 2, 3])
        assert len(b.shards.identified) == 4


@pytest.fixture
def _short_lived_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.sessions.cluster.session_limit.ANSWER_LIFE", 0.3)
    monkeypatch.setattr("qqbot.sessions.cluster.session_limit.ASK_LIFE", 0.3)


@pytest.mark.usefixtures("_short_lived_answers")
async def test_more_shards_by_itself_when_they_are_recommended(store: Server, caplog: pytest.LogCaptureFixture) -> None:
    platform = Platform("4+")
    async with (
        joined(store.url, platform, auto_roll=True) as a,
        joined(store.url, platform, auto_roll=True) as b,
    ):
        await until(lambda: shared(a, b) == [0, 1, 2, 3])
        platform.answer = Platform(recommended=5, remaining=11, reset_after=100).answer
        await until(lambda: "allows 1 more sessions" in caplog.text)
        view = await a.manager.snapshot()
        assert (view.count, view.next_count) == (4, 0), "begun although the budget does not last"
        platform.answer = Platform(recommended=5).answer
        await until(lambda: sorted(str(key) for key in (*a.shards.running, *b.shards.running)) == EIGHT)
        assert len(a.shards.identified + b.shards.identified) == 12


@pytest.mark.usefixtures("_short_lived_answers")
async def test_a_recommendation_that_is_not_followed_is_logged_once(
    store: Server, caplog: pytest.LogCaptureFixture
) -> None:
    platform = Platform("4+")
    async with joined(store.url, platform) as a:
        await until(lambda: len(a.indices) == 4)
        for remaining in range(900, 903):
            calls = platform.calls
            platform.answer = Platform(recommended=5, remaining=remaining).answer
            await until(lambda: platform.calls > calls)  # noqa: B023 - awaited here
        await until(lambda: "auto_roll=True" in caplog.text)
        await asyncio.sleep(2 * FAST.renew)
        assert caplog.text.count("recommends 5 shards") == 1
        assert (await a.manager.snapshot()).count == 4


async def test_a_roll_by_restart_never_runs_two_numbers_of_shards(store: Server) -> None:
    async with joined(store.url, Platform()) as a, joined(store.url, Platform()) as b:
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)
        seen = set[frozenset[int]]()

        def done() -> bool:
            running = [*a.shards.running, *b.shards.running]
            seen.add(frozenset(key.count for key in running))
            return shared(a, b) == list(range(8)) and all(key.count == 8 for key in running)

        async with RedisStore(store.url, app_id="1", cluster="default", node="", timings=FAST) as person:
            assert await person.admin("begin", (await person.look()).version, "8 restart")
        await until(done)
        assert seen == {frozenset(), frozenset({6}), frozenset({8})}
        assert len(a.shards.identified + b.shards.identified) == 6 + 8


async def test_a_shard_whose_events_were_fenced_out_comes_back_above(store: Server) -> None:
    async with joined(store.url, Platform(2)) as a:
        await until(lambda: a.indices == [0, 1])
        key, lease = next(iter(a.shards.running.items()))
        lease.fenced(lease.token + 10**12)
        await until(lambda: key in a.shards.live and a.shards.running[key].token > lease.token + 10**12)
        assert [state is None for _, state in a.shards.began_with] == [True, True, False]
        assert (await a.manager.snapshot()).lost_leases == {"fenced": 1}


async def test_a_manager_runs_once_at_a_time_and_again(store: Server) -> None:
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)
        with pytest.raises(ConfigError, match="running already"):
            await a.manager.run(Platform(), Shards())
    again = Shards()
    task = asyncio.create_task(a.manager.run(Platform(), again))
    await until(lambda: again.indices == ALL)
    assert not again.identified
    await a.manager.stop()
    await task


async def test_it_leaves_also_if_one_of_its_waits_ends_at_that_moment(
    store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = Node._leave

    async def leave_late(self: Node) -> None:
        await leave(self)
        time.sleep(FAST.own + 0.1)  # noqa: ASYNC251 - until the watch over the leases looks again ...
        for _ in range(2):
            await asyncio.sleep(0)  # ... whose timeout has cancelled it by now, and it has not noticed

    monkeypatch.setattr(Node, "_leave", leave_late)
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)
        await a.manager.stop(drain=1.0)
        await asyncio.wait([a.task], timeout=FAST.call)
        assert a.task.done()


async def test_a_shard_that_is_taken_away_before_it_began_is_given_back(
    store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ShardRunner.run

    def run_and_close(self: ShardRunner, owned: OwnedShard, *arguments: Any, **options: Any) -> None:
        run(self, owned, *arguments, **options)
        if owned.shard_id not in seen:
            seen.add(owned.shard_id)
            self.close([owned])

    seen: set[ShardId] = set()
    monkeypatch.setattr(ShardRunner, "run", run_and_close)
    async with joined(store.url, Platform()) as a:
        await until(lambda: a.indices == ALL)
        assert len(seen) == 6


@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
async def test_behind_sentinels_and_in_a_cluster(engine: Engine, kind: str) -> None:
    async with AsyncExitStack() as stack:
        if kind == "sentinel":
            url = (await stack.enter_async_context(with_sentinels(engine, replicas=0, sentinels=1))).url
        else:
            servers = await stack.enter_async_context(as_cluster(engine))
            url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)
        a = await stack.enter_async_context(joined(url, Platform()))
        b = await stack.enter_async_context(joined(url, Platform()))
        await until(lambda: len(a.indices) == 3 and len(b.indices) == 3)


async def test_a_client_of_the_users_is_used_and_not_closed(store: Server) -> None:
    async with store.client() as client:
        async with joined(client, Platform()) as a:
            await until(lambda: a.indices == ALL)
        assert await client.ping()


def test_redis_is_imported_only_when_it_is_used() -> None:
    code = (
        "import sys; from qqbot import Bot; from qqbot.sessions import RedisSessionManager; Bot();"
        "assert 'redis' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_the_environment_names_the_cluster(store: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQBOT_REDIS_URL", store.url)
    monkeypatch.setenv("QQBOT_CLUSTER", "blue")
    async with Simulator() as sim:
        bot = Bot(shards=2)
        serving = asyncio.create_task(hold(bot, sim))
        async with RedisStore(store.url, app_id=sim.app_id, cluster="blue", node="", timings=Timings()) as reader:
            async with asyncio.timeout(PATIENCE):
                while not (await reader.look()).nodes:
                    await asyncio.sleep(0.05)
        serving.cancel()
        await asyncio.wait([serving])


async def hold(bot: Bot, sim: Simulator) -> None:
    credentials, endpoints = Credentials(sim.app_id, sim.secret), Endpoints(sim.api_base, sim.token_url)
    async with bot.serve(credentials=credentials, endpoints=endpoints):
        await asyncio.Event().wait()


async def test_a_cluster_without_a_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQBOT_CLUSTER", "blue")
    with pytest.raises(ConfigError, match="QQBOT_REDIS_URL"):
        async with Bot().serve(credentials=Credentials("1", "s")):
            pass


class TestContract(SessionManagerContract):
    """What every session manager has to do."""

    window = FAST.window
    keeps_state = True
    shares = True
    stop_within = FAST.stop

    @pytest.fixture(autouse=True)
    def its_shards_are_never_ready(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They identify and save nothing: do not wait long for that, or for the platform."""
        monkeypatch.setattr("qqbot.sessions.cluster.session_limit.READY_SECONDS", 0.5)
        monkeypatch.setattr("qqbot.sessions.cluster.session_limit.ASK_LIFE", 1.0)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Callable[[], SessionManager]]:
        async with started(default_engine()) as server:
            yield lambda: RedisSessionManager(server.url, cluster="contract", timings=FAST)


async def test_a_cancellation_that_comes_out_of_the_platform_is_an_error(store: Server) -> None:
    class Broken(Platform):
        async def fetch(self) -> GatewayBot:
            gone = asyncio.create_task(asyncio.sleep(3600))
            asyncio.get_running_loop().call_soon(gone.cancel)
            await gone
            raise AssertionError

    async with joined(store.url, Broken()) as a:
        await until(a.task.done)
        with pytest.raises(GatewayError, match="was cancelled"):
            a.task.result()


async def test_a_node_that_may_not_listen_any_more_goes_on(store: Server) -> None:
    async with joined(store.url, Platform()) as a, store.client() as client:
        await until(lambda: a.indices == ALL)
        await client.execute_command("ACL", "SETUSER", "default", "-xread")
        await client.xadd("qqbot:{1:default}:log", {"kind": "test"})  # it listens again after this
        await asyncio.sleep(FAST.own + FAST.renew)
        assert a.indices == ALL
