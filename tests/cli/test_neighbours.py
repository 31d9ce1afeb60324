"""Which other processes are connected to an address, as `qqbot doctor` sees them."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from qqbot.cli.neighbours import Neighbour, can_look, connected_to
from tests.cli.program import python

pytestmark = pytest.mark.skipif(not can_look(), reason="only Linux shows connections and processes in /proc")

CLIENT = """\
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    print("connected", flush=True)
    connection.recv(1)
"""


@asynccontextmanager
async def listening(host: str) -> AsyncIterator[int]:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hold, host, 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("host", "called"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("127.0.0.1", "::ffff:127.0.0.1")]
)
async def test_a_process_that_is_connected(host: str, called: str) -> None:
    env = {"QQBOT_APP_ID": "102", "QQBOT_SECRET": "pass-word"}
    async with listening(host) as port, python("-c", CLIENT, called, str(port), env=env) as other:
        await other.line("out", "connected")
        assert connected_to([(host, port + 1)]) == []
        (found,) = connected_to([(host, port), ("192.0.2.1", port)])
        assert (found.pid, found.settings) == (other.process.pid, {"QQBOT_APP_ID": "102"})
        assert found.command.startswith(sys.executable)
        assert "pass-word" not in repr(found)


async def test_a_process_that_only_listens_is_none() -> None:
    async with listening("127.0.0.1") as port:
        assert connected_to([("127.0.0.1", port)]) == []


async def test_this_process_is_none() -> None:
    async with listening("127.0.0.1") as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        assert connected_to([("127.0.0.1", port)]) == []
        writer.close()
        await writer.wait_closed()


def test_the_url_of_redis_is_not_shown() -> None:
    assert "pass-word" not in repr(Neighbour(1, "python", {"QQBOT_REDIS_URL": "redis://:pass-word@host"}))
