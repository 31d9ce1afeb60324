"""The facade: the ways to run a bot, what lives as long as it, and what it says when it cannot be run."""

import asyncio
import itertools
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from qqbot import (
    Bot,
    C2CMessageCreate,
    ConfigError,
    Context,
    Credentials,
    Endpoints,
    Envelope,
    Event,
    GatewayError,
    GatewayHalted,
    GroupAtMessageCreate,
    Interrupted,
    LeaseLost,
    Ready,
    Router,
    ShardEvent,
    Target,
)
from qqbot.bot.program import loading
from qqbot.config import GatewayConfig
from qqbot.lease import current_lease
from qqbot.redis.sharing import Shared
from qqbot.sessions import LocalSessionManager
from qqbot.testing import Simulator
from tests.dispatcher.standins import message
from tests.served import is_served


def echo_bot(sim: Simulator, prefix: str = "") -> Bot:
    bot = Bot(sim.credentials, endpoints=sim.endpoints)

    @bot.on
    async def echo(ctx: Context[GroupAtMessageCreate]) -> None:
        await ctx.reply(prefix + ctx.text)

    return bot


async def say(sim: Simulator, text: str) -> str | None:
    return (await sim.group("test").member("Alice").say(f"@bot {text}")).text


def test_the_public_names_are_those_that_users_call() -> None:
    names = {name for name in [*dir(Bot), *vars(Bot())] if not name.startswith("_")}
    assert names == {
        *("on", "on_error", "include", "expect", "intents"),
        *("on_handled", "on_settled", "on_shard_event", "on_response", "around_handler", "on_envelope", "on_published"),
        *("run", "serve", "start", "stop", "ready", "wait", "reconnect"),
        *("command", "help", "sync_panels", "middleware", "on_refused", "on_usage_error"),
        *("api", "me", "user_id", "send", "audit_result", "spawn", "handle", "work"),
        *("webhook", "asgi", "handle_webhook", "health", "stats", "metrics", "telemetry"),
    }
    assert {name for name in dir(Router()) if not name.startswith("_")} == {
        *("on", "on_error", "include", "expect", "intents"),
        *("command", "middleware", "on_refused", "on_usage_error"),
    }


async def test_async_with_and_wait() -> None:
    async with Simulator() as sim:
        bot = echo_bot(sim)
        async with bot:
            await bot.ready()
            assert await say(sim, "hello") == "hello"
            asyncio.get_running_loop().call_later(0.05, asyncio.ensure_future, bot.stop())
            await asyncio.wait_for(bot.wait(), 5)
        assert not any(connection.open for connection in sim.connections)


async def test_start_and_stop_and_again() -> None:
    async with Simulator() as sim:
        bot = echo_bot(sim)
        for text in ("one", "two"):
            await bot.start()
            await bot.ready()
            assert await say(sim, text) == text
            await bot.stop()
        await bot.stop()


def test_one_bot_serves_in_one_loop_after_another() -> None:
    bot = Bot()

    @bot.on
    async def echo(ctx: Context[GroupAtMessageCreate]) -> None:
        await ctx.reply(ctx.text)

    async def main() -> None:
        async with Simulator() as sim, sim.run(bot):
            assert await say(sim, "x") == "x"

    asyncio.run(main())
    asyncio.run(main())


def test_a_bot_whose_first_loop_was_left_without_stop_is_served_like_a_new_one() -> None:
    bot = Bot(Credentials("1", "s" * 32))

    async def first() -> None:
        await bot.start(connect=False)

    async def second() -> None:
        async with bot.serve(connect=False):
            await bot.stop()
            async with asyncio.timeout(5):
                await bot.wait()
        await bot.start(connect=False)
        await bot.stop()

    asyncio.run(first())
    asyncio.run(second())


async def test_several_bots_in_one_loop() -> None:
    async with Simulator() as first, Simulator() as second:
        one, two = echo_bot(first, "1 "), echo_bot(second, "2 ")
        async with one, two:
            await asyncio.gather(one.ready(), two.ready())
            assert await say(first, "x") == "1 x"
            assert await say(second, "x") == "2 x"


async def test_the_same_bot_is_not_served_twice_at_once() -> None:
    async with Simulator() as sim:
        bot = echo_bot(sim)
        async with bot:
            with pytest.raises(ConfigError, match="already"):
                await bot.start()


class SlowSharing(LocalSessionManager):
    """A session manager whose connection takes a moment."""

    @asynccontextmanager
    async def sharing(self, credentials: Credentials) -> AsyncIterator[Shared]:
        await asyncio.sleep(0.01)
        yield Shared()


