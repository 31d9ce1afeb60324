"""Other SDKs on the simulator, in processes of their own, pointed at it by their base addresses alone.

`nox -s interop` installs them one by one: two of them do not go together in one environment. What is not installed
is skipped.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from qqbot.testing import BotReply, Simulator

BOTS = Path(__file__).parent / "bots"
PATIENCE = 40.0
"""Seconds for what such a bot should do soon; some wait long before they connect again."""


class Sdk(NamedTuple):
    """One SDK. `resumes`: whether it keeps its session after 4009, as the documentation says."""

    name: str
    package: str
    resumes: bool


SDKS = (
    Sdk("nonebot_adapter_qq", "nonebot.adapters.qq", resumes=True),
    Sdk("qq_botpy_sdk", "botpy.protocol", resumes=False),
    Sdk("qqbot_agent_sdk", "qqbot_agent_sdk", resumes=True),
)


def installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


@pytest.fixture(params=SDKS, ids=lambda sdk: sdk.name)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    if not installed(request.param.package):
        pytest.skip(f"{request.param.name} is not installed: nox -s interop")
    return request.param


@asynccontextmanager
async def running(name: str, sim: Simulator) -> AsyncIterator[None]:
    """Run a bot of another SDK; what it printed is shown where a test fails."""
    environment = {
        **os.environ,
        "APP_ID": sim.app_id,
        "SECRET": sim.secret,
        "QQ_API_BASE": sim.api_base,
        "QQ_AUTH_BASE": sim.token_url,
        "QQ_TOKEN_URL": sim.token_url,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, BOTS / f"on_{name}.py"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printing = asyncio.create_task(process.communicate())
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        out, _ = await printing
        print(out.decode(errors="replace"))


def said(reply: BotReply) -> str | None:
    """What it answered: one of them always answers in Markdown."""
    return reply.markdown or reply.text


@pytest.mark.timeout(150)
async def test_ready_a_message_its_answer_and_4009(qq: Simulator, sdk: Sdk) -> None:
    async with qq, running(sdk.name, qq):
        async with asyncio.timeout(PATIENCE):
            await qq.ready()
        alice = qq.group("test").member("Alice")
        assert said(await alice.say("hello", timeout=PATIENCE)) == "hello"
        qq.faults.close(4009)
        async with asyncio.timeout(PATIENCE):
            await (qq.resumed() if sdk.resumes else qq.identified())
        assert len(qq.identifies) == (1 if sdk.resumes else 2)
        assert said(await alice.say("again", timeout=PATIENCE)) == "again"
        if sdk.resumes:
            assert qq.lost_events == []
