"""What a handler can do with its event: replies, their window and their numbers, tickets."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from qqbot import (
    Api,
    ApiError,
    Bot,
    C2CMessageCreate,
    Card,
    ConfigError,
    Context,
    GroupAtMessageCreate,
    Media,
    MediaError,
    MessageEvent,
    ReplyWindowExpired,
    Target,
    Text,
    TransportError,
    meant_for_me,
)
from qqbot.api.downloads import Downloads
from qqbot.api.exchange import Request
from qqbot.models.targets import TICKET_NUMBERS, ReplyTo, Scene, Ticket
from qqbot.testing import Simulator


def bodies(sim: Simulator) -> list[dict[str, object]]:
    return [json.loads(call["request"]) for call in sim.calls if call["path"].endswith("/messages")]


async def test_the_window_is_shown_and_held() -> None:
    bot = Bot()
    seen: list[object] = []

    @bot.on(MessageEvent)
    async def late(ctx: Context[MessageEvent]) -> None:
        seen.append(ctx.reply_deadline - datetime.now(UTC))
        seen.append(ctx.replies_left)
        await ctx.reply("in time")
        seen.append(ctx.replies_left)
        await sim.clock.advance(minutes=5.1)
        before = len(bodies(sim))
        with pytest.raises(ReplyWindowExpired, match="nothing was sent") as caught:
            await ctx.reply("too late")
        seen.append(len(bodies(sim)) - before)
        assert caught.value.hint is not None

    async with Simulator() as sim, sim.run(bot):
        await sim.group("test").member("Alice").say("@bot hi")
    left, *numbers = seen
    assert isinstance(left, timedelta)
    assert timedelta(minutes=4.9) < left <= timedelta(minutes=5)
    assert numbers == [5, 4, 0]


async def test_the_window_of_c2c_is_an_hour() -> None:
    bot = Bot()
    left: list[int | None] = []

    @bot.on(C2CMessageCreate)
    async def later(ctx: Context[C2CMessageCreate]) -> None:
        await sim.clock.advance(minutes=59)
        await ctx.reply("still in time")
        left.append(ctx.replies_left)

    async with Simulator() as sim, sim.run(bot):
        reply = await sim.user("Alice").say("hi")
    assert reply.text == "still in time"
    assert left == [3]


async def test_answers_are_counted_and_neither_notices_nor_refusals() -> None:
    bot = Bot(timeout=0.5)
    left: list[int | None] = []

    @bot.on(C2CMessageCreate)
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.typing()
        left.append(ctx.replies_left)
        await ctx.api.reply(ctx.ticket(), "by ticket")
        left.append(ctx.replies_left)
        sim.faults.http("POST /v2/users/*", status=400, body={"code": 40034003, "message": "no"})
        with pytest.raises(ApiError):
            await ctx.reply("refused")
        left.append(ctx.replies_left)
        sim.faults.http("POST /v2/users/*", sent_but_no_response=True, times=0)
        with pytest.raises(TransportError, match="may have been sent"):
            await ctx.reply("in doubt")
        left.append(ctx.replies_left)
        sim.faults.clear()
        async with ctx.stream() as stream:
            await stream.write("one")
            await stream.write(" two")
        left.append(ctx.replies_left)

    async with Simulator() as sim, sim.run(bot):
        await sim.user("Alice").say("hi")
    assert left == [4, 3, 3, 2, 1]


async def test_the_window_can_close_during_an_upload() -> None:
    async def dawdle(request: Request) -> None:
        if request.path.endswith("/files"):
            await sim.clock.advance(minutes=5.1)

    bot = Bot(on_request=[dawdle])
    refused: list[str] = []

    @bot.on(GroupAtMessageCreate)
    async def show(ctx: Context[GroupAtMessageCreate]) -> None:
        with pytest.raises(ReplyWindowExpired, match="nothing was sent"):
            await ctx.reply(Media.image("https://example.com/a.png"))
        refused.append("late")

    async with Simulator() as sim, sim.run(bot):
        await sim.group("test").member("Alice").say("@bot hi")
        assert bodies(sim) == []
        assert len([call for call in sim.calls if call["path"].endswith("/files")]) == 1
    assert refused == ["late"]


PATHS = {
    Scene.GROUP: "POST /v2/groups/*",
    Scene.C2C: "POST /v2/users/*",
    Scene.CHANNEL: "POST /channels/*",
    Scene.DMS: "POST /dms/*",
}


@pytest.mark.parametrize("scene", list(Scene))
async def test_a_reply_knows_its_window_and_does_not_send_it(scene: Scene) -> None:
    target = Target(scene, "X")
    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints, clock=sim.clock.now) as api:
        sim.faults.http(PATHS[scene], status=200, body={"id": "M", "timestamp": "2026-01-01T00:00:00+08:00"}, times=0)
        reply_to = ReplyTo(msg_id="m", expires_at=api.clock() + 10)
        await api.send(target, "in time", reply_to=reply_to)
        assert "expires_at" not in bodies(sim)[0]
        await sim.clock.advance(seconds=10)
        with pytest.raises(ReplyWindowExpired, match="nothing was sent"):
            await api.send(target, "too late", reply_to=reply_to)
        await api.send(target, "the platform decides", reply_to=ReplyTo(msg_id="m"))
        assert [body["content"] for body in bodies(sim)] == ["in time", "the platform decides"]


async def test_typing_and_a_stream_are_refused_after_the_window() -> None:
    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints, clock=sim.clock.now) as api:
        late = ReplyTo(msg_id="m", expires_at=api.clock())
        with pytest.raises(ReplyWindowExpired):
            await api.c2c.typing("U", late)
        with pytest.raises(ReplyWindowExpired):
            api.c2c.stream("U", late)
        assert bodies(sim) == []


@pytest.mark.parametrize("scene", ["group", "c2c"])
async def test_a_stream_is_refused_before_anything_is_written(scene: str) -> None:
    bot = Bot()
    refused: list[str] = []

    @bot.on(MessageEvent)
    async def late(ctx: Context[MessageEvent]) -> None:
        await sim.clock.advance(minutes=61)
        with pytest.raises(ReplyWindowExpired):
            ctx.stream()
        refused.append(ctx.target.scene)

    async with Simulator() as sim, sim.run(bot):
        sim.push_message(scene, text="@bot hi")
        async with asyncio.timeout(5):
            while not refused:
                await asyncio.sleep(0.01)
    assert refused == [scene]


async def test_a_ticket_can_end_during_an_upload() -> None:
    ticket: Ticket

    async def dawdle(request: Request) -> None:
        if request.path.endswith("/files"):
            await asyncio.sleep((ticket.deadline - datetime.now(UTC)).total_seconds())

    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints, on_request=[dawdle]) as api:
        ticket = Ticket(
            target=Target(Scene.GROUP, "G"),
            reply_to=ReplyTo(msg_id="m"),
            first=1,
            deadline=datetime.now(UTC) + timedelta(seconds=0.3),
        )
        sim.faults.http("POST /v2/groups/G/files", status=200, body={"file_info": "F", "file_uuid": "U", "ttl": 60})
        with pytest.raises(ReplyWindowExpired, match="nothing was sent"):
            await api.reply(ticket, Media.image("https://example.com/a.png"))
        assert bodies(sim) == []


async def test_guild_replies_are_not_counted() -> None:
    bot = Bot()
    left: list[int | None] = []

    @bot.on(MessageEvent)
    async def answer(ctx: Context[MessageEvent]) -> None:
        left.append(ctx.replies_left)

    async with Simulator() as sim, sim.run(bot):
        sim.push_message("channel", text="@bot hi")
        async with asyncio.timeout(5):
            while not left:
                await asyncio.sleep(0.01)
    assert left == [None]


async def test_a_ticket_is_used_from_another_client_beside_the_handler() -> None:
    bot = Bot()
    tickets: list[str] = []

    @bot.on(GroupAtMessageCreate)
    async def give(ctx: Context[GroupAtMessageCreate]) -> None:
        tickets.extend([ctx.ticket().to_json(), ctx.ticket().to_json()])
        await ctx.reply("working")

    async with Simulator() as sim, sim.run(bot):
        await sim.group("test").member("Alice").say("@bot hi")
        for text in tickets:
            async with Api(sim.credentials, endpoints=sim.endpoints) as api:
                await asyncio.gather(*(api.reply(Ticket.from_json(text), f"done {n}") for n in range(2)))
        numbers = [body["msg_seq"] for body in bodies(sim)]
    assert sorted(map(int, map(str, numbers))) == [1, 2, 65, 66, 129]
    assert len({json.loads(text)["first"] for text in tickets}) == 2


async def test_a_ticket_that_is_over_or_used_up() -> None:
    target, reply_to = Target(Scene.GROUP, "G"), ReplyTo(msg_id="m")
    now = datetime.now(UTC)
    old = Ticket(target=target, reply_to=reply_to, first=1, deadline=now - timedelta(seconds=1))
    good = Ticket(target=target, reply_to=reply_to, first=5, deadline=now + timedelta(minutes=1))
    async with Simulator() as sim, Api(sim.credentials, endpoints=sim.endpoints) as api:
        with pytest.raises(ReplyWindowExpired):
            await api.reply(old, "x")
        for _ in range(TICKET_NUMBERS):
            api.sequences.next_of_block("m", 5, TICKET_NUMBERS, ends_at=good.deadline.timestamp(), now=now.timestamp())
        with pytest.raises(ConfigError, match="64 answers"):
            await api.reply(good, "x")
        assert bodies(sim) == []


async def test_an_attachment_is_fetched_and_not_from_this_machine_unless_the_platform_is_here(tmp_path: Path) -> None:
    bot = Bot()
    got: list[object] = []

    @bot.on(C2CMessageCreate)
    async def fetch(ctx: Context[C2CMessageCreate]) -> None:
        attachment = ctx.event.attachments[0]
        here, ctx.api.downloads = ctx.api.downloads, Downloads()
        with pytest.raises(ConfigError, match="not public"):
            await ctx.download(attachment)
        ctx.api.downloads = here  # of an API on this machine, which hands out its files here
        got.append(await ctx.download(attachment))
        got.append(await ctx.download(attachment.url, tmp_path / "file"))
        with pytest.raises(MediaError, match="max_bytes=3"):
            await ctx.download(attachment, max_bytes=3)
        await ctx.reply("fetched")

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=b"data")

    app = web.Application()
    app.add_routes([web.get("/file", serve)])
    async with TestServer(app) as server, Simulator() as sim, sim.run(bot):
        attachment: dict[str, object] = {"url": str(server.make_url("/file")), "content_type": "file"}
        sim.push_message("c2c", text="look", attachments=[attachment])
        async with asyncio.timeout(5):
            while not [m for m in sim.state()["messages"] if m["text"] == "fetched"]:
                await asyncio.sleep(0.01)
    assert got == [b"data", 4]
    assert (tmp_path / "file").read_bytes() == b"data"


def test_targets_and_tickets_are_json() -> None:
    target = Target(Scene.C2C, "U")
    assert json.loads(target.to_json()) == {"scene": "c2c", "id": "U"}
    assert Target.from_json(target.to_json()) == target
    ticket = Ticket(target=target, reply_to=ReplyTo(event_id="E"), first=2, deadline=datetime.now(UTC))
    assert Ticket.from_json(ticket.to_json().encode()) == ticket
    assert json.loads(ticket.to_json())["reply_to"] == {"event_id": "E"}
    for text in ("", "{}", '{"scene": "c2c", "id": ""}'):
        with pytest.raises(ConfigError):
            Target.from_json(text)


async def test_the_text_and_the_mention_of_a_message_in_any_kind_of_group() -> None:
    bot = Bot()
    seen: list[tuple[str, str, bool]] = []

    @bot.on(MessageEvent, when=meant_for_me)
    async def see(ctx: Context[MessageEvent]) -> None:
        seen.append((type(ctx.event).__name__, ctx.text, ctx.mentions_me))

    def group(content: str, *mentions: object) -> dict[str, object]:
        author = {"member_openid": "M1"}
        return {"id": content, "group_openid": "G1", "author": author, "content": content, "mentions": mentions}

    you = {"scope": "single", "member_openid": "B0", "bot": True, "is_you": True}
    async with Simulator() as sim, sim.run(bot):
        await sim.event("GROUP_AT_MESSAGE_CREATE", group(" cut", you))
        await sim.event("GROUP_MESSAGE_CREATE", group("<@B0> kept", you))
        await sim.event("GROUP_MESSAGE_CREATE", group("in <@B0> the middle", you))
        await sim.event("GROUP_MESSAGE_CREATE", group("to others"))
        await sim.event("GROUP_MESSAGE_CREATE", group("@everyone", {"scope": "all", "is_you": True}))
        await sim.event("C2C_MESSAGE_CREATE", {"id": "1", "author": {"user_openid": "U1"}, "content": "private"})
    assert seen == [
        ("GroupAtMessageCreate", "cut", True),
        ("GroupMessageCreate", "kept", True),
        ("GroupMessageCreate", "in the middle", True),
        ("C2CMessageCreate", "private", False),
    ]


async def test_an_extra_field_changes_nothing_about_a_reply() -> None:
    bot = Bot()

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(Text("one", extra={"brand_new": {"a": 1}}))
        await ctx.reply(Card("two", "https://example.com", extra={"brand_new": 2}))
        ticket = Ticket.from_json(ctx.ticket().to_json())
        await ctx.api.reply(ticket, Text("three", extra={"brand_new": 3}))

    async with Simulator() as sim, sim.run(bot):
        await sim.user("Alice").say("hi")
    first, second, third = bodies(sim)
    assert [each["brand_new"] for each in (first, second, third)] == [{"a": 1}, 2, 3]
    assert (first["msg_seq"], second["msg_seq"]) == (1, 2)
    assert second["msg_type"] == 8
    assert first["msg_id"] == second["msg_id"] == third["msg_id"]
    assert third["msg_seq"] not in (1, 2)