async def test_the_same_bot_is_not_served_twice_at_once_where_both_begin_together() -> None:
    bot = Bot(Credentials("1", "s" * 32), sessions=SlowSharing())
    one, two = await asyncio.gather(bot.start(connect=False), bot.start(connect=False), return_exceptions=True)
    assert [one is None, two is None].count(True) == 1
    assert isinstance(one or two, ConfigError)
    await bot.stop()
    assert not is_served(bot)


async def test_lifespan_surrounds_the_handlers() -> None:
    order: list[str] = []

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        order.append("open")
        bot.spawn(asyncio.sleep(60), name="beside")
        yield
        order.append("close")

    async with Simulator() as sim:
        bot = Bot(lifespan=lifespan, drain=0.05)

        @bot.on
        async def hang(ctx: Context[GroupAtMessageCreate]) -> None:
            order.append("handler")
            try:
                await asyncio.Event().wait()
            finally:
                order.append("handler ended")

        async with sim.run(bot):
            sim.push_message("group", user="Alice", text="x")
            async with asyncio.timeout(5):
                while "handler" not in order:
                    await asyncio.sleep(0.01)
    assert order == ["open", "handler", "handler ended", "close"]


async def test_stop_waits_for_handlers() -> None:
    done: list[str] = []
    async with Simulator() as sim:
        bot = Bot(drain=5)

        @bot.on
        async def slow(ctx: Context[GroupAtMessageCreate]) -> None:
            done.append("started")
            await asyncio.sleep(0.3)
            done.append("finished")

        async with sim.run(bot):
            sim.push_message("group", user="Alice", text="x")
            async with asyncio.timeout(5):
                while not done:
                    await asyncio.sleep(0.01)
    assert done == ["started", "finished"]


async def test_a_handler_may_stop_the_bot() -> None:
    async with Simulator() as sim:
        bot = Bot(sim.credentials, endpoints=sim.endpoints)

        @bot.on
        async def stop(ctx: Context[GroupAtMessageCreate]) -> None:
            await ctx.reply("bye")
            await ctx.bot.stop()

        async with bot:
            await bot.ready()
            assert await say(sim, "stop") == "bye"
            await asyncio.wait_for(bot.wait(), 5)


async def test_spawned_tasks_end_with_the_bot_and_their_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("spawned and failed")

    async with Simulator() as sim:
        bot = echo_bot(sim)
        async with bot:
            endless = bot.spawn(asyncio.sleep(3600))
            failing = bot.spawn(fail(), name="failing")
            await asyncio.wait([failing])
        assert endless.cancelled()
    assert "failing failed" in caplog.text


async def test_shard_events_reach_plain_and_async_functions() -> None:
    plain: list[str] = []
    later: list[str] = []
    async with Simulator() as sim:
        bot = echo_bot(sim)

        @bot.on_shard_event
        def note(event: ShardEvent) -> None:
            plain.append(event.kind)

        @bot.on_shard_event
        async def note_later(event: ShardEvent) -> None:
            later.append(event.kind)

        @bot.on_shard_event
        def fail(event: ShardEvent) -> None:
            raise ValueError("no")

        async with bot:
            await bot.ready()
            assert await say(sim, "x") == "x"
    assert plain[:2] == ["connected", "identified"]
    assert later[:2] == ["connected", "identified"]


async def test_who_the_bot_is_is_known_before_the_first_handler() -> None:
    seen: list[str] = []
    async with Simulator() as sim:
        bot = Bot()

        @bot.on
        async def ready(ctx: Context[Ready]) -> None:
            seen.append(bot.me.id)

        async with sim.run(bot):
            assert seen == [bot.me.id] != [""]


async def test_the_context_carries_what_a_handler_needs() -> None:
    seen: list[Context[C2CMessageCreate]] = []
    async with Simulator() as sim:
        bot = Bot()

        @bot.on
        async def keep(ctx: Context[C2CMessageCreate]) -> None:
            seen.append(ctx)
            await ctx.reply("kept")

        async with sim.run(bot):
            await sim.user("Alice").say("hello")
            (ctx,) = seen
            assert ctx.bot is bot
            assert ctx.api is bot.api
            assert ctx.text == "hello"
            assert ctx.event_id is not None
            assert ctx.event_id.startswith("C2C_MESSAGE_CREATE")
            assert ctx.event_id.encode() in ctx.raw
            assert (ctx.shard.index, ctx.shard.count) == (0, 1)
            assert "hello" not in repr(ctx)
            sent = await bot.send(Target(ctx.target.scene, ctx.target.id), "later")
            assert sent.id


