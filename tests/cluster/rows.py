"""The rows of the table in docs/production.md: what happens to a cluster, and what must come of it.

Each row is a function of a seed that returns what was wrong and the figures; its docstring is its name in the table.
The same rows without servers are in tests/sessions/cluster/test_reconcile.py.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from qqbot.aio.clock import steady
from qqbot.sessions import Timings
from qqbot.sessions.cluster.records import next_field
from qqbot.sessions.cluster.state import ClusterState
from qqbot.testing import Simulator
from tests.cluster import checker
from tests.cluster.cluster_run import SCALE, ClusterRun, Options, Process, cluster_run
from tests.cluster.cost import measure
from tests.cluster.gateway import EVENT
from tests.cluster.stores import KEYS, RedisStoreServer, Starting, redis, redis_at
from tests.redis.servers import ENGINES, Engine, Server, as_cluster, default_engine, with_sentinels

Result = tuple[list[str], dict[str, Any]]
Row = Callable[[int], Awaitable[Result]]


class StoreRow(Protocol):
    """A row that runs on any store."""

    __name__: str

    def __call__(self, seed: int, *, store: Starting = redis) -> Awaitable[Result]: ...


AnyRow = TypeVar("AnyRow", bound=Row)
AnyStoreRow = TypeVar("AnyStoreRow", bound=StoreRow)
ROWS: dict[str, Row] = {}
STORE_ROWS: dict[str, StoreRow] = {}
APPEND_ONLY = ("--appendonly", "yes", "--appendfsync", "always")


def row(function: Row) -> Row:
    """Register a row of Redis, or of no store."""
    ROWS[_name(function)] = function
    return function


def on_any_store(function: AnyStoreRow) -> AnyStoreRow:
    """Register a row that takes its store: by default Redis."""
    ROWS[_name(function)] = function
    STORE_ROWS[_name(function)] = function
    return function


def _name(function: Callable[..., object]) -> str:
    return function.__name__.replace("_", "-")


@asynccontextmanager
async def cluster(
    nodes: int = 4, options: Options | None = None, *, seed: int = 0, **more: Any
) -> AsyncIterator[tuple[ClusterRun, list[Process]]]:
    """A run whose nodes have shared the shards and connected them all."""
    async with cluster_run(options, seed=seed, **more) as run:
        begun = steady()
        processes = [run.start(chr(ord("a") + number)) for number in range(nodes)]
        await run.settled(shares(run.options.shards, nodes))
        run.figures["start"] = round(steady() - begun, 2)
        run.all_ready = steady()
        await asyncio.sleep(1.0)
        yield run, processes


def redis_of(run: ClusterRun) -> Server:
    """Return the server of a row that is of Redis alone."""
    assert isinstance(run.server, RedisStoreServer)
    return run.server.server


def shares(shards: int, nodes: int) -> list[int]:
    floor, extra = divmod(shards, nodes)
    return [floor + (rank < extra) for rank in range(nodes)]


async def finish(run: ClusterRun, *, identifies: int | None = None, kicks: int = 0) -> Result:
    await run.quiet()
    await run.look_for_ids()
    wrong = run.violations(identifies=identifies, kicks=kicks)
    if wrong:
        wrong.append(run.tail())
    return wrong, run.figures


def takeover_bound(run: ClusterRun) -> float:
    """G2, with room for a busy machine."""
    times = run.timings
    return times["observe"] + 1.1 * times["renew"] + 3.0


async def takeover(run: ClusterRun, shard_ids: set[checker.ShardId], at: float) -> list[str]:
    """Wait until other nodes handle events of the shards; record how long that took."""
    bound = takeover_bound(run)
    while steady() < at + bound:
        times = checker.taken_over(run.logs(), shard_ids, at)
        if max(times) < float("inf"):
            run.figures |= {"takeover p50": sorted(times)[len(times) // 2], "takeover max": max(times)}
            return []
        await asyncio.sleep(0.2)
    return [f"G2: shards of a dead owner were not taken over within {bound:.1f} s"]


def too_long(run: ClusterRun, gaps: dict[checker.ShardId, float]) -> list[str]:
    """Return what is wrong with the gaps of planned moves."""
    wrong = [f"G3: a gap of {gap:.2f} s in shard {shard_id}" for shard_id, gap in gaps.items() if gap > 2.0]
    return [*wrong, run.tail()] if wrong else []


@on_any_store
async def kill(seed: int, options: Options | None = None, store: Starting = redis) -> Result:
    """kill -9 of an owner"""
    async with cluster(4 if options is None else 2, options, seed=seed, store=store) as (run, nodes):
        shard_ids = run.owned(nodes[-1])
        at = steady()
        nodes[-1].kill()
        wrong = await takeover(run, shard_ids, at)
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def store_restart_empty(seed: int, options: Options | None = None) -> Result:
    """store restarted empty"""
    async with cluster(4 if options is None else 2, options, seed=seed) as (run, _):
        before = len(run.gateway.resumes)
        run.store_lost = True
        await run.server.restart()
        await asyncio.sleep(1.3 * run.timings["observe"])
        wrong = []
        if len(run.gateway.resumes) > before:
            wrong.append(f"G7: {len(run.gateway.resumes) - before} needless resumes")
        rest, figures = await finish(run)
        return wrong + rest, figures


@on_any_store
async def rolling_deploy(seed: int, options: Options | None = None, store: Starting = redis) -> Result:
    """rolling deploy"""
    count = 4 if options is None else 2
    async with cluster(count, options, seed=seed, store=store) as (run, nodes):
        at, moves = steady(), run.moves()
        for number, old in enumerate(nodes):
            run.start(f"new{number}")
            await run.settled(shares(run.options.shards, count + 1))
            await run.stop(old)
            await run.settled(shares(run.options.shards, count))
        gaps = checker.gaps(run.logs(), at, steady())
        run.figures |= {
            "moves": run.moves() - moves,
            "gap p50": sorted(gaps.values())[len(gaps) // 2],
            "gap max": max(gaps.values()),
        }
        wrong = too_long(run, gaps)
        rest, figures = await finish(run)
        return wrong + rest, figures


@on_any_store
async def kill_twice(seed: int, store: Starting = redis) -> Result:
    """kill -9, twice"""
    async with cluster(4, seed=seed, store=store) as (run, nodes):
        wrong: list[str] = []
        for node in nodes[2:]:
            shard_ids, at = run.owned(node), steady()
            node.kill()
            wrong += await takeover(run, shard_ids, at)
        rest, figures = await finish(run)
        return wrong + rest, figures


@on_any_store
async def pause(seed: int, store: Starting = redis) -> Result:
    """SIGSTOP for twice as long as others wait, then SIGCONT"""
    async with cluster(4, seed=seed, store=store) as (run, nodes):
        shard_ids, at = run.owned(nodes[-1]), steady()
        nodes[-1].signal(signal.SIGSTOP)
        wrong = await takeover(run, shard_ids, at)
        await asyncio.sleep(max(at + 2 * run.timings["observe"] - steady(), 0))
        nodes[-1].signal(signal.SIGCONT)
        await run.settled(shares(run.options.shards, 4))
        rest, figures = await finish(run, kicks=len(shard_ids))
        return wrong + rest, figures


@row
async def store_restart_and_kill(seed: int) -> Result:
    """store restarted empty, and an owner killed with it"""
    async with cluster(4, seed=seed) as (run, nodes):
        shard_ids, at = run.owned(nodes[-1]), steady()
        nodes[-1].kill()
        run.store_lost = True
        await run.server.restart()
        wrong = await takeover(run, shard_ids, at)
        rest, figures = await finish(run)
        return wrong + rest, figures


async def freeze(seed: int, share: float, store: Starting) -> tuple[ClusterRun, Result]:
    async with cluster(4, seed=seed, store=store) as (run, _):
        before, at = len(run.gateway.resumes), steady()
        run.server.freeze()
        await asyncio.sleep(share * run.timings["observe"])
        run.server.thaw()
        await asyncio.sleep(2 * run.timings["renew"] + 1)
        await run.settled(shares(run.options.shards, 4))
        gaps = checker.gaps(run.logs(), at, steady())
        run.figures |= {"new resumes": len(run.gateway.resumes) - before, "gap max": max(gaps.values())}
        return run, await finish(run)


@on_any_store
async def store_frozen_shortly(seed: int, store: Starting = redis) -> Result:
    """store frozen for half as long as others wait"""
    run, (wrong, figures) = await freeze(seed, 0.5, store)
    if run.figures["new resumes"]:
        wrong.append("a freeze that leases outlive cost resumes")
    return wrong, figures


@on_any_store
async def store_frozen_long(seed: int, store: Starting = redis) -> Result:
    """store frozen for twice as long as others wait"""
    run, (wrong, figures) = await freeze(seed, 2.0, store)
    if run.figures["new resumes"] < run.options.shards:
        wrong.append("owners went on for longer than their leases")
    return wrong, figures


@on_any_store
async def outage(seed: int, store: Starting = redis) -> Result:
    """store down for twice as long as others wait, back empty"""
    async with cluster(4, seed=seed, store=store) as (run, _):
        at = steady()
        run.server.kill()
        await asyncio.sleep(2 * run.timings["observe"])
        run.store_lost = not run.server.keeps
        await run.server.restart()
        await asyncio.sleep(run.timings["observe"])
        await run.settled(shares(run.options.shards, 4))
        await asyncio.sleep(1)
        run.figures["gap max"] = max(checker.gaps(run.logs(), at, steady()).values())
        return await finish(run)


@row
async def flushall(seed: int) -> Result:
    """FLUSHALL three times, and SCRIPT FLUSH; each time another node stands still for a moment"""
    async with cluster(4, seed=seed) as (run, nodes):
        return await flush(run, nodes)


async def flush(run: ClusterRun, nodes: list[Process]) -> Result:
    before = len(run.gateway.resumes)
    async with redis_of(run).client() as client:
        for node in nodes[:3]:
            node.signal(signal.SIGSTOP)
            run.store_lost = True
            await client.flushall()
            await client.script_flush()
            await asyncio.sleep(0.4 * run.timings["own"])
            node.signal(signal.SIGCONT)
            await asyncio.sleep(0.5 * run.timings["observe"])
    await asyncio.sleep(run.timings["observe"])
    needless = len(run.gateway.resumes) - before
    wrong = [f"G7: {needless} needless resumes"] if needless else []
    rest, figures = await finish(run)
    return wrong + rest, figures


@on_any_store
async def join_and_leave(seed: int, store: Starting = redis) -> Result:
    """2 nodes, then 4, 3, 2, 3"""
    async with cluster(2, seed=seed, store=store) as (run, nodes):
        moves = run.moves()
        at = steady()
        each: list[int] = []

        async def count(alive: int) -> None:
            nonlocal moves
            await run.settled(shares(run.options.shards, alive))
            now = run.moves()
            each.append(now - moves)
            moves = now

        late = [run.start("c"), run.start("d")]
        await count(4)
        await run.stop(late[0])
        await count(3)
        busiest = max(nodes, key=lambda node: len(run.owned(node)))
        least = (6 + 5) + 5 + len(run.owned(busiest)) + 6  # two nodes never join at the same moment
        await run.stop(busiest)
        await count(2)
        run.start("e")
        await count(3)
        gaps = checker.gaps(run.logs(), at, steady())
        run.figures |= {
            "moves": "+".join(map(str, each)),
            "gap p50": sorted(gaps.values())[len(gaps) // 2],
            "gap max": max(gaps.values()),
        }
        wrong = too_long(run, gaps)
        if sum(each) > least:
            wrong.append(f"G6: {each} moves, {least} would do")
        rest, figures = await finish(run)
        return wrong + rest, figures


@on_any_store
async def cut_off(seed: int, store: Starting = redis) -> Result:
    """one node cut off from the store"""
    async with cluster_run(seed=seed, store=store) as run, run.server.relay() as way:
        for name in "abc":
            run.start(name)
        lonely = run.start("d", url=way.url)
        await run.settled(shares(run.options.shards, 4))
        await asyncio.sleep(1)
        shard_ids, at = run.owned(lonely), steady()
        way.cut()
        wrong = await takeover(run, shard_ids, at)
        way.mend()
        await run.settled(shares(run.options.shards, 4))
        rest, figures = await finish(run)
        return wrong + rest, figures


@on_any_store
async def standby(seed: int, store: Starting = redis) -> Result:
    """one of three actives killed, a standby waits"""
    async with cluster_run(seed=seed, store=store) as run:
        nodes = [run.start(name, target=3) for name in "abc"]
        run.start("s", role="standby", target=3)
        await run.settled(shares(run.options.shards, 3))
        await asyncio.sleep(1)
        shard_ids, at = run.owned(nodes[0]), steady()
        nodes[0].kill()
        wrong = await takeover(run, shard_ids, at)
        await run.settled(shares(run.options.shards, 3))
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def clock_steps(seed: int) -> Result:
    """the server's clock steps by a minute, ten minutes, a day, back and ahead, while it runs"""
    options = Options(concurrency=1, shards=4, rate=40)
    async with cluster(4, options, seed=seed, store=partial(redis, moved=True)) as (run, _):
        steps = (-600, 600, -60, 60, 86_400)
        for step in steps:
            redis_of(run).move_clock(step)
            resumes = len(run.gateway.resumes)
            await asyncio.sleep(2 * run.timings["observe"])
            if len(run.gateway.resumes) > resumes:
                return [f"a step to {step} s cost {len(run.gateway.resumes) - resumes} leases"], run.figures
            for session in list(run.gateway.sessions.values()):
                run.gateway.give_up(session)
                if session.socket is not None:
                    await session.socket.close(code=4006)
            redis_of(run).move_clock(step + 3)  # while they wait for their permits
            await asyncio.sleep(1)
            await run.settled(shares(4, 4))
        return await finish(run, identifies=4 + 4 * len(steps))


