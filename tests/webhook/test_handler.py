"""What becomes of an event: before or after the acknowledgement, twice, while the bot ends, with nobody serving."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from qqbot import Bot, C2CMessageCreate, ConfigError, Context, Credentials, Event, InteractionCreate
from qqbot.ingest import QueueSink
from qqbot.sessions import RedisSessionManager
from qqbot.testing import Simulator
from tests.cli.program import python
from tests.redis.servers import Server
from tests.served import is_served
from tests.webhook.signed import ACK, AGAIN, CREDENTIALS, SECRET, click, event, signed

PATIENCE = 10


async def call(bot: Bot, body: bytes, **options: Any) -> tuple[int, Any]:
    status, headers, answer = await bot.handle_webhook(signed(body), body, **options)
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(answer)


class Gate:
    """A handler's: it says when it begins, and ends when it is let go."""

    def __init__(self, bot: Bot) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.open = asyncio.Event()
        self.runs: list[str] = []
        self.error: Exception | None = None

        @bot.on
        async def handler(ctx: Context[C2CMessageCreate]) -> None:
            self.runs.append(ctx.event_id or "")
            self.begun.put_nowait(ctx.text)
            await self.open.wait()
            if self.error is not None:
                raise self.error


@pytest.fixture
async def served() -> AsyncIterator[tuple[Bot, Gate]]:
    bot = Bot(CREDENTIALS, drain=PATIENCE)
    gate = Gate(bot)
    async with bot.serve(connect=False):
        yield bot, gate
        gate.open.set()


async def test_the_acknowledgement_comes_before_the_handlers(served: tuple[Bot, Gate]) -> None:
    bot, gate = served
    assert await call(bot, event(1)) == (200, ACK)
    assert await asyncio.wait_for(gate.begun.get(), PATIENCE) == "hi"


async def test_a_repeat_is_acknowledged_and_dropped(served: tuple[Bot, Gate]) -> None:
    bot, gate = served
    for _ in range(3):
        assert await call(bot, event(1)) == (200, ACK)  # while the first runs
    gate.open.set()
    assert await call(bot, event(2, user="V")) == (200, ACK)
    await gate.begun.get()
    await gate.begun.get()
    assert await call(bot, event(1)) == (200, ACK)  # when it has ended
    assert gate.runs == ["C2C_MESSAGE_CREATE:1", "C2C_MESSAGE_CREATE:2"]


async def test_an_event_without_an_id_is_known_by_its_bytes(served: tuple[Bot, Gate]) -> None:
    bot, _ = served
    clicks: list[str] = []

    @bot.on
    async def click_handler(ctx: Context[InteractionCreate]) -> None:
        clicks.append(ctx.event.id)

    bodies = [click(number).replace(b'"id": "INTERACTION_CREATE:%d", ' % number, b"") for number in (1, 2)]
    for body in (*bodies, *bodies):
        assert json.loads(body).keys() == {"op", "s", "t", "d"}
        assert await call(bot, body, awaited=True) == (200, ACK)
    assert clicks == ["click-1", "click-2"]


@pytest.mark.parametrize("fails", [False, True])
async def test_awaited_a_repeat_waits_for_the_first_and_gets_its_answer(served: tuple[Bot, Gate], fails: bool) -> None:
    bot, gate = served
    gate.error = ValueError("on purpose") if fails else None
    calls = [asyncio.create_task(call(bot, event(1), awaited=True)) for _ in range(3)]
    await gate.begun.get()
    _, pending = await asyncio.wait(calls, timeout=0.05)
    assert len(pending) == 3
    gate.open.set()
    assert await asyncio.gather(*calls) == [(200, AGAIN if fails else ACK)] * 3
    assert len(gate.runs) == 1