async def test_error_functions_hear_of_every_handler() -> None:
    heard: list[tuple[str, str]] = []
    async with Simulator() as sim:
        bot, router = Bot(), Router()

        @router.on
        async def fail(ctx: Context[GroupAtMessageCreate]) -> None:
            raise ValueError("no")

        @bot.on_error
        async def note(ctx: Context[Event], error: Exception) -> None:
            heard.append((type(ctx.event).__name__, str(error)))
            raise ValueError("an on_error function that fails")

        bot.include(router)
        async with sim.run(bot):
            sim.push_message("group", user="Alice", text="x")
            async with asyncio.timeout(5):
                while not heard:
                    await asyncio.sleep(0.01)
    assert heard == [("GroupAtMessageCreate", "no")]


async def test_an_error_in_the_body_is_the_one_that_is_seen() -> None:
    async with Simulator() as sim:
        with pytest.raises(ZeroDivisionError):
            async with echo_bot(sim):
                _ = 1 / 0
        assert len(asyncio.all_tasks()) < 10


async def test_cancelling_drains_and_leaves_no_task() -> None:
    async with Simulator() as sim:
        before = asyncio.all_tasks()
        bot = echo_bot(sim)

        async def program() -> None:
            async with bot:
                await bot.wait()

        task = asyncio.create_task(program())
        await sim.ready(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            while any(connection.open for connection in sim.connections):
                await asyncio.sleep(0.01)
        assert {one for one in asyncio.all_tasks() - before if "qqbot" in one.get_name()} == set()


async def test_a_start_that_is_given_up_leaves_nothing_behind() -> None:
    async with Simulator() as sim:
        for steps in itertools.count():
            bot = echo_bot(sim)
            starting = asyncio.create_task(bot.start())
            for _ in range(steps):
                await asyncio.sleep(0)
            if starting.done():
                break
            starting.cancel()
            await asyncio.wait([starting])
            assert starting.cancelled() and not is_served(bot)
            assert not [task for task in asyncio.all_tasks() if task.get_name() == "qqbot"]
        await bot.stop()


async def test_a_spawned_task_outlives_the_lease_of_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Bot()
    over = asyncio.Event()
    sent: list[str] = []

    async def later(ctx: Context[GroupAtMessageCreate]) -> None:
        await over.wait()
        await ctx.reply("spawned")
        sent.append("spawned")

    @bot.on
    async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
        task = ctx.bot.spawn(later(ctx))
        lease = current_lease.get()
        with monkeypatch.context() as taken_over:
            taken_over.setattr(type(lease), "valid", lambda _: False)
            with pytest.raises(LeaseLost):
                await ctx.reply("by the handler")
            over.set()
            await task

    async with Simulator() as sim, sim.run(bot):
        assert await say(sim, "hi") == "spawned"
    assert sent == ["spawned"]


async def test_a_spawned_task_may_stop_the_bot() -> None:
    async with Simulator() as sim:
        bot = echo_bot(sim)

        async def stop_soon() -> None:
            await bot.ready()
            await asyncio.wait_for(bot.stop(), 5)

        await bot.start()
        bot.spawn(stop_soon())
        await asyncio.wait_for(bot.wait(), 5)
        await bot.stop()
        await bot.start()
        await bot.stop()


async def test_a_handler_that_waits_for_stop_with_a_timeout_does_not_hang() -> None:
    async with Simulator() as sim:
        bot = Bot(sim.credentials, endpoints=sim.endpoints)

        @bot.on
        async def stop(ctx: Context[GroupAtMessageCreate]) -> None:
            await asyncio.wait_for(ctx.bot.stop(), 20)

        await bot.start()
        await bot.ready()
        sim.push_message("group", user="Alice", text="stop")
        await asyncio.wait_for(bot.wait(), 5)
        await asyncio.wait_for(bot.stop(), 5)


async def test_stop_ends_a_bot_that_is_just_being_started() -> None:
    entering, entered, left = asyncio.Event(), list[str](), list[str]()

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        try:
            entered.append("lifespan")
            entering.set()
            await asyncio.Event().wait()
            yield
        finally:
            left.append("lifespan")

    bot = Bot(Credentials("1", "s" * 32), lifespan=lifespan)
    for moments in range(4):
        starting = asyncio.create_task(bot.start(connect=False))
        await (asyncio.sleep(0) if moments == 0 else entering.wait())
        async with asyncio.timeout(5):
            await bot.stop()
            with pytest.raises(ConfigError, match="stopped before it had started"):
                await starting
        assert not is_served(bot) and left == entered
        entering.clear()
    assert len(left) >= 3, "the first one may be stopped before it gets there"


async def test_a_bot_is_started_once_at_a_time() -> None:
    bot = Bot(Credentials("1", "s" * 32))
    first, second = await asyncio.gather(bot.start(connect=False), bot.start(connect=False), return_exceptions=True)
    assert first is None and isinstance(second, ConfigError)
    await bot.stop()
    assert not is_served(bot)


async def test_the_lifespan_and_its_tasks_may_call_stop() -> None:
    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(stop_when_told(bot))
            yield
            await bot.stop()

    async def stop_when_told(bot: Bot) -> None:
        await told.wait()
        await bot.stop()

    told = asyncio.Event()
    bot = Bot(Credentials("1", "s" * 32), lifespan=lifespan)
    await bot.start(connect=False)
    told.set()
    async with asyncio.timeout(5):
        await bot.wait()
        await bot.stop()
    assert not is_served(bot)


async def test_two_callers_of_stop_both_wait_for_the_end() -> None:
    async with Simulator() as sim:
        bot = echo_bot(sim)
        await bot.start()
        await bot.ready()
        await asyncio.gather(bot.stop(), bot.stop())
        with pytest.raises(ConfigError, match="not running"):
            _ = bot.api


async def test_a_started_bot_that_the_platform_stops_says_so_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async with Simulator() as sim:
        bot = echo_bot(sim)
        await bot.start()
        await bot.ready()
        sim.faults.close(4914)
        with pytest.raises(GatewayHalted):
            await asyncio.wait_for(bot.wait(), 5)
        assert "the bot has stopped" in caplog.text
        assert "4914" in caplog.text
        with pytest.raises(GatewayHalted):
            await bot.stop()


async def test_a_lifespan_with_a_task_group_is_left_by_the_task_that_entered_it() -> None:
    ended: list[str] = []

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            job = group.create_task(asyncio.sleep(3600))
            yield
            job.cancel()
        ended.append("lifespan")

    async with Simulator() as sim:
        bot = Bot(sim.credentials, endpoints=sim.endpoints, lifespan=lifespan)
        await bot.start()
        await asyncio.create_task(bot.stop())
    assert ended == ["lifespan"]


async def test_a_job_of_the_lifespan_may_wait_for_ready_the_lifespan_itself_may_not() -> None:
    seen: list[str] = []

    async def job(bot: Bot) -> None:
        await bot.ready()
        seen.append(bot.me.id)

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        bot.spawn(job(bot))
        with pytest.raises(ConfigError, match="spawn"):
            await bot.ready()
        await asyncio.sleep(0.05)
        yield

    async with Simulator() as sim:
        bot = Bot(lifespan=lifespan)
        async with sim.run(bot):
            async with asyncio.timeout(5):
                while not seen:
                    await asyncio.sleep(0.01)


async def test_a_job_of_the_lifespan_may_handle_events_the_lifespan_itself_may_not() -> None:
    outcomes: list[str] = []
    envelope = _envelope(1)

    async def job(bot: Bot) -> None:
        outcomes.append(await bot.handle(envelope))

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        bot.spawn(job(bot))
        with pytest.raises(ConfigError, match="spawn"):
            await bot.handle(envelope)
        await asyncio.sleep(0.01)
        yield

    bot = Bot(Credentials("1", "s" * 32), lifespan=lifespan, max_inflight=1)

    @bot.on
    async def hello(ctx: Context[C2CMessageCreate]) -> None: ...

    async with bot.serve(connect=False), asyncio.timeout(5):
        while not outcomes:
            await asyncio.sleep(0)
    assert outcomes == ["handled"]


async def test_what_is_handled_when_the_bot_is_stopping_has_to_come_again() -> None:
    bot = Bot(Credentials("1", "s" * 32), drain=30)
    begun = asyncio.Event()

    @bot.on
    async def slow(ctx: Context[C2CMessageCreate]) -> None:
        begun.set()
        await asyncio.sleep(0.05)

    async def deliver() -> int:
        for seq in range(1, 1_000):
            try:
                assert await bot.handle(_envelope(seq)) == "handled"
            except Interrupted:
                return seq
        raise AssertionError("the stream of events held up the end")

    async with asyncio.timeout(20):
        async with bot.serve(connect=False):
            delivering = asyncio.create_task(deliver())
            await begun.wait()
            await bot.stop()
        assert await delivering == 2, "what had begun was finished, and nothing more begun"


def _envelope(seq: int) -> Envelope:
    frame = message(seq)
    return Envelope(
        id=str(frame.id),
        type="C2C_MESSAGE_CREATE",
        shard=0,
        session="s",
        seq=seq,
        key="A",
        ts=0,
        raw=msgspec.json.encode(frame),
    )


async def test_a_lifespan_that_fails_leaves_nothing_behind() -> None:
    spawned: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        spawned.append(bot.spawn(asyncio.sleep(3600)))
        raise ZeroDivisionError
        yield

    async with Simulator() as sim:
        bot = Bot(sim.credentials, endpoints=sim.endpoints, lifespan=lifespan)
        with pytest.raises(ZeroDivisionError):
            await bot.start()
        assert spawned[0].cancelled()
        assert sim.connections == []


async def served_shortly(bot: Bot) -> None:
    async with bot.serve(connect=False):
        pass


async def test_nobody_waits_for_a_bot_whose_lifespan_failed() -> None:
    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        await asyncio.sleep(0.01)
        raise ZeroDivisionError
        yield

    bot = Bot(Credentials("1", "s" * 32), lifespan=lifespan)
    serving = asyncio.create_task(served_shortly(bot))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        ends = await asyncio.gather(bot.wait(), bot.ready(), bot.handle(_envelope(1)), serving, return_exceptions=True)
    assert [type(end) for end in ends] == [type(None), ConfigError, Interrupted, ZeroDivisionError]


async def test_a_bot_that_was_cancelled_at_its_very_end_can_be_served_again() -> None:
    ending = asyncio.Event()

    async def job() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def lifespan(bot: Bot) -> AsyncIterator[None]:
        bot.spawn(job())
        await asyncio.sleep(0)
        raise ZeroDivisionError
        yield

    bot = Bot(Credentials("1", "s" * 32), lifespan=lifespan)
    serving = asyncio.create_task(served_shortly(bot))
    await ending.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not is_served(bot)


async def test_whoever_waits_for_ready_is_not_cancelled_with_the_bot() -> None:
    async with Simulator() as sim:
        sim.faults.no_hello(times=0)
        bot = echo_bot(sim)

        async def serve() -> None:
            async with bot:
                await asyncio.Event().wait()

        serving = asyncio.create_task(serve())
        async with asyncio.timeout(5):
            while not sim.connections:
                await asyncio.sleep(0.01)
            waiting = asyncio.create_task(bot.ready())
            for _ in range(2):
                await asyncio.sleep(0)
                serving.cancel()
            await asyncio.wait([serving, waiting])
        assert isinstance(waiting.exception(), ConfigError)


async def test_a_cancellation_that_comes_out_of_the_session_manager_is_an_error() -> None:
    class Broken(LocalSessionManager):
        async def run(self, gateway: Any, start: Any) -> None:
            gone = asyncio.create_task(asyncio.sleep(3600))
            asyncio.get_running_loop().call_soon(gone.cancel)
            await gone

    bot = Bot(Credentials("1", "s" * 32), sessions=Broken())
    with pytest.raises(GatewayError, match="was cancelled"):
        async with bot:
            await asyncio.wait_for(bot.wait(), 5)


async def test_nothing_is_spawned_after_the_drain() -> None:
    refused: list[str] = []
    async with Simulator() as sim:
        bot = Bot(drain=0.05)

        @bot.on
        async def hang(ctx: Context[GroupAtMessageCreate]) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                late.append(bot.spawn(asyncio.sleep(3600)))

        late: list[asyncio.Task[None]] = []
        async with sim.run(bot):
            sim.push_message("group", user="Alice", text="x")
            await asyncio.sleep(0.1)
        assert all(task.cancelled() for task in late)
        assert refused == []


async def test_ready_says_that_the_bot_was_stopped_before() -> None:
    async with Simulator() as sim:
        sim.faults.no_hello(times=0)
        bot = echo_bot(sim)
        await bot.start()
        waiting = asyncio.create_task(bot.ready())
        await asyncio.sleep(0.05)
        await bot.stop()
        with pytest.raises(ConfigError, match="stopped before"):
            await waiting


async def test_stop_and_start_keep_the_pace_of_identifies() -> None:
    async with Simulator(max_concurrency=1, identify_window=0.5) as sim:
        bot = Bot(sim.credentials, endpoints=sim.endpoints, gateway=GatewayConfig(identify_window=0.5))
        for _ in range(2):
            await bot.start()
            await bot.ready()
            await bot.stop()
        assert len(sim.identifies) == 2
        assert sim.violations == []


async def test_swapped_credentials_do_not_show_the_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        Credentials("my-real-secret", "102000001")
    assert "my-real-secret" not in str(caught.value)


def test_run_outside_of_the_main_thread_and_inside_a_loop() -> None:
    codes: list[object] = []

    def run() -> None:
        try:
            Bot().run()
        except SystemExit as end:
            codes.append(end.code)

    logging.getLogger().addHandler(handler := logging.NullHandler())
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(10)
    finally:
        logging.getLogger().removeHandler(handler)
    assert codes == [3]

    async def main() -> None:
        with pytest.raises(ConfigError, match="async with bot"):
            Bot().run()

    asyncio.run(main())


def test_a_signal_that_comes_before_there_is_anything_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(LocalSessionManager):
        @asynccontextmanager
        async def sharing(self, credentials: Credentials) -> AsyncIterator[Shared]:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
            yield Shared()

    with pytest.raises(SystemExit) as ended:
        Bot(Credentials("1", "s" * 32), endpoints=Endpoints("http://127.0.0.1:9"), sessions=Slow()).run()
    assert ended.value.code == 0


async def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="QQBOT_APP_ID"):
        await Bot().start()
    monkeypatch.setenv("QQBOT_APP_ID", "1")
    with pytest.raises(ConfigError, match="QQBOT_SECRET"):
        await Bot().start()


