"""Why the bot did not answer, at the message that it did not answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from qqbot import Bot, Context, GroupAtMessageCreate
from qqbot.testing import Http, Simulator
from tests.browser.driving import GROUP, Page, bubble, expect, marks, open_conversation, say

pytestmark = marks

TOO_LONG_AGO = "40034005"


def silent_bot() -> Bot:
    bot = Bot()

    @bot.on(GroupAtMessageCreate, when=lambda event: event.content.strip() != "nothing")
    async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
        if ctx.text == "raise":
            raise ValueError("no <b>such</b> word")
        try:
            await ctx.reply(ctx.text)
        except Exception:
            if ctx.text == "unhandled":
                raise

    return bot


@pytest_asyncio.fixture(loop_scope="session")
async def quiet_sim() -> AsyncIterator[Simulator]:
    async with Simulator() as sim, sim.run(silent_bot()):
        sim.group(GROUP).member("Alice")
        sim.channel("general").member("Alice")
        yield sim


def remark(page: Page, text: str) -> Any:
    return bubble(page, text).locator(".remarks li")


async def test_no_handler_took_it(page: Page, quiet_sim: Simulator) -> None:
    await open_conversation(page, quiet_sim)
    await say(page, "nothing")
    await expect(remark(page, "nothing")).to_have_text("No handler took this message.")
    await say(page, "hello")
    await expect(page.locator("li.message.bot", has_text="hello")).to_be_visible()
    await expect(page.locator("li.message.user", has_text="hello").locator(".remarks")).to_have_count(0)


async def test_the_intent_was_not_asked_for(page: Page, quiet_sim: Simulator) -> None:
    await open_conversation(page, quiet_sim, "general")
    await say(page, "hello")
    await expect(remark(page, "hello")).to_contain_text("AT_MESSAGE_CREATE needs the intent PUBLIC_GUILD_MESSAGES")
    await page.reload()
    await expect(remark(page, "hello")).to_contain_text("which the bot did not ask for")


async def test_the_handler_raised(page: Page, quiet_sim: Simulator) -> None:
    await open_conversation(page, quiet_sim)
    await say(page, "raise")
    shown = remark(page, "raise")
    await expect(shown.locator("summary")).to_contain_text("answer raised ValueError: no <b>such</b> word")
    await expect(shown.locator("pre")).to_be_hidden()
    await shown.locator("summary").click()
    await expect(shown.locator("pre")).to_contain_text('raise ValueError("no <b>such</b> word")')
    await expect(shown.locator("b")).to_have_count(0)


async def test_a_refused_send(page: Page, quiet_sim: Simulator) -> None:
    quiet_sim.faults.add("POST /v2/groups/*/messages", Http(400, body={"code": 40034005, "message": "too old"}))
    await open_conversation(page, quiet_sim)
    await say(page, "swallowed")
    shown = remark(page, "swallowed")
    await expect(shown).to_contain_text(f"400, code {TOO_LONG_AGO}: too old")
    await expect(shown.locator("code")).to_have_text(f"qqbot explain {TOO_LONG_AGO}")


async def test_a_refused_send_has_the_hint_of_the_error_that_the_handler_raised(
    page: Page, quiet_sim: Simulator
) -> None:
    quiet_sim.faults.add("POST /v2/groups/*/messages", Http(400, body={"code": 40034005, "message": "too old"}))
    await open_conversation(page, quiet_sim)
    await say(page, "unhandled")
    shown = remark(page, "unhandled")
    await expect(shown).to_have_count(2)
    await expect(shown.first.locator(".hint")).not_to_be_empty()
    await expect(shown.first.locator("code")).to_have_count(0)
    await expect(shown.last.locator("summary")).to_contain_text(TOO_LONG_AGO)


async def test_no_bot_is_connected(page: Page) -> None:
    async with Simulator() as sim:
        await open_conversation(page, sim, "test")
        await say(page, "anybody?")
        await expect(remark(page, "anybody?")).to_have_text("Not delivered: no bot is connected.")


@pytest.mark.parametrize("text", ["nothing", "raise"])
async def test_a_failed_test_reports_it(quiet_sim: Simulator, text: str) -> None:
    await quiet_sim.group(GROUP).member("Alice").say(text)
    words = {"nothing": "    ! no handler took it", "raise": "answer raised ValueError: no"}
    assert words[text] in quiet_sim.report()["chat"]
