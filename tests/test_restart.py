"""Sessions that outlive the process: what a bot with a state file does when it is started again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from qqbot import Bot, C2CMessageCreate, ConfigError, Context, GatewayHalted
from qqbot.config import GatewayConfig
from qqbot.sessions import LocalSessionManager
from qqbot.testing import Simulator
from tests import waiting
from tests.cli.program import Program, environment, python

FAST = GatewayConfig(pace=0.02, hello_timeout=2, ready_timeout=2, resumed_timeout=2, identify_window=0.2)
EVENTS = 10_000
until = partial(waiting.until, seconds=20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim:
        yield sim
        assert sim.violations == []
        assert sim.lost_events == []


class Harness:
    """One process's life of a bot: hangs on "hang", notes everything else."""

    def __init__(self, path: Path, **options: Any) -> None:
        sessions = LocalSessionManager(state=path, window=FAST.identify_window)
        self.bot = Bot(**{"gateway": FAST, "drain": 0.1, "sessions": sessions, **options})
        self.texts: list[str] = []
        self.bot.on(C2CMessageCreate)(self.take)

    async def take(self, ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "hang" and not self.texts.count("no hang"):
            await asyncio.Event().wait()
        self.texts.append(ctx.text)

    async def has(self, *texts: str) -> None:
        await until(lambda: set(texts) <= set(self.texts))


def saved(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())["shards"] if path.exists() else {}


def rewrite(path: Path, state: dict[str, object] | None = None, **fields: object) -> None:
    """Change the file: something of the state of shard 0, or of the whole."""
    document = json.loads(path.read_bytes())
    document["shards"]["0"].update(state or {})
    path.write_text(json.dumps({**document, **fields}))


@pytest.fixture
def no_clockwork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written because time passed."""
    monkeypatch.setattr("qqbot.bot.shards.CHECKPOINT_SECONDS", 3600.0)
    monkeypatch.setattr("qqbot.sessions.state_file.SAVE_SECONDS", 3600.0)


async def test_the_next_process_resumes_and_skips_what_was_finished(sim: Simulator, path: Path) -> None:
    first = Harness(path)
    async with sim.run(first.bot):
        for user, text in [("Alice", "one"), ("Bob", "hang"), ("Alice", "two")]:
            sim.push_message("c2c", user=user, text=text)
        await first.has("one", "two")
    sim.push_message("c2c", user="Alice", text="three")
    second = Harness(path)
    second.texts.append("no hang")
    async with sim.run(second.bot):
        await second.has("hang", "three")
        assert second.bot.me.id
    assert Counter(second.texts) == {"no hang": 1, "hang": 1, "three": 1}, "what was finished is not handled again"
    assert (len(sim.identifies), len(sim.resumes)) == (1, 1)


def test_an_interrupt_of_asyncio_run_finishes_nothing_that_a_handler_did_not(path: Path) -> None:
    async def main() -> None:
        harness = Harness(path, drain=30)
        async with Simulator() as sim, sim.run(harness.bot):
            sim.push_message("c2c", user="Alice", text="one")
            sim.push_message("c2c", user="Bob", text="hang")
            await harness.has("one")
            asyncio.get_running_loop().call_later(0.05, interrupt)
            await asyncio.Event().wait()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    state = saved(path)["0"]
    assert (state["seq"], state["received"]) == (2, 3)


async def test_a_bot_that_is_started_again_in_one_process_resumes_too(sim: Simulator, path: Path) -> None:
    harness = Harness(path)
    for text in ("one", "two"):
        async with sim.run(harness.bot):
            sim.push_message("c2c", text=text)
            await harness.has(text)
    assert harness.texts == ["one", "two"]
    assert (len(sim.identifies), len(sim.resumes)) == (1, 1)


async def test_without_a_state_file_nothing_is_resumed(sim: Simulator) -> None:
    for _ in range(2):
        async with sim.run(Bot(gateway=FAST)):
            pass
    assert (len(sim.identifies), len(sim.resumes)) == (2, 0)


@pytest.mark.usefixtures("no_clockwork")
async def test_a_session_is_saved_at_once_when_it_begins_goes_on_and_is_left(sim: Simulator, path: Path) -> None:
    harness = Harness(path)
    async with sim.run(harness.bot):
        await until(lambda: bool(saved(path)))
        begun = saved(path)["0"]
        sim.push_message("c2c", text="one")
        await harness.has("one")
        assert saved(path)["0"] == begun
        sim.faults.close(4009)
        await sim.resumed()
        await until(lambda: saved(path)["0"]["seq"] > begun["seq"])
        sim.push_message("c2c", text="two")
        await harness.has("two")
        resumed = saved(path)["0"]
    left = saved(path)["0"]
    assert left["session_id"] == resumed["session_id"] == begun["session_id"]
    assert left["seq"] > resumed["seq"], "the second message was finished, then the bot stopped"


async def test_progress_is_saved_every_second_with_what_is_finished_above_it(sim: Simulator, path: Path) -> None:
    harness = Harness(path)
    async with sim.run(harness.bot):
        sim.push_message("c2c", user="Bob", text="hang")
        for text in ("one", "two"):
            sim.push_message("c2c", text=text)
        await until(lambda: bool(saved(path)) and saved(path)["0"]["done"] == [[3, 4]], seconds=5)
        state = saved(path)["0"]
        assert (state["seq"], state["received"]) == (1, 4)
        assert state["last_event"] >= state["since"] > 0 and state["me"] == harness.bot.me.id


@pytest.mark.usefixtures("no_clockwork")
async def test_a_session_that_is_over_is_forgotten_at_once(sim: Simulator, path: Path) -> None:
    async with sim.run(Harness(path).bot):
        await until(lambda: bool(saved(path)))
        sim.faults.close_on_identify(4900, times=0)
        sim.faults.close(4006)
        await until(lambda: not saved(path))
        sim.faults.clear()
        await until(lambda: bool(saved(path)))
    assert not sim.resumes


async def test_what_the_platform_stopped_is_not_resumed(sim: Simulator, path: Path) -> None:
    with pytest.raises(GatewayHalted):
        async with sim.run(Harness(path).bot) as bot:
            sim.faults.close(4914)
            await bot.wait()
    assert not saved(path)


async def test_a_saved_session_that_the_platform_no_longer_has(sim: Simulator, path: Path) -> None:
    async with sim.run(Harness(path).bot):
        pass
    rewrite(path, {"session_id": "long gone"})
    harness = Harness(path)
    async with sim.run(harness.bot):
        sim.push_message("c2c", text="one")
        await harness.has("one")
    assert [resume["session_id"] for resume in sim.resumes] == ["long gone"]
    assert len(sim.identifies) == 2
    assert saved(path)["0"]["session_id"] != "long gone"


async def test_an_old_session_is_tried_all_the_same(sim: Simulator, path: Path) -> None:
    async with sim.run(Harness(path).bot):
        pass
    rewrite(path, {"since": 1.0, "last_event": 1.0})
    async with sim.run(Harness(path).bot):
        pass
    assert (len(sim.identifies), len(sim.resumes)) == (1, 1)
    assert saved(path)["0"]["since"] == 1.0, "the age goes on"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"app_id": "1"}, "belongs to the bot 1"),
        ({"count": 2}, "of 2 shards, now there are 1"),
        ({"version": 99}, "version 99"),
        ({"shards": "?"}, "damaged"),
    ],
)
async def test_a_damaged_or_foreign_file_is_reported_and_ignored(
    sim: Simulator, path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, object], why: str
) -> None:
    async with sim.run(Harness(path).bot):
        pass
    rewrite(path, **change)
    async with sim.run(Harness(path).bot):
        pass
    [warning] = [record.getMessage() for record in caplog.records if record.name.startswith("qqbot.sessions")]
    assert str(path) in warning and why in warning
    assert (len(sim.identifies), len(sim.resumes)) == (2, 0)
    async with sim.run(Harness(path).bot):
        pass
    assert len(sim.resumes) == 1, "the file was not written anew"


async def test_a_path_that_cannot_be_written_is_said_before_anything_is_connected(sim: Simulator, path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        async with sim.run(Harness(path.parent / "nowhere" / "state.json").bot):
            pass
    assert sim.calls == [] and sim.connections == []


async def test_a_second_bot_on_one_state_file_is_refused(sim: Simulator, path: Path) -> None:
    async with sim.run(Harness(path).bot):
        calls = len(sim.calls)
        with pytest.raises(ConfigError, match="in use by another bot"):
            async with sim.run(Harness(path).bot):
                pass
        assert len(sim.calls) == calls and len(sim.connections) == 1


async def test_sessions_that_go_on_need_no_budget(sim: Simulator, path: Path) -> None:
    async with sim.run(Harness(path).bot):
        pass
    sim.faults.session_start_limit(remaining=0, reset_after=3_600_000)
    async with asyncio.timeout(5), sim.run(Harness(path).bot):
        pass
    assert len(sim.resumes) == 1


async def test_handlers_that_ask_for_more_begin_a_new_session(
    sim: Simulator, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with sim.run(Harness(path).bot):
        pass
    more = Harness(path)
    more.bot.on("GUILD_CREATE")(more.take)
    async with sim.run(more.bot):
        pass
    assert (len(sim.identifies), len(sim.resumes)) == (2, 0)
    assert "GUILDS" in caplog.text and "a new one is begun" in caplog.text
    async with sim.run(Harness(path).bot):  # asks for less: what comes beside is dropped
        pass
    assert (len(sim.identifies), len(sim.resumes)) == (2, 1)
    assert saved(path)["0"]["intents"] == sim.identifies[1]["intents"], "the session still is what it was"


async def test_each_of_several_shards_resumes_its_own_session(sim: Simulator, path: Path) -> None:
    async with sim.run(Harness(path, shards=3).bot):
        await until(lambda: len(saved(path)) == 3)
        sessions = {index: state["session_id"] for index, state in saved(path).items()}
    async with sim.run(Harness(path, shards=3).bot):
        pass
    assert len(sim.identifies) == 3
    assert {(str((resume["shard"] or ["?"])[0]), resume["session_id"]) for resume in sim.resumes} == set(
        sessions.items()
    )


class Broken(LocalSessionManager):
    """A manager whose store fails."""

    async def run(self, gateway: Any, start: Any) -> None:
        async def broken(lease: Any, info: Any, state: Any) -> Any:
            return await start(_BrokenLease(lease), info, state)

        await super().run(gateway, broken)


class _BrokenLease:
    def __init__(self, lease: Any) -> None:
        self._lease = lease

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lease, name)

    def checkpoint(self, state: object) -> None:
        raise RuntimeError("no checkpoint")

    async def save(self, state: object) -> None:
        raise RuntimeError("no save")


async def test_a_save_that_fails_is_logged_and_the_shard_lives(
    sim: Simulator, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.bot.shards.CHECKPOINT_SECONDS", 0.01)
    harness = Harness(path, sessions=Broken())
    async with sim.run(harness.bot):
        sim.push_message("c2c", text="one")
        await harness.has("one")
        await until(lambda: "no checkpoint" in caplog.text)
        sim.push_message("c2c", text="two")
        await harness.has("two")
    assert "no save" in caplog.text
    assert len(sim.connections) == 1


# kill -9

WORKER = """
import asyncio, os, random, sys, time
import msgspec
from qqbot import Bot, C2CMessageCreate, Context
from qqbot.sessions import LocalSessionManager

bot = Bot(sessions=LocalSessionManager(state=sys.argv[1]))
out = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

@bot.on
async def note(ctx: Context[C2CMessageCreate]) -> None:
    await asyncio.sleep(random.uniform(0, 0.4))
    os.write(out, f"{msgspec.json.decode(ctx.raw)['s']} {ctx.text} {time.monotonic()}\\n".encode())

bot.run()
"""


class Handled(NamedTuple):
    seq: int
    text: str
    moment: float


class Worker:
    """A bot in a process of its own, and what it handled."""

    def __init__(self, program: Program, out: Path) -> None:
        self.program = program
        self._out = out

    def handled(self) -> list[Handled]:
        text = self._out.read_text() if self._out.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()  # one may be there in part
        return [Handled(int(seq), text, float(moment)) for seq, text, moment in (line.split() for line in lines)]


@asynccontextmanager
async def worker(sim: Simulator, path: Path, name: str) -> AsyncIterator[Worker]:
    file, out = path.with_name("worker.py"), path.with_name(name)
    file.write_text(WORKER)
    async with python(file, path, out, env=environment(sim)) as program:
        yield Worker(program, out)


async def test_kill_9_in_the_middle_of_10_000_events(sim: Simulator, path: Path) -> None:
    texts = [f"event-{number}" for number in range(EVENTS)]
    async with worker(sim, path, "first") as first:
        await sim.ready()
        for number, text in enumerate(texts):
            sim.push_message("c2c", user=f"user {number % 500}", text=text)
        await until(lambda: len(first.handled()) > EVENTS // 2, seconds=40)
        first.program.process.kill()
        killed = time.monotonic()
        await first.program.process.wait()
        before = first.handled()
    low, done = saved(path)["0"]["seq"], saved(path)["0"]["done"]
    assert low > 1 and done and len(before) < EVENTS, "it was not killed in the middle"
    async with worker(sim, path, "second") as second:
        await until(lambda: len({event.text for event in before + second.handled()}) == EVENTS, seconds=40)
        await sim.ready()
        assert (await second.program.stopped()).code == 0
        after = second.handled()
    assert (len(sim.identifies), len(sim.resumes)) == (1, 1)
    assert sim.resumes[0]["seq"] == low
    assert {event.text for event in before + after} == set(texts), "an event was lost"
    assert max(Counter(event.text for event in after).values()) == 1, "one process handled an event twice"
    again = {event.seq for event in after}
    repeated = [event for event in before if event.seq in again]
    assert repeated, "a crash repeats what was finished since the last save: was it killed?"
    assert not [
        event for event in repeated if event.seq <= low or any(first <= event.seq <= last for first, last in done)
    ], "an event that was saved as finished was handled again"
    # Saved every second; twice that for a machine that is busy with other things.
    assert min(event.moment for event in repeated) > killed - 2
