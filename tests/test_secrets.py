"""No secret and no token in any record, repr, error or traceback, whatever happens to a whole conversation."""

import asyncio
import logging
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qqbot import Api, ApiError, Bot, ConfigError, Context, Credentials, GroupAtMessageCreate
from qqbot.api.exchange import Request, Response
from qqbot.config import ClusterConfig, Endpoints, GatewayConfig, Secret
from qqbot.errors import GatewayHalted
from qqbot.models.frames import identify, resume
from qqbot.redis.lock import RedisLock
from qqbot.redis.sharing import sharing
from qqbot.sessions.cluster.manager import EtcdSessionManager, RedisSessionManager
from qqbot.sessions.cluster.store import StoreAway
from qqbot.testing import Simulator
from qqbot.webhook.protocol import WebhookProtocol
from qqbot.webhook.signature import Key, public_key, sign, verify
from tests.sockets import free_port

FAST = GatewayConfig(pace=0.02, hello_timeout=0.5, ready_timeout=0.5, identify_window=0.2)


async def test_a_whole_conversation_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Simulator() as sim:
        bot = Bot(gateway=FAST)

        @bot.on
        async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
            await ctx.reply(ctx.text)

        async with sim.run(bot):
            alice = sim.group("test").member("Alice")
            await alice.say("@bot hello")
            tokens = {await bot.api.tokens.get()}
            sim.revoke_tokens()
            sim.faults.http("POST /v2/groups/*", 500)
            sim.push_message("group", user="Alice", text="fails once")
            sim.faults.close(4004)
            await sim.identified()
            await alice.say("@bot again")
            with pytest.raises(ApiError) as caught:
                await bot.api.groups.send_message("no such group", "x")
            tokens.add(await bot.api.tokens.get())
            shown = [repr(bot), repr(bot.api), repr(sim.credentials), repr(caught.value), str(caught.value)]
    formatter = logging.Formatter("%(name)s %(message)s")
    shown += [formatter.format(record) for record in caplog.records if record.name.startswith(("qqbot", "asyncio"))]
    text = "\n".join(shown)
    assert len(tokens) == 2
    assert "hello" in text, "bodies are shown at DEBUG"
    assert sim.secret not in text
    assert not [token for token in tokens if token in text]


def test_a_secret_does_not_show_itself() -> None:
    credentials = Credentials(1, "very-secret")
    assert "very-secret" not in f"{credentials!r} {credentials} {credentials.secret}"
    assert credentials.secret.reveal() == "very-secret"
    assert credentials.secret == Secret("very-secret")
    with pytest.raises(TypeError):
        pickle.dumps(credentials.secret)


async def test_a_refused_secret_is_not_named() -> None:
    async with Simulator() as sim:
        bot = Bot(Credentials(sim.app_id, "wrong-secret"), endpoints=sim.endpoints)
        with pytest.raises(ApiError) as caught:
            async with bot:
                await asyncio.wait_for(bot.wait(), 10)
    assert "wrong-secret" not in str(caught.value)


# The variables of the frames that raise


SECRETS = ("never-shown-secret", "never-shown-token", "never-shown-password")


class _Tokens:
    """A user's own source of tokens."""

    async def get(self) -> str:
        return "never-shown-token"

    def invalidate(self, token: str) -> None:
        pass


def assert_frames_hide(error: BaseException) -> None:
    """No variable of a frame of ours shows a secret, in the whole chain of errors."""
    seen: set[int] = set()
    todo: list[BaseException] = [error]
    frames = 0
    while todo:
        link = todo.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        todo += [each for each in (link.__cause__, link.__context__) if each is not None]
        todo += getattr(link, "exceptions", ())
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if f"{os.sep}qqbot{os.sep}" not in frame.f_code.co_filename or "simulator" in frame.f_code.co_filename:
                continue
            frames += 1
            for name, value in frame.f_locals.items():
                try:
                    shown = repr(value)
                except AttributeError:  # of an object that is not made yet
                    continue
                assert not [each for each in SECRETS if each in shown], (frame.f_code.co_qualname, name)
    assert frames, "no frame of ours was looked at"


def raised(function: Callable[..., object], *arguments: object, **options: object) -> BaseException:
    try:
        function(*arguments, **options)
    except Exception as error:  # noqa: BLE001 - the test judges it
        return error
    raise AssertionError("it raised nothing")


VARIABLES = {
    "QQBOT_APP_ID": "1",
    "QQBOT_SECRET": "never-shown-secret",
    "QQBOT_REDIS_URL": "redis://:never-shown-password@host",
    "QQBOT_PREVIOUS_SECRET": "never-shown-secret",
}


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        (Credentials.from_env, {"QQBOT_APP_ID": ""}),
        (Credentials.from_env, {"QQBOT_APP_ID": "never-shown-secret"}),
        (Credentials.from_env, {"QQBOT_SECRET": '"never-shown-secret"'}),
        (Credentials.from_env, {"QQBOT_SECRET": "never-shown-secret never-shown-secret"}),
        (Credentials.from_env, {"QQBOT_SECRET": "", "QQBOT_SECRET_FILE": "/nowhere"}),
        (Credentials.from_env, {"QQBOT_PREVIOUS_SECRET": "\ufeffnever-shown-secret"}),
        (Endpoints.from_env, {"QQBOT_API_BASE": "nonsense"}),
        (ClusterConfig.from_env, {"QQBOT_REDIS_URL": "", "QQBOT_CLUSTER": "c"}),
        (ClusterConfig.from_env, {"QQBOT_CLUSTER": "'c'"}),
        (ClusterConfig.from_env, {"QQBOT_ETCD_URL": "etcd://u:never-shown-password@host"}),
    ],
)
def test_frames_that_read_the_environment(
    monkeypatch: pytest.MonkeyPatch, function: Callable[..., object], wrong: dict[str, str]
) -> None:
    for name, value in (VARIABLES | wrong).items():
        monkeypatch.setenv(name, value)
    assert_frames_hide(raised(function))
    assert_frames_hide(raised(function, dict(os.environ)))


