"""An intake or a worker process of the intake rows; a worker logs when it begins and ends an event.

The settings come from the environment; one line of the log is one write, so that a kill loses none. The text of an
event is its conversation, its number there, the seconds that its handler takes, and "ask" if it waits for the next one.
"""

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

from qqbot import Bot, Context, Credentials, Endpoints, GroupAtMessageCreate, Intents
from qqbot.aio.clock import steady
from qqbot.bot.program import configure_logging, run_loop, stop_on_signal
from qqbot.config import GatewayConfig
from qqbot.ingest import EventSource, sink_of
from qqbot.sessions import RedisSessionManager, Timings
from tests.cluster.intake_engines import INTAKE_ENGINES

PATIENCE = 20.0  # seconds for which a question waits for the next event


def main() -> None:
    options = json.loads(os.environ["INTAKE_NODE"])
    configure_logging()
    if options["role"] == "intake":
        make_bot(options, sink=sink_of(options["broker"]), intents=Intents.GROUP_AND_C2C_EVENT).run()
    else:
        source = INTAKE_ENGINES[options["engine"]].source(options["broker"], options["pace"])
        run_loop(work(make_worker(options), source))


def make_bot(options: dict[str, Any], **more: Any) -> Bot:
    timings = Timings().scaled(options["pace"])
    sessions = None
    if not options["alone"]:
        sessions = RedisSessionManager(options["store"], cluster="test", name=options["name"], timings=timings)
    return Bot(
        Credentials(options["app_id"], options["secret"]),
        endpoints=Endpoints(options["base"]),
        shards=options["shards"],
        sessions=sessions,
        gateway=GatewayConfig(pace=options["pace"]),
        drain=5.0,
        **more,
    )


def make_worker(options: dict[str, Any]) -> Bot:
    bot = make_bot(options)
    log = os.open(options["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(kind: str, ctx: Context[GroupAtMessageCreate]) -> None:
        os.write(log, f"{kind} {steady():.4f} {ctx.event_id}\n".encode())

    async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
        write("begin", ctx)
        conversation, number, seconds = ctx.text.split()[:3]
        await asyncio.sleep(float(seconds))
        await ctx.reply(f"{conversation} {number}")

    @bot.on
    async def handle(ctx: Context[GroupAtMessageCreate]) -> None:
        await answer(ctx)
        if ctx.text.endswith("ask"):
            with contextlib.suppress(TimeoutError):
                answering = await ctx.wait_for(GroupAtMessageCreate, timeout=PATIENCE)
                await answer(answering)
                write("end", answering)
        write("end", ctx)

    return bot


async def work(bot: Bot, source: EventSource) -> None:
    """Do as `qqbot work` does, with a source whose timings are shorter."""
    with stop_on_signal(bot.__simulated__().ask_to_stop):
        async with bot.serve(connect=False):
            await bot.work(source)


if __name__ == "__main__":
    sys.exit(main())
