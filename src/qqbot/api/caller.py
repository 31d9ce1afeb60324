"""`Caller.call`: one call from its arguments to its answer.

Responsible for the order of the steps (limits, hooks, token, transport, errors, decoding) and the deadline around them.
Collaborators: `limits`, `token`, `transport`, `exchange` (what an answer means), `retry` (whether to call again).
It knows no endpoint and no resource.
"""

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from .._version import __version__
from .._visible import visible_line
from ..aio.cancellation import cancellations
from ..aio.in_time import in_time
from ..aio.log_fields import log_fields
from ..config import Secret
from ..errors import (
    ApiError,
    ConfigError,
    ConnectionFailed,
    DecodeError,
    LeaseLost,
    RateLimited,
    Timeout,
    TransportError,
)
from ..lease import current_lease
from ..models.codec import encode
from .codes import RetryPolicy, error_rule
from .exchange import Failure, Request, Response, check_headers, failure_of, is_success, unreadable, words_if_no_json
from .limits import LONGEST, Limits
from .masking import masked
from .multipart import Form
from .retry import Attempts, is_numbered
from .route import Query, Route
from .token import AccessTokens, TokenSource
from .transport import Transport

log = logging.getLogger(__name__)

T = TypeVar("T")

USER_AGENT = f"aioqqbot/{__version__}"
SHORTEST_ATTEMPT = 5.0  # seconds; the platform may take that long for a message
NO_CONTENT = 204
HOOK_SECONDS = 0.5  # for the response hooks of a call that had no answer in time


class ResponseInfo(Struct, frozen=True):
    """What response hooks get of one HTTP exchange. `elapsed` is in seconds.

    `route`: the path with its placeholders, a label that has no ids. `host`: host and port. `headers`: those of the
    answer; by their lower-case names with `header`. Without an answer, `error` is the reason, and `status` 0.
    The repr omits the headers: they may hold secrets.
    """

    method: str
    path: str
    status: int
    elapsed: float
    trace_id: str | None
    route: str = ""
    host: str = ""
    headers: Mapping[str, str] = {}
    error: TransportError | None = None

    def header(self, name: str) -> str | None:
        """Return a header of the answer by its lower-case name; None if it is absent."""
        return next((value for key, value in self.headers.items() if key.lower() == name), None)

    def __repr__(self) -> str:
        what = f"status={self.status!r}" if self.error is None else f"error={self.error!r}"
        return (
            f"ResponseInfo(method={self.method!r}, path={self.path!r}, {what}, elapsed={self.elapsed!r}, "
            f"trace_id={self.trace_id!r})"
        )


RequestHook = Callable[[Request], Awaitable[None] | None]
"""Called before each request, plain or async, within the call's timeout. It may change `request.headers`, and refuses
the call by raising an exception.
"""

ResponseHook = Callable[[ResponseInfo], Awaitable[None] | None]
"""Called after each exchange, plain or async: with the answer, or with the reason why there is none.

It sees status and headers, not the body, and changes nothing: what it raises is logged, and the call goes on. The call
waits for an async hook, at most until its own timeout, after which the hook is cancelled; for one that had no answer in
time, at most half a second.
"""


Hold = Callable[[], Awaitable[None]]
"""Awaited before each attempt to send a message, within the call's timeout."""


class _Call(Struct, Generic[T]):
    """One call in progress. `timeout` is in seconds, `ends_at` in seconds of the event loop's clock."""

    route: Route[T]
    path: str
    url: str
    own: bool  # the URL is on the API's host; the token must not go to any other
    key: tuple[str, str]  # of `Limits`: the route and its first id
    body: bytes | None
    content_type: str
    attempts: Attempts
    timeout: float
    ends_at: float  # one deadline for the attempts and the waits between them
    headers: Mapping[str, str] | None = None
    token: Secret | None = None  # of the last attempt, to invalidate it and to keep it out of the log

    def __repr__(self) -> str:
        return f"_Call({self.where})"  # URL, headers and body may hold secrets

    @property
    def where(self) -> str:
        """The method and path, for errors and the log."""
        return f"{self.route.method} {self.path}"

    def attempt_timeout(self, now: float) -> float:
        """Return the seconds for one attempt; if the call can be repeated, they leave time for another attempt."""
        left = max(self.ends_at - now, 0.001)  # to aiohttp, 0 means no limit
        if not self.attempts.repeatable:
            return left
        return min(left, max(self.route.timeout or SHORTEST_ATTEMPT, self.timeout / 3))


