"""Every session manager keeps the contract, and the contract finds those that do not."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qqbot.errors import GatewayHalted
from qqbot.sessions import ClusterView, LocalSessionManager, ManagerEvent, SessionManager, local
from qqbot.sessions.base import GatewaySource, ShardFactory
from qqbot.sessions.permits import PERMIT_SECONDS
from qqbot.testing import SessionManagerContract
from qqbot.testing.contracts import MakeManager

WINDOW = 0.2
SOON = 0.7


class TestLocal(SessionManagerContract):
    window = WINDOW
    stop_within = 3.0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[MakeManager]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(local, "STOP_MARGIN_SECONDS", 0.5)
            yield lambda: LocalSessionManager(window=WINDOW)


class TestLocalWithAFile(TestLocal):
    keeps_state = True

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[MakeManager]:
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
            patch.setattr(local, "STOP_MARGIN_SECONDS", 0.5)
            yield lambda: LocalSessionManager(state=Path(folder) / "state.json", window=WINDOW)


# What the contract finds: each of these managers has one fault.


class Faulty:
    """Passes everything on; a subclass spoils one thing."""

    def __init__(self, **options: Any) -> None:
        self.inner = LocalSessionManager(**{"window": WINDOW, **options})

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        await self.inner.run(gateway, start)

    async def stop(self, *, drain: float = 10.0) -> None:
        await self.inner.stop(drain=drain)

    async def snapshot(self) -> ClusterView:
        return await self.inner.snapshot()

    def watch(self) -> AsyncIterator[ManagerEvent]:
        return self.inner.watch()


class HasNoPace(Faulty):
    def __init__(self) -> None:
        super().__init__(window=0.001 - PERMIT_SECONDS)  # by which permits lie further apart than that


class ShowsNothing(Faulty):
    async def snapshot(self) -> ClusterView:
        return ClusterView()


class SwallowsErrors(Faulty):
    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        with contextlib.suppress(Exception):
            await super().run(gateway, start)


class SwallowsCancellation(Faulty):
    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await super().run(gateway, start)


class HidesHalts(Faulty):
    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        try:
            await super().run(gateway, start)
        except GatewayHalted as halted:
            raise RuntimeError("something is wrong") from halted


class StopsTooLate(Faulty):
    async def stop(self, *, drain: float = 10.0) -> None:
        await asyncio.sleep(SOON)
        await super().stop(drain=drain)


class TakesItsTimeToBegin(Faulty):
    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        await asyncio.sleep(0.01)
        await super().run(gateway, start)


class RunsWithoutEnd(Faulty):
    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        await super().run(gateway, start)
        await asyncio.Event().wait()


class LeavesATaskBehind(Faulty):
    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        self.left = asyncio.create_task(asyncio.sleep(30))
        await super().run(gateway, start)


class TellsNothing(Faulty):
    async def watch(self) -> AsyncIterator[ManagerEvent]:  # type: ignore[override]
        for event in ():
            yield event


class RunsTwice(Faulty):
    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        async def twice(lease: Any, info: Any, state: Any) -> Any:
            async with asyncio.TaskGroup() as group:
                group.create_task(start(lease, info, state))
                return await start(lease, info, state)

        await super().run(gateway, twice)


@pytest.mark.parametrize(
    ("fault", "test", "words"),
    [
        (HasNoPace, "identifies_keep_the_window", "2 IDENTIFYs within"),
        (ShowsNothing, "it_runs_its_shards_and_shows_them", "snapshot shows others"),
        (SwallowsErrors, "an_error_of_a_shard_ends_the_run", "what its shard raised"),
        (SwallowsErrors, "what_the_platform_raises_ends_the_run", "what the platform said"),
        (SwallowsErrors, "a_second_run_is_refused", "not refused"),
        (SwallowsCancellation, "cancelling_the_run_ends_the_shards", "swallowed its cancellation"),
        (HidesHalts, "a_halt_ends_the_run_and_is_told", "not with GatewayHalted"),
        (HidesHalts, "too_few_shards_halt", "not with GatewayHalted"),
        (StopsTooLate, "stop_returns_in_time_although_a_shard_does_not_end", "^$"),
        (TakesItsTimeToBegin, "stop_ends_a_run_that_has_hardly_begun", "continues although it should"),
        (RunsWithoutEnd, "stop_ends_the_shards_and_their_leases", "run did not return after stop"),
        (LeavesATaskBehind, "cancelling_the_run_ends_the_shards", "a task was left behind"),
        (TellsNothing, "watch_tells_what_is_claimed_and_released", r"claimed: \[\]"),
        (RunsTwice, "it_runs_its_shards_and_shows_them", "started more than once"),
    ],
)
async def test_a_fault_is_found(fault: type[Faulty], test: str, words: str) -> None:
    class Broken(SessionManagerContract):
        window = WINDOW
        stop_within = SOON
        patience = 3.0

        @asynccontextmanager
        async def place(self) -> AsyncGenerator[MakeManager]:
            yield fault

    before = asyncio.all_tasks()
    with pytest.raises((AssertionError, TimeoutError), match=words):
        await getattr(Broken(), f"test_{test}")()
    for task in asyncio.all_tasks() - before:
        task.cancel()


async def test_a_manager_that_keeps_nothing_and_says_so_is_found() -> None:
    class Forgetful(TestLocal):
        keeps_state = True

    with pytest.raises(AssertionError, match="something else"):
        await Forgetful().test_a_session_goes_on_in_the_next_run()


async def test_managers_that_do_not_share_are_found() -> None:
    class Alone(TestLocal):
        shares = True
        patience = 3.0

    with pytest.raises(TimeoutError):
        await Alone().test_two_managers_divide_the_shards()


async def test_check_names_the_test_that_fails() -> None:
    class Broken(TestLocal):
        @asynccontextmanager
        async def place(self) -> AsyncGenerator[MakeManager]:
            yield HidesHalts

    with pytest.raises(AssertionError) as failed:
        await Broken().check()
    assert failed.value.__notes__ == ["in Broken.test_a_halt_ends_the_run_and_is_told"]


def test_the_managers_here_have_the_protocols_form() -> None:
    manager: SessionManager = Faulty()
    assert manager
