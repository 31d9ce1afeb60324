"""Calls from another loop or thread: refused in words, and neither hang nor harm the bot."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from qqbot import Api, Bot, C2CMessageCreate, ConfigError, Context, MessagePendingAudit, Scene, Target, Text
from qqbot.config import GatewayConfig
from qqbot.models.ingest import Envelope
from qqbot.sessions.local import LocalSessionManager
from qqbot.testing import Simulator

WORDS = r"event loop that serves it.*asyncio\.run_coroutine_threadsafe.*不能在其他线程"
TARGET = Target(Scene.C2C, "openid")


async def elsewhere(call: Callable[[], Awaitable[object]]) -> object:
    """Return what `call` returns in an event loop of another thread."""

    async def awaited() -> object:
        async with asyncio.timeout(5):
            return await call()

    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, lambda: asyncio.run(awaited()))


async def idle() -> None:
    pass


async def spawned(bot: Bot) -> object:
    return bot.spawn(idle())


def envelope() -> Envelope:
    raw = b'{"op":0,"s":1,"t":"X","id":"1","d":{}}'
    return Envelope(id="1", type="X", shard=0, session="", seq=1, key="", ts=0, raw=raw)


CALLS: dict[str, Callable[[Bot], Awaitable[object]]] = {
    "api": lambda bot: bot.api.users.me(),
    "api.send": lambda bot: bot.api.send(TARGET, Text("x")),
    "api.tokens": lambda bot: bot.api.tokens.get(),
    "api as a context": lambda bot: bot.api.__aexit__(None, None, None),
    "send": lambda bot: bot.send(TARGET, Text("x")),
    "ready": lambda bot: bot.ready(),
    "reconnect": lambda bot: bot.reconnect(),
    "wait": lambda bot: bot.wait(),
    "stop": lambda bot: bot.stop(),
    "handle": lambda bot: bot.handle(envelope()),
    "spawn": spawned,
    "audit_result": lambda bot: bot.audit_result(pending(), timeout=1),
    "bot as a context": lambda bot: bot.__aexit__(None, None, None),
}


def pending() -> MessagePendingAudit:
    error = MessagePendingAudit(202, 0, "")
    error.audit_id = "1"
    return error


@asynccontextmanager
async def started(sim: Simulator, how: str) -> AsyncGenerator[Bot]:
    bot = Bot(sim.credentials, endpoints=sim.endpoints, gateway=GatewayConfig(pace=0.02), audits=True)
    if how == "start":
        await bot.start()
    else:
        await bot.__aenter__()
    try:
        await bot.ready()
        yield bot
    finally:
        await (bot.stop() if how == "start" else bot.__aexit__(None, None, None))


@pytest.mark.parametrize("how", ["start", "async with"])
async def test_each_call_is_refused_and_the_bot_goes_on(sim: Simulator, how: str) -> None:
    async with started(sim, how) as bot:
        for name, call in CALLS.items():
            if "token" in name:
                bot.api.tokens.invalidate(await bot.api.tokens.get())
            with pytest.raises(ConfigError, match=WORDS):
                await elsewhere(lambda call=call: call(bot))  # type: ignore[misc]
        assert await bot.api.users.me()
        async with asyncio.timeout(10):
            await bot.reconnect()
            await bot.spawn(idle())
        assert (len(sim.identifies), len(sim.resumes)) == (1, 1)


async def test_figures_may_be_read_and_calls_handed_over_from_any_thread(sim: Simulator) -> None:
    async with started(sim, "start") as bot:
        loop = asyncio.get_running_loop()

        def in_a_thread() -> str:
            assert bot.stats().shards and bot.me.id == bot.user_id
            return asyncio.run_coroutine_threadsafe(bot.api.users.me(), loop).result(10).id

        with ThreadPoolExecutor(1) as pool:
            assert await loop.run_in_executor(pool, in_a_thread)


async def test_spawn_without_a_loop(sim: Simulator, recwarn: pytest.WarningsRecorder) -> None:
    async with started(sim, "start") as bot:
        with ThreadPoolExecutor(1) as pool, pytest.raises(ConfigError, match=WORDS):
            await asyncio.get_running_loop().run_in_executor(pool, lambda: bot.spawn(idle()))
    assert not [warning for warning in recwarn if "never awaited" in str(warning.message)]


async def test_a_handler_that_waits_in_another_loop(sim: Simulator) -> None:
    bot = Bot(gateway=GatewayConfig(pace=0.02))
    caught: list[BaseException] = []

    @bot.on
    async def dialog(ctx: Context[C2CMessageCreate]) -> None:
        async with ctx.stream() as stream:
            calls = (lambda: ctx.wait_for(C2CMessageCreate), lambda: ctx.reply("x"), lambda: stream.write("x"))
            for call in calls:
                try:
                    await elsewhere(call)
                except ConfigError as error:
                    caught.append(error)
            await stream.write("done")

    async with sim.run(bot):
        await sim.user("joe").say("hello")
    assert len(caught) == 3
    for error in caught:
        assert "run_coroutine_threadsafe" in str(error)


async def test_a_session_manager(sim: Simulator) -> None:
    manager = LocalSessionManager()
    bot = Bot(sim.credentials, endpoints=sim.endpoints, sessions=manager)
    async with bot:
        await bot.ready()

        async def watching() -> Any:
            return manager.watch()

        for call in (manager.stop, watching):
            with pytest.raises(ConfigError, match=WORDS):
                await elsewhere(call)
        assert (await elsewhere(manager.snapshot)).shards  # type: ignore[attr-defined] # reads only


async def test_an_api_without_a_bot(sim: Simulator) -> None:
    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        with pytest.raises(ConfigError, match=WORDS):
            await elsewhere(api.users.me)
        assert await api.users.me()