@row
async def restart_in_another_hour(seed: int) -> Result:
    """restart an hour back with an append-only file, then an hour ahead and empty, an owner killed each time"""
    async with cluster(4, seed=seed, store=partial(redis, *APPEND_ONLY, moved=True)) as (run, nodes):
        wrong: list[str] = []
        for step, empty in ((-3600, False), (3600, True)):
            run.server.kill()
            redis_of(run).move_clock(step)
            run.store_lost = True
            await redis_of(run).restart(empty=empty)
            await asyncio.sleep(1)
            victim = nodes.pop()
            shard_ids, at = run.owned(victim), steady()
            victim.kill()
            wrong += await takeover(run, shard_ids, at)
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def append_only_restart(seed: int) -> Result:
    """restart with an append-only file"""
    async with cluster(4, seed=seed, store=partial(redis, *APPEND_ONLY)) as (run, nodes):
        await run.server.restart()
        await asyncio.sleep(1)
        shard_ids, at = run.owned(nodes[-1]), steady()
        nodes[-1].kill()
        wrong = await takeover(run, shard_ids, at)
        rest, figures = await finish(run)
        return wrong + rest, figures


@row
async def sentinel_failover(seed: int) -> Result:
    """the master behind Sentinels dies"""
    watched = with_sentinels(default_engine(), "--min-replicas-max-lag", "5", replicas=2, down_after=1.0)
    async with watched as watching:
        store = partial(redis_at, watching.url, watching.servers[0])
        async with cluster(4, seed=seed, store=store) as (run, nodes):
            return await fail_over(run, nodes, (await watching.master()).kill)


