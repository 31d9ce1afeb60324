"""`bot.metrics()` on the simulator: what a scrape finds."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from qqbot import (
    Bot,
    C2CMessageCreate,
    ConfigError,
    ConnectionFailed,
    ContentRejected,
    Context,
    Credentials,
    Endpoints,
    GroupMessageEvent,
    Router,
)
from qqbot.testing import Simulator
from tests.sockets import free_port

CALLS = "http_client_request_duration_seconds_count"
RUNS = "messaging_process_duration_seconds_count"


class Samples:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self._all = [sample for family in families for sample in family.samples]

    def __getitem__(self, name: str) -> dict[tuple[str, ...], float]:
        """The values by their labels, in the order of the label names."""
        return {tuple(s.labels[key] for key in sorted(s.labels)): s.value for s in self._all if s.name == name}

    def names(self) -> set[str]:
        return {sample.name for sample in self._all}


class Page:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def samples(self) -> Samples:
        async with self._session.get(self._url) as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain")
            return Samples(await response.text())

    async def openmetrics(self) -> tuple[str, str]:
        async with self._session.get(self._url, headers={"Accept": "application/openmetrics-text"}) as response:
            return response.headers["Content-Type"], await response.text()


@pytest.fixture
async def bot() -> Bot:
    return Bot()


@pytest.fixture
async def page(bot: Bot) -> AsyncIterator[Page]:
    app = web.Application()
    app.add_subapp("/bot", bot.metrics())
    app.add_subapp("/health", bot.health())
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Page(str(server.make_url("/bot/metrics")), session)


async def test_handlers_and_calls_are_measured(qq: Simulator, bot: Bot, page: Page) -> None:
    router = Router()

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    @router.command("崩溃")
    async def crash(ctx: Context[GroupMessageEvent]) -> None:
        raise ValueError("on purpose")

    bot.include(router)
    async with qq.run(bot):
        await qq.user("小明").say("one")
        await qq.user("小明").say("two")
        with qq.expect_error(ValueError):
            await qq.group("一群").member("小红").say("/崩溃")
        samples = await page.samples()
    here = f"{__name__}.test_handlers_and_calls_are_measured.<locals>"
    assert samples[RUNS] == {
        ("", f"{here}.answer", "C2C_MESSAGE_CREATE", "qq"): 2.0,
        ("ValueError", f"{here}.crash", "GROUP_AT_MESSAGE_CREATE", "qq"): 1.0,
    }
    assert samples[CALLS] == {
        ("", "GET", "200", "/gateway/bot"): 1.0,
        ("", "POST", "200", "/v2/users/{user_openid}/messages"): 2.0,
    }
    assert samples["qqbot_shard_events_total"] == {
        ("", "", "identified", "0/1"): 1.0,
        ("", "", "connected", "0/1"): 1.0,
    }
    assert samples["qqbot_serving"] == {(): 1.0}
    assert samples["qqbot_shard_live"] == {("0/1",): 1.0}
    assert samples["qqbot_shard_received_events_total"] == {("0/1",): 3.0}
    assert samples["qqbot_loop_lag_seconds"][()] >= 0


async def test_a_refused_call_has_its_status(qq: Simulator, bot: Bot, page: Page) -> None:
    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply("see www.not-registered.com")

    async with qq.run(bot):
        with qq.expect_error(ContentRejected):
            await qq.user("小明").say("hi")
        samples = await page.samples()
    assert samples[CALLS][("400", "POST", "400", "/v2/users/{user_openid}/messages")] == 1.0


async def test_an_exchange_without_an_answer_has_its_error() -> None:
    bot = Bot(Credentials("1", "s"), endpoints=Endpoints(f"http://127.0.0.1:{free_port()}"), token=Tokens())
    bot.on(C2CMessageCreate)(ignore)
    registry = CollectorRegistry()
    bot.metrics(registry)
    async with bot.serve(connect=False):
        with pytest.raises(ConnectionFailed):
            await bot.api.users.me(timeout=0.2)
    calls = Samples(generate_latest(registry).decode())[CALLS]
    assert [*calls] == [("qqbot.errors.ConnectionFailed", "GET", "", "/users/@me")]


class Tokens:
    """A source of the user's own."""

    async def get(self) -> str:
        return "token"

    def invalidate(self, token: str) -> None: ...


async def ignore(ctx: Context[C2CMessageCreate]) -> None: ...


async def test_a_bot_that_is_not_served_has_a_page(page: Page) -> None:
    samples = await page.samples()
    assert samples["qqbot_serving"] == {(): 0.0}
    assert "qqbot_shard_live" not in samples.names()
    kind, text = await page.openmetrics()
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


async def test_metrics_may_be_asked_for_in_the_lifespan_and_again(qq: Simulator) -> None:
    registry = CollectorRegistry()

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        bot.metrics(registry)
        bot.metrics(registry)
        yield

    bot = Bot(lifespan=lifespan)

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    async with qq.run(bot):
        await qq.user("小明").say("one")
    samples = Samples(generate_latest(registry).decode())
    assert set(samples[RUNS].values()) == {1.0}
    assert samples[CALLS][("", "POST", "200", "/v2/users/{user_openid}/messages")] == 1.0


def test_two_bots_do_not_share_a_registry() -> None:
    registry = CollectorRegistry()
    Bot().metrics(registry)
    with pytest.raises(ConfigError, match="registry"):
        Bot().metrics(registry)
    Bot().metrics()
    Bot().metrics()


@pytest.mark.parametrize(
    ("package", "call", "extra"),
    [
        ("prometheus_client", "metrics()", "prometheus"),
        ("opentelemetry", "telemetry()", "otel"),
    ],
)
def test_a_missing_extra_is_named_with_the_command(package: str, call: str, extra: str) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
from qqbot import Bot, ConfigError
for _ in range(2):
    try:
        Bot().{call}
    except ConfigError as error:
        assert str(error).count("pip install 'aioqqbot[{extra}]'") == 2, error
        assert "需要安装" in str(error)
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-X", "utf8", "-c", code], check=True)
