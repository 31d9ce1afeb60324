"""`SessionManagerContract`: what a bot relies on in a session manager, as tests that every manager has to pass.

Responsible for the tests. They need no server, no network and no test runner: derive a class and override `place`, then
pytest with pytest-asyncio collects it, or `check` runs it without pytest. Collaborators: `scripted` (platform, shards).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from unittest import SkipTest

import msgspec

from ..config import ShardSelection
from ..errors import AuthError, ConfigError, GatewayHalted
from ..lease import Lease
from ..models.gateway import GatewayBot, ResumeState, SessionStartLimit, ShardExit
from ..sessions.base import ManagerEvent, SessionManager
from ..sessions.permits import PERMIT_SECONDS
from .scripted import ScriptedPlatform, ScriptedShards, forever, raises_in

MakeManager = Callable[[], SessionManager]


class SessionManagerContract:
    """The tests. A subclass overrides `place`, and those of the following attributes that differ.

    `count`: how many shards the bot wants; `indices`: the shards that a single manager runs. `window`: seconds in
    which the managers of `place` allow max_concurrency IDENTIFYs; keep it short. `keeps_state`: sessions are carried
    over from run to run. `shares`: several managers of one place run at a time and divide the shards. `stop_within`:
    seconds in which `stop` returns although a shard does not end. `patience`: seconds for anything else to happen.
    """

    count: int = 3
    indices: Sequence[int] = (0, 1, 2)
    window: float = 0.2
    keeps_state: bool = False
    shares: bool = False
    stop_within: float = 25.0
    patience: float = 20.0

    def place(self) -> AbstractAsyncContextManager[MakeManager]:
        """Return a new, empty place where managers meet (a file, a cluster in a store), and their factory."""
        raise NotImplementedError

    async def check(self) -> None:
        """Run all tests in turn, each on a new object of this class."""
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            try:
                await getattr(type(self)(), name)()
            except SkipTest:
                continue
            except Exception as error:
                error.add_note(f"in {type(self).__name__}.{name}")
                raise

    # Which shards run

    async def test_it_runs_its_shards_and_shows_them(self) -> None:
        """Each shard runs once, with the number of shards that the bot wants and a token, and `snapshot` shows it."""
        shards = ScriptedShards()
        async with self.place() as make, self._running(make(), shards) as manager:
            counts = {lease.shard.count for lease in shards.leases}
            assert counts == {self.count}, f"a shard counts {counts} shards in all"
            assert len(shards.leases) == len(self.indices), "a shard was started more than once"
            assert all(lease.token > 0 for lease in shards.leases), "a fencing token is greater than 0"
            for lease in shards.leases:
                assert await lease.may_renew() in (True, False), "may_renew returns no bool"
            view = await manager.snapshot()
            shown = {(view.shard.index, view.token) for view in view.shards}
            assert shown == {(lease.shard.index, lease.token) for lease in shards.leases}, "snapshot shows others"

    async def test_what_the_platform_raises_ends_the_run(self) -> None:
        """`run` raises what `fetch` raises: wrong credentials are not retried."""
        refused = AuthError(401, 100016, "invalid secret")
        async with self.place() as make:
            manager = make()
            run = asyncio.create_task(manager.run(ScriptedPlatform(self._selection, refused), ScriptedShards()))
            assert await self._end_of(run) is refused, "run did not raise what the platform said"
            await manager.stop()

    async def test_a_second_run_is_refused(self) -> None:
        """One manager serves one bot at a time."""
        async with self.place() as make, self._running(make(), ScriptedShards()) as manager:
            second = asyncio.create_task(manager.run(self._platform(), ScriptedShards()))
            assert isinstance(await self._end_of(second), ConfigError), "a second run was not refused"

    async def test_an_error_of_a_shard_ends_the_run(self) -> None:
        """`run` raises what a shard raises, after every other shard has ended."""
        error = ValueError("a bug")
        await self._expect_end(error)

    async def test_a_halt_ends_the_run_and_is_told(self) -> None:
        """`run` raises `GatewayHalted` with its code, and watchers get the event."""
        async with self.place() as make:
            manager = make()
            events = manager.watch()
            told = asyncio.create_task(_all(events))
            await asyncio.sleep(0)
            shards = ScriptedShards(raises_in(self.indices[-1], GatewayHalted(4914, "taken down")))
            halted = await self._end_of(asyncio.create_task(manager.run(self._platform(), shards)))
            _assert_halted(halted, 4914)
            assert not shards.running, "a shard outlived the run"
            async with asyncio.timeout(self.patience):
                assert ("halted", 4914) in [(event.kind, event.code) for event in await told], "no watcher got it"
            await manager.stop()

    async def test_too_few_shards_halt(self) -> None:
        """If the user fixed the number of shards, close code 4011 halts: only the user can change the number."""
        async with self.place() as make:
            manager = make()
            run = asyncio.create_task(manager.run(self._platform(), ScriptedShards(_wants_more)))
            _assert_halted(await self._end_of(run), 4011)
            await manager.stop()

    async def test_a_shard_that_lost_its_lease_leaves_the_others_alone(self) -> None:
        """A shard that ends as lost does not end the others."""
        if len(self.indices) < 2:
            raise SkipTest("with one shard there are no others")
        lost = asyncio.Event()

        async def one_is_lost(lease: Lease) -> ShardExit:
            if lease.shard.index == self.indices[0] and not lost.is_set():
                lost.set()
                return ShardExit("lost")
            return await forever(lease)

        shards = ScriptedShards(one_is_lost)
        async with self.place() as make, self._running(make(), shards, wait=False):
            await shards.wait(lambda: lost.is_set() and set(self.indices[1:]) <= set(shards.indices), self.patience)
            first = next(lease for lease in shards.leases if lease.shard.index == self.indices[0])
            await shards.wait(lambda: not first.valid(), self.patience)

    async def test_a_fenced_owner_gives_the_shard_up(self) -> None:
        """A lease that an event sink refused ends; the next owner of the shard has a larger token than the sink."""
        shards = ScriptedShards()
        async with self.place() as make, self._running(make(), shards):
            first = shards.leases[0]
            above = first.token + 10**9
            first.fenced(above)
            async with asyncio.timeout(self.patience):
                await first.wait_lost()
            assert not first.valid(), "an owner that was fenced out still has a valid lease"
            if self.keeps_state and self.shares:
                same = shards.notes.tokens[first.shard.index]
                await shards.wait(lambda: len(same) > 1, self.patience)
                assert min(same[1:]) > above, f"the shard came back under a token that the sink refuses: {same}"

    async def test_watch_tells_what_is_claimed_and_released(self) -> None:
        """The iterator yields an event when a shard is claimed and when it is released, and ends with the run."""
        shards = ScriptedShards()
        async with self.place() as make:
            manager = make()
            told = asyncio.create_task(_all(manager.watch()))
            await asyncio.sleep(0)
            async with self._running(manager, shards):
                pass
            async with asyncio.timeout(self.patience):
                events = await told
        for kind in ("claimed", "released"):
            heard = sorted(event.shard.index for event in events if event.kind == kind and event.shard is not None)
            assert heard == sorted(self.indices), f"{kind}: {heard}"

    # Its end

    async def test_stop_ends_the_shards_and_their_leases(self) -> None:
        """`stop` cancels each shard, waits for it, and ends its lease; `run` returns."""
        shards = ScriptedShards()
        async with self.place() as make:
            manager = make()
            async with self._running(manager, shards):
                leases = list(shards.leases)
                await manager.stop(drain=1.0)
                assert shards.ended == len(leases), "a shard outlived the stop"
                assert not any(lease.valid() for lease in leases), "a lease outlived the stop"
                async with asyncio.timeout(self.patience):
                    assert {await lease.wait_lost() for lease in leases} <= {"stopped", "taken", "expired"}

    async def test_stop_may_be_called_at_any_time(self) -> None:
        """Before a run, twice at once, after it: it does nothing if nothing runs."""
        async with self.place() as make:
            manager = make()
            async with asyncio.timeout(self.patience):
                await manager.stop()
            async with self._running(manager, ScriptedShards()):
                async with asyncio.timeout(self.stop_within):
                    await asyncio.gather(manager.stop(drain=1.0), manager.stop(drain=1.0))
            async with asyncio.timeout(self.patience):
                await manager.stop()

    async def test_stop_ends_a_run_that_has_hardly_begun(self) -> None:
        """`stop` takes effect from the first moment of a run."""
        shards = ScriptedShards()
        async with self.place() as make:
            manager = make()
            for moments in range(1, 4):
                run = asyncio.create_task(manager.run(self._platform(), shards))
                for _ in range(moments):
                    await asyncio.sleep(0)
                async with asyncio.timeout(self.stop_within):
                    await manager.stop(drain=1.0)
                assert await self._end_of(run) is None, "a run that was stopped failed"
                assert not shards.running, "a shard outlived the stop"

    async def test_stop_returns_in_time_although_a_shard_does_not_end(self) -> None:
        """A shard that ignores its cancellation does not block `stop` forever."""
        entered = asyncio.Event()

        async def stubborn(lease: Lease) -> ShardExit:
            try:
                return await forever(lease)
            finally:
                entered.set()
                await asyncio.sleep(self.stop_within + self.patience)

        async with self.place() as make, self._running(make(), ScriptedShards(stubborn)) as manager:
            began = time.monotonic()
            async with asyncio.timeout(self.stop_within):
                await manager.stop(drain=0.05)
            assert entered.is_set(), f"stop took {time.monotonic() - began:.1f} s and ended no shard"

    async def test_cancelling_the_run_ends_the_shards(self) -> None:
        """A cancelled `run` leaves no shard and no task behind."""
        shards = ScriptedShards()
        async with self.place() as make:
            manager = make()
            before = asyncio.all_tasks()
            run = asyncio.create_task(manager.run(self._platform(), shards))
            await self._up(run, shards)
            run.cancel()
            await asyncio.wait([run], timeout=self.patience)
            assert run.cancelled(), "run swallowed its cancellation"
            assert not shards.running, "a shard outlived the run"
            assert not any(lease.valid() for lease in shards.leases), "a lease outlived the run"
            await manager.stop()
            await asyncio.sleep(0)
            assert not asyncio.all_tasks() - before, "a task was left behind"

    async def test_it_may_be_run_again(self) -> None:
        """After a stop the same manager runs again, with tokens that never decrease."""
        shards = ScriptedShards()
        async with self.place() as make:
            manager = make()
            for _ in range(2):
                async with self._running(manager, shards):
                    pass
        for index, tokens in shards.notes.tokens.items():
            assert tokens == sorted(tokens), f"the tokens of shard {index} decreased: {tokens}"

    # The pace of IDENTIFYs

    async def test_identifies_keep_the_window(self) -> None:
        """No window of `window` seconds has more than max_concurrency IDENTIFYs, across runs as well."""
        for concurrency in (1, 2):
            shards = ScriptedShards()
            async with self.place() as make:
                manager = make()
                for _ in range(2):
                    async with self._running(manager, shards, self._platform(max_concurrency=concurrency)):
                        pass
                    if self.keeps_state:
                        break
            self._assert_paced(shards.notes.identified, concurrency)

    async def test_a_permit_dies_unused(self) -> None:
        """A permit expires soon: a permit that waits for its socket would break the next window."""
        verdicts: list[tuple[bool, bool]] = []

        async def wait_with_a_permit(lease: Lease) -> ShardExit:
            async with lease.identify_turn():
                permit = await lease.identify_permit()
                at_once = permit.usable()
                await asyncio.sleep(PERMIT_SECONDS + 0.1)
                verdicts.append((at_once, permit.usable()))
            return await forever(lease)

        shards = ScriptedShards(wait_with_a_permit)
        async with self.place() as make, self._running(make(), shards):
            await shards.wait(lambda: len(verdicts) == len(self.indices), self.patience)
        assert set(verdicts) == {(True, False)}, f"usable at once, and after its life: {verdicts}"

    async def test_an_empty_budget_is_waited_for(self) -> None:
        """No shard identifies while the platform allows no session; all do when it allows them again."""
        empty = self._answer(remaining=0, reset_after=1_500)
        shards = ScriptedShards()
        platform = ScriptedPlatform(self._selection, empty, self._answer())
        began = time.monotonic()
        async with self.place() as make, self._running(make(), shards, platform):
            assert min(shards.notes.identified) - began >= 1.0, "a session was begun without any left"

    # State, if it is kept

    async def test_a_session_goes_on_in_the_next_run(self) -> None:
        """The next run of a shard begins with the state that it saved or checkpointed last."""
        if not self.keeps_state:
            raise SkipTest("this manager keeps no state")

        async def works(lease: Lease) -> ShardExit:
            state = ResumeState(session_id=f"session-{lease.shard.index}", seq=7, done=((9, 11),), me="bot")
            await lease.save(state)
            noted[lease.shard.index] = msgspec.structs.replace(state, seq=8)
            lease.checkpoint(noted[lease.shard.index])
            try:
                return await forever(lease)
            finally:
                if lease.shard.index == saved:
                    noted[saved] = msgspec.structs.replace(state, seq=20, done=())
                    await lease.save(noted[saved])

        noted: dict[int, ResumeState] = {}
        saved = self.indices[0]
        shards, next_shards = ScriptedShards(works), ScriptedShards()
        async with self.place() as make:
            async with self._running(make(), shards):
                await shards.wait(lambda: len(noted) == len(self.indices), self.patience)
            async with self._running(make(), next_shards):
                assert next_shards.states == noted, "the next run began with something else"
                assert not next_shards.notes.identified, "a session that could be resumed was begun again"

    async def test_a_session_that_was_given_up_is_forgotten(self) -> None:
        """`save(None)` forgets the session: the next run identifies."""
        if not self.keeps_state:
            raise SkipTest("this manager keeps no state")

        given_up: list[int] = []

        async def gives_up(lease: Lease) -> ShardExit:
            await lease.save(ResumeState(session_id="a session", seq=7))
            await lease.save(None)
            given_up.append(lease.shard.index)
            return await forever(lease)

        shards = ScriptedShards(gives_up)
        async with self.place() as make:
            for run in (1, 2):
                async with self._running(make(), shards):
                    await shards.wait(lambda: len(given_up) == run * len(self.indices), self.patience)  # noqa: B023
        assert set(shards.states.values()) == {None}, f"a session came back: {shards.states}"

    # Several managers, if they share

    async def test_two_managers_divide_the_shards(self) -> None:
        """Each shard has a single owner, no manager keeps all of them, and all IDENTIFYs keep one window."""
        self._needs_sharing()
        one = ScriptedShards()
        other = ScriptedShards(beside=one)
        async with self.place() as make, self._running(make(), one, self._platform(max_concurrency=1)):
            async with self._running(make(), other, self._platform(max_concurrency=1), wait=False):
                await other.wait(lambda: self._divided(one, other), self.patience)
            await one.wait(lambda: self._has_all(one), self.patience)
        notes = one.notes
        assert not notes.overlaps, f"two owners at a time: {notes.overlaps}"
        self._assert_paced(notes.identified, 1)
        for index, tokens in notes.tokens.items():
            assert tokens == sorted(set(tokens)), f"a later owner of shard {index} has no larger token: {tokens}"

    async def test_what_a_manager_leaves_goes_on_elsewhere(self) -> None:
        """After a manager was stopped or has vanished, another one resumes the sessions of its shards."""
        self._needs_sharing()
        for leave in ("stop", "vanish"):
            one = ScriptedShards(_saves)
            other = ScriptedShards(_saves, beside=one)
            async with self.place() as make, self._running(make(), one):
                leaving = make()
                run = asyncio.create_task(leaving.run(self._platform(), other))
                await other.wait(lambda: self._divided(one, other), self.patience)  # noqa: B023 - awaited here
                if leave == "stop":
                    await leaving.stop(drain=1.0)
                run.cancel()
                await asyncio.wait([run])
                await one.wait(lambda: self._has_all(one), self.patience)  # noqa: B023 - awaited here
            begun = len(one.notes.identified)
            assert begun == len(self.indices), f"after a {leave} {begun - len(self.indices)} sessions were begun again"
            assert not one.notes.overlaps, f"two owners at a time: {one.notes.overlaps}"

    async def test_a_halt_stops_every_manager(self) -> None:
        """If the platform halts one manager, no other continues to spend the budget."""
        self._needs_sharing()
        halting = asyncio.Event()

        async def halts(lease: Lease) -> ShardExit:
            if lease.shard.index == self.indices[0]:
                await halting.wait()
                raise GatewayHalted(4914, "taken down")
            return await forever(lease)

        one = ScriptedShards(halts)
        other = ScriptedShards(halts, beside=one)
        async with self.place() as make:
            managers = [make(), make()]
            runs = [
                asyncio.create_task(manager.run(self._platform(), shards))
                for manager, shards in zip(managers, (one, other), strict=True)
            ]
            await one.wait(lambda: self._divided(one, other), self.patience)
            halting.set()
            for run in runs:
                _assert_halted(await self._end_of(run), 4914)
            for manager in managers:
                await manager.stop()

    # What the tests share

    @property
    def _selection(self) -> ShardSelection:
        return ShardSelection.parse(self.count)

    def _answer(self, *, max_concurrency: int = 100, remaining: int = 1000, reset_after: float = 60_000) -> GatewayBot:
        limit = SessionStartLimit(
            total=1000, remaining=remaining, reset_after=reset_after, max_concurrency=max_concurrency
        )
        return GatewayBot(url="ws://127.0.0.1/", shards=1, session_start_limit=limit)

    def _platform(self, *, max_concurrency: int = 100) -> ScriptedPlatform:
        return ScriptedPlatform(self._selection, self._answer(max_concurrency=max_concurrency))

    @asynccontextmanager
    async def _running(
        self,
        manager: SessionManager,
        shards: ScriptedShards,
        platform: ScriptedPlatform | None = None,
        *,
        wait: bool = True,
    ) -> AsyncGenerator[SessionManager]:
        """Run `manager` while the body runs, which begins when all shards run; expect that it ends without an error."""
        run = asyncio.create_task(manager.run(platform or self._platform(), shards))
        try:
            if wait:
                await self._up(run, shards)
            yield manager
        finally:
            await manager.stop(drain=1.0)
            done, _ = await asyncio.wait([run], timeout=self.patience)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        assert done, "run did not return after stop"
        run.result()

    async def _up(self, run: "asyncio.Task[None]", shards: ScriptedShards) -> None:
        """Return when every shard of a manager runs.  Raises: what `run` raises before."""
        up = asyncio.create_task(shards.wait(lambda: self._has_all(shards), self.patience))
        try:
            await asyncio.wait([run, up], return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
        if run.done():
            run.result()
        assert self._has_all(shards), f"shards {shards.indices} run, {list(self.indices)} should"

    async def _end_of(self, run: "asyncio.Task[None]") -> BaseException | None:
        """Return what `run` raises, or None."""
        done, _ = await asyncio.wait([run], timeout=self.patience)
        if not done:
            run.cancel()
            await asyncio.wait([run])
            raise AssertionError("run continues although it should have ended")
        return run.exception()

    async def _expect_end(self, error: Exception) -> None:
        shards = ScriptedShards(raises_in(self.indices[-1], error))
        async with self.place() as make:
            manager = make()
            run = asyncio.create_task(manager.run(self._platform(), shards))
            assert await self._end_of(run) is error, "run did not raise what its shard raised"
            assert not shards.running, "a shard outlived the run"
            assert not any(lease.valid() for lease in shards.leases), "a lease outlived the run"
            await manager.stop()

    def _assert_paced(self, times: Sequence[float], concurrency: int) -> None:
        """The time between an IDENTIFY and the one `concurrency` places later is never shorter than the window."""
        for earlier, later in zip(times, times[concurrency:], strict=False):
            assert later - earlier >= self.window, f"{concurrency + 1} IDENTIFYs within {later - earlier:.3f} s"

    def _has_all(self, shards: ScriptedShards) -> bool:
        return shards.indices == sorted(self.indices)

    def _divided(self, *managers: ScriptedShards) -> bool:
        """True if all shards run, and each manager has some of them."""
        have = [shards.indices for shards in managers]
        return all(have) and sorted(index for indices in have for index in indices) == sorted(self.indices)

    def _needs_sharing(self) -> None:
        if not self.shares:
            raise SkipTest("managers of this kind do not share shards")
        if len(self.indices) < 2:
            raise SkipTest("one shard cannot be divided")


async def _all(events: AsyncIterator[ManagerEvent]) -> list[ManagerEvent]:
    return [event async for event in events]


def _assert_halted(error: BaseException | None, code: int) -> None:
    assert isinstance(error, GatewayHalted), f"run ended with {error!r} and not with GatewayHalted"
    assert error.code == code, f"GatewayHalted has the code {error.code} and not {code}"


async def _wants_more(_: Lease) -> ShardExit:
    """End like a shard that was closed with 4011."""
    return ShardExit("reshard")


async def _saves(lease: Lease) -> ShardExit:
    """Save a session, then run until the manager ends the shard."""
    await lease.save(ResumeState(session_id=f"session-{lease.shard.index}", seq=7))
    return await forever(lease)
