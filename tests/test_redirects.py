"""One rule for every request: it goes to the host that was asked for, whatever that host answers."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

import aiohttp
import pytest

from qqbot import Api, Bot, ConfigError, Credentials, Endpoints, QQBotError, Route
from qqbot.config import GatewayConfig
from qqbot.gateway.connection import Connection
from qqbot.sessions import EtcdSessionManager
from qqbot.sessions.cluster.store import StoreAway
from qqbot.webhook.client import WebhookClient, simulate_search
from tests.cli.program import run

STATUSES = (301, 302, 303, 307, 308)
CREDENTIALS = Credentials("102000001", "never-shown-app-secret")
SECRETS = re.compile(rb"never-shown|secret-token|X-Signature|Authorization|QQBot ", re.IGNORECASE)


class Listener:
    """Reads whole requests, keeps them, and answers each with `answer`."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.requests: list[bytes] = []
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            self.requests.append(head + body)
            writer.write(self._answer(head))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(listener: Listener) -> AsyncGenerator[str]:
    """Yield host:port."""
    async with await asyncio.start_server(listener.serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def ok(_: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Tokens:
    async def get(self) -> str:
        return "secret-token"

    def invalidate(self, token: str) -> None:
        pass


def client(asked: str) -> Api:
    return Api(CREDENTIALS, endpoints=Endpoints(f"http://{asked}"), token=Tokens())


async def api_call(asked: str) -> None:
    async with client(asked) as api:
        await api.call(Route("send", "POST", "/messages", bytes), body={"content": "never-shown"}, timeout=2)


async def token_call(asked: str) -> None:
    async with Api(CREDENTIALS, endpoints=Endpoints(f"http://{asked}")) as api:
        await api.tokens.get()


async def upload_of_a_part(asked: str) -> None:
    async with client(asked) as api:
        await api._put(f"http://{asked}/bucket/file?sign=never-shown", b"bytes", 5, 2.0)


async def download(asked: str) -> None:
    async with client(asked) as api:
        await api.downloads.fetch(f"http://{asked}/file", timeout=2)


async def gateway(asked: str) -> None:
    async with client(asked) as api:
        await Connection.open(api.session, f"ws://{asked}/ws?key=never-shown", GatewayConfig(), {})


async def gateway_by_a_session_of_the_user(asked: str) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": "secret-token"}) as session:
        await Connection.open(session, f"ws://{asked}/ws", GatewayConfig(), {})


async def webhook_call(asked: str) -> None:
    async with WebhookClient(f"http://{asked}/", CREDENTIALS) as trial:
        await trial.send(b"{}")


async def search(asked: str) -> None:
    await simulate_search(f"http://{asked}/", CREDENTIALS, "word")


def command(*arguments: str) -> Callable[[str], Awaitable[None]]:
    async def call(asked: str) -> None:
        env = {
            "QQBOT_APP_ID": "102000001",
            "QQBOT_SECRET": "never-shown-app-secret",
            "QQBOT_API_BASE": f"http://{asked}",
        }
        await run(*(each.format(asked=asked) for each in arguments), env=env)

    return call


async def etcd(asked: str) -> None:
    store = EtcdSessionManager(f"etcd://bot:never-shown@{asked}", cluster="c").store("1")
    async with store:
        for call in (store.check, store.look, partial(store.entries, "$", 1.0)):
            with contextlib.suppress(ConfigError, StoreAway):
                await call()


REQUESTS: Mapping[str, Callable[[str], Awaitable[None]]] = MappingProxyType(
    {
        "api call": api_call,
        "token call": token_call,
        "upload": upload_of_a_part,
        "download": download,
        "gateway": gateway,
        "gateway by a session of the user": gateway_by_a_session_of_the_user,
        "etcd": etcd,
        "webhook call": webhook_call,
        "search": search,
    }
)
COMMANDS: Mapping[str, Callable[[str], Awaitable[None]]] = MappingProxyType(
    {
        "qqbot call": command("call", "GET", "/users/@me"),
        "qqbot webhook": command("webhook", "verify", "http://{asked}/"),
    }
)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("request_", [*REQUESTS.values(), *COMMANDS.values()], ids=[*REQUESTS, *COMMANDS])
async def test_no_secret_goes_to_another_host(request_: Callable[[str], Awaitable[None]], status: int) -> None:
    if request_ in COMMANDS.values() and status not in (302, 307):
        pytest.skip("each is a process: a status that keeps the method and one that does not are enough")
    elsewhere = Listener(ok)
    async with listening(elsewhere) as other:

        def redirect(_: bytes) -> bytes:
            where = b"Location: http://%s/stolen" % other.encode()
            return b"HTTP/1.1 %d Moved\r\n%s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, where)

        first = Listener(redirect)
        async with listening(first) as asked:
            with contextlib.suppress(QQBotError):
                await request_(asked)
    assert first.requests
    if request_ is download:  # follows redirects, because it has nothing to protect
        assert elsewhere.requests
        assert not any(map(SECRETS.search, elsewhere.requests))
    else:
        assert elsewhere.requests == []


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_a_bot_reports_a_gateway_that_redirects(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = Listener(ok)
    async with listening(elsewhere) as other:

        def answer(head: bytes) -> bytes:
            if b"GET /gateway/bot" in head:
                limits = b'{"total":9,"remaining":9,"reset_after":9,"max_concurrency":1}'
                body = b'{"url":"ws://%s/ws","shards":1,"session_start_limit":%s}' % (asked.encode(), limits)
                return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
            where = f"Location: {scheme}://{other}/ws\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            return b"HTTP/1.1 302 Found\r\n" + where.encode()

        first = Listener(answer)
        async with listening(first) as asked:
            bot = Bot(
                CREDENTIALS, endpoints=Endpoints(f"http://{asked}"), token=Tokens(), gateway=GatewayConfig(pace=0.1)
            )
            async with bot, asyncio.timeout(10):
                while "redirect" not in caplog.text:
                    await asyncio.sleep(0.01)
    assert "HTTP 302" in caplog.text
    assert elsewhere.requests == []


async def test_other_requests_of_the_session_still_follow_redirects() -> None:
    elsewhere = Listener(ok)
    async with listening(elsewhere) as other, aiohttp.ClientSession() as session:
        slow = asyncio.Event()

        def redirect(head: bytes) -> bytes:
            if b"upgrade: websocket" in head.lower():
                slow.set()
                return b""  # the upgrade stays open while the other request is redirected
            return b"HTTP/1.1 302 Found\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n" % other.encode()

        async with listening(Listener(redirect)) as asked:

            async def upgrade() -> None:
                with contextlib.suppress(QQBotError):
                    await Connection.open(session, f"ws://{asked}/", GatewayConfig(connect_timeout=1), {})

            async with asyncio.TaskGroup() as group:
                group.create_task(upgrade())
                async with session.get(f"http://{asked}/") as response:
                    assert (await response.read(), len(response.history)) == (b"{}", 1)
    assert session.trace_configs == []
