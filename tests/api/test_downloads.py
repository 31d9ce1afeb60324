"""Fetching what users sent."""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import web

from qqbot import ConfigError, ConnectionFailed, MediaError, MessageAttachment, Timeout
from qqbot.api.downloads import Address, Downloads, is_public

DATA = b"x" * 100_000


def loopback_too(address: Address) -> bool:
    return address.is_loopback or is_public(address)


async def serve_data(_: web.Request) -> web.Response:
    return web.Response(body=DATA)


async def serve_unannounced(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(DATA)
    return response


async def redirect(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.query["to"])


async def loop(_: web.Request) -> web.Response:
    raise web.HTTPFound("/loop")


async def hang(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "5"})
    await response.prepare(request)
    await request.read()
    await response.write(b"12")
    await asyncio.sleep(2)
    return response


@pytest.fixture
async def host() -> AsyncGenerator[str]:
    app = web.Application()
    app.add_routes(
        [
            web.get("/data", serve_data),
            web.get("/unannounced", serve_unannounced),
            web.get("/redirect", redirect),
            web.get("/hang", hang),
            web.get("/loop", loop),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_bytes_and_files(host: str, tmp_path: Path) -> None:
    downloads = Downloads(reachable=loopback_too)
    assert await downloads.fetch(f"http://{host}/data") == DATA
    assert await downloads.fetch(f"http://{host}/redirect?to=/data") == DATA
    assert await downloads.save(f"http://{host}/data", tmp_path / "file") == len(DATA)
    assert (tmp_path / "file").read_bytes() == DATA


@pytest.mark.parametrize("path", ["data", "unannounced"])
async def test_the_size_is_capped(host: str, tmp_path: Path, path: str) -> None:
    downloads = Downloads(reachable=loopback_too)
    assert len(await downloads.fetch(f"http://{host}/{path}", max_bytes=len(DATA))) == len(DATA)
    with pytest.raises(MediaError, match="max_bytes"):
        await downloads.fetch(f"http://{host}/{path}", max_bytes=len(DATA) - 1)
    with pytest.raises(MediaError, match="max_bytes"):
        await downloads.save(f"http://{host}/{path}", tmp_path / "file", max_bytes=10)
    assert not (tmp_path / "file").exists() and not (tmp_path / "file.part").exists()


async def test_private_addresses_are_refused(host: str) -> None:
    port = host.partition(":")[2]
    for name in (host, f"localhost:{port}", f"[::1]:{port}", f"[::ffff:127.0.0.1]:{port}", f"2130706433:{port}"):
        with pytest.raises((ConfigError, ConnectionFailed)) as caught:
            await Downloads().fetch(f"http://{name}/data")
        assert name.startswith("2130706433") or isinstance(caught.value, ConfigError)


async def test_a_redirect_is_checked_like_the_address_itself(host: str) -> None:
    downloads = Downloads(reachable=lambda address: address == ipaddress.ip_address("127.0.0.1"))
    for target in ("http://127.0.0.2/", "http://10.0.0.1/", "file:///etc/passwd", "http://[::1]/"):
        with pytest.raises(ConfigError):
            await downloads.fetch(f"http://{host}/redirect?to={target}")
    with pytest.raises(MediaError, match="redirects"):
        await downloads.fetch(f"http://{host}/loop")


@pytest.mark.parametrize("url", ["", "cat.png", "ftp://a/b", "file:///etc/passwd", "https://", "http://[", "//a"])
async def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError):
        await Downloads().fetch(url)


async def test_what_cannot_be_fetched(host: str) -> None:
    downloads = Downloads(reachable=loopback_too)
    with pytest.raises(MediaError) as caught:
        await downloads.fetch(f"http://{host}/none")
    assert caught.value.status == 404
    with pytest.raises(Timeout):
        await downloads.fetch(f"http://{host}/hang", timeout=0.3)
    with pytest.raises(ConnectionFailed):
        await downloads.fetch("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_the_scheme_is_mended() -> None:
    assert MessageAttachment(url="gchat.qpic.cn/a").address == "https://gchat.qpic.cn/a"
    assert MessageAttachment(url="//gchat.qpic.cn/a").address == "https://gchat.qpic.cn/a"