async def test_awaited_what_failed_runs_again_and_what_was_done_does_not(served: tuple[Bot, Gate]) -> None:
    bot, gate = served
    gate.open.set()
    gate.error = ValueError("on purpose")
    assert await call(bot, event(1), awaited=True) == (200, AGAIN)
    assert await call(bot, event(1), awaited=True) == (200, AGAIN)
    gate.error = None
    assert await call(bot, event(1), awaited=True) == (200, ACK)
    assert await call(bot, event(1), awaited=True) == (200, ACK)
    assert len(gate.runs) == 3


async def test_after_the_acknowledgement_a_failure_does_not_come_again(served: tuple[Bot, Gate]) -> None:
    bot, gate = served
    gate.error = ValueError("on purpose")
    gate.open.set()
    assert await call(bot, event(1)) == (200, ACK)
    await gate.begun.get()
    await asyncio.sleep(0)
    assert await call(bot, event(1)) == (200, ACK)
    assert len(gate.runs) == 1


async def test_a_handler_that_is_out_of_time_makes_it_come_again() -> None:
    bot = Bot(CREDENTIALS, handler_timeout=0.05)
    gate = Gate(bot)
    async with bot.serve(connect=False):
        assert await call(bot, event(1), awaited=True) == (200, AGAIN)
        gate.open.set()
        assert await call(bot, event(1), awaited=True) == (200, ACK)
    assert len(gate.runs) == 2


async def test_what_was_acknowledged_is_finished_before_the_bot_ends() -> None:
    bot = Bot(CREDENTIALS, drain=PATIENCE)
    gate = Gate(bot)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        async with bot.serve(connect=False):
            for number in range(3):
                assert await call(bot, event(number)) == (200, ACK)
            await gate.begun.get()
            tasks.create_task(_open(gate))
        assert len(gate.runs) == 3


async def _open(gate: Gate) -> None:
    await asyncio.sleep(0.05)
    gate.open.set()


async def test_awaited_what_the_end_cut_off_is_to_come_again_and_then_runs() -> None:
    bot = Bot(CREDENTIALS, drain=0.05)
    gate = Gate(bot)
    async with bot.serve(connect=False):
        cut = asyncio.create_task(call(bot, event(1), awaited=True))
        behind = asyncio.create_task(call(bot, event(2), awaited=True))
        await gate.begun.get()
        await bot.stop()
        assert await call(bot, event(3)) == (200, AGAIN), "nothing is taken while it drains"
    assert [await cut, await behind] == [(200, AGAIN)] * 2
    gate.open.set()
    async with bot.serve(connect=False):
        assert await call(bot, event(1), awaited=True) == (200, ACK)
    assert gate.runs == ["C2C_MESSAGE_CREATE:1"] * 2


async def test_a_caller_that_goes_away_does_not_end_the_handler(served: tuple[Bot, Gate]) -> None:
    bot, gate = served
    first = asyncio.create_task(call(bot, event(1), awaited=True))
    await gate.begun.get()
    first.cancel()
    await asyncio.wait([first])
    gate.open.set()
    assert await call(bot, event(1), awaited=True) == (200, ACK)
    assert len(gate.runs) == 1