@pytest.mark.parametrize("content", [b"never-shown-secret\xff", b'"never-shown-secret"', b"never-shown-secret two"])
def test_frames_that_read_a_secret_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    variables = {"QQBOT_APP_ID": "1", "QQBOT_SECRET_FILE": str(tmp_path / "secret")}
    assert_frames_hide(raised(Credentials.from_env, variables))


@pytest.mark.parametrize(
    ("app_id", "secret", "previous"),
    [
        ("never-shown-secret", "s", None),
        (1, " never-shown-secret", None),
        (1, "never-shown-secret\u4e2d", None),
        (1, "never-shown-secret", "'never-shown-secret'"),
        (1, "never-shown-secret", ""),
    ],
)
def test_frames_that_check_credentials(app_id: str | int, secret: str, previous: str | None) -> None:
    assert_frames_hide(raised(Credentials, app_id, secret, previous=previous))


@pytest.mark.parametrize("url", ["nonsense://u:never-shown-password@h", "etcd://u:never-shown-password@h:x"])
def test_frames_that_open_etcd(url: str) -> None:
    assert_frames_hide(raised(EtcdSessionManager, url))


async def test_frames_that_call_etcd() -> None:
    store = EtcdSessionManager(f"etcd://u:never-shown-password@127.0.0.1:{free_port()}").store("1")
    async with store:
        for call in (store.check, store.look, store.states):
            with pytest.raises(StoreAway) as caught:
                await call()
            assert_frames_hide(caught.value)


@pytest.mark.parametrize("url", ["nonsense://u:never-shown-password@h", "redis+cluster://u:never-shown-password@h:x"])
async def test_frames_that_open_redis(url: str) -> None:
    assert_frames_hide(raised(RedisSessionManager, url))
    with pytest.raises(ConfigError) as caught:
        await RedisLock(url, "name").acquire()
    assert_frames_hide(caught.value)
    assert_frames_hide(raised(RedisLock, "redis://:never-shown-password@h", "name", ttl=0))
    with pytest.raises(ConfigError) as caught:
        async with sharing(url, Credentials(1, "never-shown-secret"), cluster="c"):
            pass
    assert_frames_hide(caught.value)


@pytest.mark.parametrize("function", [sign, verify, public_key, Key.of])
def test_frames_that_make_a_key(monkeypatch: pytest.MonkeyPatch, function: Callable[..., object]) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    rest = {sign: ("1", b""), verify: ("1", b"", "0" * 128)}.get(function, ())
    assert_frames_hide(raised(function, "never-shown-secret", *rest))
    assert_frames_hide(raised(WebhookProtocol, "1", ["never-shown-secret"]))


class _Broken:
    """A transport with a fault of its own, which no caller expects."""

    async def send(self, request: Request) -> Response:
        raise RuntimeError("a fault of the transport")


@pytest.mark.parametrize("kind", ["token", "call"])
async def test_frames_of_a_call_that_fails_unexpectedly(kind: str) -> None:
    options: dict[str, Any] = {} if kind == "token" else {"token": _Tokens()}
    async with Api(Credentials(1, "never-shown-secret"), transport=_Broken(), **options) as api:
        with pytest.raises(RuntimeError) as caught:
            await api.users.me()
    assert_frames_hide(caught.value)


async def test_frames_of_a_call_that_is_cancelled() -> None:
    class Hanging:
        async def send(self, request: Request) -> Response:
            sent.set()
            await asyncio.sleep(3600)
            raise AssertionError

    sent = asyncio.Event()
    async with Api(Credentials(1, "never-shown-secret"), transport=Hanging(), token=_Tokens()) as api:
        call = asyncio.create_task(api.users.me())
        await sent.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
    assert_frames_hide(caught.value)


@pytest.mark.parametrize("code", [4914, 4915, 4004])
async def test_frames_of_a_refused_identify(code: int) -> None:
    async with Simulator(app_id="1", secret="never-shown-secret") as sim:
        bot = Bot(Credentials(1, "never-shown-secret"), endpoints=sim.endpoints, gateway=FAST)
        sim.faults.close_on_identify(code, times=20)
        with pytest.raises((GatewayHalted, ApiError)) as caught:
            async with bot:
                await asyncio.wait_for(bot.wait(), 10)
    assert_frames_hide(caught.value)


def test_frames_of_an_identify_that_cannot_be_sent() -> None:
    assert "never-shown-token" not in repr(identify("never-shown-token", 1, (0, 1)))
    assert "never-shown-token" not in repr(resume("never-shown-token", "s", 1))
