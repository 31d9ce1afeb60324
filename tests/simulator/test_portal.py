"""The developers' portal of the simulator: tasks of tools, and the date of answers."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qqbot.testing import Simulator

KEY = bytes(range(32))


class Tool:
    """Speaks to the portal as a tool does."""

    def __init__(self, sim: Simulator, session: aiohttp.ClientSession) -> None:
        self._base = sim.api_base
        self._session = session

    async def post(self, name: str, **body: object) -> dict[str, Any]:
        async with self._session.post(f"{self._base}/lite/{name}", json=body) as response:
            assert response.status == 200
            return await response.json()

    async def create(self) -> str:
        answer = await self.post("create_bind_task", key=base64.b64encode(KEY).decode())
        assert answer["retcode"] == 0
        return answer["data"]["task_id"]

    async def poll(self, task_id: str) -> dict[str, Any]:
        return (await self.post("poll_bind_result", task_id=task_id))["data"]

    async def scan(self, task_id: str) -> int:
        url = f"{self._base}/qqbot/openclaw/connect.html"
        async with self._session.get(url, params={"task_id": task_id}) as response:
            return response.status

    async def date(self) -> datetime:
        async with self._session.get(f"{self._base}/gateway") as response:
            return parsedate_to_datetime(response.headers["Date"])


@pytest.fixture
async def tool(sim: Simulator) -> AsyncIterator[Tool]:
    async with aiohttp.ClientSession() as session:
        yield Tool(sim, session)


async def test_a_scan_passes_the_credentials_on(sim: Simulator, tool: Tool) -> None:
    task = await tool.create()
    assert await tool.poll(task) == {"status": 1}
    assert await tool.scan(task) == 200
    data = await tool.poll(task)
    assert (data["status"], data["bot_appid"]) == (2, sim.app_id)
    assert data["user_openid"]
    sealed = base64.b64decode(data["bot_encrypt_secret"])
    assert AESGCM(KEY).decrypt(sealed[:12], sealed[12:], None).decode() == sim.secret


async def test_a_task_ends(sim: Simulator, tool: Tool) -> None:
    task = await tool.create()
    await sim.clock.advance(minutes=5)
    assert await tool.poll(task) == {"status": 3}
    assert await tool.scan(task) == 404


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "no base64", 5, None])
async def test_a_bad_key_is_refused(tool: Tool, key: object) -> None:
    assert (await tool.post("create_bind_task", key=key))["retcode"] != 0


async def test_an_unknown_task_is_refused(tool: Tool) -> None:
    assert (await tool.post("poll_bind_result", task_id="x"))["retcode"] != 0
    assert await tool.scan("x") == 404


async def test_the_date_follows_the_clock(sim: Simulator, tool: Tool) -> None:
    assert abs(await tool.date() - datetime.now(UTC)) < timedelta(seconds=30)
    await sim.clock.advance(hours=1)
    assert abs(await tool.date() - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=30)