@row
async def cluster_master_loss(seed: int) -> Result:
    """the Cluster's master that holds the keys dies"""
    async with as_cluster(default_engine(), replicas=1, node_timeout=1.0) as servers:
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)
        async with cluster(4, seed=seed, store=partial(redis_at, url, servers[0])) as (run, nodes):
            for server in servers[:3]:
                async with server.client() as client:
                    slot = int(await client.execute_command("CLUSTER KEYSLOT", KEYS))
                    if await client.execute_command("CLUSTER COUNTKEYSINSLOT", slot):
                        holder = server
            return await fail_over(run, nodes, holder.kill)


async def fail_over(run: ClusterRun, nodes: list[Process], kill_master: Callable[[], None]) -> Result:
    at, before = steady(), len(run.gateway.resumes)
    run.store_lost = True
    kill_master()
    await asyncio.sleep(1)
    await run.answers()
    run.figures["failover"] = steady() - at
    await run.settled(shares(run.options.shards, 4))
    run.figures["resumes by failover"] = len(run.gateway.resumes) - before
    await asyncio.sleep(1.2 * run.timings["observe"])
    shard_ids, at = run.owned(nodes[-1]), steady()
    nodes[-1].kill()
    wrong = await takeover(run, shard_ids, at)
    rest, figures = await finish(run)
    return wrong + rest, figures


