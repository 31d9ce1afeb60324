"""Names of stores are looked up although handlers fill the loop's default executor."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

import pytest

from qqbot.redis.connection import connected, within
from tests.redis.servers import Engine, Server, as_cluster, with_sentinels


@pytest.fixture(autouse=True)
async def filled_executor() -> AsyncGenerator[None]:
    loop, end = asyncio.get_running_loop(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        loop.set_default_executor(pool)
        for _ in range(3):
            loop.run_in_executor(None, end.wait)
        yield
        end.set()


async def test_a_server(store: Server) -> None:
    async with connected(store.url.replace("127.0.0.1", "localhost")) as client:
        assert await within(5, client.ping())


async def test_the_master_that_sentinels_name(engine: Engine) -> None:
    async with (
        with_sentinels(engine, replicas=0, sentinels=1) as watched,
        connected(watched.url.replace("127.0.0.1", "localhost")) as client,
    ):
        assert await within(5, client.ping())


async def test_a_cluster(engine: Engine) -> None:
    async with as_cluster(engine) as servers:
        hosts = ",".join(f"localhost:{server.port}" for server in servers)
        async with connected(f"redis+cluster://{hosts}") as client:
            assert await within(5, client.set("a", 1))


async def test_tls_asks_for_the_name(store: Server) -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"localhost" in await reader.read(4096):
            asked.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connected(f"rediss://localhost:{port}") as client:
            with pytest.raises(Exception, match=r"onnect|SSL|EOF"):
                await within(5, client.ping())
            assert asked.is_set()


async def test_a_name_that_is_none() -> None:
    async with connected("redis://no-such-host.invalid:1") as client:
        with pytest.raises(Exception, match=r"no-such-host|not known"):
            await within(5, client.ping())