class Caller:
    """Makes calls to the API at `base`. `timeout`: the default seconds for a call and its repeats."""

    def __init__(
        self,
        transport: Transport,
        tokens: TokenSource,
        *,
        base: str,
        timeout: float,
        on_request: Sequence[RequestHook] = (),
        on_response: Sequence[ResponseHook] = (),
        secrets: Sequence[Secret] = (),
    ) -> None:
        self._transport = transport
        self._tokens = tokens
        # The token is nearly always cached, and a timer for each call would cost more than all its other steps.
        self._current_token = tokens.current if isinstance(tokens, AccessTokens) else _none
        self._base = base
        self._timeout = timeout
        self._on_request = on_request
        self._on_response = on_response
        self._secrets = secrets
        self.hold: Hold | None = None  # set by a bot, so that no message is sent while it has no gateway connection
        self._limits = Limits()  # the platform's "too fast" counts for later calls to the same target as well
        self._now = asyncio.get_running_loop().time

    async def call(
        self,
        route: Route[T],
        *ids: str,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> T:
        """Call `route`; make the documented repeats, raise any other failure. `headers` are added to the usual ones.

        Raises: ApiError and its subclasses, Timeout, ConnectionFailed, DecodeError; ConfigError for an unusable id;
        LeaseLost in a handler whose shard may run in another process by now.
        """
        if headers is not None:
            check_headers(headers, "api.call(headers=...)")
        call = self._prepare(route, ids, query, body, timeout)
        call.headers = headers
        while True:
            outcome = await self._attempt(call)
            if isinstance(outcome, Response):
                try:
                    return route.decode(outcome.body) if outcome.body or outcome.status != NO_CONTENT else route.empty()
                except DecodeError as error:
                    outcome = _undecoded(call, outcome, error)
            if call.attempts.was_done_before(outcome.error):
                return route.decode(b"{}")
            await self._recover(call, outcome)

    def _prepare(
        self, route: Route[T], ids: tuple[str, ...], query: Query | None, body: object, timeout: float | None
    ) -> _Call[T]:
        path, target = route.build(ids, query)
        limit = route.timeout or self._timeout if timeout is None else timeout
        if not limit > 0:
            raise ConfigError(f"{route.name}: timeout={timeout!r} must be greater than 0 seconds")
        numbered = route.repeatable is None
        repeatable = is_numbered(body) if route.repeatable is None else route.repeatable
        relative = path.startswith("/")
        return _Call(
            route=route,
            path=path.partition("?")[0],
            url=self._base + target if relative else target,
            own=relative or path.startswith(f"{self._base}/"),
            key=(route.name, ids[0] if ids else ""),
            body=_bytes(body),
            content_type=body.content_type if isinstance(body, Form) else "application/json",
            attempts=Attempts(repeatable, numbered=numbered),
            timeout=limit,
            ends_at=self._now() + limit,
        )

    async def _attempt(self, call: _Call[T]) -> Response | Failure:
        if self._limits.wait(call.key, self._now()):
            await self._wait_turn(call)
        if self.hold is not None and call.route.sends and (failure := await self._held(call, self.hold)):
            return failure
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        if call.headers is not None:
            headers |= call.headers
        request = Request(call.route.method, call.url, call.path, headers, call.body, 0.0)
        if self._on_request and (failure := await self._prepare_request(call, request)):
            return failure
        del headers  # a traceback may show the variables of its frames; a Request does not show its headers
        # After the hooks, so that no hook gets the token.
        if call.own:
            token: Secret | Failure | None = self._token_at_hand()
            if token is None:
                token = await self._next_token(call)
            if isinstance(token, Failure):
                return token
            call.token = token
            request.headers["Authorization"] = f"QQBot {token.reveal()}"
        request.timeout = call.attempt_timeout(self._now())
        _assert_lease(call)
        return await self._exchange(call, request)

    async def _wait_turn(self, call: _Call[T]) -> None:
        """Wait until "too fast" is over for this route and target.  Raises: RateLimited if that takes too long."""
        while wait := self._limits.wait(call.key, now := self._now()):
            if now + wait >= call.ends_at:
                error = RateLimited(429, 0, "an earlier call has to wait", method=call.route.method, path=call.path)
                error.retry_after = wait
                raise error
            await asyncio.sleep(wait * (1 + 0.1 * random.random()))  # spread the calls that waited together

    async def _held(self, call: _Call[T], hold: Hold) -> Failure | None:
        """Wait until messages may be sent; return the failure if that takes too long."""
        if await in_time(hold, call.ends_at):
            return None
        return Failure(Timeout(f"{call.where}: held back, no connection to the gateway in time"), None, sent=False)

    async def _prepare_request(self, call: _Call[T], request: Request) -> Failure | None:
        """Run the request hooks; return the failure if they take too long.  Raises: what they raise."""

        async def run_hooks() -> None:
            for hook in self._on_request:
                answer = hook(request)
                if inspect.isawaitable(answer):
                    await answer

        if not await in_time(run_hooks, call.ends_at):
            return Failure(Timeout(f"{call.where}: a request hook took too long"), None, sent=False)
        check_headers(request.headers, "Api(on_request=...)")
        return None

    def _token_at_hand(self) -> Secret | None:
        return None if (token := self._current_token()) is None else Secret(token)

    async def _next_token(self, call: _Call[T]) -> Secret | Failure:
        try:
            async with asyncio.timeout_at(call.ends_at):
                token = await self._tokens.get()
        except TimeoutError:
            return Failure(Timeout(f"{call.where}: no access token in time"), None, sent=False)
        except TransportError as error:
            return Failure(error, None, sent=False)
        except ApiError as error:
            return Failure(error, error_rule("token", error.code, error.status), sent=False)
        check_headers({"Authorization": token}, "Api(token=...)")
        return Secret(token)

    async def _exchange(self, call: _Call[T], request: Request) -> Response | Failure:
        debug = log.isEnabledFor(logging.DEBUG)
        if debug:
            shown = masked(call.body or b"", self._known_secrets(call))
            log.debug("%s %s <- %s", request.method, request.path, shown, extra=log_fields())
        started = self._now()
        try:
            response = await self._transport.send(request)
        except TransportError as error:
            if self._on_response:
                await self._observe(self._info(call, request, started, error), call)
            return Failure(error, None, sent=error.maybe_sent)
        if debug or self._on_response:
            info = self._info(call, request, started, response)
            if debug:
                shown = masked(response.body, self._known_secrets(call))
                log.debug("%.500s -> %s", info, shown, extra=log_fields(trace_id=response.trace_id))
            await self._observe(info, call)
        if is_success(response) or (not call.own and response.status < 400):
            return response
        return failure_of(request, response, family=call.route.family, secrets=self._known_secrets(call)) or response

    def _info(
        self, call: _Call[T], request: Request, started: float, outcome: Response | TransportError
    ) -> ResponseInfo:
        elapsed, host = self._now() - started, urlsplit(request.url).netloc
        path = urlsplit(call.route.path).path
        if isinstance(outcome, TransportError):
            return ResponseInfo(request.method, request.path, 0, elapsed, None, path, host, {}, outcome)
        status, headers = outcome.status, MappingProxyType(outcome.headers)  # a hook must not change the answer
        return ResponseInfo(request.method, request.path, status, elapsed, outcome.trace_id, path, host, headers)

    async def _recover(self, call: _Call[T], failure: Failure) -> None:
        """Return when the next attempt may start.  Raises: the failure, if there is no next attempt."""
        error, now = failure.error, self._now()
        delay = call.attempts.after(failure, left=call.ends_at - now, chance=random.random())
        if call.token is not None and failure.rule is not None and failure.rule.retry is RetryPolicy.TOKEN:
            self._tokens.invalidate(call.token.reveal())
        if isinstance(error, RateLimited):
            self._limits.pause(call.key, delay or error.retry_after or 0.0, now)
            if (error.retry_after or 0.0) > LONGEST:
                log.warning(
                    "%s: the platform asks to wait %.0f s; the next call is made after %.0f s, to see if it still does",
                    call.where,
                    error.retry_after,
                    LONGEST,
                )
        self._log(call, error, delay)
        if delay is None:
            raise _final(call, error)
        if not isinstance(error, RateLimited):
            await asyncio.sleep(delay)

    def _log(self, call: _Call[T], error: ApiError | TransportError, delay: float | None) -> None:
        outcome = "giving up" if delay is None else f"retrying in {delay:.1f} s"
        if isinstance(error, ApiError):
            log.info(
                "%s: HTTP %d, code %d (%s), trace id %s; %s",
                call.where,
                error.status,
                error.code,
                visible_line(error.message),
                visible_line(error.trace_id or "none"),
                outcome,
                extra=log_fields(trace_id=error.trace_id),
            )
        else:
            log.info("%s; %s", visible_line(str(error)), outcome, extra=log_fields())

    async def _observe(self, info: ResponseInfo, call: _Call[T]) -> None:
        # A call that timed out has no time left.
        ends_at = call.ends_at if info.error is None else max(call.ends_at, self._now() + HOOK_SECONDS)
        before = cancellations()
        for hook in tuple(self._on_response):
            try:
                answer = hook(info)
                if inspect.isawaitable(answer):
                    async with asyncio.timeout_at(ends_at):
                        await answer
            except (Exception, asyncio.CancelledError):
                if cancellations() > before:  # else it is not the call that was cancelled
                    raise
                log.exception(
                    "the response hook %r failed or exceeded the call's timeout; the call continues",
                    hook,
                    extra=log_fields(trace_id=info.trace_id),
                )

    def _known_secrets(self, call: _Call[T]) -> tuple[Secret, ...]:
        return (*self._secrets, call.token) if call.token else tuple(self._secrets)


def _assert_lease(call: _Call[Any]) -> None:
    """Check the lease of the handler that calls, if it has one.  Raises: LeaseLost after its end."""
    lease = current_lease.get()
    if lease is not None and not lease.valid():
        raise LeaseLost(
            f"{call.where} was not sent: another process may run shard {lease.shard} by now, and handles the event "
            "again. Work that outlives its event belongs in bot.spawn()"
        )


def _none() -> None:
    """Return no token: only the user's own source knows it."""


def _bytes(body: object) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    try:
        return body.content if isinstance(body, Form) else encode(body)
    except UnicodeEncodeError:
        raise ConfigError(
            "a text contains half a character (a lone surrogate such as \\ud83d), which cannot be sent: keep both "
            "halves together when you cut it. 文本中含有不完整的字符（单个代理项），无法发送"
        ) from None


def _undecoded(call: _Call[T], response: Response, error: DecodeError) -> Failure:
    """Return the failure for an answer that is not JSON.  Raises: DecodeError for JSON of another shape."""
    if response.status != NO_CONTENT and (words := words_if_no_json(response.body)):
        return unreadable(call.route.method, call.path, response, f"it is not JSON ({words})")
    raise DecodeError(f"{call.where} (trace id {response.trace_id or 'none'}): {error}") from error


def _final(call: _Call[T], error: ApiError | TransportError) -> Exception:
    """Return the error to raise; if the platform did not answer, it states what became of the call."""
    if isinstance(error, ApiError):
        return error
    if not call.attempts.maybe_done:
        fate = "nothing was sent. 请求未发出"
    elif call.route.method == "POST":
        fate = "it may have been carried out, a message may have been sent: do not repeat it blindly. 消息可能已经发出"
    else:
        fate = "it may have been carried out. 请求可能已生效"
    kind = Timeout if isinstance(error, Timeout) else ConnectionFailed
    final = kind(f"{error}; {fate}")
    final.maybe_sent = call.attempts.maybe_done
    return final
