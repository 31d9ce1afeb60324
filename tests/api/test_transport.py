"""The aiohttp adapter: what goes wrong becomes our errors, and says what to check."""

import asyncio
import contextlib
import gzip
import resource
import ssl
import zlib
from collections.abc import AsyncGenerator

import aiohttp
import pytest
from aiohttp import web

from qqbot.api.exchange import Request
from qqbot.api.transport import MAX_ANSWER_BYTES, AiohttpTransport
from qqbot.errors import ConnectionFailed, Timeout, TransportError
from tests.api.scripted import Answer, Scripted, cut, hang, raw
from tests.sockets import free_port

TOKEN = "QQBot very-secret-token"


def request(url: str, timeout: float = 5.0) -> Request:
    return Request("POST", url, "/path", {"Authorization": TOKEN}, b"body", timeout)


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def transport(session: aiohttp.ClientSession) -> AiohttpTransport:
    return AiohttpTransport(session)


def assert_clean(error: TransportError) -> None:
    """No aiohttp exception hangs on it: some of them hold the request's headers."""
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "very-secret" not in str(error)


async def test_status_headers_and_body_come_back(platform: Scripted, transport: AiohttpTransport) -> None:
    response = await transport.send(request(f"{platform.url}/x%2Fy?a=%20b"))
    assert (response.status, response.body) == (200, b"{}")
    assert response.trace_id == "trace-0001"
    assert platform.calls[0].path == "/x%2Fy?a=%20b"
    assert platform.calls[0].body == b"body"


async def test_nobody_listens(transport: AiohttpTransport) -> None:
    with pytest.raises(ConnectionFailed, match=r"POST /path: Cannot connect.*QQBOT_API_BASE") as caught:
        await transport.send(request(f"http://127.0.0.1:{free_port()}/"))
    assert not caught.value.maybe_sent
    assert_clean(caught.value)


async def test_no_such_host(transport: AiohttpTransport) -> None:
    with pytest.raises(ConnectionFailed, match="Cannot connect") as caught:
        await transport.send(request("http://no-such-host.invalid/"))
    assert not caught.value.maybe_sent


async def test_the_connection_is_cut(platform: Scripted, transport: AiohttpTransport) -> None:
    platform.answers.append(cut)
    with pytest.raises(ConnectionFailed, match="the connection broke") as caught:
        await transport.send(request(f"{platform.url}/"))
    assert caught.value.maybe_sent
    assert_clean(caught.value)


async def test_no_answer_in_time(platform: Scripted, transport: AiohttpTransport) -> None:
    platform.answers.append(hang)
    with pytest.raises(Timeout, match=r"no answer within 0.5 s") as caught:
        await transport.send(request(f"{platform.url}/", timeout=0.5))
    assert caught.value.maybe_sent
    assert_clean(caught.value)


async def test_half_an_answer(platform: Scripted, transport: AiohttpTransport) -> None:
    async def half(incoming: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(incoming)
        await response.write(b'{"id":')
        assert incoming.transport is not None
        incoming.transport.close()
        return response

    platform.answers.append(half)
    with pytest.raises(ConnectionFailed) as caught:
        await transport.send(request(f"{platform.url}/"))
    assert caught.value.maybe_sent


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 999999 \r\n\r\n"])
async def test_the_other_side_speaks_no_http(transport: AiohttpTransport, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailed) as caught:
            await transport.send(request(f"http://127.0.0.1:{port}/"))
    assert_clean(caught.value)


async def test_tls_is_verified(transport: AiohttpTransport) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailed) as caught:
            await transport.send(request(f"https://127.0.0.1:{port}/"))
    assert not caught.value.maybe_sent


async def test_a_given_ssl_context_is_used(session: aiohttp.ClientSession) -> None:
    used: list[str] = []

    class Watched(ssl.SSLContext):
        def wrap_bio(self, *args: object, **kwargs: object) -> ssl.SSLObject:
            used.append("wrap")
            return super().wrap_bio(*args, **kwargs)  # type: ignore[arg-type]

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        transport = AiohttpTransport(session, ssl_context=Watched(ssl.PROTOCOL_TLS_CLIENT))
        with pytest.raises(ConnectionFailed):
            await transport.send(request(f"https://127.0.0.1:{port}/"))
    assert used


async def test_a_proxy_is_used(platform: Scripted, session: aiohttp.ClientSession) -> None:
    transport = AiohttpTransport(session, proxy_for=lambda _: platform.url)
    response = await transport.send(request("http://elsewhere.invalid/path"))
    assert response.status == 200
    assert platform.calls[0].path == "http://elsewhere.invalid/path"


async def test_a_dead_proxy_is_named_without_its_password(session: aiohttp.ClientSession) -> None:
    transport = AiohttpTransport(session, proxy_for=lambda _: f"http://user:proxy-password@127.0.0.1:{free_port()}")
    with pytest.raises(ConnectionFailed, match="proxy") as caught:
        await transport.send(request("http://elsewhere.invalid/"))
    assert "proxy-password" not in str(caught.value)
    assert not caught.value.maybe_sent
    assert_clean(caught.value)


async def test_a_proxy_that_refuses(platform: Scripted, session: aiohttp.ClientSession) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        transport = AiohttpTransport(session, proxy_for=lambda _: f"http://user:proxy-password@127.0.0.1:{port}")
        with pytest.raises(ConnectionFailed, match="HTTP 407") as caught:
            await transport.send(request("https://elsewhere.invalid/"))
    assert "proxy-password" not in str(caught.value)
    assert_clean(caught.value)


def streamed(chunks: int, chunk: bytes, headers: dict[str, str] | None = None) -> Answer:
    async def answer(incoming: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(incoming)
        with contextlib.suppress(ConnectionError):
            for _ in range(chunks):
                await response.write(chunk)
        return response

    return answer


@pytest.mark.parametrize("status", [200, 500])
async def test_a_large_answer_is_not_read_whole(platform: Scripted, transport: AiohttpTransport, status: int) -> None:
    mebibyte = bytes(1 << 20)
    platform.answers.extend([raw(bytes(MAX_ANSWER_BYTES), status), streamed(300, mebibyte)])
    assert len((await transport.send(request(f"{platform.url}/"))).body) == MAX_ANSWER_BYTES
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConnectionFailed, match=rf"more than {MAX_ANSWER_BYTES} bytes.*QQBOT_API_BASE") as caught:
        await transport.send(request(f"{platform.url}/"))
    assert caught.value.maybe_sent
    assert_clean(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kB


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_an_answer_is_counted_after_it_is_inflated(
    platform: Scripted, transport: AiohttpTransport, encoding: str
) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    packed = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(400)), packer.flush()])
    platform.answers.append(raw(packed, headers={"Content-Encoding": encoding}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConnectionFailed, match="more than"):
        await transport.send(request(f"{platform.url}/"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kB
    platform.answers.append(raw(gzip.compress(b'{"a":1}'), headers={"Content-Encoding": "gzip"}))
    assert (await transport.send(request(f"{platform.url}/"))).body == b'{"a":1}'


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_an_answer_that_cannot_be_inflated(
    platform: Scripted, transport: AiohttpTransport, encoding: str
) -> None:
    platform.answers.append(raw(b"not packed at all", headers={"Content-Encoding": encoding}))
    with pytest.raises(ConnectionFailed) as caught:
        await transport.send(request(f"{platform.url}/"))
    assert_clean(caught.value)
