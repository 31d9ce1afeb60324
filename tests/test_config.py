"""What cannot be right in an option is refused in words that name the option, and show no secret."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qqbot import Api, Bot, ConfigError, Credentials, Endpoints, Media, Request, Route, Scene, Target, Text
from qqbot.config import GatewayConfig, unknown_variables
from qqbot.sessions.local import LocalSessionManager
from qqbot.testing import Simulator
from qqbot.webhook.client import WebhookClient

CREDENTIALS = Credentials("102000001", "never-shown-app-secret")
ME = Route("me", "GET", "/users/@me", bytes)
LONG = "a" * 5000


@pytest.mark.parametrize("option", ["api_base", "token_url", "gateway_url"])
@pytest.mark.parametrize(
    "host",
    [
        "ho\0st",
        "host\r\nX: y",
        "host\n",
        "ho st",
        "ho\tst",
        "\ud800",
        "机器人.example",
        LONG,
        f"{'a' * 64}.example",
        "a..b",
        "",
    ],
)
def test_an_address_that_is_none(option: str, host: str) -> None:
    scheme = "wss" if option == "gateway_url" else "https"
    with pytest.raises(ConfigError, match=option) as caught:
        Endpoints(**{option: f"{scheme}://{host}/"} if host else {option: f"{scheme}:///path"})
    assert len(str(caught.value)) < 600
    str(caught.value).encode()


def test_an_address_of_another_kind() -> None:
    for wrong in (None, b"https://host", 7, Path("/")):
        with pytest.raises(ConfigError, match="api_base"):
            Endpoints(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="gateway_url"):
        Endpoints(gateway_url="https://relay.example")
    with pytest.raises(ConfigError, match="in the clear"):
        Endpoints(gateway_url="ws://relay.example")
    with pytest.raises(ConfigError) as caught:
        Endpoints("https://joe:hidden@ho st")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("path", ["/no\0where", f"/{LONG}", "/\ud800", "/"])
def test_a_secret_file_that_cannot_be_read(path: str) -> None:
    with pytest.raises(ConfigError, match="QQBOT_SECRET_FILE") as caught:
        Credentials.from_env({"QQBOT_APP_ID": "1", "QQBOT_SECRET_FILE": path})
    assert len(str(caught.value)) < 600
    str(caught.value).encode()


@pytest.mark.parametrize("secret", ["a\nb", "a\0b", "a\r\nb", "a\ud800"])
def test_a_secret_that_is_none(secret: str) -> None:
    for make in (lambda: Credentials("1", secret), lambda: Credentials("1", "good", previous=secret)):
        with pytest.raises(ConfigError, match="not shown here"):
            make()


@pytest.mark.parametrize("path", ["no\0where", LONG, "\ud800", "/"])
async def test_media_at_a_path_that_cannot_be_read(sim: Simulator, path: str) -> None:
    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        for scene in (Scene.C2C, Scene.CHANNEL):
            with pytest.raises(ConfigError, match="cannot be read") as caught:
                await api.send(Target(scene, "1"), Media.image(Path(path)))
            str(caught.value).encode()
            assert len(str(caught.value)) < 600
        with pytest.raises(ConfigError) as caught:
            await api.media_images.upload(Path(path), name="a.png")
        str(caught.value).encode()


@pytest.mark.parametrize("path", ["no\0where", f"/tmp/{LONG}", "/tmp/\ud800"])
def test_a_state_file_that_is_none(path: str) -> None:
    with pytest.raises(ConfigError, match="state=") as caught:
        LocalSessionManager(state=path)
    assert len(str(caught.value)) < 600


async def test_a_text_and_a_query_with_half_a_character(sim: Simulator) -> None:
    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        with pytest.raises(ConfigError, match=r"half a character.*代理项"):
            await api.send(Target(Scene.C2C, "1"), Text("\ud83d"))
        with pytest.raises(ConfigError, match="query"):
            await api.call(ME, query={"after": "\ud83d"})


BAD = ("a\r\nX-Other: b", "a\nb", "a\0b", "a\x7fb", "a\ud800", 7, None)


@pytest.mark.parametrize("value", BAD, ids=repr)
async def test_headers_that_cannot_be_sent(sim: Simulator, value: Any) -> None:
    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        with pytest.raises(ConfigError, match=r"api\.call\(headers=.*'X-Mine'.*请求头"):
            await api.call(ME, headers={"X-Mine": value})
        with pytest.raises(ConfigError, match=r"api\.call\(headers="):
            await api.call(ME, headers={value: "x"})
        assert await api.call(ME, headers={"X-Mine": "a\tb 中文"})

    def hook(request: Request) -> None:
        request.headers["X-Hook"] = value  # type: ignore[index]

    async with Api(sim.credentials, endpoints=sim.endpoints, on_request=[hook]) as api:
        with pytest.raises(ConfigError, match=r"Api\(on_request=.*'X-Hook'"):
            await api.call(ME)

    class Tokens:
        async def get(self) -> Any:
            return value

        def invalidate(self, token: str) -> None:
            pass

    async with Api(sim.credentials, endpoints=sim.endpoints, token=Tokens()) as api:
        with pytest.raises(ConfigError, match=r"Api\(token=") as caught:
            await api.call(ME)
        assert "X-Other" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    ["http://ho\nst:1", "http://h\0:1", "http://\ud800:1", "socks5://joe:hidden@h:1", "h:1", "", "http://h:99999"],
)
def test_a_proxy_that_is_none(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"Api\(proxy=.*代理") as caught:
        Api(CREDENTIALS, proxy=proxy)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("host", ["a\0", "a\nb", LONG, "\ud800", "", 7])
def test_a_local_address_that_is_none(host: Any) -> None:
    with pytest.raises(ConfigError, match="local_addr"):
        Api(CREDENTIALS, local_addr=(host, 0))


@pytest.mark.parametrize("address", ["ho\0st:80", "\ud800:80", f"{LONG}:80", f"localhost:{'9' * 5000}", "host\n:80"])
def test_an_address_to_listen_at_that_is_none(address: str) -> None:
    async def listen() -> None:
        bot = Bot(CREDENTIALS)
        async with bot._listening(address, {}):
            pass

    with pytest.raises(ConfigError, match=r"no address|cannot listen") as caught:
        asyncio.run(listen())
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("url", ["http://ho\0st/", "http://ho\nst/", "http://\ud800/", f"http://{LONG}/", "http://"])
def test_a_webhook_to_call_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WebhookClient(url, CREDENTIALS)
    str(caught.value).encode()


@pytest.mark.parametrize("url", ["http://ho\0st/", "http://ho st/", "http://\ud800/", f"http://{LONG}/", "http:///x"])
async def test_a_download_from_what_is_no_address(sim: Simulator, url: str) -> None:
    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        with pytest.raises(ConfigError) as caught:
            await api.downloads.fetch(url)
    str(caught.value).encode()


@pytest.mark.parametrize(
    "make", [lambda text: Route("x", "GET", text, bytes), lambda text: Route("x", text, "/", bytes)]
)
@pytest.mark.parametrize("text", ["/a\nb", "/a\0b", "/\ud800"])
def test_a_route_that_is_none(make: Callable[[str], object], text: str) -> None:
    with pytest.raises(ConfigError):
        make(text)


async def test_a_gateway_at_a_fixed_address(sim: Simulator) -> None:
    async with Api(sim.credentials, endpoints=sim.endpoints) as api:
        answered = (await api.gateway.bot()).url
    sim.faults.http(
        "GET /gateway/bot",
        200,
        times=0,
        body={
            "url": "wss://nowhere.invalid/",
            "shards": 1,
            "session_start_limit": {"total": 9, "remaining": 7, "reset_after": 1, "max_concurrency": 1},
        },
    )
    environ = {
        "QQBOT_API_BASE": sim.endpoints.api_base,
        "QQBOT_TOKEN_URL": sim.endpoints.token_url,
        "QQBOT_GATEWAY_URL": answered,
    }
    assert unknown_variables(environ) == []
    endpoints = Endpoints.from_env(environ)
    async with Api(sim.credentials, endpoints=endpoints) as api:
        found = await api.gateway.bot()
        assert (found.url, found.session_start_limit.remaining) == (answered, 7)
        assert (await api.gateway.url()).url == answered
    async with Bot(sim.credentials, endpoints=endpoints, gateway=GatewayConfig(pace=0.02)) as bot, asyncio.timeout(10):
        await bot.ready()
        sim.faults.close(4009)
        await sim.resumed()