@on_any_store
async def resume_refused(seed: int, store: Starting = redis) -> Result:
    """every RESUME is refused with 4902 for a while"""
    async with cluster(2, Options(shards=6, rate=60), seed=seed, store=store) as (run, _):
        run.gateway.refuse_resume = 4902
        for session in list(run.gateway.sessions.values()):
            if session.socket is not None:
                await session.socket.close(code=4009)
        await run.settled(shares(6, 2))
        run.gateway.refuse_resume = None
        await asyncio.sleep(2)
        for session in run.gateway.sessions.values():
            if session.over:
                run.gateway.give_up(session)
        return await finish(run, identifies=12)


@on_any_store
async def halt(seed: int, store: Starting = redis) -> Result:
    """one shard is closed with 4914"""
    async with cluster(3, Options(shards=6, rate=60), seed=seed, store=store) as (run, nodes):
        run.gateway.refuse_identify = 4914
        session = next(iter(run.gateway.sessions.values()))
        run.gateway.give_up(session)
        assert session.socket is not None
        await session.socket.close(code=4006)
        await run.until(lambda: all(node.process.poll() is not None for node in nodes))
        attempts = len(run.gateway.identifies) - 6
        late = run.start("late")
        await run.until(lambda: late.process.poll() is not None)
        codes = [node.process.poll() for node in run.nodes]
        wrong = [] if codes == [5, 5, 5, 5] else [f"exit codes {codes}"]
        if attempts != 1 or len(run.gateway.identifies) != 7:
            wrong.append(f"{attempts} attempts to identify after the platform refused")
        async with run.records() as records:
            assert await records.admin("unhalt")
        run.gateway.refuse_identify = None
        run.start("again")
        await run.settled([6])
        rest, figures = await finish(run, identifies=8)
        return wrong + rest, figures


