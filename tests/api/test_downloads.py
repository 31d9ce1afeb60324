"""Fetching what users sent."""

import asyncio
import ipaddress
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web

from qqbot import Api, ConfigError, ConnectionFailed, Credentials, Endpoints, MediaError, MessageAttachment, Timeout
from qqbot.api.downloads import Downloads, is_public, is_public_or_loopback
from qqbot.api.network import exact

DATA = b"x" * 100_000


def names(folder: Path) -> list[str]:
    """The files of a folder."""
    return [each.name for each in folder.iterdir()]


async def serve_data(_: web.Request) -> web.Response:
    return web.Response(body=DATA)


async def serve_unannounced(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(DATA)
    return response


async def redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.query["to"]})


async def loop(_: web.Request) -> web.Response:
    raise web.HTTPFound("/loop")


async def slow_loop(_: web.Request) -> web.Response:
    await asyncio.sleep(0.15)
    raise web.HTTPFound("/slow-loop")


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
            web.get("/slow-loop", slow_loop),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_bytes_and_files(host: str, tmp_path: Path) -> None:
    downloads = Downloads(reachable=is_public_or_loopback)
    assert await downloads.fetch(f"http://{host}/data") == DATA
    assert await downloads.fetch(f"http://{host}/redirect?to=/data") == DATA
    assert await downloads.save(f"http://{host}/data", tmp_path / "file") == len(DATA)
    assert (tmp_path / "file").read_bytes() == DATA


@pytest.mark.parametrize("path", ["data", "unannounced"])
async def test_the_size_is_capped(host: str, tmp_path: Path, path: str) -> None:
    downloads = Downloads(reachable=is_public_or_loopback)
    assert len(await downloads.fetch(f"http://{host}/{path}", max_bytes=len(DATA))) == len(DATA)
    with pytest.raises(MediaError, match="max_bytes"):
        await downloads.fetch(f"http://{host}/{path}", max_bytes=len(DATA) - 1)
    with pytest.raises(MediaError, match="max_bytes"):
        await downloads.save(f"http://{host}/{path}", tmp_path / "file", max_bytes=10)
    assert not (tmp_path / "file").exists() and not (tmp_path / "file.part").exists()


async def test_private_addresses_are_refused(host: str) -> None:
    port = host.partition(":")[2]
    for name in (host, f"localhost:{port}", f"[::1]:{port}", f"[::ffff:127.0.0.1]:{port}"):
        with pytest.raises(ConfigError):
            await Downloads().fetch(f"http://{name}/data")


SPELLINGS_OF_LOOPBACK = ["127.1", "2130706433", "0x7f.1", "127.0.0.1.", "localhost", "LOCALHOST.", "a.localhost"]


@pytest.mark.parametrize("name", SPELLINGS_OF_LOOPBACK)
async def test_other_spellings_of_a_private_address_are_refused(host: str, name: str) -> None:
    with pytest.raises(ConfigError, match=r"downloads from 127\.0\.0\.1"):
        await Downloads().fetch(f"http://{name}:{host.partition(':')[2]}/data")


