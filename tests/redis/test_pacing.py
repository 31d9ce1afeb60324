"""`RedisPacing`: the processes of a bot share the quotas of its active messages, in real servers."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

import pytest

from qqbot import (
    ActiveQuotas,
    Api,
    Bot,
    ConfigError,
    Credentials,
    Pacing,
    QuotaExceeded,
    Rate,
    RateLimited,
    Scene,
    Target,
)
from qqbot.api.pacing.pacer import Pacer
from qqbot.api.pacing.quotas import DAY, PARTS, Usage, Use
from qqbot.redis import circuit_breaker
from qqbot.redis.pacing import RedisPacing
from qqbot.redis.sharing import Shared, sharing
from qqbot.sessions import LocalSessionManager
from qqbot.testing import Simulator
from tests.redis.servers import ENGINES, Engine, Server, started

APP_ID, CLUSTER = "102000001", "main"
PAUSES = ("group:G:pause", "group::pause")


def uses(times: int, per: float, conversation: str = "G") -> list[Use]:
    return [
        Use(f"group:{conversation}:{per:g}", Rate(times, per), together=False),
        Use("group::0.7", Rate(100, 0.7), together=True),
    ]


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_processes_count_together(engine: Engine) -> None:
    async with started(engine) as server, server.client() as one, server.client(decode_responses=True) as two:
        here = RedisPacing(one, app_id=APP_ID, cluster=CLUSTER)
        there = RedisPacing(two, app_id=APP_ID, cluster=CLUSTER)
        for store in (here, there):
            usage = await store.use(uses(2, 0.5), PAUSES)
            assert usage is not None and usage.full is None
        full = await here.use(uses(2, 0.5), PAUSES)
        assert full is not None and full.full == 0
        assert 0 < full.seconds <= 0.5 + 0.5 / PARTS
        assert await one.exists(f"qqbot:{{{APP_ID}:{CLUSTER}}}:q:group:G:0.5") == 1
        other = await here.use(uses(2, 0.5, "H"), PAUSES)
        assert other is not None and other.full is None
        await asyncio.sleep(full.seconds + 0.01)
        again = await there.use(uses(2, 0.5), PAUSES)
        assert again is not None and again.full is None
        await asyncio.sleep(0.8)
        keys = [f"qqbot:{{{APP_ID}:{CLUSTER}}}:q:{use.key}" for use in (*uses(2, 0.5), *uses(2, 0.5, "H"))]
        assert await one.exists(*keys) == 0, "they have expired"


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_what_was_not_sent_does_not_count(engine: Engine) -> None:
    async with started(engine) as server, server.client() as client:
        store = RedisPacing(client, app_id=APP_ID, cluster=CLUSTER)
        for _ in range(5):
            usage = await store.use(uses(1, DAY), PAUSES)
            assert usage is not None and usage.full is None
            await store.release(uses(1, DAY), usage.seconds)
            await store.release(uses(1, DAY), usage.seconds)


async def test_no_script_is_loaded_by_itself(store: Server) -> None:
    """In a Cluster that goes to every master, and fails if one of them is down that has no key of ours."""
    async with store.client() as client:
        pacing = RedisPacing(client, app_id=APP_ID, cluster=CLUSTER)
        usage = await pacing.use(uses(1, DAY), PAUSES)
        assert usage is not None and usage.full is None
        await pacing.release(uses(1, DAY), usage.seconds)
        commands = await client.info("commandstats")
        assert "cmdstat_eval" in commands
        assert [name for name in commands if name.startswith("cmdstat_script")] == []


async def test_a_pause_is_shared_and_ends(store: Server) -> None:
    async with store.client() as client:
        pacing = RedisPacing(client, app_id=APP_ID, cluster=CLUSTER)
        await pacing.pause("group:G:pause", 0.3, 22009)
        usage = await pacing.use(uses(5, DAY), PAUSES)
        assert usage is not None and (usage.full, usage.code) == (2, 22009)
        await asyncio.sleep(0.35)
        assert isinstance(usage := await pacing.use(uses(5, DAY), PAUSES), Usage) and usage.full is None


async def test_a_process_counts_by_itself_while_the_store_is_down(
    store: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(circuit_breaker, "PAUSE_SECONDS", 0.2)
    async with store.client() as client:
        quotas = ActiveQuotas(each=(Rate(3, 60),))
        pacer = Pacer(
            Pacing(group=quotas),
            asyncio.get_running_loop().time,
            RedisPacing(client, app_id=APP_ID, cluster=CLUSTER),
        )
        for number in range(3):
            if number == 2:
                store.kill()
            async with pacer.slot(Scene.GROUP, "G", 30.0):
                pass
        with pytest.raises(RateLimited):
            async with pacer.slot(Scene.GROUP, "G", 30.0):
                pytest.fail("what was counted in the store counts here as well")
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1 and "counts its active messages by itself" in warnings[0]


async def test_a_store_without_pacing_is_a_mistake(store: Server) -> None:
    async with store.client() as client:
        pacing = RedisPacing(client, app_id=APP_ID, cluster=CLUSTER)
        with pytest.raises(ConfigError, match="pacing=True"):
            Api(Credentials(APP_ID, "s"), pacing_store=pacing)
        Api(Credentials(APP_ID, "s"), pacing=True, pacing_store=pacing)


class Meeting(LocalSessionManager):
    """A manager whose processes meet in a store."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def sharing(self, credentials: Credentials) -> AbstractAsyncContextManager[Shared]:
        return sharing(self.url, credentials, cluster=CLUSTER)


@pytest.mark.qq(limits="all", shards=2)
async def test_two_processes_share_what_the_platform_allows(qq: Simulator, store: Server) -> None:
    async with qq:
        target = Target(Scene.DMS, qq.dms("Alice").conversation_id)
        group = Target(Scene.GROUP, qq.group("test").id)
        bots = [Bot(qq.credentials, endpoints=qq.endpoints, sessions=Meeting(store.url), pacing=True) for _ in range(2)]
        async with bots[0].serve(connect=False), bots[1].serve(connect=False):
            await bots[0].send(target, "one")
            await bots[1].send(target, "two")
            for bot in bots:
                with pytest.raises(QuotaExceeded):
                    await bot.send(target, "three")
            results = await asyncio.gather(
                *(bot.send(group, "push", timeout=10) for bot in bots for _ in range(15)), return_exceptions=True
            )
    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) == 10 and all(isinstance(error, RateLimited) for error in refused)
    calls = [call["status"] for call in qq.calls if str(call["path"]).endswith("/messages")]
    assert calls == [200] * 22, "the platform refused nothing"


@pytest.mark.qq(limits="all")
async def test_a_refusal_of_the_platform_is_known_to_all_processes(qq: Simulator, store: Server) -> None:
    async with qq:
        target = Target(Scene.DMS, qq.dms("Alice").conversation_id)
        async with Bot(qq.credentials, endpoints=qq.endpoints).serve(connect=False) as stranger:
            for _ in range(2):
                await stranger.send(target, "by another program")
        bots = [Bot(qq.credentials, endpoints=qq.endpoints, sessions=Meeting(store.url), pacing=True) for _ in range(2)]
        async with bots[0].serve(connect=False), bots[1].serve(connect=False):
            for bot in bots:
                with pytest.raises(QuotaExceeded):
                    await bot.send(target, "three")
    calls = [call["status"] for call in qq.calls if str(call["path"]).endswith("/messages")]
    assert len(calls) == 3, "only one of the two had to ask"
