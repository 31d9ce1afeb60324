"""The right column: frames, calls, events, faults, shards, clock."""

import re

from qqbot.testing import Simulator
from tests.browser.driving import GROUP, Page, bubble, expect, marks, open_conversation, open_tab, say

pytestmark = marks


async def test_frames_and_calls_open_to_their_json(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "hello")
    await page.get_by_role("tabpanel", name="Frames").get_by_text("GROUP_AT_MESSAGE_CREATE").click()
    await expect(page.get_by_role("tabpanel").locator("pre")).to_contain_text('"t": "GROUP_AT_MESSAGE_CREATE"')
    await page.get_by_role("tab", name="Frames").press("ArrowRight")
    await page.get_by_role("tabpanel", name="Calls").get_by_text("/messages").click()
    await expect(page.get_by_role("tabpanel").locator("pre").first).to_contain_text("You said: hello")


async def test_any_event_is_pushed_from_a_template(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    panel = await open_tab(page, "Events")
    await panel.get_by_label("Type").select_option("GROUP_AT_MESSAGE_CREATE")
    body = panel.get_by_label("Body (d), JSON")
    await expect(body).to_have_value(re.compile(sim.group(GROUP).id))
    await panel.get_by_role("button", name="Push").click()
    await expect(panel.get_by_text("Pushed: GROUP_AT_MESSAGE_CREATE:")).to_be_visible()
    await expect(bubble(page, "You said: hello")).to_be_visible()
    await body.fill("{")
    await panel.get_by_role("button", name="Push").click()
    await expect(panel.get_by_text("This is not JSON")).to_be_visible()
    await panel.get_by_role("button", name="Fill in again").click()
    await expect(panel.get_by_text("This is not JSON")).to_be_hidden()


async def test_a_fault_shows_the_bot_resuming(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    panel = await open_tab(page, "Faults")
    await panel.get_by_role("button", name="Close with 4009").click()
    await expect(panel.get_by_text("“Close with 4009”: done")).to_be_visible()
    frames = await open_tab(page, "Frames")
    await expect(frames.get_by_text("RESUMED")).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("region", name="Bot")).to_contain_text("1 of 1 shards ready")


async def test_a_killed_connection_resumes(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    panel = await open_tab(page, "Shards")
    await panel.get_by_role("button", name="Kill the connection of shard 0/1").click()
    await expect(panel.get_by_text("closed by the platform, 1006")).to_be_visible()
    await expect(panel.locator(".connections li")).to_have_count(2, timeout=15_000)
    await expect(panel.locator(".connections li").first).to_contain_text("ready", timeout=15_000)
    await say(page, "still there?")
    await expect(bubble(page, "You said: still there?")).to_be_visible()


async def test_a_rule_strikes_the_call_it_names(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    panel = await open_tab(page, "Faults")
    await panel.get_by_text("More faults, as a rule").click()
    await panel.get_by_label("What goes wrong").select_option(label="HTTP status")
    await panel.get_by_label("HTTP status", exact=True).fill("429")
    await panel.get_by_label("Retry after, seconds").fill("0")
    await panel.get_by_label("Which ones").fill("POST /v2/groups/*")
    await panel.get_by_role("button", name="Add the rule").click()
    await expect(panel.get_by_text("http · POST /v2/groups/*")).to_be_visible()
    await say(page, "hello")
    await expect(panel.get_by_text("http · POST /v2/groups/*")).to_be_hidden()
    calls = await open_tab(page, "Calls")
    await expect(calls.get_by_text(re.compile("^429"))).to_be_visible()
    await expect(bubble(page, "You said: hello")).to_be_visible()


async def test_every_fault_can_be_chosen_and_is_named(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    panel = await open_tab(page, "Faults")
    await panel.get_by_text("More faults, as a rule").click()
    kinds = panel.get_by_label("What goes wrong")
    values = await kinds.locator("option").evaluate_all("options => options.map(({ value }) => value)")
    named = await page.evaluate(
        """async (kinds) => {
            const { LANGUAGES } = await import("/_sim/page/i18n.js");
            const names = kinds.flatMap((kind) => [`kind.${kind}`, `kind.${kind}.what`]);
            return Object.values(LANGUAGES).map((sentences) => names.filter((name) => !(name in sentences)));
        }""",
        values,
    )
    assert (len(values) >= 19, named) == (True, [[], []])
    for value in values:
        await kinds.select_option(value)
        labels = await panel.locator("form label span").all_inner_texts()
        assert [label for label in labels if label.startswith(("field.", "on.", "rule."))] == []


async def test_pushes_go_wrong_where_the_bot_has_a_webhook(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    panel = await open_tab(page, "Faults")
    await expect(panel.get_by_role("button", name="Next push")).to_have_count(0)
    async with Simulator(webhook="http://127.0.0.1:1/") as other:
        await page.goto("about:blank")
        await page.goto(other.url)
        await expect(page.get_by_text("By webhook")).to_be_visible()
        await expect(page.get_by_text("Say hello to your bot")).to_be_visible()
        panel = await open_tab(page, "Faults")
        await expect(panel.get_by_role("button", name="Next push")).to_have_count(4)
        for button in await panel.get_by_role("button", name="Next push").all():
            await button.click()
            await expect(panel.get_by_text(f"“{await button.inner_text()}”: done")).to_be_visible()


async def test_the_budget_of_sessions_is_changed(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    panel = await open_tab(page, "Faults")
    await panel.get_by_text("More faults, as a rule").click()
    await panel.get_by_label("What goes wrong").select_option(label="Budget of sessions")
    await panel.get_by_label("Identifies left").fill("7")
    await panel.get_by_role("button", name="Add the rule").click()
    await expect(panel.get_by_text("“Budget of sessions”: done")).to_be_visible()
    assert sim.state()["budget"]["remaining"] == 7  # type: ignore[index]


async def test_a_reviewed_message_waits(page: Page, sim: Simulator) -> None:
    sim.channel("general").member("Alice")
    await open_conversation(page, sim, "general")
    panel = await open_tab(page, "Faults")
    await panel.get_by_role("button", name="Review the next guild message: rejected").click()
    await expect(panel.get_by_text("rejected”: done")).to_be_visible()
    await say(page, "hello")
    await expect(bubble(page, "The platform reviews a message of the bot: You said: hello")).to_be_visible()
    await expect(bubble(page, "The review rejected a message of the bot")).to_be_visible(timeout=10_000)


async def test_own_minutes_pass(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    panel = await open_tab(page, "Clock")
    before = sim.clock.now()
    await panel.get_by_label("Minutes").fill("30")
    await panel.get_by_role("button", name="Let them pass").click()
    await expect(panel.get_by_text("30 min have passed")).to_be_visible()
    assert sim.clock.now() - before >= 1800
