"""Intake and logic in two processes: whichever dies, nothing is lost."""

import asyncio
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment, python

ROOT = Path(__file__).parent.parent.parent
EVENTS = 1000

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets and SIGKILL")


@pytest.mark.parametrize("dying", ["intake", "worker"])
async def test_kill_of_either_side_loses_nothing(dying: str, tmp_path: Path) -> None:
    socket, state, log = tmp_path / "socket", tmp_path / "state.json", tmp_path / "log"
    log.touch()
    texts = [*map(str, range(EVENTS - 1)), "wait"]

    def lines() -> list[str]:
        text = log.read_text()
        return text[: text.rfind("\n") + 1].splitlines()  # one may be there in part

    async def handled(count: int) -> None:
        async with asyncio.timeout(40):
            while len(set(lines())) < count:
                await asyncio.sleep(0.02)

    async with Simulator() as sim:
        start = partial(python, "-m", "tests.ingest.pipe", cwd=ROOT, env=environment(sim))
        sides = {"intake": partial(start, "intake", socket, state), "worker": partial(start, "worker", socket, log)}
        other = "worker" if dying == "intake" else "intake"
        async with sides[other]():
            async with sides[dying]() as victim:
                await sim.ready()
                for number in range(EVENTS):
                    sim.push_message("c2c", user=f"U{number % 40}", text=texts[number])
                await handled(EVENTS // 10)
                victim.signal(signal.SIGKILL)
                await victim.finished()
            log.with_suffix(".go").touch()  # until here it cannot have been done
            async with sides[dying]():
                await handled(EVENTS)
        assert len(sim.identifies) == 1
        assert sim.violations == []
    times = Counter(line.split()[1] for line in lines())
    assert set(times) == set(texts)
    if dying == "worker":
        assert max(times.values()) <= 2
