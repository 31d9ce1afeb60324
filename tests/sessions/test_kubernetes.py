"""docs/howto/kubernetes.md, with processes in place of pods: its manifest and its bot, on the simulator.

What a process cannot have is replaced: the volume by a folder, the port by a free one. The platform's window and the
pause between two pods are shorter, the pause much more so.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from qqbot.sessions import LocalSessionManager
from qqbot.sessions.local import STOP_MARGIN_SECONDS
from qqbot.sessions.permits import PERMIT_SECONDS, WINDOW_SECONDS
from qqbot.testing import Simulator
from tests.cli.program import environment
from tests.markdown import ROOT, blocks
from tests.sockets import free_port

PAGE = ROOT / "docs/howto/kubernetes.md"
WINDOW = 1.5  # longer than a process needs to start: without a pause, two pods would identify in one
PAUSE = 0.1  # of minReadySeconds
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pod's command is one of sh")


def block(language: str) -> str:
    (text,) = (each.text for each in blocks(PAGE) if each.language == language)
    return text


@dataclass
class StatefulSet:
    """What the manifest has a node do, on this machine."""

    folder: Path
    sim: Simulator
    spec: dict[str, Any] = field(default_factory=lambda: yaml.safe_load(block("yaml"))["spec"])
    pods: dict[int, "asyncio.subprocess.Process"] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.spec["template"]["spec"]["containers"]
        return container

    @property
    def grace(self) -> float:
        return self.spec["template"]["spec"]["terminationGracePeriodSeconds"]

    def environment(self, index: int) -> dict[str, str]:
        """Return what the manifest gives to a pod: its Secret, its values, and its name."""
        assert self.container["envFrom"] == [{"secretRef": {"name": "bot"}}]
        given = environment(self.sim)
        for variable in self.container["env"]:
            if "value" in variable:
                given[variable["name"]] = variable["value"]
            else:
                assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
                given[variable["name"]] = f"bot-{index}"
        return given

    async def start(self, index: int) -> None:
        """Start a pod on its volume."""
        (mount,) = self.container["volumeMounts"]
        (claim,) = self.spec["volumeClaimTemplates"]
        assert mount["name"] == claim["metadata"]["name"]
        volume = self.folder / f"{mount['name']}-bot-{index}"
        volume.mkdir(exist_ok=True)
        given = self.environment(index)
        given["STATE_FILE"] = given["STATE_FILE"].replace(mount["mountPath"], str(volume))
        assert all(probe["httpGet"]["port"] == int(given["HEALTH_PORT"]) for probe in self.probes)
        given["HEALTH_PORT"] = str(self.ports.setdefault(index, free_port()))
        shell, option, script = self.container["command"]
        script = script.replace("qqbot run /bot.py", f"{sys.executable} -m qqbot run {self.folder / 'bot.py'}")
        path = os.pathsep.join(sys.path)
        self.pods[index] = await asyncio.create_subprocess_exec(
            shell, option, script, env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **given}
        )

    @property
    def probes(self) -> list[dict[str, Any]]:
        return [self.container["readinessProbe"], self.container["livenessProbe"]]

    async def ready(self, index: int) -> None:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            for probe in self.probes:
                url = f"http://127.0.0.1:{self.ports[index]}{probe['httpGet']['path']}"
                while not await _succeeds(session, url):
                    assert self.pods[index].returncode is None
                    await asyncio.sleep(0.05)

    async def roll_out(self) -> None:
        """Start all pods in their order."""
        assert self.spec["podManagementPolicy"] == "OrderedReady"
        for index in range(self.spec["replicas"]):
            await self.start(index)
            await self.ready(index)
            await asyncio.sleep(PAUSE * self.spec["minReadySeconds"])

    async def restart(self) -> None:
        """Replace all pods, from the last to the first, each one when the one before is ready."""
        assert self.spec["updateStrategy"] == {"type": "RollingUpdate"}
        for index in reversed(range(self.spec["replicas"])):
            await self.end(index)
            await self.start(index)
            await self.ready(index)

    async def end(self, index: int) -> None:
        """End a pod as Kubernetes does: it has its grace period."""
        self.pods[index].send_signal(signal.SIGTERM)
        async with asyncio.timeout(self.grace):
            assert await self.pods[index].wait() == 0

    async def kill(self, index: int) -> None:
        self.pods[index].kill()
        await self.pods[index].wait()


async def _succeeds(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@pytest.fixture
async def pods(tmp_path: Path) -> AsyncIterator[StatefulSet]:
    limits: dict[str, Any] = {"max_concurrency": 2, "identify_window": WINDOW, "gateway_burst": 100, "limits": "none"}
    async with Simulator(shards=6, **limits) as sim:
        (tmp_path / "bot.py").write_text(block("python"))
        pods = StatefulSet(tmp_path, sim)
        try:
            yield pods
        finally:
            for pod in pods.pods.values():
                if pod.returncode is None:
                    pod.kill()
                    await pod.wait()


@asynccontextmanager
async def messages(sim: Simulator) -> AsyncIterator[set[str]]:
    """Let many users write all the time; what they have written is complete when the body has ended."""
    written: set[str] = set()

    async def write() -> None:
        while True:
            written.add(text := f"message-{len(written)}-")
            sim.push_message("c2c", user=f"user-{len(written) % 40}", text=text)
            await asyncio.sleep(0.05)

    writing = asyncio.create_task(write())
    yield written
    writing.cancel()
    await asyncio.wait([writing])


async def answered(sim: Simulator, texts: set[str]) -> None:
    """Wait until each of them has an answer."""
    async with asyncio.timeout(PATIENCE):
        while missing := texts - set(re.findall(r"message-\d+-", " ".join(call["request"] for call in sim.calls))):
            await asyncio.sleep(0.2)
    assert not missing


@pytest.mark.timeout(180)
async def test_pods_share_the_shards_and_keep_their_sessions(pods: StatefulSet) -> None:
    sim = pods.sim
    await pods.roll_out()
    assert sim.violations == []
    indices = [connection.shard for connection in sim.connections]
    assert sorted(indices) == [(index, 6) for index in range(6)]
    assert len(sim.identifies) == 6
    async with messages(sim) as written:
        await pods.kill(1)
        await asyncio.sleep(1.0)
        await pods.start(1)
        await pods.ready(1)
        assert (len(sim.identifies), len(sim.resumes)) == (6, 2)
        await pods.restart()
        assert (len(sim.identifies), len(sim.resumes)) == (6, 8)
        for index in pods.pods:  # a power cut: here all start at one moment
            await pods.kill(index)
        for index in pods.pods:
            await pods.start(index)
        for index in pods.pods:
            await pods.ready(index)
        assert (len(sim.identifies), len(sim.resumes)) == (6, 14)
    await answered(sim, written)
    assert sim.violations == sim.lost_events == []


def test_the_page_fits_the_limits_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    windows: list[float] = []

    class Recording(LocalSessionManager):
        def __init__(self, *, window: float, **options: Any) -> None:
            windows.append(window)
            super().__init__(window=window, **options)

    pods = StatefulSet(tmp_path, Simulator())
    given = pods.environment(0)
    assert int(given["REPLICAS"]) == pods.spec["replicas"]
    monkeypatch.setenv("REPLICAS", given["REPLICAS"])
    monkeypatch.setattr("qqbot.sessions.LocalSessionManager", Recording)
    exec(compile(block("python"), "bot.py", "exec"), {"__name__": "bot"})
    assert windows == [WINDOW_SECONDS * pods.spec["replicas"]]
    assert int(given["SHARDS"]) % pods.spec["replicas"] == 0
    assert pods.spec["minReadySeconds"] > WINDOW_SECONDS + PERMIT_SECONDS
    assert 60 / pods.spec["minReadySeconds"] <= 2  # calls of /gateway/bot in a minute
    assert pods.grace > 10 + STOP_MARGIN_SECONDS  # the default of Bot(drain=...)
