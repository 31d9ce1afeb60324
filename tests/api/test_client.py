"""`Api` as its users meet it."""

import asyncio
import gc

import aiohttp
import pytest
from aiohttp import web

from qqbot import Api, Credentials, Endpoints, Markdown, Media, ReplyTo, Scene, Target
from qqbot.api.exchange import Request, Response
from qqbot.errors import ConfigError, ConnectionFailed, TransportError
from tests.api.scripted import APP_ID, SECRET, ManualClock, Scripted, reply
from tests.sockets import free_port

SENT = {"id": "S1", "timestamp": "2026-11-23T10:00:00+08:00"}


async def test_alone(platform: Scripted) -> None:
    platform.answers.append(reply({"id": "42", "username": "bot", "bot": True}))
    async with Api(Credentials(APP_ID, SECRET), endpoints=platform.endpoints) as api:
        assert (await api.users.me()).username == "bot"


async def test_outside_async_with_the_error_says_how() -> None:
    api = Api(Credentials(APP_ID, SECRET))
    with pytest.raises(ConfigError, match="async with Api"):
        await api.users.me()
    with pytest.raises(ConfigError, match="async with Api"):
        _ = api.tokens
    with pytest.raises(ConfigError, match="async with Api"):
        _ = api.session


def test_it_is_made_without_a_loop_and_opened_in_several() -> None:
    api = Api(Credentials(APP_ID, SECRET), endpoints=Endpoints(f"http://127.0.0.1:{free_port()}"), timeout=0.2)

    async def attempt() -> None:
        async with api:
            with pytest.raises(TransportError):
                await api.users.me()

    asyncio.run(attempt())
    asyncio.run(attempt())


async def test_an_unreachable_platform_is_an_error_after_a_few_tries() -> None:
    async with Api(
        Credentials(APP_ID, SECRET), endpoints=Endpoints(f"http://127.0.0.1:{free_port()}"), timeout=1.0
    ) as api:
        with pytest.raises(ConnectionFailed, match=r"nothing was sent") as caught:
            await api.users.me()
    assert "QQBOT_API_BASE" in str(caught.value)
    assert not caught.value.maybe_sent


async def test_opened_twice_is_an_error(platform: Scripted) -> None:
    async with platform.api() as api:
        with pytest.raises(ConfigError, match="already open"):
            await api.__aenter__()


async def test_its_own_session_is_closed_the_callers_is_not(platform: Scripted) -> None:
    async with platform.api() as api:
        session = api.session
    assert session.closed
    async with aiohttp.ClientSession() as own:
        async with platform.api(session=own) as api:
            assert api.session is own
            await api.interactions.ack("I1")
        assert not own.closed


async def test_ones_own_token_source(platform: Scripted) -> None:
    class Mine:
        dropped: str | None = None

        async def get(self) -> str:
            return "mine"

        def invalidate(self, token: str) -> None:
            self.dropped = token

    mine = Mine()
    platform.answers.extend([reply({"code": 11243}, 401), reply({"id": "1"})])
    async with platform.api(token=mine) as api:
        assert api.tokens is mine
        await api.users.me()
    assert platform.calls[0].token == "mine"
    assert mine.dropped == "mine"
    assert platform.token_calls == []


async def test_ones_own_transport() -> None:
    class Echo:
        async def send(self, request: Request) -> Response:
            if request.path == "/app/getAppAccessToken":
                return Response(200, {}, b'{"access_token": "t", "expires_in": 7200}')
            return Response(200, {}, b'{"id": "echo"}')

    async with Api(Credentials(APP_ID, SECRET), transport=Echo()) as api:
        assert (await api.users.me()).id == "echo"


async def test_the_clock_serves_token_life(platform: Scripted) -> None:
    clock = ManualClock()
    async with platform.api(clock=clock) as api:
        await api.tokens.get()
        clock.now += 7201
        assert await api.tokens.get() == "token-2-secret"


async def test_local_addr(platform: Scripted) -> None:
    peers: list[object] = []

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername")[0])
        return web.json_response({"id": "1"})

    platform.answers.append(note)
    async with platform.api(local_addr=("127.0.0.9", 0)) as api:
        await api.users.me()
    assert peers == ["127.0.0.9"]


