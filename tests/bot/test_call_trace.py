"""How many calls of ours a message in and a reply out take; a webhook call passes through each module once."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import CO_COROUTINE
from pathlib import Path
from types import FrameType

import pytest

import qqbot
from qqbot import Bot, C2CMessageCreate, Context, Event, GroupAtMessageCreate
from qqbot.testing import Simulator
from qqbot.webhook import application
from tests.webhook.signed import APP_ID, CREDENTIALS, event, signed

PACKAGE = Path(qqbot.__file__).parent
OURS, SIMULATOR = f"{PACKAGE}/", f"{PACKAGE / 'simulator'}/"
MOST_CALLS_OF_A_REPLY = 61
MOST_CALLS_OF_A_MESSAGE = 15


class Trace:
    """The calls into the package that the current task makes: each frame once, when it is entered."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.entered: list[str] = []
        """The module of each call from another module, without `aio`: its parts call nothing of ours back."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        task = asyncio.current_task()
        known: set[FrameType] = set()  # a coroutine that goes on is no call; kept, so that no other frame has its id
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            known.add(frame)
            frame = frame.f_back

        def record(frame: FrameType, event: str, _: object) -> None:
            if event != "call" or frame in known or (module := _module(frame)) is None:
                return
            if asyncio.current_task(asyncio.get_running_loop()) is not task:
                return  # another task, such as a worker, while this one waits
            known.add(frame)
            self.calls.append(f"{module}:{frame.f_code.co_name}")
            is_new = _caller(frame) != module and self.entered[-1:] != [module]
            if is_new and not module.startswith("aio/"):
                self.entered.append(module)

        gc.disable()  # a finalizer of ours would be a call
        sys.setprofile(record)
        try:
            yield
        finally:
            sys.setprofile(None)
            gc.enable()


def _module(frame: FrameType) -> str | None:
    name = frame.f_code.co_filename
    return name.removeprefix(OURS) if name.startswith(OURS) and not name.startswith(SIMULATOR) else None


def _caller(frame: FrameType) -> str | None:
    """Return the nearest module of ours below `frame`."""
    back = frame.f_back
    while back is not None and (module := _module(back)) is None:
        back = back.f_back
    return None if back is None else module


@pytest.mark.parametrize("scene", ["group", "c2c"])
async def test_a_reply_takes_few_calls(scene: str) -> None:
    bot = Bot()
    counts: list[int] = []
    traces: list[Trace] = []

    @bot.on
    async def answer(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None:
        await ctx.reply("first")  # fetches a token, opens a connection
        for _ in range(2):
            traces.append(trace := Trace())
            with trace.recording():
                await ctx.reply("second")
            counts.append(len(trace.calls))

    async with Simulator() as sim, sim.run(bot):
        if scene == "group":
            await sim.group("test").member("Alice").say("@bot hi")
        else:
            await sim.user("Alice").say("hi")
        async with asyncio.timeout(5):
            while len(counts) < 2:
                await asyncio.sleep(0.01)
    assert traces[0].calls == traces[1].calls, "each reply takes the same way"
    assert counts[0] <= MOST_CALLS_OF_A_REPLY, "\n".join(traces[0].calls)
    assert "bot/context.py:reply" in traces[0].calls and "api/transport.py:send" in traces[0].calls
    checks = [call for call in traces[0].calls if call.endswith((":valid", ":check_window"))]
    assert len(checks) == 2, "the lease and the window are checked once each"


async def test_a_webhook_call_enters_each_module_once() -> None:
    bot = Bot(CREDENTIALS)
    seen: list[str | None] = []

    @bot.on(Event)
    async def take(ctx: Context[Event]) -> None:
        seen.append(ctx.event_id)

    address = application({APP_ID: bot})
    traces: list[Trace] = []
    async with bot.serve(connect=False):
        for number in range(3):
            body = event(number)
            headers = signed(body)
            traces.append(trace := Trace())
            with trace.recording():
                status, _, _ = await address.handle_webhook(headers, body)
            assert status == 200
        async with asyncio.timeout(5):
            while len(seen) < 3:
                await asyncio.sleep(0.01)
    entered = traces[2].entered
    assert traces[1].calls == traces[2].calls, "the first call makes the keys, the next ones take the same way"
    assert len(entered) == len(set(entered)), entered
    assert entered[:7] == [
        "webhook/app.py",
        "webhook/handler.py",
        "webhook/protocol.py",
        "webhook/signature.py",
        "bot/runtime.py",
        "bot/run.py",
        "dispatcher/sources.py",
    ]


async def test_a_message_takes_few_calls() -> None:
    bot = Bot()
    handled: asyncio.Queue[None] = asyncio.Queue()

    @bot.on
    async def take(ctx: Context[GroupAtMessageCreate]) -> None:
        handled.put_nowait(None)

    # Served without `sim.run`, which listens to the end of each event.
    async with Simulator() as sim, bot.serve(credentials=sim.credentials, endpoints=sim.endpoints):
        await bot.ready()
        known: dict[FrameType, None] = {}
        calls: list[str] = []

        def record(frame: FrameType, event: str, _: object) -> None:
            if event != "call" or frame in known or (module := _module(frame)) is None or module.startswith("testing/"):
                return
            task = asyncio.current_task(asyncio.get_running_loop())
            if task is None or not task.get_name().startswith(("qqbot shard", "qqbot worker")):
                return  # what looks after the bot once a second
            if frame.f_code.co_flags & CO_COROUTINE:
                known[frame] = None  # kept: a reader or a worker that goes on is no call
            calls.append(f"{module}:{frame.f_code.co_name}")

        traces: list[list[str]] = []
        gc.disable()
        sys.setprofile(record)
        try:
            for _ in range(4):  # the first ones start workers and fill tables
                calls.clear()
                sim.push_message("group", text="hi")
                async with asyncio.timeout(5):
                    await handled.get()
                    await asyncio.sleep(0.05)  # until its end is noted
                traces.append(list(calls))
        finally:
            sys.setprofile(None)
            gc.enable()
    assert traces[2] == traces[3], "each message takes the same way"
    assert len(traces[3]) <= MOST_CALLS_OF_A_MESSAGE, "\n".join(traces[3])
