"""What is cancelled, wherever it is, ends, and leaves nothing behind."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from qqbot import Api, Bot, C2CMessageCreate, Context, Credentials, Media
from qqbot.api.downloads import Downloads, is_public_or_loopback
from qqbot.bot.shards import RunningShard
from qqbot.ingest import Forwarder, QueueSink
from qqbot.models.gateway import ResumeState
from qqbot.sessions import LocalSessionManager
from qqbot.testing import Simulator
from qqbot.webhook import WebhookApp
from qqbot.webhook.aiohttp import listening
from tests.cancelling import Attempt, cancel_at_each_turn, cancel_everywhere
from tests.dispatcher.standins import FakeLease
from tests.served import is_served
from tests.webhook.signed import CREDENTIALS, event, signed

SHORT = 0.001
HEAD = b"\x89PNG\r\n\x1a\n"
TWICE = pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])


def answering(credentials: Credentials | None = None, sessions: LocalSessionManager | None = None) -> Bot:
    bot = Bot(credentials, sessions=sessions)

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None:
        await asyncio.sleep(SHORT)
        if ctx.shard is not None:
            await ctx.reply(ctx.text)

    return bot


def test_a_bot_in_each_turn_of_its_loop(tmp_path: Path) -> None:
    @asynccontextmanager
    async def setting() -> AsyncIterator[Attempt]:
        async with Simulator(limits="none", gateway_burst=10_000, identify_window=SHORT) as sim:

            async def attempt() -> None:
                bot = answering(sessions=LocalSessionManager(state=tmp_path / "state.json", window=SHORT))
                try:
                    async with sim.run(bot):
                        await sim.user("Alice").say("hello")
                finally:
                    assert not is_served(bot)

            yield attempt

    assert cancel_at_each_turn(setting) > 40


class Saving(FakeLease):
    """A lease that notes what is saved."""

    saves = 0

    async def save(self, state: ResumeState | None) -> None:
        self.saves += 1


class Silent:
    """A shard in whose session nothing happens."""

    session_id = "s"

    def state(self) -> ResumeState:
        return ResumeState(session_id=self.session_id, seq=0)


@TWICE
async def test_the_end_of_a_shard_saves_its_state(twice: bool) -> None:
    async def attempt() -> None:
        async with RunningShard(lease, Silent(), feed, None).saving():
            await asyncio.sleep(0)

    async def is_saved() -> None:
        assert lease.saves == 1
        lease.saves = 0

    lease = Saving()
    feed = Forwarder(QueueSink()).feed(lease)
    await cancel_everywhere(attempt, is_saved, twice=twice)


@TWICE
async def test_start(twice: bool) -> None:
    bot = answering(CREDENTIALS)
    await cancel_everywhere(lambda: bot.start(connect=False), bot.stop, twice=twice)


@TWICE
async def test_a_webhook_for_several_bots(twice: bool) -> None:
    async def attempt() -> None:
        try:
            async with site.serve():
                await asyncio.sleep(0)
        finally:
            assert not any(is_served(bot) for bot in bots.values())

    bots = {app_id: answering(Credentials(app_id, "s" * 32)) for app_id in ("1", "2")}
    site = WebhookApp(bots)
    await cancel_everywhere(attempt, twice=twice)


async def test_a_webhook_that_gets_one_bot_more() -> None:
    async def attempt() -> None:
        async with site.serve():
            await site.add("1", bot)
            await site.remove("1")

    async def is_left_alone() -> None:
        assert not is_served(bot)
        with pytest.raises(KeyError):
            await site.remove("1")

    bot, site = answering(Credentials("1", "s" * 32)), WebhookApp({})
    await cancel_everywhere(attempt, is_left_alone)


async def test_a_call_to_a_bot_that_nobody_serves() -> None:
    async def attempt() -> None:
        body = event(next(numbers))
        try:
            await bot.handle_webhook(signed(body), body)
        finally:
            assert not is_served(bot)

    bot, numbers = answering(CREDENTIALS), itertools.count(1)
    await cancel_everywhere(attempt)


@TWICE
async def test_a_bot_that_listens_for_webhook_calls(twice: bool) -> None:
    async def attempt() -> None:
        async with bot.serve(connect=False), listening(bot.webhook(), "127.0.0.1:0", SHORT):
            await asyncio.sleep(0)

    bot = answering(CREDENTIALS)
    await cancel_everywhere(attempt, twice=twice)


@TWICE
async def test_the_simulator(twice: bool) -> None:
    async def attempt() -> None:
        async with Simulator():
            await asyncio.sleep(0)

    await cancel_everywhere(attempt, twice=twice)


def from_path(path: Path) -> Media:
    return Media.image(path)


def from_stream(path: Path) -> Media:
    async def chunks() -> AsyncIterator[bytes]:
        yield image
        await asyncio.sleep(0)

    image = path.read_bytes()
    return Media.image(chunks())


@pytest.mark.parametrize("make", [from_path, from_stream])
async def test_an_upload(make: Callable[[Path], Media], tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(HEAD + os.urandom(1000))
    async with Simulator(limits="none") as sim:
        openid = sim.user("Alice").openid

        async def attempt() -> None:
            async with Api(sim.credentials, endpoints=sim.endpoints) as api:
                await api.c2c.send_message(openid, make(path))

        await cancel_everywhere(attempt)


@TWICE
async def test_a_download(twice: bool, tmp_path: Path) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 200_000)

    async def attempt() -> None:
        await downloads.save(str(server.make_url("/")), tmp_path / "file")

    async def leaves_no_part() -> None:
        while parts():
            await asyncio.sleep(SHORT)

    def parts() -> list[Path]:
        return [file for file in tmp_path.iterdir() if file.name != "file"]

    app = web.Application()
    app.router.add_get("/", serve)
    downloads = Downloads(reachable=is_public_or_loopback)
    async with TestServer(app) as server:
        await cancel_everywhere(attempt, leaves_no_part, twice=twice)