@on_any_store
async def roll(seed: int, store: Starting = redis) -> Result:
    """the number of shards changes from 20 to 40"""
    async with cluster(4, seed=seed, store=store) as (run, _):
        at = steady()
        async with run.records() as records:
            before = await records.look()
            assert await records.admin("begin", before.version, 40)
        await run.until(lambda: len(run.gateway.identifies) == 60)
        await run.settled([10, 10, 10, 10], 60)
        run.figures["roll"] = steady() - at
        gaps = checker.gaps(run.logs(), at, steady())
        await asyncio.sleep(2 * run.timings["renew"])
        rest, figures = await finish(run, identifies=60)
        wrong = not_switched(before, await run.state())
        figures |= {"handled twice": checker.replayed(run.logs()), "shards": len(gaps)}
        return wrong + rest, figures


def not_switched(before: ClusterState, after: ClusterState) -> list[str]:
    """Return what is wrong if the cluster has not changed to 40 shards."""
    found = after.gen, after.shards, after.next_shards
    due = before.gen + 1, 40, 0  # two nodes that start together may both plan the first generation
    return [] if found == due else [f"no switch: {found} in place of {due}"]


@on_any_store
async def roll_by_restart(seed: int, store: Starting = redis) -> Result:
    """the number of shards changes from 20 to 40, if the platform refuses both at once"""
    async with cluster(4, seed=seed, store=store) as (run, _):
        await run.quiet()
        mixed, old_gone = 0, 0.0
        async with run.records() as records:
            before = await records.look()
            assert await records.admin("begin", before.version, next_field(40, restarts=True))
        async with asyncio.timeout(60):
            while len(run.gateway.identifies) < 60:
                counts = {each.shard[1] for each in run.gateway.sessions.values() if each.socket is not None}
                mixed += len(counts) > 1
                old_gone = old_gone or (0.0 if 20 in counts else steady())
                await asyncio.sleep(0.01)
        await run.settled([10, 10, 10, 10], 60)
        run.figures["gap"] = steady() - old_gone
        for session in run.gateway.sessions.values():
            if session.shard[1] == 20:
                run.gateway.give_up(session)
        run.gateway.rate = run.options.rate
        await asyncio.sleep(2 * run.timings["renew"])
        rest, figures = await finish(run, identifies=60)
        wrong = not_switched(before, await run.state())
        if mixed:
            wrong.append(f"both numbers of shards were connected, seen {mixed} times")
        return wrong + rest, figures


