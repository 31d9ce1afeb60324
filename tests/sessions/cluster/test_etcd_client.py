"""`EtcdClient`: answers that are none of etcd's end no node, and one member that is wrong does not hide the others."""

import asyncio
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from qqbot.config import Secret
from qqbot.errors import ConfigError
from qqbot.sessions import Timings
from qqbot.sessions.cluster.etcd_client import EtcdClient, EtcdRefused
from qqbot.sessions.cluster.etcd_store import EtcdStore
from qqbot.sessions.cluster.state import ClusterState, NodeInfo
from qqbot.sessions.cluster.store import StoreAway
from tests.etcd.pretender import pretender

DEEP = b"[" * 100_000
HEADER = b'{"header":{"cluster_id":"1","revision":"5"}'
FOUND = HEADER + b',"succeeded":true,"responses":[{"response_range":{"kvs":[]}}]}'


def store_of(url: str) -> EtcdStore:
    return EtcdStore(Secret(url), app_id="1", cluster="c", node="a", timings=Timings())


def soon() -> float:
    return asyncio.get_running_loop().time() + 5


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"<h1>busy</h1>",
        b'{"succeeded":true}',
        HEADER + b"}",
        FOUND,
        b'{"error":' + DEEP,
        b'{"x":' + DEEP,
        b'{"error":{"a":1},"code":"x","message":7}',
    ],
    ids=range(10),
)
async def test_whatever_is_answered_the_store_is_away(status: int, body: bytes) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=body)

    async with pretender(answer) as url, store_of(url) as store:
        with pytest.raises(StoreAway):
            await store.sync("active", NodeInfo(), (), known=ClusterState(), target_active=0)
        if body != FOUND:
            with pytest.raises(StoreAway):
                await store.entries("0-1")


async def test_a_watch_that_answers_anything_ends() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(body=b'{"result":' + DEEP + b"\n" if "watch" in request.path else HEADER + b"}")

    async with pretender(answer) as url, store_of(url) as store:
        with pytest.raises(StoreAway, match="the watch ended"):
            await store.entries("0-1")


async def test_a_token_that_is_refused_while_it_is_asked_for() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"message": "etcdserver: user name is empty", "code": 3}, status=400)

    async with pretender(answer) as url, EtcdClient(Secret(url.replace("://", "://bot:hunter2@"))) as client:
        with pytest.raises(EtcdRefused, match="user name is empty"):
            await client.version(until=soon())


@pytest.mark.parametrize("token", ["", "a\r\nb", "\u4f8b", "a b"])
async def test_a_token_that_no_header_can_carry(token: str) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"token": token, "etcdserver": "3.5.0"})

    async with pretender(answer) as url, EtcdClient(Secret(url.replace("://", "://bot:hunter2@"))) as client:
        with pytest.raises(StoreAway, match="not as etcd does"):
            await client.version(until=soon())


@pytest.mark.parametrize("words", ["etcdserver: invalid auth token", "token is expired"])
async def test_a_token_that_has_expired_is_renewed(words: str) -> None:
    given = list[str]()

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path.endswith("authenticate"):
            given.append(f"t{len(given)}")
            return web.json_response({"token": given[-1]})
        if request.headers["Authorization"] == "t0":
            return web.json_response({"message": words, "code": 16}, status=401)
        return web.json_response({"etcdserver": "3.5.0"})

    async with pretender(answer) as url, EtcdClient(Secret(url.replace("://", "://bot:hunter2@"))) as client:
        versions = await asyncio.gather(*(client.version(until=soon()) for _ in range(20)))
    assert versions == ["3.5.0"] * 20 and given == ["t0", "t1"]


@pytest.mark.parametrize("status", [400, 421])
async def test_what_etcd_refuses_in_plain_text_is_shown(status: int) -> None:
    """As it does for a certificate with a common name, and for a host name that is not on its list."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text="\nCommonName of client\x1b will be ignored\n")

    async with pretender(answer) as url, store_of(url) as store:
        with pytest.raises(ConfigError, match=rf"HTTP {status}: CommonName of client\\x1b will be ignored") as refused:
            await store.check()
    assert str(refused.value).isprintable()


async def test_a_member_that_is_no_etcd_is_left_aside() -> None:
    """A proxy answers 404 for a member that restarts."""
    asked = list[str]()

    async def missing(_: web.BaseRequest) -> web.Response:
        asked.append("missing")
        return web.Response(status=404)

    async def good(_: web.BaseRequest) -> web.Response:
        asked.append("good")
        return web.json_response({"etcdserver": "3.5.0"})

    async with pretender(missing) as first, pretender(good) as second:
        async with EtcdClient(Secret(f"{first},{second.partition('://')[2]}")) as client:
            assert await client.version(until=soon()) == "3.5.0"
            assert await client.version(until=soon()) == "3.5.0"
        assert asked == ["missing", "good", "good"]
        async with EtcdClient(Secret(f"{first},{first.partition('://')[2]}")) as client:
            with pytest.raises(EtcdRefused, match="no etcd from"):
                await client.version(until=soon())
        async with EtcdClient(Secret(f"{first},127.0.0.1:1")) as client:
            with pytest.raises(StoreAway, match="Connect call failed"):  # that one may be an etcd
                await client.version(until=soon())


def test_a_host_in_another_script() -> None:
    (member,) = EtcdClient(Secret("etcd://例子.example:2379/\n"))._address.members
    assert member == "http://xn--fsqu00a.example:2379"


def test_a_key_with_a_password_is_not_asked_for_at_the_terminal(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("bot")
    certificate, key = tmp_path / "bot.pem", tmp_path / "bot.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    private = load_pem_private_key(issued.private_key_pem.bytes(), None)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")))
    url = f"etcds://localhost?ssl_certfile={certificate}&ssl_keyfile={key}"
    code = (
        "import fcntl, sys, termios; from qqbot.config import Secret; from qqbot.errors import ConfigError;"
        "from qqbot.sessions.cluster.etcd_client import EtcdClient; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        f"try: EtcdClient(Secret({url!r}))._tls()\n"
        "except ConfigError as error: sys.exit('cannot be used' not in str(error))\n"
    )
    _, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdin=terminal, start_new_session=True, check=True, timeout=5)