async def test_a_full_bot_asks_for_another_delivery(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qqbot.bot.run.ROOM_SECONDS", 0.05)
    bot = Bot(CREDENTIALS, max_inflight=1, max_queued=1, drain=PATIENCE)
    gate = Gate(bot)
    async with bot.serve(connect=False):
        assert [await call(bot, event(number)) for number in range(3)] == [(200, ACK), (200, ACK), (200, AGAIN)]
        assert await call(bot, event(2), awaited=True) == (200, AGAIN)
        assert "no room for" in caplog.text
        waiting = asyncio.create_task(call(bot, event(2)))
        await asyncio.sleep(0)
        gate.open.set()
        assert await waiting == (200, ACK)
    assert len(gate.runs) == 3


async def test_many_calls_to_a_full_bot_are_all_answered_in_time_and_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qqbot.bot.run.ROOM_SECONDS", 0.3)
    bot = Bot(CREDENTIALS, max_inflight=1, max_queued=1, drain=PATIENCE)
    gate = Gate(bot)
    async with bot.serve(connect=False):
        for number in range(2):
            await call(bot, event(number))
        await gate.begun.get()
        calls = [asyncio.create_task(call(bot, event(number), awaited=True)) for number in range(2, 50)]
        await asyncio.sleep(0.05)
        gate.open.set()  # one handler ends, so that one place becomes free
        gate.open.clear()
        done, pending = await asyncio.wait(calls, timeout=1.5)
        assert not [each for each in done if each.result() != (200, AGAIN)]
        assert len(pending) == 1, "a call waits for room without end"
        assert caplog.text.count("no room for") == 1
        gate.open.set()
        assert {each.result()[0] for each in (await asyncio.wait(calls, timeout=PATIENCE))[0]} == {200}


async def test_what_comes_while_the_lifespan_is_entered_waits_for_it() -> None:
    entering, enter = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def lifespan(_: Bot) -> AsyncIterator[None]:
        entering.set()
        await enter.wait()
        yield

    bot = Bot(CREDENTIALS, lifespan=lifespan)
    gate = Gate(bot)
    gate.open.set()
    starting = asyncio.create_task(bot.start(connect=False))
    await entering.wait()
    early = asyncio.create_task(call(bot, event(1), awaited=True))
    _, pending = await asyncio.wait([early], timeout=0.05)
    assert pending
    enter.set()
    assert await early == (200, ACK)
    await starting
    await bot.stop()


async def test_a_webhook_without_the_extra_does_not_start() -> None:
    code = (
        "import asyncio, sys\nsys.modules['cryptography'] = None\nfrom qqbot import Bot, ConfigError, Credentials\n"
        "from tests.served import is_served\n"
        "bot = Bot(Credentials('1', 's'))\nbot.asgi()\nasync def main():\n"
        "    async with bot.serve(connect=False): print('started')\n"
        "try: asyncio.run(main())\nexcept ConfigError as error: print(error, is_served(bot))"
    )
    async with python("-c", code) as program:
        out = (await program.finished()).out
    assert "pip install 'aioqqbot[webhook]'" in out
    assert out.endswith("False\n")
    assert "started" not in out


async def test_a_click_does_not_wait_for_a_message_of_its_conversation(served: tuple[Bot, Gate]) -> None:
    bot, gate = served
    clicked = asyncio.Event()

    @bot.on
    async def click_handler(ctx: Context[InteractionCreate]) -> None:
        clicked.set()

    await call(bot, event(1))
    await gate.begun.get()
    assert await call(bot, click(1), awaited=True) == (200, ACK)
    assert clicked.is_set()
    assert not gate.open.is_set()


async def test_an_event_that_came_by_the_gateway_is_not_handled_again_and_the_reverse() -> None:
    async with Simulator(app_id=CREDENTIALS.app_id, secret=SECRET) as sim:
        bot = Bot()
        bot.webhook()
        runs: asyncio.Queue[str] = asyncio.Queue()

        @bot.on
        async def tap(ctx: Context[Event]) -> None:
            runs.put_nowait(ctx.event_id or "")

        @bot.on
        async def wants_friends(ctx: Context[C2CMessageCreate]) -> None: ...

        async with sim.run(bot):
            await runs.get()  # READY
            frame = json.loads(event(1))
            sim.push(frame["t"], frame["d"], event_id=frame["id"])
            assert await asyncio.wait_for(runs.get(), PATIENCE) == frame["id"]
            assert await call(bot, event(1)) == (200, ACK)
            assert await call(bot, event(2)) == (200, ACK)
            assert await asyncio.wait_for(runs.get(), PATIENCE) == json.loads(event(2))["id"]
            frame = json.loads(event(2))
            sim.push(frame["t"], frame["d"], event_id=frame["id"])
            sim.push(frame["t"], json.loads(event(3))["d"], event_id="C2C_MESSAGE_CREATE:3")
            assert await asyncio.wait_for(runs.get(), PATIENCE) == "C2C_MESSAGE_CREATE:3"
            assert runs.empty()


# Several processes at one address


@pytest.mark.parametrize("awaited", [False, True])
async def test_what_one_process_has_handled_the_others_drop(store: Server, awaited: bool) -> None:
    bots = [Bot(CREDENTIALS, sessions=RedisSessionManager(store.url)) for _ in range(2)]
    one, two = [Gate(bot) for bot in bots]
    one.open.set()
    two.open.set()
    async with bots[0].serve(connect=False), bots[1].serve(connect=False):
        assert await call(bots[0], event(1), awaited=awaited) == (200, ACK)
        assert await asyncio.wait_for(one.begun.get(), PATIENCE) == "hi"
        assert await call(bots[1], event(1), awaited=awaited) == (200, ACK)
        assert await call(bots[1], event(2), awaited=awaited) == (200, ACK)
        assert await asyncio.wait_for(two.begun.get(), PATIENCE) == "hi"
    assert (one.runs, two.runs) == (["C2C_MESSAGE_CREATE:1"], ["C2C_MESSAGE_CREATE:2"])


async def test_what_failed_in_one_process_runs_in_another(store: Server) -> None:
    bots = [Bot(CREDENTIALS, sessions=RedisSessionManager(store.url)) for _ in range(2)]
    one, two = [Gate(bot) for bot in bots]
    one.open.set()
    two.open.set()
    one.error = ValueError("on purpose")
    async with bots[0].serve(connect=False), bots[1].serve(connect=False):
        assert await call(bots[0], event(1), awaited=True) == (200, AGAIN)
        assert await call(bots[1], event(1), awaited=True) == (200, ACK)
        assert await call(bots[0], event(1), awaited=True) == (200, ACK)
    assert (len(one.runs), len(two.runs)) == (1, 1)


# A bot that nobody serves


def test_functions_answer_after_the_handlers_across_event_loops() -> None:
    bot = Bot(CREDENTIALS)
    ended: list[str] = []

    @bot.on
    async def slow(ctx: Context[C2CMessageCreate]) -> None:
        await asyncio.sleep(0.01)
        ended.append(ctx.text)
        if ctx.text == "fail":
            raise ValueError("on purpose")

    async def main(body: bytes, answer: object) -> None:
        assert await call(bot, body) == (200, answer)
        assert not is_served(bot)

    for _ in range(2):
        asyncio.run(main(event(1, text="one"), ACK))
        asyncio.run(main(event(2, text="fail"), AGAIN))
    assert ended == ["one", "fail", "fail"], "what was done is known in the next loop too"


async def test_calls_at_the_same_time_share_one_bot() -> None:
    entered: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Bot) -> AsyncIterator[None]:
        entered.append("in")
        async with asyncio.TaskGroup():  # left by the task that entered it, or it fails
            yield
        entered.append("out")

    bot = Bot(CREDENTIALS, lifespan=lifespan)
    gate = Gate(bot)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(call(bot, event(number, user=str(number)))) for number in range(3)]
        for _ in calls:
            await gate.begun.get()
        gate.open.set()
    assert [each.result() for each in calls] == [(200, ACK)] * 3
    assert entered == ["in", "out"]
    assert await call(bot, event(9)) == (200, ACK)
    assert entered == ["in", "out"] * 2


