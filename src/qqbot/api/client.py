"""`Api`: the OpenAPI client. Owns the session, the token source and the caller while it is open.

Usable without a bot: `async with Api(Credentials(app_id, secret)) as api: await api.users.me()`.
"""

import ssl
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import NamedTuple, Self, TypedDict, TypeVar, Unpack

import aiohttp

from ..config import Credentials, Endpoints
from ..errors import ConfigError
from ..models.messages import MessageSendResult
from ..models.outgoing import Message
from ..models.targets import ReplyTo, Scene, Target
from ..network import environment_proxy
from ..ports import Clock, ConnectOptions, TokenSource
from .caller import Caller, RequestHook, ResponseHook
from .resources.c2c import C2C
from .resources.channels import Channels
from .resources.direct_messages import DirectMessages
from .resources.gateway import Gateway
from .resources.groups import Groups
from .resources.interactions import Interactions
from .resources.users import Users
from .routes import Query, Route
from .sequence import Sequences
from .token import AccessTokens
from .transport import AiohttpTransport, Transport

T = TypeVar("T")

TIMEOUT = 30.0  # seconds


class ApiOptions(TypedDict, total=False):
    """Options of `Api`, and of `Bot`, which passes them on.

    `session`, `transport`, `token`: the caller's own, never closed here. `proxy`: an http(s) URL; without it
    what the environment names for the host, unless `session` is given. `ssl_context`: for a private
    certificate authority. `local_addr`: the address and port to connect from. `timeout`: seconds for a call with
    its repeats. `on_request` and `on_response`: hooks, run in order.
    """

    session: aiohttp.ClientSession | None
    transport: Transport | None
    token: TokenSource | None
    proxy: str | None
    ssl_context: ssl.SSLContext | None
    local_addr: tuple[str, int] | None
    timeout: float
    on_request: Sequence[RequestHook]
    on_response: Sequence[ResponseHook]


class _Open(NamedTuple):
    """What exists while an `Api` is open."""

    session: aiohttp.ClientSession
    tokens: TokenSource
    caller: Caller


class Api:
    """The OpenAPI of the platform, as one bot; an async context manager.

    `clock` (seconds, only forward) serves the life of tokens.

    Raises: ConfigError for options that exclude each other.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        endpoints: Endpoints | None = None,
        clock: Clock = time.monotonic,
        **options: Unpack[ApiOptions],
    ) -> None:
        self._credentials = credentials
        self._endpoints = endpoints or Endpoints.production()
        self._clock = clock
        self._options = _checked(options)
        self._open: _Open | None = None
        self._stack: AsyncExitStack | None = None
        sequences = Sequences()
        self.gateway = Gateway(self.call)
        self.users = Users(self.call)
        self.groups = Groups(self.call, sequences)
        self.c2c = C2C(self.call, sequences)
        self.channels = Channels(self.call)
        self.direct_messages = DirectMessages(self.call)
        self.interactions = Interactions(self.call)

    async def call(
        self, route: Route[T], *ids: str, query: Query | None = None, body: object = None, timeout: float | None = None
    ) -> T:
        """Call any endpoint: `await api.call(Route("name", "GET", "/path/{id}", bytes), "some id")`.

        `body` is a Struct or what JSON can hold; bytes are sent as they are. `timeout`: seconds, repeats included.

        Raises: ApiError and its kinds, Timeout, ConnectionFailed, DecodeError; ConfigError for an unusable id, or
        while the client is not open.
        """
        return await self._opened.caller.call(route, *ids, query=query, body=body, timeout=timeout)

    async def send(
        self, target: Target, message: Message, *, reply_to: ReplyTo | None = None, timeout: float | None = None
    ) -> MessageSendResult:
        """Send `message` to a conversation of any kind.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MediaError, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        """
        match target.scene:
            case Scene.GROUP:
                return await self.groups.send_message(target.id, message, reply_to=reply_to, timeout=timeout)
            case Scene.C2C:
                return await self.c2c.send_message(target.id, message, reply_to=reply_to, timeout=timeout)
            case Scene.CHANNEL:
                sent = await self.channels.send_message(target.id, message, reply_to=reply_to, timeout=timeout)
            case Scene.DMS:
                sent = await self.direct_messages.send_message(target.id, message, reply_to=reply_to, timeout=timeout)
        return MessageSendResult(id=sent.id, timestamp=sent.timestamp)

    @property
    def tokens(self) -> TokenSource:
        """The source of access tokens.  Raises: ConfigError while the client is not open."""
        return self._opened.tokens

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session, for the gateway's sockets too.  Raises: ConfigError while the client is not open."""
        return self._opened.session

    @property
    def connect_options(self) -> ConnectOptions:
        """How sockets reach the platform."""
        return ConnectOptions(proxy_for=self._proxy_for, ssl_context=self._options.get("ssl_context"))

    def _proxy_for(self, url: str) -> str | None:
        proxy = self._options.get("proxy")
        if proxy is None and self._options.get("session") is None:
            return environment_proxy(url)
        return proxy

    @property
    def _opened(self) -> _Open:
        if self._open is None:
            raise ConfigError("the Api is not open: use it inside `async with Api(credentials) as api:`")
        return self._open

    async def __aenter__(self) -> Self:
        if self._open is not None:
            raise ConfigError("the Api is open already: make a second Api for a second `async with`")
        async with AsyncExitStack() as stack:
            session = self._options.get("session")
            if session is None:
                session = await stack.enter_async_context(self._session())
            transport = self._options.get("transport") or self._transport(session)
            tokens = self._options.get("token") or self._access_tokens(transport, stack)
            self._open = _Open(session, tokens, self._caller(transport, tokens))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack, self._open = self._stack, None, None
        if stack is not None:
            await stack.aclose()

    def _session(self) -> aiohttp.ClientSession:
        # Without a limit: sockets of the gateway stay open for good and would use it up.
        connector = aiohttp.TCPConnector(limit=0, local_addr=self._options.get("local_addr"))
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    def _transport(self, session: aiohttp.ClientSession) -> AiohttpTransport:
        proxy = self._proxy_for(self._endpoints.api_base)
        return AiohttpTransport(session, proxy=proxy, ssl_context=self._options.get("ssl_context"))

    def _access_tokens(self, transport: Transport, stack: AsyncExitStack) -> AccessTokens:
        tokens = AccessTokens(transport, self._credentials, self._endpoints.token_url, self._clock)
        stack.push_async_callback(tokens.close)
        return tokens

    def _caller(self, transport: Transport, tokens: TokenSource) -> Caller:
        return Caller(
            transport,
            tokens,
            base=self._endpoints.api_base,
            timeout=self._options.get("timeout", TIMEOUT),
            on_request=self._options.get("on_request", ()),
            on_response=self._options.get("on_response", ()),
            secrets=(self._credentials.secret,),
        )


def _checked(options: ApiOptions) -> ApiOptions:
    if options.get("session") is not None and options.get("local_addr") is not None:
        raise ConfigError("Api(local_addr=...) does not go with session=: give local_addr to the session's connector")
    proxy = options.get("proxy")
    if proxy is not None and not proxy.startswith(("http://", "https://")):
        raise ConfigError("Api(proxy=...) must be an http:// or https:// URL (it is not shown here)")
    if not options.get("timeout", TIMEOUT) > 0:
        raise ConfigError("Api(timeout=...) must be greater than 0 seconds")
    return options
