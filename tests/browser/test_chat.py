"""Chatting on the page: every kind of message both ways, against the real simulator and a bot."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from qqbot import Markdown, Scene, Target
from qqbot.testing import Simulator
from tests.browser.driving import GROUP, BrowserContext, Page, bubble, expect, marks, open_conversation, open_tab, say
from tests.browser.showcase import Showcase, picture, tone

pytestmark = marks

MARKUP = "<img src=x onerror=alert(1)> [a](javascript:alert(1))"


async def open_new(page: Page, kind: str, name: str) -> None:
    """Make a conversation with the form on the left."""
    await page.get_by_text("New conversation").click()
    form = page.locator("#add")
    await form.get_by_label("Kind").select_option(label=kind)
    await form.get_by_label("Name").fill(name)
    await form.get_by_role("button", name="Open").click()


@pytest.mark.parametrize(
    ("kind", "name", "user"),
    [
        ("Group", "hikers", "Alice"),
        ("Private chat", "Carol", "Carol"),
        ("Channel", "lobby", "Alice"),
        ("Guild private chat", "Dan", "Dan"),
    ],
)
async def test_chat_in_every_scene(page: Page, sim: Simulator, kind: str, name: str, user: str) -> None:
    await page.goto(sim.url)
    await open_new(page, kind, name)
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    await expect(page.get_by_text("Say hello to your bot")).to_be_visible()
    await say(page, "hello", user=user)
    await expect(bubble(page, "You said: hello")).to_be_visible()
    await expect(page.get_by_text("Say hello to your bot")).to_be_hidden()
    await expect(page.locator("#mention")).to_be_visible(visible=kind in ("Group", "Channel"))


async def test_without_mention_the_bot_is_not_addressed(page: Page, sim: Simulator, showcase: Showcase) -> None:
    await open_conversation(page, sim)
    await page.locator("#mention").click()
    await say(page, "small talk")
    await expect(bubble(page, "small talk")).to_be_visible()
    await page.locator("#mention").click()
    await say(page, "to the bot")
    await expect(bubble(page, "You said: to the bot")).to_be_visible()
    assert showcase.small_talk == ["small talk"]


async def test_a_group_can_send_all_messages(page: Page, sim: Simulator, showcase: Showcase) -> None:
    sim.channel("general").member("Alice")
    await open_conversation(page, sim)
    everything, tag = page.get_by_label("All messages"), page.get_by_label("Mention tag kept")
    for box in (everything, tag):
        await expect(box).not_to_be_checked()
        await box.check()
    await expect(everything).to_be_checked()
    await say(page, "hello, all")
    await expect(bubble(page, "You said: hello, all")).to_be_visible()
    frame = next(each for each in reversed(sim.frames) if each["t"])
    assert (frame["t"], "<@" in frame["json"]) == ("GROUP_MESSAGE_CREATE", True)
    await page.get_by_role("button", name="general").click()
    await expect(everything).to_be_hidden()
    await open_conversation(page, sim)
    await expect(everything).to_be_checked()
    await everything.uncheck()
    await say(page, "as before")
    await expect(bubble(page, "You said: as before")).to_be_visible()
    assert next(each["t"] for each in reversed(sim.frames) if each["t"]) == "GROUP_AT_MESSAGE_CREATE"
    assert showcase.small_talk == []


async def test_text_is_text(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, MARKUP)
    await expect(bubble(page, f"You said: {MARKUP}")).to_be_visible()
    await expect(page.get_by_role("log").locator("img, a")).to_have_count(0)


async def test_markdown_is_drawn_and_fetches_nothing(page: Page, sim: Simulator) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await open_conversation(page, sim)
    await say(page, "markdown")
    shown = bubble(page, "Plan 计划").locator(".markdown")
    await expect(shown.locator("strong")).to_have_text("Meet 集合")
    await expect(shown.locator("s")).to_have_text("Bus")
    await expect(shown.locator("ol li")).to_have_count(2)
    await expect(shown.locator("td")).to_have_count(4)
    await expect(shown.locator("pre")).to_contain_text("pip install aioqqbot")
    await expect(shown.get_by_role("link", name="Image: the map")).to_have_attribute(
        "href", "https://example.com/map.png"
    )
    await expect(shown.locator("img")).to_have_count(0)
    await shown.get_by_role("button", name="Ask for seats").click()
    await expect(page.get_by_label("Write as Alice")).to_have_value("seats")
    origin = sim.url.partition("#")[0]
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []


async def test_a_pressed_button_tells_so_and_the_bot_answers(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "vote")
    await page.get_by_role("button", name="茶 Tea").click()
    await expect(page.get_by_text("“茶 Tea”: pressed")).to_be_visible()
    await expect(bubble(page, "Alice pressed “茶 Tea”")).to_contain_text("acknowledged by the bot")
    await expect(bubble(page, "You pressed tea")).to_be_visible()


async def test_buttons_know_who_may_press_them(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "vote")
    await expect(page.get_by_role("button", name="Mine")).to_be_enabled()
    await expect(page.get_by_role("button", name="Crew only for other roles")).to_be_disabled()
    await expect(page.get_by_role("button", name="End only for admins")).to_be_disabled()
    await page.get_by_role("radio", name="Bob").check()
    await expect(page.get_by_role("button", name="Mine only for named people")).to_be_disabled()
    await page.get_by_label("My role here").select_option(label="Admin")
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.get_by_role("button", name="End", exact=True).click()
    await expect(bubble(page, "You pressed end")).to_be_visible()


async def test_a_command_button_writes_for_the_user(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "vote")
    await page.get_by_role("button", name="Help").click()
    await expect(page.get_by_label("Write as Alice")).to_have_value("help")


async def test_send_an_image(page: Page, sim: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "chart.png"
    file.write_bytes(picture())
    await open_conversation(page, sim)
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Attach").click()
    await (await chooser.value).set_files(file)
    await expect(page.get_by_role("list", name="Files to send")).to_contain_text("Image: chart.png")
    await say(page, "")
    await expect(bubble(page, "Got chart.png: image/png")).to_contain_text(f"{file.stat().st_size} bytes")
    image = page.get_by_role("img", name="Image: chart.png")
    await expect(image).to_have_js_property("naturalWidth", 320)
    [attachment] = sim.state()["messages"][0]["attachments"]  # type: ignore[index]
    assert (attachment["width"], attachment["height"]) == (320, 180)


async def drop(page: Page, name: str, kind: str, data: bytes) -> None:
    """Drop a file on the chat, as a mouse does."""
    script = """([name, type, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
        const chat = document.getElementById("chat");
        const fire = (event) => chat.dispatchEvent(
            new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        fire("dragover");
        const marked = chat.classList.contains("dropping");
        fire("drop");
        return marked && !chat.classList.contains("dropping");
    }"""
    assert await page.evaluate(script, [name, kind, list(data)])


async def test_drop_a_voice_message_and_a_file(page: Page, sim: Simulator, tmp_path: Path) -> None:
    await open_conversation(page, sim)
    await drop(page, "hum.wav", "audio/wav", tone())
    await say(page, "")
    await expect(bubble(page, "Got hum.wav: voice")).to_be_visible()
    await expect(page.get_by_label("Voice: hum.wav")).to_be_visible()
    await drop(page, "seats.csv", "text/csv", b"1,2\n")
    await drop(page, "not me.csv", "text/csv", b"1,2\n")
    await page.get_by_role("button", name="Do not send not me.csv").click()
    await say(page, "look")
    await expect(bubble(page, "Got seats.csv: file, 4 bytes")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="File: seats.csv").click()
    await (await download.value).save_as(tmp_path / "seats.csv")
    assert (tmp_path / "seats.csv").read_bytes() == b"1,2\n"


async def test_what_cannot_be_played_can_be_saved(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await drop(page, "clip.mp4", "video/mp4", b"junk")
    await say(page, "")
    await expect(bubble(page, "Got clip.mp4: video/mp4, 4 bytes")).to_be_visible()
    await expect(page.get_by_text("(this browser cannot show it)")).to_be_visible()
    await expect(page.get_by_role("link", name="Video: clip.mp4")).to_have_attribute("download", "")


async def test_the_bot_sends_media(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "picture")
    image = bubble(page, "The week 本周").get_by_role("img")
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("naturalWidth", 320)
    await say(page, "voice")
    await expect(page.get_by_label("Voice: tone.wav")).to_be_visible()
    await say(page, "file")
    await expect(page.get_by_role("link", name="File: seats.csv")).to_have_attribute("download", "")
    await say(page, "video")
    address = page.get_by_role("link", name="Video: trip.mp4")
    await expect(address).to_have_attribute("href", "https://example.com/trip.mp4")


async def test_an_image_of_the_library_is_drawn_in_markdown(page: Page, sim: Simulator, showcase: Showcase) -> None:
    added = await showcase.bot.api.media_images.upload(picture(), name="week.png")
    await showcase.bot.send(
        Target(Scene.GROUP, sim.group(GROUP).id), Markdown(f"The library ![week #160px #90px]({added.url})")
    )
    await open_conversation(page, sim)
    image = bubble(page, "The library").get_by_role("img", name="Image: week")
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("naturalWidth", 320)
    await expect(image).to_have_js_property("width", 160)


async def test_a_file_that_came_in_parts_is_shown(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "poster")
    image = bubble(page, "Too large for one body").get_by_role("img")
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("naturalWidth", 320)
    assert any(call["path"].endswith("/upload_part_finish") for call in sim.calls)


async def test_cards(page: Page, sim: Simulator) -> None:
    sim.channel("general").member("Alice")
    await open_conversation(page, sim, "general")
    await say(page, "ark")
    card = bubble(page, "Ark 23")
    await expect(card.get_by_role("link", name="Museum 博物馆")).to_have_attribute("href", "https://example.com/museum")
    await say(page, "embed")
    await expect(bubble(page, "Trip 出行")).to_contain_text("小明 1")


async def test_share_a_page_with_the_keyboard_alone(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await page.get_by_label("Write as Alice").fill("a draft")
    await walk_to(page, page.get_by_role("button", name="Card"), backwards=True)
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Send a card")
    await expect(dialog.get_by_label("Kind")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("button", name="Card")).to_be_focused()
    await page.keyboard.press("Enter")
    for label, value in (("Title", "Tea 茶"), ("Description", MARKUP), ("Link", "https://example.com/tea")):
        await walk_to(page, dialog.get_by_label(label))
        await page.keyboard.type(value)
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_label("Write as Alice")).to_be_focused()
    await expect(page.get_by_label("Write as Alice")).to_have_value("a draft")
    await expect(bubble(page, "Got a card: tuwen, {'title': 'Tea 茶'")).to_contain_text("example.com/tea")
    await page.reload()
    card = page.locator("li.mine .card")
    await expect(card.locator(".kind")).to_have_text("Web page")
    await expect(card.get_by_role("link", name="Tea 茶")).to_have_attribute("href", "https://example.com/tea")
    await expect(card).to_contain_text(MARKUP)
    await expect(card.locator("img")).to_have_count(0)
    await expect(page.locator("li.mine .bubble")).not_to_contain_text("卡片消息")
    await page.get_by_role("button", name="Copy as test").click()
    source = page.get_by_role("dialog", name="This chat as a test").locator("pre")
    await expect(source).to_contain_text('reply1 = await alice.share({"prompt": "[分享]Tea 茶", "ark_type": "tuwen"')


async def test_each_kind_of_card_has_its_fields(page: Page, sim: Simulator) -> None:
    """What is not shown is not sent; what was written stays when the kind changes."""
    await open_conversation(page, sim, "Alice")
    await page.get_by_role("button", name="Card").click()
    dialog = page.get_by_role("dialog", name="Send a card")
    await dialog.get_by_role("button", name="Send").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Not sent: fill in at least one field")
    await dialog.get_by_label("Title").fill("Museum")
    await dialog.get_by_label("Description").fill("not for a place")
    kinds = await dialog.get_by_label("Kind").locator("option").all_inner_texts()
    assert kinds[:4] == ["Web page", "Post", "Mini program", "Place"]
    assert not any("card." in kind for kind in kinds)
    await dialog.get_by_label("Kind").select_option(label="Place")
    await expect(dialog.get_by_label("Title")).to_have_value("Museum")
    await dialog.get_by_label("Street address").fill("1 Main St")
    await dialog.get_by_role("button", name="Send").click()
    await expect(bubble(page, "Got a card: map, {'title': 'Museum', 'address': '1 Main St'}")).to_be_visible()
    await expect(page.locator("li.mine .card")).to_contain_text("1 Main St")


async def test_a_card_shows_a_picture_that_the_simulator_keeps(page: Page, sim: Simulator) -> None:
    await sim.user("Alice").upload(picture(), name="chart.png")
    attachment: Any = sim.state()["messages"][0]["attachments"][0]  # type: ignore[index]
    fields: dict[str, object] = {"title": "Week", "preview": attachment["url"], "tags": ["a", "b"], "source": "News"}
    await sim.user("Alice").share({"ark_type": "feed", "fields": fields})
    await sim.user("Alice").share({"ark_type": "contact_card", "fields": {"nickname": "Bob", "avatar": "javascript:x"}})
    await sim.user("Alice").share({"ark_type": "picture", "fields": {"title": 1, "desc": {"x": []}, "preview": None}})
    await open_conversation(page, sim, "Alice")
    first, second, third = [page.locator("li.mine .card").nth(index) for index in range(3)]
    await expect(first.locator(".kind")).to_have_text("Post · News · a · b")
    image = first.get_by_role("img", name="Image: Week")
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("naturalWidth", 320)
    await expect(second.locator(".heading")).to_have_text("Bob")
    await expect(second.locator("a, img")).to_have_count(0)
    await expect(third).to_have_text("Picture")


async def test_guilds_have_no_cards(page: Page, sim: Simulator) -> None:
    sim.channel("general").member("Alice")
    await open_conversation(page, sim, "general")
    await expect(page.get_by_role("button", name="Attach")).to_be_visible()
    await expect(page.get_by_role("button", name="Card")).to_be_hidden()
    await page.get_by_role("button", name=GROUP).click()
    await expect(page.get_by_role("button", name="Card")).to_be_visible()


async def test_quote_both_ways(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "first")
    await bubble(page, "You said: first").get_by_role("button", name="Quote").click()
    await expect(page.locator("#quoting")).to_contain_text("bot: You said: first")
    await say(page, "second")
    await expect(bubble(page, "You said: second (about: You said: first)")).to_be_visible()
    await expect(page.locator("li.mine", has_text="second").locator(".quote")).to_have_text("bot: You said: first")
    await expect(page.locator("#quoting")).to_be_hidden()
    await say(page, "quote me")
    await expect(bubble(page, "As you say").locator(".quote")).to_have_text("Alice: quote me")


async def test_recall(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "oops")
    await expect(bubble(page, "You said: oops")).to_be_visible()
    await page.locator("li.mine", has_text="oops").get_by_role("button", name="Recall").click()
    await expect(bubble(page, "Alice recalled a message")).to_be_visible()
    await expect(page.locator("li.mine")).to_have_count(0)


async def test_reactions_both_ways(page: Page, sim: Simulator) -> None:
    sim.channel("general").member("Alice")
    await open_conversation(page, sim, "general")
    await say(page, "like")
    mine = page.locator("li.mine", has_text="like")
    await expect(mine.locator(".reactions")).to_have_text("👍 1")
    await mine.get_by_role("button", name="React with 👍").click()
    await expect(mine.locator(".reactions")).to_have_text("👍 2")
    await expect(bubble(page, "Thanks! 谢谢")).to_be_visible()
    await mine.get_by_role("button", name="👍 2").click()
    await expect(mine.locator(".reactions")).to_have_text("👍 1")
    await expect(mine.get_by_role("button", name="👍 1")).to_have_count(1)


async def test_a_streamed_answer_appears_while_it_is_written(page: Page, sim: Simulator, showcase: Showcase) -> None:
    await page.goto(sim.url)
    await page.get_by_role("button", name="Alice Private chat").click()
    await say(page, "story")
    story = bubble(page, "Once upon a time 从前")
    await expect(story).to_contain_text("being written")
    await page.reload()  # a page that comes in the middle sees it, too
    await expect(story).to_contain_text("being written")
    showcase.go_on.set()
    await expect(story).to_contain_text("there was a bot. 有一个机器人。")
    await expect(story).not_to_contain_text("being written")
    await expect(page.get_by_role("log").locator("li.message.bot")).to_have_count(1)


async def test_the_bot_is_seen_typing(page: Page, sim: Simulator) -> None:
    await page.goto(sim.url)
    await page.get_by_role("button", name="Alice Private chat").click()
    await say(page, "think")
    await expect(page.get_by_text("bot is typing…")).to_be_visible()
    await expect(page.get_by_text("bot is typing…")).to_be_hidden()


async def test_skip_six_minutes_and_the_window_closes(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "hello")
    chip = page.locator("li.mine .chip")
    await expect(chip).to_have_text(re.compile(r"5 min left to reply · 1 of 5 replies"))
    panel = await open_tab(page, "Clock")
    await panel.get_by_role("button", name="+ 6 min").click()
    await expect(panel.get_by_text("6 min have passed")).to_be_visible()
    await expect(panel.get_by_text(re.compile("6 min ahead"))).to_be_visible()
    await expect(chip).to_have_text("reply window closed · 1 of 5 replies")
    await say(page, "again")
    await expect(page.get_by_text("6 min later")).to_be_visible()


async def test_active_messages_are_counted(page: Page, sim: Simulator, showcase: Showcase) -> None:
    await open_conversation(page, sim)
    await expect(page.get_by_text("20/20 a minute")).to_be_visible()
    await showcase.bot.send(Target(Scene.GROUP, sim.group(GROUP).id), "unasked")
    await expect(page.get_by_text("19/20 a minute")).to_be_visible()
    await sim.clock.advance(minutes=2)
    await expect(page.get_by_text("20/20 a minute")).to_be_visible()


async def test_reload_finds_the_chat_and_who_i_was(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await page.get_by_role("radio", name="Bob").check()
    await say(page, "picture", user="Bob")
    await expect(bubble(page, "The week 本周")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name=GROUP)).to_be_visible()
    await expect(page.get_by_role("radio", name="Bob")).to_be_checked()
    await expect(page.locator("li.mine")).to_have_count(1)
    await expect(bubble(page, "The week 本周").get_by_role("img")).to_be_visible()


async def test_two_tabs_are_two_users(context: BrowserContext, page: Page, sim: Simulator) -> None:
    other = await context.new_page()
    await open_conversation(page, sim)
    await open_conversation(other, sim)
    await other.get_by_role("radio", name="Bob").check()
    await say(page, "from Alice")
    await say(other, "from Bob", user="Bob")
    for each, mine, theirs in ((page, "from Alice", "from Bob"), (other, "from Bob", "from Alice")):
        await expect(each.locator("li.mine")).to_have_count(1)
        await expect(each.locator("li.mine")).to_contain_text(mine)
        await expect(each.locator("li.user:not(.mine)")).to_contain_text(theirs)
        await expect(each.locator("li.bot")).to_have_count(2)


async def test_somebody_joins(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await page.get_by_label("Another person joins").fill("小红")
    await page.get_by_role("button", name="Join").click()
    await say(page, "hello", user="小红")
    await expect(page.locator("li.mine .author")).to_have_text("小红")


async def test_copy_as_test(context: BrowserContext, page: Page, sim: Simulator) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await open_conversation(page, sim)
    await say(page, "hello")
    await expect(bubble(page, "You said: hello")).to_be_visible()
    await page.get_by_role("button", name="Copy as test").click()
    dialog = page.get_by_role("dialog", name="This chat as a test")
    await dialog.get_by_role("button", name="Copy", exact=True).click()
    await expect(dialog.get_by_text("Copied.")).to_be_visible()
    source = await page.evaluate("navigator.clipboard.readText()")
    assert "async with qq.run(bot):" in source
    assert 'alice = qq.group("browser test").member("Alice")' in source
    assert 'reply1 = await alice.say("hello")' in source
    assert 'assert reply1.text == "You said: hello"' in source
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()


async def test_a_saved_chat_is_opened_in_another_run(page: Page, sim: Simulator, tmp_path: Path) -> None:
    await open_conversation(page, sim)
    await say(page, "picture")
    await expect(bubble(page, "The week 本周")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Save chat").click()
    saved = tmp_path / "chat.jsonl"
    await (await download.value).save_as(saved)
    async with Simulator() as other:
        await page.goto("about:blank")
        await page.goto(other.url)
        await choose(page, "Open chat", saved)
        await expect(page.get_by_text("Opened: 2 messages")).to_be_visible()
        await page.get_by_role("button", name=GROUP).click()
        image = bubble(page, "The week 本周").get_by_role("img")
        await expect(image).to_be_visible()
        await expect(image).to_have_js_property("naturalWidth", 320)
        saved.write_text("nonsense", "utf-8")
        await choose(page, "Open chat", saved)
        await expect(page.get_by_text("line 1 of the saved chat")).to_be_visible()


async def choose(page: Page, button: str, file: Path) -> None:
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name=button).click()
    await (await chooser.value).set_files(file)


async def test_keyboard_only(page: Page, sim: Simulator) -> None:
    """Every step with the keyboard: choose a conversation, write, press a button, open a frame, change the tab."""
    await page.goto(sim.url)
    await expect(page.get_by_text("Online")).to_be_visible()
    await walk_to(page, page.get_by_role("button", name=GROUP))
    await page.keyboard.press("Enter")
    await walk_to(page, page.get_by_label("Write as Alice"))
    await page.keyboard.type("vote")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="茶 Tea")).to_be_visible()
    await walk_to(page, page.get_by_role("button", name="咖啡 Coffee"), backwards=True)
    await page.keyboard.press("Space")
    await expect(bubble(page, "You pressed coffee")).to_be_visible()
    await walk_to(page, page.get_by_role("tab", name="Frames"))
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("tab", name="Clock")).to_be_focused()
    await walk_to(page, page.get_by_role("button", name="+ 6 min"))
    await page.keyboard.press("Enter")
    await expect(page.locator("li.mine .chip").first).to_contain_text("reply window closed")


async def walk_to(page: Page, target: Any, *, backwards: bool = False) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(60):
        if await target.evaluate("node => node === document.activeElement"):
            return
        await page.keyboard.press("Shift+Tab" if backwards else "Tab")
    pytest.fail(f"the keyboard does not reach {target}")


async def is_at_end(page: Page) -> bool:
    """Whether the end of the log is in view."""
    script = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 5"
    return bool(await page.locator("#log").evaluate(script))


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_chat_follows_while_a_picture_loads(
    context: BrowserContext, page: Page, sim: Simulator, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 700})
    await page.goto(sim.url)
    panes = page.get_by_role("navigation", name="Parts of the page")
    if width < 900:
        await panes.get_by_role("button", name="Conversations").click()
    await page.get_by_role("navigation", name="Conversations").get_by_role("button", name=GROUP).click()
    alice = sim.group(GROUP).member("Alice")
    for number in range(8):
        await alice.say(f"line {number}")
    slow = {"offline": False, "latency": 0, "downloadThroughput": 1 << 20, "uploadThroughput": -1}
    await (await context.new_cdp_session(page)).send("Network.emulateNetworkConditions", slow)
    await alice.say("poster", timeout=20)
    image = page.get_by_role("log").locator("img")
    await expect(image).to_have_js_property("naturalWidth", 320)  # its place is known, its bytes are not here
    assert not await image.evaluate("image => image.complete")
    await expect(image).to_be_in_viewport(ratio=1)
    assert await is_at_end(page)
    await alice.say("the last word")
    await expect(bubble(page, "You said: the last word")).to_be_in_viewport(ratio=1)
    if width < 900:
        await panes.get_by_role("button", name="Inspector").click()
        await alice.say("picture")
        await alice.say("the very last word")
        await panes.get_by_role("button", name="Chat").click()
        await expect(bubble(page, "You said: the very last word")).to_be_in_viewport(ratio=1)
        await expect(image).to_have_count(2)
        await asyncio.sleep(0.5)
        assert await is_at_end(page)


async def test_the_chat_stays_for_who_has_scrolled_up(page: Page, sim: Simulator) -> None:
    alice = sim.group(GROUP).member("Alice")
    await open_conversation(page, sim)
    for number in range(4):
        await alice.say(f"picture {number}")
        await alice.say("picture")
    await expect(page.get_by_role("log").locator("img")).to_have_count(4)
    await asyncio.sleep(0.5)
    assert await is_at_end(page)
    await page.locator("#log").hover()
    await page.mouse.wheel(0, -600)
    await asyncio.sleep(0.3)
    before = await page.locator("#log").evaluate("log => log.scrollTop")
    await alice.say("picture")
    await expect(page.get_by_role("log").locator("img")).to_have_count(5)
    await asyncio.sleep(0.5)
    assert await page.locator("#log").evaluate("log => log.scrollTop") == before
    await page.mouse.wheel(0, 20_000)
    await asyncio.sleep(0.3)
    await alice.say("the last word")
    await expect(bubble(page, "You said: the last word")).to_be_in_viewport(ratio=1)


async def test_the_arrow_keys_bring_back_what_i_said(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    text = page.get_by_label("Write as Alice")
    for said in ("first", "second", "second", "third"):
        await say(page, said)
        await expect(bubble(page, f"You said: {said}")).to_be_visible()
    for key, shown in (
        *(("ArrowUp", "third"), ("ArrowUp", "second"), ("ArrowUp", "first"), ("ArrowUp", "first")),
        *(("ArrowDown", "second"), ("ArrowDown", "third"), ("ArrowDown", ""), ("ArrowUp", "third")),
    ):
        await page.keyboard.press(key)
        await expect(text).to_have_value(shown)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log").get_by_text("You said: third")).to_have_count(2)
    await text.fill("a draft")
    await page.keyboard.press("ArrowUp")
    await expect(text).to_have_value("a draft")
    await text.fill("")
    await page.get_by_role("radio", name="Bob").check()
    await page.get_by_label("Write as Bob").press("ArrowUp")
    await expect(page.get_by_label("Write as Bob")).to_have_value("")


async def test_an_at_sign_offers_the_people_who_are_here(page: Page, sim: Simulator) -> None:
    for name in ("Bert", "小明"):
        sim.group(GROUP).member(name)
    await open_conversation(page, sim)
    text, people = page.get_by_label("Write as Alice"), page.get_by_role("listbox", name="People to mention")
    await text.press_sequentially("hello @")
    await expect(people.get_by_role("option")).to_have_text(["@Bob", "@Bert", "@小明"])
    await text.press_sequentially("b")
    await expect(people.get_by_role("option")).to_have_text(["@Bob", "@Bert"])
    await page.keyboard.press("ArrowDown")
    await expect(people.get_by_role("option", selected=True)).to_have_text("@Bert")
    await page.keyboard.press("Enter")
    await expect(text).to_have_value("hello @Bert ")
    await expect(people).to_be_hidden()
    await text.press_sequentially("and @小")
    await people.get_by_role("option", name="小明").click()
    await expect(text).to_have_value("hello @Bert and @小明 ")
    await expect(text).to_be_focused()
    await text.press_sequentially("@")
    await page.keyboard.press("Escape")
    await expect(people).to_be_hidden()
    await text.fill("mail a@b")
    await expect(people).to_be_hidden()
    await text.fill("hello @Bert ")
    await page.keyboard.press("Enter")
    await expect(page.locator("li.mine")).to_contain_text("hello @Bert")


async def test_a_restart_of_the_bot_is_no_error(page: Page, sim: Simulator) -> None:
    await open_conversation(page, sim)
    await say(page, "hello")
    await expect(bubble(page, "You said: hello")).to_be_visible()
    sim.show_notice("a file has changed: the bot starts again", name="restarted")
    sim.show_notice("Traceback: oh no")
    await expect(page.locator("li.notice p")).to_have_text("A file has changed: the bot starts again.")
    await expect(page.locator("li.notice pre")).to_have_text("Traceback: oh no")
    await expect(page.locator("li.notice")).to_have_count(2)


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_link_skips_to_the_input(page: Page, sim: Simulator, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 700})
    await page.goto(sim.url)
    await expect(page.get_by_label("Write as")).to_be_visible()
    address = page.url
    link = page.get_by_role("link", name="Skip to the input")
    await page.locator("body").press("Tab")
    await expect(link).to_be_focused()
    if width < 900:
        await page.get_by_role("button", name="Inspector").click()
        await link.focus()
    await expect(link).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Write as")).to_be_focused()
    assert page.url == address