async def test_proxy_option_and_environment(platform: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Endpoints("http://platform.localhost:9")
    async with Api(Credentials(APP_ID, SECRET), endpoints=elsewhere, proxy=platform.url) as api:
        await api.interactions.ack("I1")
        assert api.connect_options["proxy_for"]("wss://gateway.example/") == platform.url
    assert [seen.path for seen in platform.calls] == [f"{elsewhere.api_base}/interactions/I1"]


async def test_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("https_proxy", url)
        async with Api(Credentials(APP_ID, SECRET), endpoints=Endpoints("https://platform.invalid")) as api:
            with pytest.raises(ConnectionFailed, match="the proxy refused with HTTP 403"):
                await api.users.me(timeout=3)
            assert api.connect_options["proxy_for"]("wss://gateway.example/") == url
            assert api.connect_options["proxy_for"]("wss://localhost/") is None
    assert asked[0].startswith(b"CONNECT platform.invalid:443")


async def test_the_environments_proxy_is_not_for_loopback(platform: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    platform.answers.append(reply({"id": "1"}))
    async with platform.api() as api:
        await api.users.me(timeout=2)


@pytest.mark.parametrize("proxy", ["proxy:8080", "socks5://user:hidden@host:1"])
def test_a_proxy_that_cannot_be_used_is_refused_without_being_shown(proxy: str) -> None:
    with pytest.raises(ConfigError, match="proxy") as caught:
        Api(Credentials(APP_ID, SECRET), proxy=proxy)
    assert "hidden" not in str(caught.value)


async def test_options_that_exclude_each_other() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigError, match="local_addr"):
            Api(Credentials(APP_ID, SECRET), session=session, local_addr=("127.0.0.1", 0))


@pytest.mark.parametrize("timeout", [0, -1.0])
def test_a_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(ConfigError, match="timeout"):
        Api(Credentials(APP_ID, SECRET), timeout=timeout)


@pytest.mark.parametrize(
    ("scene", "path", "numbered"),
    [
        (Scene.GROUP, "/v2/groups/X/messages", True),
        (Scene.C2C, "/v2/users/X/messages", True),
        (Scene.CHANNEL, "/channels/X/messages", False),
        (Scene.DMS, "/dms/X/messages", False),
    ],
)
async def test_send_reaches_every_scene(platform: Scripted, scene: Scene, path: str, numbered: bool) -> None:
    platform.answers.append(reply(SENT))
    async with platform.api() as api:
        sent = await api.send(Target(scene, "X"), "hello", reply_to=ReplyTo(msg_id="M1"))
    assert sent.id == "S1"
    assert sent.timestamp is not None
    (seen,) = platform.calls
    assert (seen.method, seen.path) == ("POST", path)
    assert (seen.json["content"], seen.json["msg_id"]) == ("hello", "M1")
    assert ("msg_seq" in seen.json) is numbered


async def test_every_other_endpoint_asks_as_documented(platform: Scripted) -> None:
    gateway = {"url": "wss://g", "shards": 2, "session_start_limit": {"remaining": 7}}
    platform.answers.extend(
        reply(body)
        for body in (
            {"url": "wss://g"},
            gateway,
            [{"id": "1", "name": "guild"}],
            {"data": {"url": "https://share"}},
            {"member_openid": "B", "member_role": "admin"},
            {"members": [{"member_openid": "A"}], "next_cursor": "n"},
            {"member_openid": "A"},
            {"guild_id": "9", "channel_id": "8", "create_time": "1700000000"},
            {"message": {"id": "M"}},
            [{"id": "M"}],
            {"id": "M"},
            {},
            {},
            {"file_info": "F"},
        )
    )
    async with platform.api() as api:
        assert (await api.gateway.url()).url == "wss://g"
        assert (await api.gateway.bot()).session_start_limit.remaining == 7
        assert [guild.name for guild in await api.users.guilds(after="0", limit=5)] == ["guild"]
        assert await api.users.share_link("data") == "https://share"
        assert (await api.groups.bot_state("G")).member_role == "admin"
        assert (await api.groups.members("G", cursor="c")).next_cursor == "n"
        assert (await api.groups.member("G", "A")).member_openid == "A"
        assert (await api.direct_messages.create("U", "S")).create_time == 1700000000
        assert (await api.channels.message("C", "M")).id == "M"
        assert [message.id for message in await api.channels.messages("C", before="B", limit=2)] == ["M"]
        await api.channels.modify_message("C", "M", Markdown("# new"))
        await api.channels.recall("C", "M", hide_tip=True)
        await api.direct_messages.recall("9", "M")
        assert (await api.c2c.upload_media("U", Media.file("https://h/a.pdf"))).file_info == "F"
    assert [f"{seen.method} {seen.path}" for seen in platform.calls] == [
        "GET /gateway",
        "GET /gateway/bot",
        "GET /users/@me/guilds?after=0&limit=5",
        "POST /v2/generate_url_link",
        "GET /v2/groups/G/bot_state",
        "GET /v2/groups/G/members?cursor=c",
        "GET /v2/groups/G/members/A",
        "POST /users/@me/dms",
        "GET /channels/C/messages/M",
        "GET /channels/C/messages?before=B&limit=2",
        "PATCH /channels/C/messages/M",
        "DELETE /channels/C/messages/M?hidetip=true",
        "DELETE /dms/9/messages/M",
        "POST /v2/users/U/files",
    ]
    assert platform.calls[3].json == {"callback_data": "data"}
    assert platform.calls[7].json == {"recipient_id": "U", "source_guild_id": "S"}
    assert platform.calls[13].json["file_name"] == "a.pdf"


async def test_nothing_is_left_behind(platform: Scripted) -> None:
    async with platform.api() as api:
        await asyncio.gather(*(api.interactions.ack(str(number)) for number in range(20)))
    gc.collect()  # an unclosed session or connector would warn, and warnings are errors
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert [name for name in names if "qqbot" in name] == []
