"""`LocalSessionManager`: shards, pace, budget, and its end."""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from qqbot.config import ShardSelection
from qqbot.errors import ConfigError, GatewayError, GatewayHalted
from qqbot.lease import Lease
from qqbot.models.gateway import GatewayBot, ResumeState, SessionStartLimit, ShardExit, ShardKey
from qqbot.sessions import LocalSessionManager, ManagerEvent, SessionManager
from qqbot.sessions.permits import PERMIT_SECONDS
from qqbot.sessions.state_file import StateFile

PATIENCE = 15.0
WINDOW = 0.2


class Platform:
    """What /gateway/bot answers, one answer a call, the last one for ever."""

    app_id = "1"

    def __init__(self, *answers: GatewayBot, selection: ShardSelection | None = None) -> None:
        self.selection = selection or ShardSelection()
        self.answers = list(answers)
        self.calls = 0

    async def fetch(self) -> GatewayBot:
        self.calls += 1
        await asyncio.sleep(0)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def says(shards: int = 1, **limit: float) -> GatewayBot:
    return GatewayBot(url="ws://127.0.0.1/", shards=shards, session_start_limit=SessionStartLimit(**limit))  # type: ignore[arg-type]


class Shards:
    """A shard factory: identifies, then does as the test says."""

    def __init__(self, then: Callable[[Lease], Awaitable[ShardExit]] | None = None) -> None:
        self.identified: list[float] = []
        self.running: dict[ShardKey, Lease] = {}
        self.leases: list[Lease] = []
        self.connecting = 0
        self.most_connecting = 0
        self.drained = 0
        self._then = then or forever
        self._wake = asyncio.Event()

    async def __call__(self, lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
        assert state is None and lease.valid()
        self.leases.append(lease)
        try:
            async with lease.identify_turn():
                self.connecting += 1
                self.most_connecting = max(self.connecting, self.most_connecting)
                await asyncio.sleep(0.01)
                permit = await lease.identify_permit()
                assert permit.usable()
                self.connecting -= 1
            self.identified.append(time.monotonic())
            self.running[lease.shard] = lease
            self._wake.set()
            return await self._then(lease)
        finally:
            self.running.pop(lease.shard, None)
            await asyncio.sleep(0)
            self.drained += 1

    async def up(self, count: int) -> list[int]:
        async with asyncio.timeout(PATIENCE):
            while len(self.running) < count:
                self._wake.clear()
                await self._wake.wait()
        return sorted(key.index for key in self.running)


async def forever(lease: Lease) -> ShardExit:
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def running(platform: Platform, shards: Shards) -> AsyncIterator[LocalSessionManager]:
    manager = LocalSessionManager(window=WINDOW)
    task = asyncio.create_task(manager.run(platform, shards))
    try:
        yield manager
    finally:
        await manager.stop()
        await asyncio.wait_for(task, PATIENCE)


def spaced(times: list[float], concurrency: int) -> bool:
    pairs = zip(times, times[concurrency:], strict=False)
    return all(later - earlier >= WINDOW for earlier, later in pairs)


async def test_it_is_a_session_manager() -> None:
    manager: SessionManager = LocalSessionManager()
    assert (await manager.snapshot()).shards == ()


@pytest.mark.parametrize(
    ("selection", "recommended", "indices", "count"),
    [
        (None, 2, [0, 1], 2),
        ("2", 1, [0, 1], 2),
        ("1+", 2, [0, 1], 2),
        ("3+", 2, [0, 1, 2], 3),
        ("1-2/16", 4, [1, 2], 16),
    ],
)
async def test_the_plan_decides_which_shards_run(
    selection: str | None, recommended: int, indices: list[int], count: int
) -> None:
    shards = Shards()
    platform = Platform(says(recommended, max_concurrency=4), selection=ShardSelection.parse(selection))
    async with running(platform, shards) as manager:
        assert await shards.up(len(indices)) == indices
        assert {key.count for key in shards.running} == {count}
        view = await manager.snapshot()
        assert [shard.shard.index for shard in view.shards] == indices and view.remaining == 1000 - len(indices)
    assert platform.calls == 1


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_identifies_keep_the_window(concurrency: int) -> None:
    shards = Shards()
    async with running(Platform(says(4, max_concurrency=concurrency)), shards):
        await shards.up(4)
    assert spaced(shards.identified, concurrency)
    assert shards.most_connecting == concurrency  # the others wait without a socket


async def test_a_permit_dies_unused() -> None:
    async def one_permit(lease: Lease) -> ShardExit:
        permit = await lease.identify_permit()
        assert permit.usable()
        await asyncio.sleep(PERMIT_SECONDS + 0.05)
        assert not permit.usable()
        return ShardExit("reshard")

    with pytest.raises(GatewayHalted):
        await LocalSessionManager(window=WINDOW).run(Platform(says()), Shards(one_permit))


async def test_too_little_budget_waits_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    shards = Shards()
    platform = Platform(says(2, remaining=1, reset_after=1200), says(2, max_concurrency=2))
    start = time.monotonic()
    async with running(platform, shards):
        await shards.up(2)
    assert shards.identified[0] - start >= 1.2
    assert platform.calls == 2
    [record] = caplog.records
    assert record.levelno == logging.WARNING and "allows 1 more sessions, 2 are needed" in record.getMessage()


async def test_the_budget_counts_what_was_identified(caplog: pytest.LogCaptureFixture) -> None:
    async def again(lease: Lease) -> ShardExit:
        async with lease.identify_turn():
            await lease.identify_permit()
        return await forever(lease)

    async with running(Platform(says(1, remaining=1, reset_after=60_000)), Shards(again)):
        async with asyncio.timeout(PATIENCE):
            while not caplog.records:
                await asyncio.sleep(0.01)
    assert "allows 0 more sessions, 1 are needed" in caplog.text


async def test_stop_ends_a_wait_for_the_budget() -> None:
    async with running(Platform(says(1, remaining=0, reset_after=86_400_000)), Shards()):
        await asyncio.sleep(0.05)


async def test_stop_ends_a_platform_that_is_just_giving_up_a_try() -> None:
    class Silent(Platform):
        async def fetch(self) -> GatewayBot:
            self.calls += 1
            while True:
                try:
                    async with asyncio.timeout(0.1):
                        await asyncio.Event().wait()
                except TimeoutError:
                    continue

    manager, platform = LocalSessionManager(), Silent(says())
    run = asyncio.create_task(manager.run(platform, Shards()))
    while not platform.calls:
        await asyncio.sleep(0)
    time.sleep(0.15)  # noqa: ASYNC251 - until that timeout is due ...
    for _ in range(2):
        await asyncio.sleep(0)  # ... and has cancelled what waits, which has not noticed yet
    async with asyncio.timeout(PATIENCE):
        await manager.stop()
        await asyncio.wait([run])


async def test_stop_ends_a_run_that_is_just_opening_its_file(tmp_path: Path) -> None:
    manager, shards = LocalSessionManager(state=tmp_path / "state.json"), Shards()
    run = asyncio.create_task(manager.run(Platform(says()), shards))
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await manager.stop()
    assert run.done() and run.exception() is None and shards.leases == []


async def test_after_stop_the_file_is_written_and_free(tmp_path: Path) -> None:
    async def leaves_a_state(lease: Lease) -> ShardExit:
        try:
            return await forever(lease)
        finally:
            lease.checkpoint(ResumeState(session_id="s", seq=lease.shard.index))

    path, shards = tmp_path / "state.json", Shards(leaves_a_state)
    manager = LocalSessionManager(state=path)
    run = asyncio.create_task(manager.run(Platform(says()), shards))
    await shards.up(1)
    await manager.stop()
    assert run.done()
    assert StateFile(path, Platform.app_id).read(1) == {0: ResumeState(session_id="s", seq=0)}


async def test_a_run_that_was_cancelled_while_it_opened_its_file_leaves_it_to_the_next_one(tmp_path: Path) -> None:
    manager, shards = LocalSessionManager(state=tmp_path / "state.json", window=WINDOW), Shards()
    run = asyncio.create_task(manager.run(Platform(says()), shards))
    await asyncio.sleep(0)
    run.cancel()
    await asyncio.wait([run])
    run = asyncio.create_task(manager.run(Platform(says()), shards))
    await shards.up(1)
    await manager.stop()
    assert run.exception() is None


@pytest.mark.parametrize("error", [None, ValueError("a bug")])
async def test_stop_leaves_shards_that_end_already_their_time(error: Exception | None) -> None:
    ending, unhurried = asyncio.Event(), asyncio.Event()

    async def takes_its_time(lease: Lease) -> ShardExit:
        if lease.shard.index:
            if error is not None:
                raise error
            return ShardExit("reshard")
        try:
            return await forever(lease)
        finally:
            ending.set()
            await asyncio.sleep(0.05)
            unhurried.set()

    manager, platform = LocalSessionManager(window=WINDOW), Platform(says(2, max_concurrency=2), says(4))
    run = asyncio.create_task(manager.run(platform, Shards(takes_its_time)))
    async with asyncio.timeout(PATIENCE):
        await ending.wait()
        await manager.stop()
    assert unhurried.is_set() and run.exception() is error
    assert platform.calls == 1, "it went on to the next round"


async def test_4011_starts_over_with_more_shards() -> None:
    async def too_few(lease: Lease) -> ShardExit:
        if lease.shard.count == 1:
            return ShardExit("reshard")
        return await forever(lease)

    shards = Shards(too_few)
    async with running(Platform(says(1), says(3, max_concurrency=3)), shards):
        assert await shards.up(3) == [0, 1, 2]
        assert {(key.gen, key.count) for key in shards.running} == {(1, 3)}
    assert not shards.leases[0].valid()


@pytest.mark.parametrize(
    ("selection", "recommended", "named"),
    [("1", 3, "Bot(shards=3)"), (None, 1, "Bot(shards=2)"), ("0/4", 4, "Bot(shards=8)"), ("4+", 3, "Bot(shards=8)")],
)
async def test_4011_without_a_larger_count_halts_and_names_one(
    selection: str | None, recommended: int, named: str
) -> None:
    async def reshard(lease: Lease) -> ShardExit:
        return ShardExit("reshard")

    platform = Platform(says(recommended), selection=ShardSelection.parse(selection))
    with pytest.raises(GatewayHalted) as halted:
        await LocalSessionManager(window=WINDOW).run(platform, Shards(reshard))
    assert halted.value.code == 4011 and named in str(halted.value)
    assert platform.calls == 2


async def test_a_shard_that_lost_its_lease_ends_alone() -> None:
    end = asyncio.Event()

    async def one_is_lost(lease: Lease) -> ShardExit:
        if lease.shard.index:
            return await forever(lease)
        await end.wait()
        return ShardExit("lost")

    shards = Shards(one_is_lost)
    platform = Platform(says(2, max_concurrency=2))
    async with running(platform, shards) as manager:
        await shards.up(2)
        events = manager.watch()
        end.set()
        assert await anext(events) == ManagerEvent("released", ShardKey(0, 0, 2))
        await asyncio.sleep(0.05)
        assert [view.shard.index for view in (await manager.snapshot()).shards] == [1]
        assert platform.calls == 1 and shards.drained == 1


async def test_when_every_shard_lost_its_lease_the_run_fails() -> None:
    async def lost(lease: Lease) -> ShardExit:
        return ShardExit("lost")

    platform = Platform(says(2, max_concurrency=2))
    with pytest.raises(GatewayError, match="every shard"):
        await asyncio.wait_for(LocalSessionManager(window=WINDOW).run(platform, Shards(lost)), PATIENCE)
    assert platform.calls == 1


async def cancelled_from_within() -> None:
    waited = asyncio.get_running_loop().create_future()
    waited.cancel()
    await waited


async def test_a_shard_that_ends_by_a_stray_cancellation_fails_the_run() -> None:
    async def strays(lease: Lease) -> ShardExit:
        if lease.shard.index:
            return await forever(lease)
        await cancelled_from_within()
        raise AssertionError

    shards = Shards(strays)
    platform = Platform(says(2, max_concurrency=2))
    with pytest.raises(GatewayError, match=r"shard .* was cancelled") as failed:
        await asyncio.wait_for(LocalSessionManager(window=WINDOW).run(platform, shards), PATIENCE)
    assert isinstance(failed.value.__cause__, asyncio.CancelledError)
    assert platform.calls == 1 and shards.drained == 2


async def test_a_stray_cancellation_while_the_platform_is_asked_fails_the_run() -> None:
    class Strays(Platform):
        async def fetch(self) -> GatewayBot:
            await cancelled_from_within()
            raise AssertionError

    with pytest.raises(GatewayError, match="was cancelled"):
        await LocalSessionManager(window=WINDOW).run(Strays(says()), Shards())


async def test_the_window_holds_over_runs() -> None:
    manager, shards = LocalSessionManager(window=WINDOW), Shards()
    for _ in range(3):
        task = asyncio.create_task(manager.run(Platform(says()), shards))
        await shards.up(1)
        await manager.stop()
        await asyncio.wait_for(task, PATIENCE)
    assert spaced(shards.identified, 1)


@pytest.mark.parametrize("error", [GatewayHalted(4914, "taken down"), ValueError("a bug")])
async def test_one_shard_that_fails_ends_all(error: Exception) -> None:
    async def fails(lease: Lease) -> ShardExit:
        if lease.shard.index == 1:
            raise error
        return await forever(lease)

    shards = Shards(fails)
    manager = LocalSessionManager(window=WINDOW)
    with pytest.raises(type(error)) as raised:
        await manager.run(Platform(says(3, max_concurrency=3)), shards)
    assert raised.value is error
    assert shards.drained == 3 and not shards.running
    assert not any(lease.valid() for lease in shards.leases)


async def test_what_fails_while_the_others_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(lease: Lease) -> ShardExit:
        if lease.shard.index:
            raise GatewayHalted(4914, "taken down")
        try:
            return await forever(lease)
        finally:
            raise OSError("disk full")

    with pytest.raises(GatewayHalted):
        await LocalSessionManager(window=WINDOW).run(Platform(says(2, max_concurrency=2)), Shards(fails))
    assert "disk full" in caplog.text


async def test_what_the_gateway_raises_ends_the_run() -> None:
    class Refuses(Platform):
        async def fetch(self) -> GatewayBot:
            raise ConfigError("no")

    with pytest.raises(ConfigError):
        await LocalSessionManager().run(Refuses(says()), Shards())


async def test_stop_drains_and_may_be_called_at_any_time() -> None:
    manager, shards = LocalSessionManager(window=WINDOW), Shards()
    await manager.stop()
    for run in (1, 2):
        task = asyncio.create_task(manager.run(Platform(says()), shards))
        await shards.up(1)
        lease = shards.leases[-1]
        await asyncio.gather(manager.stop(), manager.stop())
        await asyncio.wait_for(task, PATIENCE)
        assert shards.drained == run and not lease.valid()
        assert await lease.wait_lost() == "stopped"
        await manager.stop()


async def test_a_shard_that_does_not_end_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.sessions.local.STOP_MARGIN_SECONDS", 0.05)

    async def stubborn(lease: Lease) -> ShardExit:
        try:
            return await forever(lease)
        finally:
            await asyncio.Event().wait()

    manager, shards = LocalSessionManager(window=WINDOW), Shards(stubborn)
    task = asyncio.create_task(manager.run(Platform(says()), shards))
    await shards.up(1)
    await manager.stop(drain=0.05)
    await asyncio.wait_for(task, PATIENCE)


async def test_cancelling_run_ends_every_shard() -> None:
    manager, shards = LocalSessionManager(window=WINDOW), Shards()
    task = asyncio.create_task(manager.run(Platform(says(2, max_concurrency=2)), shards))
    await shards.up(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shards.drained == 2
    assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("qqbot")]


async def test_one_manager_runs_one_bot() -> None:
    shards = Shards()
    async with running(Platform(says()), shards) as manager:
        await shards.up(1)
        with pytest.raises(ConfigError, match="its own"):
            await manager.run(Platform(says()), shards)


async def test_watch_tells_what_happens() -> None:
    async def halts(lease: Lease) -> ShardExit:
        raise GatewayHalted(4914, "taken down")

    manager = LocalSessionManager(window=WINDOW)
    events = manager.watch()
    with pytest.raises(GatewayHalted):
        await manager.run(Platform(says()), Shards(halts))
    key = ShardKey(0, 0, 1)
    assert [event async for event in events] == [
        ManagerEvent("claimed", key),
        ManagerEvent("halted", code=4914),
        ManagerEvent("released", key),
    ]


async def test_an_iterator_that_is_dropped_leaves_nothing_behind() -> None:
    def queues() -> int:
        gc.collect()
        return sum(isinstance(found, asyncio.Queue) for found in gc.get_objects())

    manager = LocalSessionManager(window=WINDOW)
    before = queues()
    events = manager.watch()
    assert queues() == before + 1
    del events
    assert queues() == before
