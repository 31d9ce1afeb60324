"""What runs beside the handlers never ends in silence, and one bad item does not stop the others."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qqbot import Bot, C2CMessageCreate, Context, GatewayError, LeaseLost
from qqbot.aio.background import Troubles, background, current_troubles
from qqbot.config import GatewayConfig
from qqbot.lease import Lease
from qqbot.models.gateway import GatewayBot, ResumeState, ShardExit
from qqbot.sessions import LocalSessionManager, state_file
from qqbot.sessions.base import GatewaySource, ShardFactory
from qqbot.sessions.state_file import StateFile, States
from qqbot.simulator.faults.kinds import Raw
from qqbot.testing import Simulator
from tests.waiting import until

FAST = GatewayConfig(pace=0.02, identify_window=0.1)


class Refusing:
    """A lease that refuses checkpoints, and never lets a shard IDENTIFY, while the shard is `broken`."""

    def __init__(self, lease: Lease, broken: set[int]) -> None:
        self._lease = lease
        self._broken = broken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lease, name)

    def checkpoint(self, state: ResumeState) -> None:
        if self._lease.shard.index in self._broken:
            raise KeyError("no disk")
        self._lease.checkpoint(state)

    @asynccontextmanager
    async def identify_turn(self) -> AsyncIterator[None]:
        while self._lease.shard.index in self._broken:
            await asyncio.sleep(0.01)
        async with self._lease.identify_turn():
            yield


class BrokenFile(StateFile):
    """A file that cannot be written, for a reason that is no OSError."""

    broken = False

    def write(self, count: int, states: Mapping[int, ResumeState]) -> None:
        if self.broken:
            raise ValueError("not to be encoded")
        super().write(count, states)


class RefusingManager(LocalSessionManager):
    def __init__(self, state: Path | None = None) -> None:
        super().__init__(state=state, window=0.1)
        self.broken: set[int] = set()

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        async def start_refusing(lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
            return await start(Refusing(lease, self.broken), info, state)  # type: ignore[arg-type]

        await super().run(gateway, start_refusing)


class MovedLease:
    """A lease that is `held` until a test takes it away; then its shard runs on under the next one."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.lost = asyncio.Event()
        self.saved: ResumeState | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lease, name)

    def valid(self) -> bool:
        return not self.lost.is_set() and self._lease.valid()

    def checkpoint(self, state: ResumeState) -> None:
        self.saved = state

    async def save(self, state: ResumeState | None) -> None:
        self.saved = state


