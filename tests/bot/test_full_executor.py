"""Handlers that fill the loop's default executor, or a process without another thread, hold up no connection."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import pytest

from qqbot import Api, Bot, Endpoints, Media, NoThread, Scene, Target
from qqbot.aio.threads import Threads
from qqbot.config import GatewayConfig
from qqbot.sessions.local import LocalSessionManager
from qqbot.sessions.state_file import StateFile, States
from qqbot.testing import Simulator

FAST = GatewayConfig(pace=0.02)


@asynccontextmanager
async def filled_executor() -> AsyncGenerator[None]:
    """Let each thread of the loop's default executor be held by a call that does not end."""
    loop, end = asyncio.get_running_loop(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        loop.set_default_executor(pool)
        for _ in range(3):
            loop.run_in_executor(None, end.wait)
        try:
            yield
        finally:
            end.set()


@contextmanager
def no_more_threads() -> Generator[None]:
    """Let the system refuse each new thread: none has a stack of this size."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


def by_name(sim: Simulator) -> Endpoints:
    """The simulator at a name, which has to be looked up."""
    host = sim.api_base.replace("127.0.0.1", "localhost")
    return Endpoints(host, f"{host}/app/getAppAccessToken", f"ws{host.removeprefix('http')}/websocket")


def test_no_thread_can_be_started_here() -> None:
    with no_more_threads(), pytest.raises(RuntimeError, match="can't start new thread"):
        threading.Thread(target=int).start()


async def test_a_lost_connection_is_resumed(sim: Simulator) -> None:
    bot = Bot(gateway=FAST)
    async with filled_executor(), bot.serve(credentials=sim.credentials, endpoints=by_name(sim)):
        async with asyncio.timeout(10):
            await bot.ready()
        connector = bot.api.session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        connector.clear_dns_cache()  # else the name is known for ten seconds
        sim.faults.close(4009)
        async with asyncio.timeout(1.5):
            await sim.resumed()


async def test_files_are_sent_and_saved(sim: Simulator, tmp_path: Path) -> None:
    (picture := tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    async with filled_executor(), Api(sim.credentials, endpoints=by_name(sim)) as api, asyncio.timeout(10):
        await api.send(Target(Scene.C2C, sim.user("joe").openid), Media.image(picture))
        await api.downloads.save(sim.attachment(b"sent by a user", name="a.txt")["url"], tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == b"sent by a user"


async def test_a_bot_waits_until_threads_can_be_started(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    bot = Bot(gateway=FAST)
    with no_more_threads():
        async with bot.serve(credentials=sim.credentials, endpoints=by_name(sim)):
            async with asyncio.timeout(10):
                while "no thread could be started" not in caplog.text:
                    await asyncio.sleep(0.01)
            threading.stack_size(0)
            async with asyncio.timeout(10):
                await bot.ready()


async def test_a_state_file_waits_until_a_thread_can_be_started(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bot = Bot(gateway=FAST, sessions=LocalSessionManager(state=tmp_path / "state"))
    with no_more_threads():
        async with bot.serve(credentials=sim.credentials, endpoints=sim.endpoints):
            async with asyncio.timeout(10):
                while "sessions cannot be kept" not in caplog.text:
                    await asyncio.sleep(0.01)
            threading.stack_size(0)
            async with asyncio.timeout(10):
                await bot.ready()
    assert (tmp_path / "state").exists()


async def test_waiting_for_a_thread_can_be_cancelled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with no_more_threads():
        opening = asyncio.create_task(States(StateFile(tmp_path / "state", "1")).__aenter__())
        async with asyncio.timeout(10):
            while "sessions cannot be kept" not in caplog.text:
                await asyncio.sleep(0.01)
        opening.cancel()
        await asyncio.wait([opening])
    assert opening.cancelled()


@pytest.mark.parametrize("how", ["no thread", "shut down", "closed"])
async def test_a_session_of_the_user_that_cannot_begin_a_request(
    sim: Simulator, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    if how != "closed" and not isinstance(loop, asyncio.BaseEventLoop):
        pytest.skip("this loop looks up names in threads of its own")
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), use_dns_cache=False, force_close=True)
    bot = Bot(gateway=FAST, session=(session := aiohttp.ClientSession(connector=connector)))
    async with session, bot.serve(credentials=sim.credentials, endpoints=by_name(sim)):
        async with asyncio.timeout(10):
            await bot.ready()
        loop.set_default_executor(ThreadPoolExecutor(1))
        if how == "shut down":
            await loop.shutdown_default_executor()
        if how == "closed":
            await session.close()
        with no_more_threads():
            sim.faults.close(4009)
            async with asyncio.timeout(10):
                while "this process could not begin it" not in caplog.text:
                    await asyncio.sleep(0.01)
        if how == "no thread":
            async with asyncio.timeout(10):
                await sim.resumed()
        assert bot.stats().shards[0].state != "halted"


async def test_a_call_without_a_thread_fails_and_was_not_sent(sim: Simulator) -> None:
    async with Api(sim.credentials, endpoints=by_name(sim)) as api:
        with no_more_threads(), pytest.raises(NoThread, match="no thread could be started") as caught:
            await api.tokens.get()
        assert not caught.value.maybe_sent
        assert await api.tokens.get()


async def test_a_call_that_failed_is_not_made_later() -> None:
    threads, made = Threads(2, "qqbot test"), list[int]()
    with no_more_threads(), pytest.raises(NoThread):
        await threads.run(lambda: made.append(1))
    await threads.run(lambda: made.append(2))
    await threads.run(lambda: made.append(3))
    assert made == [2, 3]
    threads.close()


async def test_threads_of_our_own() -> None:
    threads = Threads(2, "qqbot test")
    assert (await threads.run(threading.current_thread)).name.startswith("qqbot test")
    threads.close()
    with no_more_threads(), pytest.raises(NoThread, match="ulimit") as caught:
        await threads.run(int)
    assert not caught.value.maybe_sent
    with pytest.raises(RuntimeError, match="its own"):
        await threads.run(fail)
    threads.close()


def fail() -> None:
    raise RuntimeError("its own")
