"""The scenarios from the field: this package's bot is right in all of them, and a naive bot is caught."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from qqbot import AtMessageCreate, Bot, Context, GroupAtMessageCreate
from qqbot.cli.serving import ConfiguredBot, WebhookServedBot
from qqbot.config import Credentials, Endpoints, GatewayConfig
from qqbot.simulator.scenarios import SCENARIOS, Finding, Scenario, perform
from qqbot.simulator.simulator import Servable
from tests.markdown import ROOT

FAST = {"hello_timeout": 1.0, "close_code_timeout": 2.0}


def right_bot(scenario: Scenario) -> Servable:
    bot = Bot()

    @bot.on
    async def echo(ctx: Context[GroupAtMessageCreate | AtMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    if scenario.by_webhook:
        return WebhookServedBot(bot)
    renewal = {} if scenario.renewal is None else {"renew_after": scenario.renewal, "renew_silence": scenario.renewal}
    return ConfiguredBot(bot, gateway=GatewayConfig(**FAST, **renewal))


def described(findings: list[Finding]) -> list[str]:
    return [f"{finding.what} ({finding.seen})" for finding in findings if not finding.right]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_this_packages_bot_is_right(name: str) -> None:
    scenario = SCENARIOS[name]
    findings = await perform(scenario, lambda: right_bot(scenario))
    assert described(findings) == []
    assert len(findings) > 3


def test_the_page_about_the_simulator_names_them_all() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text("utf-8")
    table = page.partition("## Scenarios")[2].partition("## Faults")[0]
    assert re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE) == list(SCENARIOS)


class NaiveBot:
    """A bot as many are: it always identifies anew, at once, and knows nothing of numbers, repeats and reviews."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[str, str], None]] = []
        self._there = asyncio.Event()

    @asynccontextmanager
    async def serve(
        self,
        *,
        credentials: Credentials | None = None,
        endpoints: Endpoints | None = None,
        clock: Callable[[], float] | None = None,
    ) -> AsyncIterator[None]:
        assert credentials is not None and endpoints is not None
        self._base, self._token_url = endpoints.api_base, endpoints.token_url
        self._secrets = {"appId": credentials.app_id, "clientSecret": credentials.secret.reveal()}
        async with aiohttp.ClientSession() as self._http:
            living = asyncio.create_task(self._live())
            try:
                yield
            finally:
                living.cancel()
                await asyncio.wait([living])

    async def ready(self) -> None:
        await self._there.wait()

    def on_settled(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def _live(self) -> None:
        async with self._http.post(self._token_url, json=self._secrets) as response:
            self._authorization = {"Authorization": f"QQBot {(await response.json())['access_token']}"}
        url = self._base.replace("http", "ws") + "/websocket"
        while True:
            with suppress(aiohttp.ClientError):
                async with self._http.get(f"{self._base}/gateway", headers=self._authorization):
                    pass  # whatever it says
                async with self._http.ws_connect(url) as socket:
                    await self._listen(socket)
            await asyncio.sleep(0.3)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.receive()
        token = self._authorization["Authorization"]
        await socket.send_json({"op": 2, "d": {"token": token, "intents": 1 << 25 | 1 << 30, "shard": [0, 1]}})
        async for message in socket:
            frame = message.json()
            if frame.get("t") == "READY":
                self._there.set()
            elif frame["op"] == 0:
                await self._answer(frame["d"])
                for callback in self._callbacks:
                    callback(frame["id"], "handled")
            elif frame["op"] in (7, 9):
                return

    async def _answer(self, message: Mapping[str, Any]) -> None:
        group = message.get("group_openid")
        path = f"/v2/groups/{group}/messages" if group else f"/channels/{message['channel_id']}/messages"
        for seq in range(1, 4):
            body = {"msg_type": 0, "content": "hello", "msg_id": message["id"], "msg_seq": id(message) % 9999 + seq}
            with suppress(aiohttp.ClientError):
                async with self._http.post(self._base + path, json=body, headers=self._authorization) as response:
                    if response.status == 200:
                        return


CAUGHT = {
    "4009-every-30min": "RESUMEs each time",
    "4903-needs-new-token": "asks for another token",
    "op9-then-close": "waits for the close code",
    "silent-session-after-3-days": "IDENTIFYs again",
    "rolling-deploy": "3 questions have 3 answers",
    "msg-id-redelivered": "sends 2 answers to 2 messages",
    "msgseq-dedup": "repeats it with the same msg_seq",
    "413-html": "does not send it again",
    "audit-202": "sends it once",
}
"""What each scenario finds wrong with the naive bot, at least."""


@pytest.mark.parametrize("name", CAUGHT)
async def test_a_naive_bot_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qqbot.simulator.scenarios.PATIENCE", 1.0)
    findings = await perform(SCENARIOS[name], NaiveBot)
    assert CAUGHT[name] in [finding.what for finding in findings if not finding.right], described(findings)


async def test_a_webhook_bot_that_acknowledges_late_is_caught() -> None:
    bot = Bot()

    @bot.on
    async def echo(ctx: Context[GroupAtMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    findings = await perform(SCENARIOS["webhook-slow-ack"], lambda: WebhookServedBot(bot, awaited=True))
    assert [finding.what for finding in findings if not finding.right] == ["acknowledges within the limit"]
