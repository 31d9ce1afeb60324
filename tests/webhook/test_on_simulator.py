"""The platform pushes to a bot's webhook: the same handlers answer as by the gateway, and what goes wrong is borne."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from qqbot import (
    AtMessageCreate,
    Bot,
    Button,
    C2CMessageCreate,
    Context,
    Credentials,
    GroupAtMessageCreate,
    InteractionCreate,
    Keyboard,
    Markdown,
    Search,
    SearchLayout,
    SearchResponse,
    interaction,
)
from qqbot.testing import Simulator
from tests.webhook.hosts import by_aiohttp, by_uvicorn

PATIENCE = 10
TRANSPORTS = ["gateway", "aiohttp", "asgi", "both"]


def shop_bot(runs: list[str]) -> Bot:
    """A bot that answers messages, clicks and searches, and notes each event that it handled."""
    bot = Bot()

    @bot.on(GroupAtMessageCreate, C2CMessageCreate)
    async def offer(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
        runs.append(ctx.event_id or "")
        buttons = Keyboard([[Button.callback("Buy", "buy")]])
        await ctx.reply(Markdown(f"You said {ctx.text}", keyboard=buttons))

    @bot.on(InteractionCreate, when=lambda event: event.awaits_ack)
    async def buy(ctx: Context[InteractionCreate]) -> None:
        runs.append(ctx.event_id or "")
        await ctx.ack()
        await ctx.reply("Sold")

    @bot.on(InteractionCreate, when=interaction(Search))
    async def search(ctx: Context[InteractionCreate]) -> None:
        runs.append(ctx.event_id or "")
        await ctx.api.interactions.respond(
            ctx.event.id, SearchResponse(layouts=(SearchLayout(title="Found", records=()),))
        )

    return bot


@asynccontextmanager
async def serving(sim: Simulator, bot: Bot, transport: str, *, awaited: bool = False) -> AsyncIterator[None]:
    """Serve the bot on the simulator by one transport, or by both at once."""
    if transport == "gateway":
        async with sim.run(bot):
            yield
        return
    by_asgi = transport == "asgi"
    options = {"awaited": awaited}
    web = by_uvicorn(bot.asgi(**options)) if by_asgi else by_aiohttp(bot.webhook(**options))  # type: ignore[arg-type]
    serve = bot.serve(credentials=sim.credentials, endpoints=sim.endpoints, connect=transport == "both")
    async with serve, web as url:
        if transport == "both":
            await bot.ready()
        sim.webhook.url = f"{url}/qq"
        yield
        await asyncio.wait_for(sim.webhook.delivered(), PATIENCE)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_same_handlers_answer(transport: str) -> None:
    runs: list[str] = []
    async with Simulator() as sim:
        async with serving(sim, shop_bot(runs), transport):
            assert transport == "gateway" or await sim.webhook.challenge()
            alice = sim.group("test").member("Alice")
            offer = await alice.say("@bot hello")
            assert offer.markdown == "You said hello"
            sold = await offer.click("Buy")
            assert (sold.ack, sold.text) == (0, "Sold")
            found = await sim.user("Alice").search("cats")
            assert found.answer == {"layouts": [{"LayoutType": 0, "ActionType": 0, "Title": "Found", "Records": []}]}
        assert runs == [offer.event_id, sold.event_id, found.event_id]
        assert sim.violations == []
        if transport != "gateway":
            assert [each.event_id for each in sim.webhook.deliveries] == runs
            assert all(each.acknowledged and each.attempt == 1 for each in sim.webhook.deliveries)


@pytest.mark.parametrize("transport", ["gateway", "asgi"])
async def test_the_text_of_a_guild_message_is_without_the_mention_of_the_bot(transport: str) -> None:
    bot = Bot()

    @bot.on
    async def echo(ctx: Context[AtMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    async with Simulator() as sim, serving(sim, bot, transport):
        assert (await sim.channel("general").member("Alice").say("@bot hello")).text == "hello"


@pytest.mark.parametrize("transport", ["gateway", "aiohttp"])
async def test_a_click_is_acknowledged_while_a_message_of_its_conversation_is_being_handled(transport: str) -> None:
    bot, begun, over = Bot(), asyncio.Event(), asyncio.Event()

    @bot.on
    async def slow(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(Markdown("one moment", keyboard=Keyboard([[Button.callback("Buy", "buy")]])))
        begun.set()
        await over.wait()  # the handler's 20 s: it ends only after the click was acknowledged

    @bot.on
    async def click(ctx: Context[InteractionCreate]) -> None:
        await ctx.ack()

    async with Simulator() as sim, serving(sim, bot, transport):
        alice = sim.user("Alice")
        asked = asyncio.create_task(alice.say("hello", timeout=60, quiet=60))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        (message,) = [each for each in sim.state()["messages"] if each["from"] == "bot"]
        clicked = await alice.click(message["id"], "Buy")
        assert clicked.ack == 0
        over.set()
        asked.cancel()
        await asyncio.wait([asked])


async def test_a_late_acknowledgement_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    bot = Bot()

    @bot.on
    async def offer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(Markdown("here", keyboard=Keyboard([[Button.callback("Buy", "buy")]])))

    async with Simulator() as sim:
        seconds = 2.0

        @bot.on
        async def click(ctx: Context[InteractionCreate]) -> None:
            await sim.clock.advance(seconds=seconds)
            await ctx.ack()

        async with sim.run(bot):
            message = await sim.user("Alice").say("hello")
            assert (await message.click("Buy")).ack == 0
            assert "acknowledged" not in caplog.text
            seconds = 6.0
            assert (await message.click("Buy")).ack == 0
    (warning,) = [each for each in caplog.records if "acknowledged" in each.getMessage()]
    assert warning.levelno == logging.WARNING
    assert re.search(r"acknowledged [6-9]\.\d s after it came", warning.getMessage())


@pytest.mark.parametrize("awaited", [False, True])
async def test_flawed_pushes_never_run_anything_twice_or_unverified(awaited: bool) -> None:
    runs: list[str] = []
    async with Simulator() as sim, serving(sim, shop_bot(runs), "aiohttp", awaited=awaited):
        hook = sim.webhook
        for flaw in ("bad_signature", "old_timestamp", "redeliver", "replay"):
            hook.flaw(flaw)
        events = [sim.push_message("c2c", user="Alice", text=str(number)) for number in range(5)]
        await asyncio.wait_for(hook.delivered(), PATIENCE)
        answers = {
            each: sorted((found.status, found.acknowledged) for found in hook.deliveries if found.event_id == each)
            for each in events
        }
        assert answers[events[0]] == [(401, False)]
        assert answers[events[1]] == [(401, False)]
        assert answers[events[2]] == [(200, True)] * 2
        assert answers[events[3]] == [(200, True)] * 2
        assert answers[events[4]] == [(200, True)]
        await asyncio.wait_for(_until(lambda: len(runs) == 3), PATIENCE)
    assert sorted(runs) == sorted(events[2:])


async def test_a_failure_is_delivered_again_until_it_is_handled() -> None:
    bot, runs = Bot(), 0

    @bot.on
    async def fails_once(ctx: Context[C2CMessageCreate]) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("on purpose")

    async with Simulator() as sim, serving(sim, bot, "aiohttp", awaited=True):
        sim.webhook.pause = 0.01
        sim.push_message("c2c", user="Alice", text="hello")
        await asyncio.wait_for(sim.webhook.delivered(), PATIENCE)
        assert [(each.attempt, each.acknowledged) for each in sim.webhook.deliveries] == [(1, False), (2, True)]
    assert runs == 2


async def test_the_platform_that_does_not_wait_for_the_answer_delivers_what_runs_already() -> None:
    bot, runs, over = Bot(), 0, asyncio.Event()

    @bot.on
    async def slow(ctx: Context[C2CMessageCreate]) -> None:
        nonlocal runs
        runs += 1
        await over.wait()

    async with Simulator() as sim, serving(sim, bot, "aiohttp", awaited=True):
        sim.webhook.ack_limit, sim.webhook.pause = 0.2, 0.05
        sim.push_message("c2c", user="Alice", text="hello")
        await asyncio.wait_for(_until(lambda: len(sim.webhook.deliveries) == 1), PATIENCE)
        sim.webhook.ack_limit = PATIENCE
        over.set()
        await asyncio.wait_for(sim.webhook.delivered(), PATIENCE)
        first, *_, last = sim.webhook.deliveries
        assert (first.status, last.status, last.acknowledged) == (None, 200, True)
    assert runs == 1


async def test_a_bot_that_fails_the_challenge() -> None:
    async with Simulator() as sim:
        bot = Bot()
        for secret, right in ((sim.secret, True), ("another secret", False)):
            credentials = Credentials(sim.app_id, secret)
            async with (
                bot.serve(connect=False, credentials=credentials, endpoints=sim.endpoints),
                by_aiohttp(bot.webhook()) as url,
            ):
                sim.webhook.url = url
                assert await sim.webhook.challenge() is right
        assert not await sim.webhook.challenge(), "nobody listens any more"


async def _until(condition: object) -> None:
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.01)