async def test_a_call_that_comes_while_the_last_one_leaves_is_served_after_it() -> None:
    leaving, leave = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def lifespan(_: Bot) -> AsyncIterator[None]:
        yield
        leaving.set()
        await leave.wait()

    bot = Bot(CREDENTIALS, lifespan=lifespan)
    gate = Gate(bot)
    gate.open.set()
    async with asyncio.timeout(PATIENCE):
        first = asyncio.create_task(call(bot, event(1)))
        await leaving.wait()
        second = asyncio.create_task(call(bot, event(2)))
        _, pending = await asyncio.wait([first, second], timeout=0.05)
        assert len(pending) == 2
        leave.set()
        assert [await first, await second] == [(200, ACK)] * 2
    assert len(gate.runs) == 2


async def test_a_cancelled_call_leaves_a_bot_that_serves_the_next() -> None:
    bot = Bot(CREDENTIALS, drain=0.01)
    gate = Gate(bot)
    first = asyncio.create_task(call(bot, event(1)))
    await gate.begun.get()
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert not is_served(bot)
    gate.open.set()
    assert await call(bot, event(1)) == (200, ACK)
    assert len(gate.runs) == 2


async def test_what_keeps_the_bot_from_being_served_is_raised() -> None:
    @asynccontextmanager
    async def lifespan(_: Bot) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    bot = Bot(CREDENTIALS, lifespan=lifespan)
    Gate(bot)
    for _ in range(2):
        with pytest.raises(OSError, match="no database"):
            await call(bot, event(1))