class MovingManager(LocalSessionManager):
    """Runs each shard twice, the second time after the first lease was lost."""

    def __init__(self) -> None:
        super().__init__(window=0.1)
        self.leases: list[MovedLease] = []

    async def run(self, gateway: GatewaySource, start: ShardFactory) -> None:
        async def start_twice(lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
            self.leases.append(first := MovedLease(lease))
            async with background(start(first, info, state), name="first"):  # type: ignore[arg-type]
                await first.lost.wait()
            return await start(lease, info, first.saved)

        await super().run(gateway, start_twice)


def saved(path: Path) -> dict[str, int]:
    """The seq of each session in the file; nothing as long as there is none."""
    if not path.exists():
        return {}
    return {state["session_id"]: state["seq"] for state in json.loads(path.read_text())["shards"].values()}


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(identify_window=0.1) as sim:
        yield sim


def make_bot(sessions: LocalSessionManager, gateway: GatewayConfig = FAST) -> Bot:
    bot = Bot(gateway=gateway, drain=0.1, shards=2, sessions=sessions)

    @bot.on
    async def echo(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    return bot


async def test_a_checkpoint_that_fails_costs_no_other_shard_its_own_and_is_shown(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = RefusingManager(tmp_path / "state.json")
    bot = make_bot(sessions)
    async with sim.run(bot):
        sessions.broken.add(0)
        for number in range(8):
            await sim.user(f"user {number}").say("hi")
        good = next(shard for shard in sim.state()["bot"]["shards"] if shard["shard"][0] == 1)
        await until(lambda: saved(tmp_path / "state.json").get(good["session_id"], 0) >= good["seq"])
        await until(lambda: "no disk" in bot.stats().troubles.get("qqbot checkpoints", ""))
        assert any("qqbot checkpoints" in reason for reason in bot._runtime.not_ready())
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(errors) == 1, "it is logged once a minute, and not each second"
        sessions.broken.clear()
        await until(lambda: not bot.stats().troubles)
        assert bot._runtime.not_ready() == []


async def test_ready_with_an_empty_session_id_ends_no_other_checkpoint(sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    bot = make_bot(LocalSessionManager(state=path, window=0.1))
    body = {"version": 1, "session_id": "", "user": {"id": "1", "username": "robot"}, "shard": [0, 2]}
    sim.faults.add("IDENTIFY", Raw(json.dumps({"op": 0, "s": 1, "t": "READY", "d": body})), shard=0)
    async with sim.run(bot):
        await asyncio.sleep(1.5)  # a checkpoint
        for number in range(8):
            sim.push_message("c2c", user=f"user {number}", text="hi")
        good = next(shard for shard in sim.state()["bot"]["shards"] if shard["shard"][0] == 1)
        assert good["seq"] > 1
        await until(lambda: saved(path).get(good["session_id"], 0) >= good["seq"])


@pytest.mark.parametrize(
    "name", ["qqbot checkpoints", "qqbot session renewal", "qqbot reading watch", "qqbot loop lag"]
)
async def test_a_chore_that_another_task_cancels_is_an_error_and_shown(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    bot = make_bot(LocalSessionManager(window=0.1))
    async with sim.run(bot):
        (chore,) = [task for task in asyncio.all_tasks() if task.get_name() == name]
        chore.cancel()
        await until(lambda: name in bot.stats().troubles)
        assert [record.levelno for record in caplog.records if name in record.getMessage()] == [logging.ERROR]
        assert any(name in reason for reason in bot._runtime.not_ready())
    async with sim.run(bot):
        assert bot.stats().troubles == {}


async def test_the_end_of_a_bot_is_no_error_of_its_chores(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    bot = make_bot(LocalSessionManager(window=0.1))

    async def serve() -> None:
        async with sim.run(bot):
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await until(lambda: bot._runtime.serving and not bot._runtime.not_ready())
    for task in asyncio.all_tasks() - {asyncio.current_task()}:  # as `asyncio.run` does at its end
        if task is serving or task.get_name().startswith("qqbot"):
            task.cancel()
    await asyncio.wait([serving])
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_the_shards_do_not_end_in_silence(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    bot = make_bot(LocalSessionManager(window=0.1))
    with pytest.raises(GatewayError, match="cancelled"):
        async with sim.run(bot):
            (main,) = [task for task in asyncio.all_tasks() if task.get_name() == "qqbot shards"]
            main.cancel()
            await asyncio.wait_for(bot.wait(), 10)
    assert "another task has cancelled 'qqbot shards'" in caplog.text


async def test_a_shard_that_cannot_come_back_holds_up_no_other_renewal(sim: Simulator) -> None:
    sessions = RefusingManager()
    bot = make_bot(sessions, GatewayConfig(pace=0.02, identify_window=0.1, renew_after=0.3, renew_silence=0.3))
    async with sim.run(bot):
        sessions.broken.add(0)
        before = len(sim.identifies)
        await until(lambda: [entry["shard"][0] for entry in sim.identifies[before:]].count(1) >= 2)  # type: ignore[index]
        assert {entry["shard"][0] for entry in sim.identifies[before:]} == {1}  # type: ignore[index]
        sessions.broken.clear()


async def test_the_writer_of_the_state_file_outlives_any_error_and_writes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(state_file, "SAVE_SECONDS", 0.02)
    troubles: Troubles = {}
    current_troubles.set(troubles)
    file = BrokenFile(tmp_path / "state.json", "1")
    async with States(file) as states:
        await states.begin(1)
        file.broken = True
        states.note(0, ResumeState(session_id="s-1", seq=7))
        await until(lambda: "not to be encoded" in troubles.get("qqbot state file", ""))
        file.broken = False
        await until(lambda: not troubles)
        await until(lambda: saved(tmp_path / "state.json") == {"s-1": 7})
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_handler_that_waits_takes_no_event_of_a_later_lease(sim: Simulator) -> None:
    sessions = MovingManager()
    bot = Bot(gateway=FAST, drain=0.1, shards=1, sessions=sessions)
    lost: list[str] = []

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        try:
            answer = await ctx.wait_for(C2CMessageCreate)
        except LeaseLost:
            lost.append(ctx.text)
            raise
        await answer.reply(f"{ctx.text}, {answer.text}")

    async with sim.run(bot):
        alice = sim.user("alice")
        sim.push_message("c2c", user="alice", text="one")
        await until(lambda: bot.stats().waiting == 1)
        sessions.leases[0].lost.set()
        await until(lambda: lost == ["one"])
        await bot.ready()
        first = await alice.say("two", timeout=5)
        assert first.text in ("one, two", "two, three")