async def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("QQBOT_SHARD", "2")
    async with Simulator() as sim, echo_bot(sim):
        pass
    assert "did you mean QQBOT_SHARDS?" in caplog.text


@pytest.mark.parametrize("shards", [0, -1, "x", "4-2/8", "0-8/8", "3/", ""])
def test_malformed_shards(shards: int | str) -> None:
    if shards == "":
        Bot(shards=shards)
        return
    with pytest.raises(ConfigError, match="shards="):
        Bot(shards=shards)


async def test_shards_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QQBOT_SHARDS", "1-2/4")
    async with Simulator() as sim:
        async with echo_bot(sim) as bot:
            await bot.ready()
        assert sorted(entry["shard"] for entry in sim.identifies) == [(1, 4), (2, 4)]


async def test_an_unreachable_platform_warns_and_goes_on_trying(caplog: pytest.LogCaptureFixture) -> None:
    async with Simulator() as sim:
        endpoints = sim.endpoints
    bot = Bot(Credentials("1", "secret"), endpoints=endpoints)
    async with bot:
        async with asyncio.timeout(10):
            while "does not answer" not in caplog.text:
                await asyncio.sleep(0.02)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bot.wait(), 0.1)


def test_a_malformed_address() -> None:
    with pytest.raises(ConfigError, match="api_base"):
        Endpoints("not a url")
    with pytest.raises(ConfigError, match="in the clear"):
        Endpoints("http://example.com")


