"""`Api`: the OpenAPI client.

Responsible for the HTTP session, the token source and the caller while it is open, and for sending to any conversation.
Collaborators: `caller` makes the calls, `resources` have the endpoints.
It handles no events; a bot uses it, and it can be used without a bot.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, TypedDict, TypeVar, Unpack
from urllib.parse import urlsplit

import aiohttp

from ..aio.clock import Clock
from ..aio.loops import check_loop
from ..aio.threads import Threads
from ..config import Credentials, Endpoints, check_options, is_host, is_loopback
from ..errors import ConfigError, DecodeError
from ..models.messages import MessageSendResult
from ..models.outgoing.messages import Message
from ..models.targets import TICKET_NUMBERS, ReplyTo, Scene, Target, Ticket
from .caller import Caller, Hold, RequestHook, ResponseHook
from .downloads import Downloads, is_public, is_public_or_loopback
from .exchange import Request, Response
from .network import ConnectOptions, exact
from .pacing.pacer import Pacer, Pacing, paced_scene, pacing_of
from .pacing.quotas import PacingStore
from .proxies import EnvironmentProxies, proxy_url
from .resolver import ThreadResolver
from .resources.c2c import C2C
from .resources.channels import Channels
from .resources.direct_messages import DirectMessages
from .resources.gateway import GatewayInfo
from .resources.groups import Groups
from .resources.interactions import Interactions
from .resources.users import Users
from .route import Query, Route
from .sequence import Sequences
from .token import AccessTokens, TokenSource, TokenStore
from .transport import AiohttpTransport, Transport
from .uploads import Uploads

if TYPE_CHECKING:  # imported when they are first used: most programs use few of them
    from .resources.announces import Announcements
    from .resources.api_permissions import ApiPermissions
    from .resources.audio import Audio
    from .resources.forums import Forums
    from .resources.group_blacklist import GroupBlacklist
    from .resources.group_mutes import GroupMutes
    from .resources.guilds import Guilds
    from .resources.join_requests import JoinRequests
    from .resources.media_images import MediaImages
    from .resources.members import Members
    from .resources.menus import Menus
    from .resources.mute import Mute
    from .resources.onboarding import Onboarding
    from .resources.panels import Panels
    from .resources.permissions import ChannelRights
    from .resources.pins import Pins
    from .resources.reactions import Reactions
    from .resources.roles import Roles
    from .resources.schedules import Schedules
    from .resources.strategies import JoinStrategies
    from .resources.webhook_sessions import WebhookSessions

T = TypeVar("T")

TIMEOUT = 30.0  # seconds

ON_DEMAND = {
    "guilds": ("guilds", "Guilds"),
    "members": ("members", "Members"),
    "roles": ("roles", "Roles"),
    "permissions": ("permissions", "ChannelRights"),
    "api_permissions": ("api_permissions", "ApiPermissions"),
    "mute": ("mute", "Mute"),
    "announces": ("announces", "Announcements"),
    "pins": ("pins", "Pins"),
    "schedules": ("schedules", "Schedules"),
    "reactions": ("reactions", "Reactions"),
    "forums": ("forums", "Forums"),
    "audio": ("audio", "Audio"),
    "group_blacklist": ("group_blacklist", "GroupBlacklist"),
    "group_mutes": ("group_mutes", "GroupMutes"),
    "join_requests": ("join_requests", "JoinRequests"),
    "join_strategies": ("strategies", "JoinStrategies"),
    "menus": ("menus", "Menus"),
    "panels": ("panels", "Panels"),
    "media_images": ("media_images", "MediaImages"),
    "webhook_sessions": ("webhook_sessions", "WebhookSessions"),
    "onboarding": ("onboarding", "Onboarding"),
}
"""Resources that are imported when they are first used: attribute, module and class."""


class ApiOptions(TypedDict, total=False):
    """Options of `Api`, and of `Bot`, which passes them on.

    `session`, `transport`, `token`: opened and closed by the caller. `token_store`: for processes that share one access
    token. `proxy`: an HTTP proxy; None: what the environment names for each URL, if no `session` is given.
    `ssl_context`: for a private certificate authority. `local_addr`: the address and port to connect from. `timeout`:
    seconds for a call with its repeats. `on_request` and `on_response`: hooks, run in order. `pacing`: active messages
    wait, within the timeout of their calls, for room in the quotas; True: in the documented ones. `pacing_store`: for
    processes that share their quotas.
    """

    session: aiohttp.ClientSession | None
    transport: Transport | None
    token: TokenSource | None
    token_store: TokenStore | None
    proxy: str | None
    ssl_context: ssl.SSLContext | None
    local_addr: tuple[str, int] | None
    timeout: float
    on_request: Sequence[RequestHook]
    on_response: Sequence[ResponseHook]
    pacing: Pacing | bool
    pacing_store: PacingStore | None


class _Open(NamedTuple):
    """The parts of an open `Api`."""

    session: aiohttp.ClientSession
    transport: Transport
    tokens: TokenSource
    caller: Caller
    loop: asyncio.AbstractEventLoop
    pacer: Pacer | None


class Api:
    """The OpenAPI of the platform for one bot; an async context manager.

    `clock` (monotonic, in seconds) times the life of tokens and uploads.

    Raises: ConfigError for options that exclude each other.
    """

    guilds: "Guilds"
    members: "Members"
    roles: "Roles"
    permissions: "ChannelRights"
    api_permissions: "ApiPermissions"
    mute: "Mute"
    announces: "Announcements"
    pins: "Pins"
    schedules: "Schedules"
    reactions: "Reactions"
    forums: "Forums"
    audio: "Audio"
    group_blacklist: "GroupBlacklist"
    group_mutes: "GroupMutes"
    join_requests: "JoinRequests"
    join_strategies: "JoinStrategies"
    menus: "Menus"
    panels: "Panels"
    media_images: "MediaImages"
    webhook_sessions: "WebhookSessions"
    onboarding: "Onboarding"

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
        check_options("Api(...)", options, [*ApiOptions.__annotations__, *(Api.__init__.__kwdefaults__ or ())])
        self._options = _checked(options)
        self._open: _Open | None = None  # None outside of `async with`, so that a call can raise a clear error
        self._environment_proxies = EnvironmentProxies()
        self._connecting = Threads(4, "qqbot connecting")
        self._files = Threads(4, "qqbot files")  # others: a slow disk or a name that a user sent holds up no connection
        self._stack: AsyncExitStack | None = None  # closes what this client opened itself, nothing of the caller's
        self.sequences = sequences = Sequences()
        here = is_loopback(urlsplit(self._endpoints.api_base).hostname or "")
        self.downloads = Downloads(
            reachable=is_public_or_loopback if here else is_public, threads=self._files, **self.connect_options
        )
        self.gateway = GatewayInfo(self.call, self._endpoints.gateway_url)
        self.users = Users(self.call)
        uploads = Uploads(self._put, clock, self._files)
        self.groups = Groups(self.call, sequences, uploads, clock)
        self.c2c = C2C(self.call, sequences, uploads, clock)
        self.channels = Channels(self.call, clock, self._files)
        self.direct_messages = DirectMessages(self.call, clock, self._files)
        self.interactions = Interactions(self.call, credentials.app_id)

    if not TYPE_CHECKING:  # type checkers know each resource above, and report a misspelt one

        def __getattr__(self, name: str) -> object:
            """Make the resource `name` when it is first used."""
            if name not in ON_DEMAND:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            module, kind = ON_DEMAND[name]
            make = getattr(import_module(f".resources.{module}", __package__), kind)
            resource = make(self.call, self._put, self._files) if name == "media_images" else make(self.call)
            setattr(self, name, resource)
            return resource

    async def call(
        self,
        route: Route[T],
        *ids: str,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> T:
        """Call any endpoint: `await api.call(Route("name", "GET", "/path/{id}", bytes), "some id")`.

        `body` is a Struct or a value that JSON can express; bytes are sent unchanged. `headers` are added to the usual
        ones. `timeout`: seconds, including repeats.

        Raises: ApiError and its subclasses, Timeout, ConnectionFailed, DecodeError; ConfigError for an unusable id or
        header, from another event loop, or if the client is not open.
        """
        opened = self._opened
        check_loop(opened.loop, "the Api")
        call, hold = opened.caller.call, opened.caller.hold
        pacer = opened.pacer
        if pacer is not None and (scene := paced_scene(route, body)) is not None:
            seconds = self._options.get("timeout", TIMEOUT) if timeout is None else timeout
            if ids and seconds > 0:  # otherwise the call is refused
                async with pacer.slot(scene, ids[0], seconds, hold) as left:
                    return await call(route, *ids, query=query, body=body, headers=headers, timeout=left)
        return await call(route, *ids, query=query, body=body, headers=headers, timeout=timeout)

    async def send(
        self,
        target: Target,
        message: Message,
        *,
        reply_to: ReplyTo | None = None,
        timeout: float | None = None,
    ) -> MessageSendResult:
        """Send `message` to a conversation of any kind, a `Media` after its upload.

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

    async def reply(self, ticket: Ticket, message: Message, *, timeout: float | None = None) -> MessageSendResult:
        """Answer what `ctx.ticket()` was made for, from any process; use a ticket in one process only.

        `timeout`: seconds, including repeats.

        Raises: ReplyWindowExpired after the ticket's deadline, ConfigError when its numbers are used up, and what
        `send` raises.
        """
        # The deadline is a time of day, since a ticket outlives its process; the window is a moment of our clock.
        expires_at = self._clock() + (ticket.deadline - datetime.now(UTC)).total_seconds()
        number = self._ticket_number(ticket)
        reply_to = ReplyTo(ticket.reply_to.msg_id, ticket.reply_to.event_id, number, expires_at)
        return await self.send(ticket.target, message, reply_to=reply_to, timeout=timeout)

    def _ticket_number(self, ticket: Ticket) -> int:
        ends_at, now = ticket.deadline.timestamp(), datetime.now(UTC).timestamp()
        number = self.sequences.next_of_block(
            ticket.reply_to.reference, ticket.first, TICKET_NUMBERS, ends_at=ends_at, now=now
        )
        if number is None:
            raise ConfigError(f"a ticket is good for {TICKET_NUMBERS} answers: take another with ctx.ticket()")
        return number

    def hold_sends(self, until: Hold) -> None:
        """Await `until()` before each message that is sent, within the call's timeout; other calls do not wait.

        Raises: ConfigError if the client is not open.
        """
        self._opened.caller.hold = until

    def clock_moved(self) -> None:
        """Look at the clock again: it was moved forward, and messages that wait for a quota may have room now."""
        if self._open is not None and self._open.pacer is not None:
            self._open.pacer.clock_moved()

    @property
    def clock(self) -> Clock:
        """The monotonic clock (seconds) that times the life of tokens and uploads, and reply windows."""
        return self._clock

    @property
    def tokens(self) -> TokenSource:
        """The source of access tokens.  Raises: ConfigError if the client is not open."""
        return self._opened.tokens

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session, for the gateway's sockets too.  Raises: ConfigError if the client is not open."""
        return self._opened.session

    @property
    def connect_options(self) -> ConnectOptions:
        """How sockets reach the platform."""
        return ConnectOptions(proxy_for=self._proxy_for, ssl_context=self._options.get("ssl_context"))

    def _proxy_for(self, url: str) -> str | None:
        proxy = self._options.get("proxy")
        if proxy is None and self._options.get("session") is None:
            return self._environment_proxies(url)
        return proxy

    @property
    def _opened(self) -> _Open:
        if self._open is None:
            raise ConfigError("the Api is not open: use it inside `async with Api(credentials) as api:`")
        return self._open

    async def __aenter__(self) -> Self:
        if self._open is not None:
            raise ConfigError("the Api is already open: make a second Api for a second `async with`")
        async with AsyncExitStack() as stack:
            stack.callback(self._connecting.close)
            stack.callback(self._files.close)
            session = self._options.get("session")
            if session is None:
                session = await stack.enter_async_context(self._session())
            transport = self._options.get("transport") or self._transport(session)
            tokens = self._options.get("token") or self._access_tokens(transport, stack)
            loop = asyncio.get_running_loop()
            caller = self._caller(transport, tokens)
            self._open = _Open(session, transport, tokens, caller, loop, self._pacer())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            check_loop(self._open.loop, "the Api")
        stack, self._stack, self._open = self._stack, None, None
        if stack is not None:
            await stack.aclose()

    def _session(self) -> aiohttp.ClientSession:
        # No limit on connections: the gateway's sockets stay open and would use it up.
        resolver = ThreadResolver(self._connecting)
        connector = aiohttp.TCPConnector(limit=0, local_addr=self._options.get("local_addr"), resolver=resolver)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    def _transport(self, session: aiohttp.ClientSession) -> AiohttpTransport:
        return AiohttpTransport(session, proxy_for=self._proxy_for, ssl_context=self._options.get("ssl_context"))

    async def _put(
        self,
        url: str,
        content: AsyncIterable[bytes] | bytes,
        size: int,
        timeout: float,
        *,
        content_type: str = "application/octet-stream",
    ) -> Response:
        """Send bytes to a pre-signed address without the token: the address itself is the authorization."""
        headers = {"Content-Length": str(size), "Content-Type": content_type}
        try:
            url = str(exact(url))
        except ValueError as error:
            raise DecodeError(f"the platform gave a pre-signed address that is none: {error}") from None
        request = Request("PUT", url, "(a pre-signed address)", headers, content, timeout)
        return await self._opened.transport.send(request)

    def _access_tokens(self, transport: Transport, stack: AsyncExitStack) -> AccessTokens:
        store = self._options.get("token_store")
        tokens = AccessTokens(transport, self._credentials, self._endpoints.token_url, self._clock, store)
        stack.push_async_callback(tokens.close)
        return tokens

    def _pacer(self) -> Pacer | None:
        pacing = pacing_of(self._options.get("pacing"))
        return None if pacing is None else Pacer(pacing, self._clock, self._options.get("pacing_store"))

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
        raise ConfigError("Api(local_addr=...) excludes session=: pass local_addr to the connector of your session")
    if options.get("token") is not None and options.get("token_store") is not None:
        raise ConfigError("Api(token_store=...) excludes token=: let your own source share its token itself")
    if (proxy := options.get("proxy")) is not None:
        try:
            options["proxy"] = proxy_url(proxy, scheme="")
        except ValueError as error:
            raise ConfigError(
                f"Api(proxy=...) must be an http:// or https:// URL (it is not shown here): {error}. "
                "For another kind pass session=, an aiohttp session with a connector for it. "
                "代理必须是 http:// 或 https:// 地址"
            ) from None
    if (local := options.get("local_addr")) is not None and not is_host(local[0]):
        raise ConfigError(f"Api(local_addr=...) must be an address and a port, not {local!r:.80}")
    if pacing_of(options.get("pacing")) is None and options.get("pacing_store") is not None:
        raise ConfigError(
            "Api(pacing_store=...) counts nothing without pacing=: pass pacing=True as well. "
            "使用 pacing_store= 时还要传 pacing=True"
        )
    if not options.get("timeout", TIMEOUT) > 0:
        raise ConfigError("Api(timeout=...) must be greater than 0 seconds")
    return options