@pytest.fixture
async def proxy() -> AsyncGenerator[str]:
    """A proxy, given by name, that answers every request with the URL it was asked for."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text=str(request.raw_path))

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://unknown.invalid/a", "http://unknown.invalid/a"),
        ("http://8.8.8.8/a", "http://8.8.8.8/a"),
        ("http://010.8.8.8/a", "http://8.8.8.8/a"),
        ("http://[2001:4860:4860::8888]/a", "http://[2001:4860:4860::8888]/a"),
    ],
)
async def test_a_proxy_may_be_given_by_name(proxy: str, url: str, asked: str) -> None:
    assert await Downloads(proxy_for=lambda _: proxy).fetch(url) == asked.encode()


@pytest.mark.parametrize("name", [*SPELLINGS_OF_LOOPBACK, "127.0.0.1", "[::1]", "[64:ff9b::7f00:1]", "%31%32%37.0.0.1"])
async def test_a_proxy_is_not_asked_for_a_private_address(proxy: str, name: str) -> None:
    by_number = proxy.replace("localhost", "127.0.0.1")
    with pytest.raises(ConfigError):
        await Downloads(proxy_for=lambda _: by_number).fetch(f"http://{name}/")


async def test_a_proxy_is_not_asked_for_a_name_with_a_private_address(proxy: str) -> None:
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        pytest.skip("this machine does not know its own name")
    assert await Downloads(reachable=lambda _: True, proxy_for=lambda _: proxy).fetch(f"http://{name}/")
    with pytest.raises(ConfigError, match="not public"):
        await Downloads(reachable=lambda _: False, proxy_for=lambda _: proxy).fetch(f"http://{name}/")


async def test_a_platform_on_this_machine_hands_out_its_files_here(host: str) -> None:
    here = Api(Credentials("1", "s"), endpoints=Endpoints("http://127.0.0.1:1"))
    assert await here.downloads.fetch(f"http://{host}/data") == DATA
    for private in ("10.0.0.1", "169.254.169.254"):
        with pytest.raises(ConfigError, match="not public"):
            await here.downloads.fetch(f"http://{private}/data")
    with pytest.raises(ConfigError, match="not public"):
        await Api(Credentials("1", "s")).downloads.fetch(f"http://{host}/data")


async def test_a_redirect_is_checked_like_the_address_itself(host: str) -> None:
    downloads = Downloads(reachable=lambda address: address == ipaddress.ip_address("127.0.0.1"))
    for target in ("http://127.0.0.2/", "http://10.0.0.1/", "file:///etc/passwd", "http://[::1]/"):
        with pytest.raises(ConfigError):
            await downloads.fetch(f"http://{host}/redirect?to={target}")
    with pytest.raises(MediaError, match="redirects"):
        await downloads.fetch(f"http://{host}/loop")


@pytest.mark.parametrize("location", ["http://[::1", "//[", "http://a:99999/", f"http://{'a' * 64}.invalid/"])
async def test_a_redirect_to_what_is_no_address(host: str, location: str) -> None:
    with pytest.raises(ConfigError, match=r"not an address|not a host name"):
        await Downloads(reachable=is_public_or_loopback).fetch(f"http://{host}/redirect?to={quote(location)}")


async def test_the_time_is_that_of_all_redirects_together(host: str) -> None:
    with pytest.raises(Timeout):
        await Downloads(reachable=is_public_or_loopback).fetch(f"http://{host}/slow-loop", timeout=0.4)


@pytest.mark.parametrize("url", ["", "cat.png", "ftp://a/b", "file:///etc/passwd", "https://", "http://[", "//a"])
async def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError):
        await Downloads().fetch(url)


async def test_what_cannot_be_fetched(host: str) -> None:
    downloads = Downloads(reachable=is_public_or_loopback)
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
        ("2002:808:808::", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::808:808", False),
        ("::7f00:1", False),
        ("::808:808", False),
        ("::ffff:0:127.0.0.1", False),
        ("::ffff:0:8.8.8.8", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("fec0::1", False),
        ("ff0e::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_the_scheme_is_mended() -> None:
    assert MessageAttachment(url="gchat.qpic.cn/a").address == "https://gchat.qpic.cn/a"
    assert MessageAttachment(url="//gchat.qpic.cn/a").address == "https://gchat.qpic.cn/a"


SIGNED = "/signed/a%2fb%7e/%E5%9b%be;v=1/x+y?sign=q%2B1%3d/+==&t=1;2&empty=&name=a%20b,'(c)'!*$@:[1]&d=../."


@pytest.mark.parametrize("hops", ["", "/move?to=", "/move?to=http://{host}", "/move?to=//{host}"])
async def test_a_signed_address_goes_out_byte_for_byte(hops: str) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        if request.path == "/move":
            return web.Response(status=302, headers={"Location": request.query["to"]})
        return web.Response(body=b"signed")

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        address = SIGNED
        if hops:
            way, _, origin = hops.partition("=")
            address = f"{way}={origin.format(host=host)}{quote(SIGNED, safe='')}"
        downloads = Downloads(reachable=is_public_or_loopback)
        assert await downloads.fetch(f"http://{host}{address}") == b"signed"
    finally:
        await runner.cleanup()
    assert seen[-1] == SIGNED


async def test_what_no_address_may_have_is_quoted() -> None:
    assert str(exact("https://h/a b|é?q=1%&r=%zz\\")) == "https://h/a%20b%7C%C3%A9?q=1%25&r=%25zz%5C"
    assert str(exact("https://BÜCHER.example?q=\udce9#x")) == "https://xn--bcher-kva.example/?q=%E9#x"
    for address in ("h/a", "://h", "http:///a", "http://h:99999/", "http://a\\@h/"):
        with pytest.raises(ValueError, match=r".+"):
            exact(address)


async def test_two_saves_to_one_path_do_not_mix(tmp_path: Path) -> None:
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first " * 1000)
        begun.set()
        await go_on.wait()
        await response.write(b"end")
        return response

    async def failing(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"12")
        assert request.transport is not None
        request.transport.abort()
        return response

    app = web.Application()
    app.add_routes([web.get("/slow", slow), web.get("/failing", failing), web.get("/data", serve_data)])
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    downloads, path = Downloads(reachable=is_public_or_loopback), tmp_path / "file"
    try:
        first = asyncio.create_task(downloads.save(f"{root}/slow", path))
        await begun.wait()
        assert await downloads.save(f"{root}/data", path) == len(DATA)
        assert path.read_bytes() == DATA
        with pytest.raises(ConnectionFailed):
            await downloads.save(f"{root}/failing", path)
        assert path.read_bytes() == DATA, "a failure leaves the file that was there"
        go_on.set()
        assert await first == 6003
        assert path.read_bytes() == b"first " * 1000 + b"end"
    finally:
        await runner.cleanup()
    assert names(tmp_path) == [path.name]


async def test_no_symbolic_link_is_followed(host: str, tmp_path: Path) -> None:
    downloads, path, target = Downloads(reachable=is_public_or_loopback), tmp_path / "file", tmp_path / "target"
    target.write_bytes(b"secret")
    path.symlink_to(target)
    (tmp_path / "file.part").symlink_to(target)
    await downloads.save(f"http://{host}/data", path)
    assert target.read_bytes() == b"secret"
    assert path.read_bytes() == DATA and not path.is_symlink()


async def test_a_cancelled_save_leaves_nothing(host: str, tmp_path: Path) -> None:
    saving = asyncio.create_task(
        Downloads(reachable=is_public_or_loopback).save(f"http://{host}/hang", tmp_path / "file")
    )
    while not names(tmp_path):
        await asyncio.sleep(0.01)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert not names(tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "half \ud800", "x" * 300])
async def test_a_name_that_no_file_can_have(host: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a file"):
        await Downloads(reachable=is_public_or_loopback).save(f"http://{host}/data", tmp_path / name)
    assert not names(tmp_path)


async def test_a_path_that_is_no_regular_file(host: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/null"), Path("/")):
        with pytest.raises(ConfigError, match="not a regular file"):
            await Downloads(reachable=is_public_or_loopback).save(f"http://{host}/data", path)


async def test_a_long_name_is_saved(host: str, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    await Downloads(reachable=is_public_or_loopback).save(f"http://{host}/data", path)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/\0",
        "http://a\0b/",
        "http://a\r\nX: 1/",
        "http://127.0.0.1/\ud800",
        f"http://127.0.0.1/{'x' * 20_000}",
        f"http://{'a.' * 200}/",
        f"http://{'é' * 100_000}/",
        f"http://{'9' * 200}/",
    ],
)
async def test_an_address_that_no_request_can_have(url: str) -> None:
    with pytest.raises(ConfigError, match=r"not an address|not a host name|at most") as caught:
        await Downloads(reachable=is_public_or_loopback).fetch(url)
    assert len(str(caught.value)) < 400


async def test_a_redirect_in_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode())
        answer = b"302 Found\r\nLocation: /\xe9" if len(seen) == 1 else b"200 OK"
        writer.write(b"HTTP/1.1 " + answer + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await Downloads(reachable=is_public_or_loopback).fetch(f"http://127.0.0.1:{port}/") == b""
    assert seen == ["/", "/%E9"]
