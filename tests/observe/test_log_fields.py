"""Log records name the event, its conversation, its user and its handler, as fields."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from qqbot import (
    Bot,
    Button,
    C2CMessageCreate,
    ContentRejected,
    Context,
    Event,
    GroupMessageEvent,
    InteractionCreate,
    Keyboard,
    Markdown,
    MessageEvent,
    members,
)
from qqbot.aio.log_fields import LogFields, log_fields
from qqbot.dispatcher.log_fields import event_fields
from qqbot.models.frames import Frame
from qqbot.testing import Simulator

FIELDS = {"event", "event_id", "conversation", "user", "shard", "handler", "trace_id"}


class Kept(logging.Handler):
    """Keeps each record with the fields that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def fields(self, text: str) -> dict[str, object]:
        """The fields of the only record with this text."""
        (record,) = [record for record in self.records if text in record.getMessage()]
        return {name: value for name, value in vars(record).items() if name in FIELDS}


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What the root logger gets, with the filter."""
    handler = Kept()
    handler.addFilter(LogFields())
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


@pytest.fixture
def plain() -> Iterator[Kept]:
    """What the logger of the package gets, without the filter."""
    handler = Kept()
    logger = logging.getLogger("qqbot")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_no_field_has_the_name_of_an_attribute_of_records() -> None:
    record = logging.makeLogRecord({})
    record.message = record.asctime = ""
    assert not FIELDS & {*vars(record), "taskName", "message", "asctime"}


async def test_an_error_report_has_fields_without_any_filter(qq: Simulator, plain: Kept) -> None:
    bot = Bot()

    @bot.on
    async def fail(ctx: Context[C2CMessageCreate]) -> None:
        raise ValueError("no")

    async with qq.run(bot):
        with qq.expect_error(ValueError):
            await qq.user("小明").say("hi")
    fields = plain.fields("fail failed for")
    assert fields.keys() == FIELDS - {"trace_id"}
    assert fields["event"] == "C2C_MESSAGE_CREATE"
    assert fields["conversation"] == f"c2c:{fields['user']}"
    assert fields["shard"] == "0/1"
    assert fields["handler"] == f"{__name__}.{fail.__qualname__}"


async def test_a_refused_call_has_the_fields_of_its_handler_and_the_trace_id(qq: Simulator, plain: Kept) -> None:
    bot = Bot()

    @bot.on
    async def send(ctx: Context[GroupMessageEvent]) -> None:
        await asyncio.sleep(0.01)  # it suspends: other events have their turn
        await ctx.reply("see www.not-registered.com")

    async with qq.run(bot):
        with qq.expect_error(ContentRejected):
            await qq.group("一群").member("小明").say("hi")
    fields = plain.fields("giving up")
    assert fields.keys() == FIELDS
    assert str(fields["conversation"]).startswith("group:")
    assert str(fields["handler"]).endswith("send")
    failed = plain.fields("send failed for")
    assert {name: failed[name] for name in failed} == {name: fields[name] for name in failed}


async def test_a_refusal_has_fields(qq: Simulator, plain: Kept) -> None:
    bot = Bot()

    @bot.command("清空", allow=members("admin"))
    async def clear(ctx: Context[GroupMessageEvent]) -> None:
        raise AssertionError

    async with qq.run(bot):
        await qq.group("一群").member("小明").say("/清空")
    fields = plain.fields("was refused for")
    assert str(fields["handler"]).endswith("clear")
    assert {"event", "event_id", "user", "conversation"} <= fields.keys()


async def test_the_filter_adds_fields_to_what_handlers_log(qq: Simulator, kept: Kept) -> None:
    bot = Bot()
    log = logging.getLogger("shop")
    ids: list[str | None] = []

    @bot.on(MessageEvent)
    async def first(ctx: Context[MessageEvent]) -> None:
        ids.append(ctx.event_id)
        log.warning("first %s", ctx.text)
        await asyncio.sleep(0.05)
        log.warning("later %s", ctx.text, extra={"user": "mine"})

    @bot.on(MessageEvent)
    async def second(ctx: Context[MessageEvent]) -> None:
        log.warning("second %s", ctx.text)

    async with qq.run(bot):
        await asyncio.gather(qq.user("小明").say("a"), qq.user("小红").say("b"))
        log.warning("outside")
    of_a, of_b = kept.fields("first a"), kept.fields("first b")
    assert {of_a["event_id"], of_b["event_id"]} == set(ids)
    assert of_a["user"] != of_b["user"]
    assert str(of_a["handler"]).endswith("first")
    for text in ("a", "b"):
        later, early = kept.fields(f"later {text}"), kept.fields(f"first {text}")
        assert later == early | {"user": "mine"}, "what the program gives stays"
        after = kept.fields(f"second {text}")
        assert str(after["handler"]).endswith("second")
        assert after["event_id"] == early["event_id"]
    assert kept.fields("outside") == {}


@pytest.mark.parametrize("command", [False, True])
async def test_a_predicate_does_not_pass_for_the_handler_before(qq: Simulator, kept: Kept, command: bool) -> None:
    bot = Bot()

    def wanted(event: C2CMessageCreate) -> bool:
        logging.getLogger("shop").warning("asked")
        return False

    @bot.on(C2CMessageCreate)
    async def before(ctx: Context[C2CMessageCreate]) -> None:
        logging.getLogger("shop").warning("handled")

    async with qq.run(bot):
        await qq.user("小明").say("hi")
        if command:
            bot.command("x", when=wanted)(_never)  # type: ignore[arg-type]
        else:
            bot.on(GroupMessageEvent, when=wanted)(_never)
        await qq.group("一群").member("小明").say("/x")
    assert "handler" in kept.fields("handled")
    fields = kept.fields("asked")
    assert fields.get("handler") == (None if command else f"{__name__}._never")
    assert str(fields["conversation"]).startswith("group:")


async def _never(ctx: Context[GroupMessageEvent]) -> None:
    raise AssertionError


async def test_a_task_that_is_left_behind_has_no_fields_of_a_later_event(qq: Simulator, kept: Kept) -> None:
    bot = Bot()
    log = logging.getLogger("shop")
    go, tasks = asyncio.Event(), set[asyncio.Task[None]]()

    async def left_behind() -> None:
        await go.wait()
        log.warning("left behind")

    async def in_a_thread() -> None:
        await asyncio.to_thread(log.warning, "in a thread")

    @bot.on
    async def handle(ctx: Context[C2CMessageCreate]) -> None:
        if ctx.text == "spawn":
            tasks.add(asyncio.create_task(left_behind()))
            tasks.add(asyncio.create_task(in_a_thread()))
            bot.spawn(left_behind())
            log.warning("given", extra=ctx.log_fields("mine"))
            return
        go.set()
        await asyncio.sleep(0.05)

    async with qq.run(bot):
        await qq.user("小明").say("spawn")
        await qq.user("小红").say("go")
        await asyncio.gather(*tasks)
    texts = {record.getMessage(): vars(record) for record in kept.records}
    assert not FIELDS & texts["left behind"].keys()
    assert not FIELDS & texts["in a thread"].keys()
    assert kept.fields("given")["handler"] == "mine"


async def test_a_click_that_is_not_acknowledged_is_named_with_fields(
    qq: Simulator, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.bot.clicks.ACK_SECONDS", 0.05)
    bot = Bot()

    @bot.on
    async def offer(ctx: Context[C2CMessageCreate]) -> None:
        await ctx.reply(Markdown("?", keyboard=Keyboard([[Button.callback("ok", "ok")]])))

    @bot.on
    async def ignore(ctx: Context[InteractionCreate]) -> None:
        await asyncio.sleep(0.2)

    async with qq.run(bot):
        user = qq.user("小明")
        await (await user.say("hi")).click("ok")
        await asyncio.sleep(0.3)
    fields = kept.fields("did not acknowledge the click")
    assert fields["event"] == "INTERACTION_CREATE"
    assert "event_id" in fields and "user" in fields
    assert fields["handler"] == f"{__name__}.{ignore.__qualname__}"


def test_a_value_from_outside_cannot_fake_a_line() -> None:
    fields = event_fields(Event(), Frame(op=0, t="NEW\nERROR", id="1\x1b[2J"), None)
    assert fields == {"event": "NEW\\nERROR", "event_id": "1\\x1b[2J"}
    assert log_fields(trace_id="a\nb") == {"trace_id": "a\\nb"}


def test_without_work_there_are_no_fields() -> None:
    assert log_fields() == {}
    assert log_fields(trace_id=None) == {}
    assert log_fields(trace_id="t") == {"trace_id": "t"}


async def test_between_events_a_worker_has_no_fields(
    qq: Simulator, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "qqbot")
    bot = Bot()

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None: ...

    async with qq.run(bot):
        await qq.user("小明").say("hi")
        qq.push("NEW_EVENT", {})
        await qq.user("小明").say("hi")
    assert kept.fields("no handler for NEW_EVENT") == {}


async def test_after_a_dialog_the_fields_are_those_of_the_event_that_began_it(qq: Simulator, kept: Kept) -> None:
    bot = Bot()
    log = logging.getLogger("shop")

    @bot.command("begin")
    async def begin(ctx: Context[C2CMessageCreate]) -> None:
        log.warning("began")
        answer = await ctx.wait_for(C2CMessageCreate)
        log.warning("goes on")
        log.warning("answered", extra=answer.log_fields())

    async with qq.run(bot):
        alice = qq.user("小明")
        first = await alice.say("/begin")
        await qq.user("小红").say("something else")
        second = await alice.say("here")
    assert kept.fields("goes on") == kept.fields("began")
    assert kept.fields("goes on")["event_id"] == first.event_id
    assert kept.fields("answered")["event_id"] == second.event_id
