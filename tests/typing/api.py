"""The API's types flow: read by the type checkers, never run."""

import ssl
from typing import assert_type

import aiohttp

from qqbot import (
    ActiveQuotas,
    Api,
    Bot,
    Credentials,
    Markdown,
    Media,
    Pacing,
    QuotaExceeded,
    Rate,
    ReplyTo,
    Route,
    Scene,
    Target,
    Text,
    TokenSource,
)
from qqbot.api.caller import ResponseInfo
from qqbot.api.exchange import Request, Response
from qqbot.api.pacing.quotas import PacingStore
from qqbot.api.resources.groups import SEND_GROUP_MESSAGE
from qqbot.api.resources.users import GET_ME, LIST_MY_GUILDS
from qqbot.models.gateway import GatewayBot
from qqbot.models.guilds import DMS, Guild
from qqbot.models.members import GroupMembersPage
from qqbot.models.messages import Message, MessageSendResult
from qqbot.models.users import User


class MyTransport:
    async def send(self, request: Request) -> Response:
        return Response(200, {}, request.method.encode())


class MyTokens:
    async def get(self) -> str:
        return ""

    def invalidate(self, token: str) -> None: ...


def refuse(request: Request) -> None:
    request.headers["X-Request-Id"] = "1"


async def observe(info: ResponseInfo) -> None:
    assert_type(info.elapsed, float)
    assert_type(info.trace_id, str | None)


async def resources(api: Api) -> None:
    assert_type(await api.users.me(), User)
    assert_type(await api.users.guilds(limit=1), list[Guild])
    assert_type(await api.users.share_link(), str)
    assert_type(await api.gateway.bot(), GatewayBot)
    assert_type(await api.groups.send_message("g", "text"), MessageSendResult)
    assert_type(await api.groups.send_message("g", Text("t"), reply_to=ReplyTo(msg_id="m")), MessageSendResult)
    assert_type(await api.groups.members("g"), GroupMembersPage)
    assert_type(await api.c2c.send_message("u", Media.image("https://h/x.png"), timeout=5), MessageSendResult)
    assert_type(await api.channels.send_message("c", Markdown("# x")), Message)
    assert_type(await api.direct_messages.create("u", "g"), DMS)
    assert_type(await api.send(Target(Scene.GROUP, "g"), "text"), MessageSendResult)


async def calls(api: Api) -> None:
    assert_type(await api.call(GET_ME), User)
    assert_type(await api.call(LIST_MY_GUILDS, query={"limit": 1, "after": None}), list[Guild])
    assert_type(await api.call(SEND_GROUP_MESSAGE, "g", body={"msg_type": 0}), MessageSendResult)
    assert_type(await api.call(Route("new", "GET", "/v3/new/{id}", bytes), "id"), bytes)
    assert_type(await api.call(Route("new", "GET", "/v3/new", User)), User)
    await api.call(GET_ME, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await api.groups.send_message("g", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await api.groups.send_message("g", "x", timout=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def used_up(error: QuotaExceeded) -> None:
    assert_type(error.retry_after, float | None)


def shared(store: PacingStore) -> None:
    Api(Credentials(1, "secret"), pacing=Pacing(), pacing_store=store)
    Api(Credentials(1, "secret"), pacing=True, pacing_store=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def options(session: aiohttp.ClientSession) -> None:
    credentials = Credentials(1, "secret")
    tokens: TokenSource = MyTokens()
    Api(credentials, session=session, transport=MyTransport(), token=tokens, timeout=3)
    Api(credentials, proxy="http://p", ssl_context=ssl.create_default_context(), local_addr=("127.0.0.1", 0))
    Api(credentials, on_request=[refuse], on_response=[observe])
    Api(credentials, pacing=True)
    quotas = ActiveQuotas(each=(Rate(20, per=60), Rate(4, per=30 * 86400)), together=(Rate(30, per=60.0),))
    Bot(credentials, pacing=Pacing(certified=True, group=quotas, dms=ActiveQuotas()))
    Bot(pacing=20)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Pacing(guild=quotas)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Rate(20, per="60")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Api(credentials, prox="http://p")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
