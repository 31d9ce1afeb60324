"""A platform on a real socket that answers as the test says."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, Unpack

from aiohttp import web

from qqbot import Api, Credentials, Endpoints
from qqbot.aio.clock import Clock
from qqbot.api.client import ApiOptions

APP_ID = "102000001"
SECRET = "never-shown-app-secret"
TRACE = "trace-0001"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def reply(body: object = None, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """JSON with a trace id."""
    return raw(b"" if body is None else json.dumps(body).encode(), status, headers)


def raw(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            body=body, status=status, headers={"X-Tps-trace-ID": TRACE, **(headers or {})}, content_type=content_type
        )

    return answer


async def cut(request: web.Request) -> web.StreamResponse:
    """Break the connection after the request was read."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(_: web.Request) -> web.StreamResponse:
    """Answer never."""
    await asyncio.Event().wait()
    raise AssertionError


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        decoded = json.loads(self.body)
        assert isinstance(decoded, dict)
        return decoded

    @property
    def token(self) -> str:
        return self.headers["Authorization"].removeprefix("QQBot ")


@dataclass
class Scripted:
    """Takes `answers` one after another, then answers {}; token requests have answers of their own."""

    answers: deque[Answer] = field(default_factory=deque)
    token_answers: deque[Answer] = field(default_factory=deque)
    calls: list[Seen] = field(default_factory=list)
    token_calls: list[Seen] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/app/getAppAccessToken", self._token)
        app.router.add_route("*", "/{rest:.*}", self._call)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(self.url)

    def api(self, clock: Clock | None = None, **options: Unpack[ApiOptions]) -> Api:
        credentials = Credentials(APP_ID, SECRET)
        if clock is None:
            return Api(credentials, endpoints=self.endpoints, **options)
        return Api(credentials, endpoints=self.endpoints, clock=clock, **options)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(Seen(request.method, request.raw_path, request.headers.copy(), await request.read()))
        self.called.set()
        return await (self.answers.popleft() if self.answers else reply({}))(request)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self.token_calls.append(Seen(request.method, request.raw_path, request.headers.copy(), await request.read()))
        fresh = reply({"access_token": f"token-{len(self.token_calls)}-secret", "expires_in": "7200"})
        return await (self.token_answers.popleft() if self.token_answers else fresh)(request)


class ManualClock:
    """Seconds that go forward when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