def test_what_needs_a_running_bot_says_so() -> None:
    bot = Bot()
    with pytest.raises(ConfigError, match="not running"):
        _ = bot.api
    coroutine = asyncio.sleep(0)
    with pytest.raises(ConfigError, match="not running"):
        bot.spawn(coroutine)


def test_run_while_a_file_is_loaded() -> None:
    token = loading.set("bot.py")
    try:
        with pytest.raises(ConfigError, match="__main__"):
            Bot().run()
    finally:
        loading.reset(token)


def test_run_tells_by_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().addHandler(handler := logging.NullHandler())
    try:
        with pytest.raises(SystemExit) as caught:
            Bot().run()
    finally:
        logging.getLogger().removeHandler(handler)
    assert caught.value.code == 3
    assert "QQBOT_APP_ID" in capsys.readouterr().err


async def test_each_platform_has_a_memory_of_its_own_for_the_pace_of_identifies() -> None:
    """The platform's memory does not end with a run; but another platform knows nothing of it."""
    bot = Bot(gateway=GatewayConfig(identify_window=60))
    async with Simulator(max_concurrency=1) as first, Simulator(max_concurrency=1) as second:
        for sim in (first, second):
            async with asyncio.timeout(5), sim.run(bot):
                assert len(sim.identifies) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), second.run(bot):
                pass
