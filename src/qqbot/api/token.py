"""The access token: fetched by one task at a time, cached until its last minute, dropped if the platform refuses it.

Responsible for the token of one app in this process, and for using a token that another process fetched.
Collaborators: `transport` sends, a `TokenStore` (see `redis.token_store`) shares the token between processes.
It makes no other call.
Source: dev-prepare/access-token
"""

import asyncio
import logging
import random
import re
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Protocol
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from .._visible import visible_line
from ..aio.clock import Clock
from ..aio.ending import end_tasks
from ..aio.loops import check_loop
from ..config import Credentials
from ..errors import ConnectionFailed, DecodeError
from ..models.base import Finite, Model
from ..models.codec import decoder, encode
from .exchange import Request, failure_of, unreadable
from .transport import Transport


class TokenSource(Protocol):
    """Provides access tokens."""

    async def get(self) -> str:
        """Return a token that is valid for the next call."""
        ...

    def invalidate(self, token: str) -> None:
        """Forget `token` if it is still the current one: the platform refused it."""
        ...


class SharedToken(Struct, frozen=True):
    """An access token that another process fetched, and for how many `seconds` it is still valid."""

    value: str
    seconds: float

    def __repr__(self) -> str:
        return f"SharedToken(seconds={self.seconds!r})"  # the value is a secret


class TokenStore(Protocol):
    """Shares one access token between processes. It never raises: a broken store has no token and lets each fetch."""

    async def load(self) -> SharedToken | None:
        """Return the stored token, if there is one."""
        ...

    async def save(self, token: SharedToken) -> None:
        """Store a token for the other processes."""
        ...

    def refreshing(self) -> AbstractAsyncContextManager[bool]:
        """Hold the right to fetch a token; False if another process has it, which saves the token that it gets."""
        ...


log = logging.getLogger(__name__)

FETCH_TIMEOUT = 10.0  # seconds
LONGEST_LIFE = 86_400.0  # seconds that a token is used without asking again; the platform's live for 7200
RENEWAL = 60.0  # seconds before the end; earlier, the platform answers with the same token
JITTER = 10.0  # of those seconds, so that many processes do not ask at once
SHORT = 10.0  # seconds; with less left, callers wait for the new token instead of using the old one
PAUSE = 5.0  # seconds between two attempts while the old token is still valid
OTHERS = 10.0  # seconds for another process to fetch a token, before this one does
LOOK, LONGEST_LOOK = 0.05, 0.5  # seconds between two looks at the store meanwhile


_PRINTABLE = re.compile(r"[ -~]+")  # a token goes into a header


class _Answer(Model, frozen=True, kw_only=True):
    """`expires_in` is in seconds; text or a number on the wire."""

    access_token: Annotated[str, Meta(pattern=rf"^{_PRINTABLE.pattern}\Z")]
    expires_in: Finite = 0.0


class _CachedToken(Struct, frozen=True):
    """A token, when to ask for the next one, and when to stop using this one (seconds of the clock)."""

    value: str
    ask_at: float
    ends_at: float

    def __repr__(self) -> str:
        return f"_CachedToken(ask_at={self.ask_at!r}, ends_at={self.ends_at!r})"  # the value is a secret


_decode = decoder(_Answer)


class AccessTokens:
    """A `TokenSource` that asks the platform, or uses the token in `store`. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        token_url: str,
        clock: Clock,
        store: TokenStore | None = None,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._url = token_url
        self._clock = clock
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._refused = ""  # the last token that the platform refused; the store may still have it
        self._cached: _CachedToken | None = None
        self._flight: asyncio.Task[None] | None = None  # the fetch in progress, so that concurrent calls share it

    def current(self) -> str | None:
        """Return the token if it needs no renewal yet."""
        cached = self._cached
        return cached.value if cached is not None and self._clock() < cached.ask_at else None

    async def get(self) -> str:
        """Return a token. Concurrent callers share one request, and a caller that is cancelled does not cancel it.

        Raises: AuthError, IPNotAllowed, RateLimited, ServerError, Timeout, ConnectionFailed, but none of them while
        the cached token is still valid; ConfigError from another event loop.
        """
        while (token := self.current()) is None:
            check_loop(self._loop, "the access token")
            cached = self._cached
            flight = self._fetching()
            if cached is not None and self._clock() < cached.ends_at - SHORT:
                return cached.value
            await asyncio.wait([flight])  # unlike `await flight`, a cancellation here does not cancel it
            if flight.cancelled():
                raise ConnectionFailed("the client was closed while the access token was fetched")
            if flight.exception() is not None and (cached is None or self._clock() >= cached.ends_at):
                flight.result()
        return token

    def invalidate(self, token: str) -> None:
        """Forget `token` if it is still the current one."""
        if self._cached is not None and self._cached.value == token:
            self._cached = None
            self._refused = token

    async def close(self) -> None:
        """Cancel a request that is in progress."""
        if self._flight is not None:
            await end_tasks([self._flight])

    def _fetching(self) -> asyncio.Task[None]:
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch(), name="qqbot access token")
            self._flight.add_done_callback(self._landed)
        return self._flight

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        if flight.cancelled() or (error := flight.exception()) is None or (cached := self._cached) is None:
            return
        log.warning("no new access token yet, using the old one until it expires: %s", visible_line(str(error), 500))
        self._cached = _CachedToken(cached.value, min(self._clock() + PAUSE, cached.ends_at), cached.ends_at)

    async def _fetch(self) -> None:
        if self._store is None:
            await self._ask()
        else:
            await self._share(self._store)

    async def _share(self, store: TokenStore) -> None:
        """Use the token that another process has fetched or is fetching; otherwise fetch one for all."""
        waited, pause = 0.0, LOOK
        while not self._take(await store.load()):
            async with store.refreshing() as ours:
                if ours or waited >= OTHERS:
                    if not self._take(await store.load()):  # another process may have finished just before
                        await store.save(await self._ask())
                    return
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_LOOK)

    def _take(self, shared: SharedToken | None) -> bool:
        """Cache the token of another process, if it is neither near its end, refused nor damaged; return True then."""
        if (
            shared is None
            or shared.seconds <= RENEWAL
            or shared.value == self._refused
            or not _PRINTABLE.fullmatch(shared.value)
        ):
            return False
        self._cache(shared)
        return True

    async def _ask(self) -> SharedToken:
        """Ask the platform for a token and cache it."""
        request = self._request()
        response = await self._transport.send(request)
        refused = failure_of(request, response, family="token", secrets=(self._credentials.secret,))
        if refused is not None:
            raise refused.error
        try:
            answer = _decode(response.body)
        except DecodeError:
            raise unreadable(request.method, request.path, response, "it contains no token").error from None
        token = SharedToken(answer.access_token, min(answer.expires_in, LONGEST_LIFE))
        self._cache(token)
        return token

    def _cache(self, token: SharedToken) -> None:
        now = self._clock()
        ends_at = now + token.seconds
        # Near the end of a token the platform may return the same one again: ask again after a pause.
        ask_at = max(ends_at - RENEWAL + JITTER * random.random(), now + PAUSE)
        self._cached = _CachedToken(token.value, ask_at, ends_at)

    def _request(self) -> Request:
        body = encode({"appId": self._credentials.app_id, "clientSecret": self._credentials.secret.reveal()})
        headers = {"Content-Type": "application/json"}
        return Request("POST", self._url, urlsplit(self._url).path, headers, body, FETCH_TIMEOUT)