@on_any_store
async def too_few_shards(seed: int, store: Starting = redis) -> Result:
    """code 4011, if the number of shards is not fixed"""
    # Few sessions at once: the new shards wait for longer than events are kept that the old ones handle.
    options = Options(shards=6, rate=60, selection="6+", concurrency=3)
    async with cluster(2, options, seed=seed, store=store) as (run, _):
        run.gateway.shards = 8
        run.gateway.too_few = 6
        session = next(iter(run.gateway.sessions.values()))
        run.gateway.give_up(session)
        assert session.socket is not None
        await session.socket.close(code=4006)
        await run.settled([6, 6], 60)
        await asyncio.sleep(2 * run.timings["renew"] + 1)
        return await finish(run, identifies=6 + 12 + 2)


@on_any_store
async def random_mix(seed: int, seconds: float = 60, store: Starting = redis) -> Result:
    """a random mix of all"""
    async with cluster(4, seed=seed, store=store) as (run, nodes):
        alive, until, number = list(nodes), steady() + seconds, 0
        flushes = ["flush"] if isinstance(run.server, RedisStoreServer) else []
        while steady() < until:
            what = run.chance.choice(["kill", "pause", "restart", "freeze", "leave", "join", *flushes])
            victim = run.chance.choice(alive)
            if what in ("kill", "leave") and len(alive) > 2:
                alive.remove(victim)
                victim.signal(signal.SIGKILL if what == "kill" else signal.SIGTERM)
            elif what == "pause":
                victim.signal(signal.SIGSTOP)
                await asyncio.sleep(run.chance.random() * 2 * run.timings["observe"])
                victim.signal(signal.SIGCONT)
            elif what == "flush":
                async with redis_of(run).client() as client:
                    run.store_lost = True
                    await client.flushall()
            elif what == "restart":
                run.store_lost |= not run.server.keeps
                await run.server.restart()
            elif what == "freeze":
                run.server.freeze()
                await asyncio.sleep(run.chance.random() * 2 * run.timings["observe"])
                run.server.thaw()
            if len(alive) < 4:
                number += 1
                alive.append(run.start(f"r{number}"))
            await asyncio.sleep(run.chance.random() * 2)
        await run.settled(shares(run.options.shards, len(alive)), 60)
        return await finish(run, kicks=1000)


