"""Chats that were opened from a file, with members changed at random: what the simulator accepts, the page draws."""

import copy
import random

from qqbot.testing import Simulator
from tests.browser.driving import Page, expect, marks
from tests.simulator.test_saved_chats import CHAT, ODD, as_text, places

pytestmark = marks

CHATS = 300
VALUES = [None, True, 0, -1, 5, 2**60, 1.5, "", "x", [], {}, [1], ["x"], {"a": 1}, [{}], "javascript:alert(1)", *ODD]


def changed(number: int) -> str:
    """Return the chat in a group of its own, with one or two members replaced or removed."""
    draw = random.Random(number)
    lines = copy.deepcopy([line for line in CHAT if line.get("scene") == "group"])
    lines[0]["id"] = f"G{number}"
    for line in lines[1:]:
        line.update({"conversation": f"G{number}", "id": f"{number}-{line['id']}"})
    lines[0]["name"] = f"chat {number}"
    kept = [place for place in places(lines) if place[0] is not lines and place[0] is not lines[0]]
    for _ in range(draw.randint(1, 2)):
        holder, key = draw.choice(kept)
        if isinstance(holder, dict) and draw.random() < 0.2:
            holder.pop(key, None)
        elif isinstance(holder, dict) or key < len(holder):
            holder[key] = draw.choice(VALUES)
    return as_text(lines)


async def test_the_page_draws_every_chat_that_is_accepted(page: Page, sim: Simulator) -> None:
    accepted = 0
    for number in range(CHATS):
        try:
            accepted += bool(sim.open_chat(changed(number)))
        except ValueError:
            continue
    assert accepted > CHATS / 10
    await page.goto(sim.url)
    buttons = page.get_by_role("navigation", name="Conversations").get_by_role("button", name="chat ")
    await expect(buttons.first).to_be_visible()
    drawn = await page.evaluate(
        """async () => {
            const drawn = [];
            for (const { id } of document.querySelectorAll("#conversations button")) {
                document.getElementById(id).click();
                await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
                drawn.push(document.querySelectorAll("#log li.message").length);
            }
            return drawn;
        }"""
    )
    assert sum(count > 0 for count in drawn) >= min(accepted, 60), "the page has the last messages only"