async def test_without_credentials_the_error_says_so() -> None:
    with pytest.raises(ConfigError, match="QQBOT_APP_ID"):
        await Bot().handle_webhook({}, b"")


async def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQBOT_APP_ID", CREDENTIALS.app_id)
    monkeypatch.setenv("QQBOT_SECRET", "the-new-secret")
    monkeypatch.setenv("QQBOT_PREVIOUS_SECRET", SECRET)
    bot = Bot()
    gate = Gate(bot)
    gate.open.set()
    assert await call(bot, event(1)) == (200, ACK)
    status, *_ = await bot.handle_webhook(signed(event(2), secret="the-new-secret"), event(2))
    assert status == 200
    monkeypatch.delenv("QQBOT_PREVIOUS_SECRET")
    assert (await call(bot, event(3)))[0] == 401


async def test_a_bot_of_another_loop_is_refused(served: tuple[Bot, Gate]) -> None:
    bot, _ = served
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            asyncio.run(call(bot, event(1)))
        except ConfigError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "in the event loop that serves it" in str(caught[0])


async def test_a_bot_with_a_sink_takes_no_webhook_calls() -> None:
    bot = Bot(CREDENTIALS, sink=QueueSink())
    with pytest.raises(ConfigError, match="without a sink"):
        await call(bot, event(1))
    with pytest.raises(ConfigError, match="without a sink"):
        bot.webhook()


async def test_the_window_and_the_limit_are_options() -> None:
    bot = Bot(CREDENTIALS)
    body = event(1)
    assert (await bot.handle_webhook(signed(body, age=10), body, window=5))[0] == 401
    assert (await bot.handle_webhook(signed(body, age=10), body, window=60))[0] == 200
    assert (await call(bot, body, max_bytes=10))[0] == 413
    with pytest.raises(ConfigError):
        bot.webhook(window=0)
    with pytest.raises(ConfigError):
        bot.asgi(max_bytes=0)


async def test_the_headers_of_an_answer_belong_to_the_caller(served: tuple[Bot, Gate]) -> None:
    bot, gate = served
    gate.open.set()
    for number in (1, 2):
        _, headers, _ = await bot.handle_webhook(signed(event(number)), event(number))
        assert headers == {"Content-Type": "application/json"}
        headers["Content-Type"] = "changed"


async def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = Credentials(CREDENTIALS.app_id, "new-secret", previous=SECRET)
    bot = Bot(credentials)
    gate = Gate(bot)
    gate.open.set()
    await call(bot, event(1))
    await bot.handle_webhook(signed(event(2), secret="wrong"), event(2))
    assert SECRET not in caplog.text + repr(bot) + repr(credentials)
    assert "new-secret" not in caplog.text + repr(bot) + repr(credentials)
