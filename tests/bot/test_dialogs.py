"""Dialogs as a bot's author writes them: `ctx.wait_for` on the simulator."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from qqbot import (
    AtMessageCreate,
    Bot,
    Button,
    C2CMessageCreate,
    ConfigError,
    Context,
    GroupAtMessageCreate,
    InteractionCreate,
    Keyboard,
    Markdown,
    MessageAuditPass,
    MessageAuditReject,
    MessagePendingAudit,
    button,
)
from qqbot.testing import Simulator
from tests.cli.program import environment, python


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim:
        yield sim
        assert sim.lost_events == []


async def test_a_three_step_dialog(sim: Simulator) -> None:
    bot = Bot()

    @bot.on
    async def order(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply("Which size?")
        size = await ctx.wait_for(C2CMessageCreate, timeout=5)
        await size.reply("And the colour?")
        colour = await ctx.wait_for(C2CMessageCreate, timeout=5)
        await colour.reply(f"{size.text}, {colour.text}: ordered")

    async with sim.run(bot):
        alice, bob = sim.user("Alice"), sim.user("Bob")
        assert (await alice.say("order")).text == "Which size?"
        assert (await bob.say("order")).text == "Which size?"
        assert (await alice.say("large")).text == "And the colour?"
        assert bot.stats().waiting == 2
        assert (await bob.say("small")).text == "And the colour?"
        assert (await alice.say("red")).text == "large, red: ordered"
        assert (await bob.say("blue")).text == "small, blue: ordered"
        assert bot.stats().waiting == 0


async def test_a_click_is_awaited_in_the_conversations_own_handler(sim: Simulator) -> None:
    bot = Bot()
    bot.expect(InteractionCreate)
    keyboard = Keyboard([[Button.callback("Yes", "sure:yes"), Button.callback("No", "sure:no")]])

    @bot.on
    async def ask(ctx: Context[GroupAtMessageCreate]) -> None:
        await ctx.reply(Markdown("Sure?", keyboard=keyboard))
        pressed = await ctx.wait_for(InteractionCreate, when=button("sure:"), timeout=5)
        await pressed.ack()
        await pressed.reply(f"you pressed {pressed.event.button_data}")

    async with sim.run(bot):
        alice = sim.group("test").member("Alice")
        question = await alice.say("@bot ask")
        answer = await question.click("Yes")
        assert answer.text == "you pressed sure:yes"


async def test_the_verdict_of_a_review_is_awaited_in_the_handler(sim: Simulator) -> None:
    bot = Bot()
    bot.expect(MessageAuditPass, MessageAuditReject)
    verdicts: list[str] = []

    @bot.on
    async def send(ctx: Context[AtMessageCreate]) -> None:
        try:
            await ctx.reply("to be reviewed")
        except MessagePendingAudit as pending:
            audit_id = pending.audit_id
            verdict = await ctx.wait_for(
                MessageAuditPass, MessageAuditReject, when=lambda event: event.audit_id == audit_id, timeout=5
            )
            verdicts.append(type(verdict.event).__name__)

    async with sim.run(bot):
        sim.audits.expect()
        await sim.channel("general").member("Alice").say("@bot send")
        async with asyncio.timeout(5):
            while not verdicts:
                await asyncio.sleep(0.01)
    assert verdicts == ["MessageAuditPass"]


async def test_waiting_for_what_the_bot_does_not_ask_for_says_so_at_once(sim: Simulator) -> None:
    bot = Bot()
    errors: list[Exception] = []

    @bot.on
    async def ask(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.wait_for(InteractionCreate)

    @bot.on_error
    async def note(ctx: Context[C2CMessageCreate], error: Exception) -> None:  # type: ignore[arg-type]
        errors.append(error)

    async with sim.run(bot):
        await sim.user("Alice").say("ask")
    (error,) = errors
    assert isinstance(error, ConfigError)
    assert "bot.expect(InteractionCreate)" in str(error)


DIALOG = """
import sys
from qqbot import Bot, C2CMessageCreate, Context
from qqbot.sessions import LocalSessionManager

bot = Bot(sessions=LocalSessionManager(state=sys.argv[1]))

@bot.on
async def order(ctx: Context[C2CMessageCreate]) -> None:
    await ctx.reply(f"size for {ctx.text}?")
    size = await ctx.wait_for(C2CMessageCreate, timeout=30)
    await size.reply("colour?")
    colour = await ctx.wait_for(C2CMessageCreate, timeout=30)
    await colour.reply(f"{size.text} {colour.text}")

bot.run()
"""


async def test_a_process_that_dies_in_a_dialog_repeats_its_first_event_and_the_dialog_goes_on_where_it_was(
    sim: Simulator, tmp_path: Path
) -> None:
    program = tmp_path / "dialog.py"
    program.write_text(DIALOG)
    run = partial(python, program, tmp_path / "state.json", env=environment(sim))
    alice = sim.user("Alice")
    async with run() as first:
        await sim.ready()
        assert (await alice.say("shirt")).text == "size for shirt?"
        assert (await alice.say("large")).text == "colour?"
        await asyncio.sleep(1.5)  # what is finished is saved every second
        first.signal(signal.SIGKILL)
        await first.finished()
    async with run(), asyncio.timeout(20):
        await sim.resumed()
        while len(asked(sim)) < 4:
            await asyncio.sleep(0.01)
        assert asked(sim) == ["size for shirt?", "colour?", "size for shirt?", "colour?"]
        shown = [message["text"] for message in sim.state()["messages"] if message["author"] == "bot"]
        assert shown == ["size for shirt?", "colour?"], "the platform knows the repeats by their numbers"
        assert (await alice.say("red")).text == "large red"


def asked(sim: Simulator) -> list[str]:
    """What the bot has tried to send, oldest first."""
    calls = (call for call in sim.calls if call["path"].endswith("/messages"))
    return [json.loads(call["request"])["content"] for call in calls]