@on_any_store
async def simulator(seed: int, rate: float = 2000.0, store: Starting = redis) -> Result:
    """3 processes, 20 shards, the simulator at 2 000 events a second: one killed, then all restarted in turn"""
    limits = {"app_id": "1", "secret": "secret", "max_concurrency": 10, "identify_window": 5 * SCALE}
    options = Options(rate=0, handling=0.0)
    async with Simulator(shards=20, **limits) as sim, cluster_run(options, seed=seed, store=store) as run:
        for name in "abc":
            run.start(name, base=sim.api_base)
        await sim.ready(20)
        await run.owners([6, 7, 7])
        first, pushed, begun = len(sim.identifies), set[str](), steady()
        pushing = asyncio.create_task(push(sim, rate, pushed))
        await asyncio.sleep(2)
        shard_ids, at = run.owned(run.nodes[-1]), steady()
        run.nodes[-1].kill()
        wrong = await takeover(run, shard_ids, at)
        run.start("d", base=sim.api_base)
        await run.owners([6, 7, 7])
        for number, old in enumerate([run.nodes[0], run.nodes[1], run.nodes[3]]):
            run.start(f"new{number}", base=sim.api_base)
            await run.owners([5, 5, 5, 5])
            await run.stop(old)
            await run.owners([6, 7, 7])
        pushing.cancel()
        await asyncio.wait([pushing])
        seconds = steady() - begun
        await run.until(lambda: pushed <= run.logs().ended.keys(), 20)
        logs = run.logs()
        run.figures |= {
            "events": len(pushed),
            "events/s": len(pushed) / seconds,
            "lost": len(pushed - logs.ended.keys()),
            "handled twice": checker.replayed(logs),
            "identifies after the start": len(sim.identifies) - first,
            "resumes": len(sim.resumes),
            "overlap": len(checker.overlaps(logs)),
        }
        wrong += checker.overlaps(logs) + sim.violations
        wrong += [f"{run.figures[name]} {name}" for name in ("lost", "identifies after the start") if run.figures[name]]
        return wrong, run.figures


async def push(sim: Simulator, rate: float, pushed: set[str]) -> None:
    """Push events to the shards in turn, at `rate`, however late this loop is."""
    due, then, number = 0.0, steady(), 0
    while True:
        await asyncio.sleep(0.005)
        now = steady()
        due, then = min(due + rate * (now - then), rate), now
        while due >= 1:
            due -= 1
            number += 1
            pushed.add(sim.push(EVENT, {}, event_id=f"e{number}", shard=number % 20))


@row
async def script_cost(seed: int) -> Result:
    """what the scripts cost the server at 1 000 shards on 50 nodes, in ms"""
    del seed
    figures: dict[str, Any] = {}
    for engine in [each.values[0] for each in ENGINES if isinstance(each.values[0], Engine)]:
        figures |= {f"{engine.name} {name}": value for name, value in (await measure(engine)).items()}
    return [f"{name} takes {value:.2f} ms" for name, value in figures.items() if value >= 1], figures


# Mutations: the checker has to find these rows wrong.

MUTATIONS: dict[str, Row] = {}


def mutation(function: AnyRow) -> AnyRow:
    MUTATIONS[function.__name__.replace("_", "-")] = function
    return function


@mutation
async def leases_outlive_observers(seed: int, store: Starting = redis) -> Result:
    """own = 1.5 * observe: two owners at once"""
    own = 1.5 * Timings().scaled(SCALE).observe
    options = Options(timings={"own": own})
    async with cluster_run(options, seed=seed, store=store) as run, run.server.relay() as way:
        for name in "ab":
            run.start(name)
        lonely = run.start("c", url=way.url)
        await run.settled(shares(run.options.shards, 3))
        await asyncio.sleep(1)
        shard_ids, at = run.owned(lonely), steady()
        way.cut()
        await takeover(run, shard_ids, at)
        await asyncio.sleep(own)
        return await finish(run)


@mutation
async def no_grace(seed: int) -> Result:
    """no grace after the store lost its data: needless moves"""
    async with cluster(4, Options(node={"no_grace": True}), seed=seed) as (run, nodes):
        return await flush(run, nodes)


SHORT = Options(shards=8, concurrency=8, rate=100.0)
