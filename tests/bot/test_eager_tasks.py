"""A bot in an event loop whose tasks take their first step inside `create_task`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from qqbot import Bot, ConfigError, Context, Credentials, GroupAtMessageCreate
from qqbot.testing import Simulator
from tests.bot.eager import eager_task_factory
from tests.served import is_served
from tests.webhook.signed import CREDENTIALS, event, signed


@pytest.fixture
async def _eager() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(eager_task_factory)  # type: ignore[arg-type]
    yield
    loop.set_task_factory(before)


pytestmark = pytest.mark.usefixtures("_eager")


async def test_the_first_step_is_taken_at_once() -> None:
    steps: list[asyncio.Task[None] | None] = []

    async def work() -> None:
        steps.append(asyncio.current_task())
        await asyncio.sleep(0)
        steps.append(asyncio.current_task())

    task = asyncio.create_task(work())
    assert steps == [task]
    await task
    assert steps == [task, task]


@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_a_task_of_the_lifespan_may_stop_the_bot(turns: int) -> None:
    async def stop(bot: Bot) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await bot.stop()

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(stop(bot))
            yield

    bot = Bot(Credentials("1", "s" * 32), lifespan=lifespan)
    async with asyncio.timeout(5):
        await bot.start(connect=False)
        await bot.wait()
        await bot.stop()
    assert not is_served(bot)


async def test_the_lifespan_itself_may_stop_the_bot_at_its_first_step() -> None:
    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        await bot.stop()
        yield

    bot = Bot(Credentials("1", "s" * 32), lifespan=lifespan)
    async with asyncio.timeout(5):
        await bot.start(connect=False)
        await bot.wait()
        await bot.stop()
    assert not is_served(bot)


async def test_a_bot_is_started_once_at_a_time() -> None:
    bot = Bot(Credentials("1", "s" * 32))
    first, second = await asyncio.gather(bot.start(connect=False), bot.start(connect=False), return_exceptions=True)
    assert first is None and isinstance(second, ConfigError)
    async with asyncio.timeout(5):
        await bot.stop()
    assert not is_served(bot)


async def test_a_spawned_task_may_stop_the_bot_at_its_first_step() -> None:
    bot = Bot(Credentials("1", "s" * 32))
    async with asyncio.timeout(5):
        await bot.start(connect=False)
        await bot.spawn(bot.stop())
        await bot.wait()
        await bot.stop()
    assert not is_served(bot)


async def test_a_whole_life() -> None:
    bot = Bot()

    @bot.on
    async def echo(ctx: Context[GroupAtMessageCreate]) -> None:
        await ctx.bot.spawn(ctx.reply(ctx.text))

    async with asyncio.timeout(20), Simulator() as sim:
        for _ in range(2):
            async with sim.run(bot):
                await bot.ready()
                await bot.reconnect()
                assert (await sim.group("test").member("Alice").say("@bot hi")).text == "hi"
    assert not is_served(bot)


async def test_webhook_calls_serve_a_bot_that_is_not_served() -> None:
    bot = Bot(CREDENTIALS)
    calls = [bot.handle_webhook(signed(event(number)), event(number)) for number in range(3)]
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*calls)
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert not is_served(bot)
