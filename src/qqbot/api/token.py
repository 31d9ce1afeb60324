"""The access token: fetched by one flight at a time, kept until its last minute, dropped when it is refused.

Owns the token of one app in this process, and when to take one that another process has fetched. Where processes put
it is a `TokenStore`'s.
Source: dev-prepare/access-token
"""

import asyncio
import logging
import random
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from ..aio.clock import Clock
from ..config import Credentials
from ..errors import ConnectionFailed, DecodeError
from ..models.base import Id, Model
from ..models.codec import decoder, encode
from .exchange import Request, failure_of, unreadable
from .transport import Transport


class TokenSource(Protocol):
    """Hands out access tokens."""

    async def get(self) -> str:
        """Return a token that is good for the next call."""
        ...

    def invalidate(self, token: str) -> None:
        """Forget `token` if it is still the current one: the platform refused it."""
        ...


@dataclass(frozen=True, slots=True)
class SharedToken:
    """An access token that another process fetched, and for how many `seconds` it is still good."""

    value: str = field(repr=False)
    seconds: float


class TokenStore(Protocol):
    """Where processes share one access token. A store that fails has none and lets everybody fetch: it never raises."""

    async def load(self) -> SharedToken | None:
        """Return what is there now."""
        ...

    async def save(self, token: SharedToken) -> None:
        """Put a token there for the others."""
        ...

    def refreshing(self) -> AbstractAsyncContextManager[bool]:
        """Hold the right to fetch a token; False: another process has it, and saves what it gets."""
        ...


log = logging.getLogger(__name__)

FETCH_TIMEOUT = 10.0  # seconds
RENEWAL = 60.0  # seconds before the end: earlier, the platform answers with the same token
JITTER = 10.0  # of those, so that many processes do not ask at once
SHORT = 10.0  # with less left, callers wait for the new token instead of using the old one
PAUSE = 5.0  # seconds between two attempts while the old token is still good
OTHERS = 10.0  # seconds for another process to fetch a token; then we do
LOOK, LONGEST_LOOK = 0.05, 0.5  # seconds until we look whether it has


class _Answer(Model, frozen=True, kw_only=True):
    """`expires_in` counts seconds; the wire has it as text or as a number."""

    access_token: Id
    expires_in: float = 0.0


@dataclass(frozen=True, slots=True)
class _CachedToken:
    """A token, and when to ask for the next one and stop using it (seconds of the clock)."""

    value: str = field(repr=False)
    ask_at: float
    ends_at: float


_decode = decoder(_Answer)


class AccessTokens:
    """A `TokenSource` that asks the platform, or takes what `store` has. `clock` is monotonic, in seconds."""

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
        self._refused = ""  # by the platform, last
        self._held: _CachedToken | None = None
        self._flight: asyncio.Task[None] | None = None

    def current(self) -> str | None:
        """Return the token if it needs no renewal yet."""
        held = self._held
        return held.value if held is not None and self._clock() < held.ask_at else None

    async def get(self) -> str:
        """Return a token; all who wait share one request, and one that gives up does not end it for the others.

        Raises: AuthError, IPNotAllowed, RateLimited, ServerError, Timeout, ConnectionFailed - but none of them
        while the token at hand is still good.
        """
        while (token := self.current()) is None:
            held = self._held
            flight = self._fetching()
            if held is not None and self._clock() < held.ends_at - SHORT:
                return held.value
            await asyncio.wait([flight])  # unlike `await flight`, giving up here does not cancel it
            if flight.cancelled():
                raise ConnectionFailed("the client was closed while the access token was fetched")
            if flight.exception() is not None and (held is None or self._clock() >= held.ends_at):
                flight.result()
        return token

    def invalidate(self, token: str) -> None:
        """Forget `token` if it is still the current one."""
        if self._held is not None and self._held.value == token:
            self._held = None
            self._refused = token

    async def close(self) -> None:
        """End a request that is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])

    def _fetching(self) -> asyncio.Task[None]:
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch(), name="qqbot access token")
            self._flight.add_done_callback(self._landed)
        return self._flight

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        if flight.cancelled() or (error := flight.exception()) is None or (held := self._held) is None:
            return
        log.warning("no new access token yet, the old one is used until it ends: %s", error)
        self._held = _CachedToken(held.value, min(self._clock() + PAUSE, held.ends_at), held.ends_at)

    async def _fetch(self) -> None:
        if self._store is None:
            await self._ask()
        else:
            await self._share(self._store)

    async def _share(self, store: TokenStore) -> None:
        """Take the token that another process has fetched or is fetching; fetch one for all where none does."""
        waited, pause = 0.0, LOOK
        while not self._take(await store.load()):
            async with store.refreshing() as ours:
                if ours or waited >= OTHERS:
                    if not self._take(await store.load()):  # somebody may have been done just before
                        await store.save(await self._ask())
                    return
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_LOOK)

    def _take(self, shared: SharedToken | None) -> bool:
        """Hold what another process fetched, unless the platform has a new one by now or refused it."""
        if shared is None or shared.seconds <= RENEWAL or shared.value == self._refused:
            return False
        self._hold(shared)
        return True

    async def _ask(self) -> SharedToken:
        """Ask the platform for a token and hold it."""
        request = self._request()
        response = await self._transport.send(request)
        refused = failure_of(request, response, family="token", secrets=(self._credentials.secret.reveal(),))
        if refused is not None:
            raise refused.error
        try:
            answer = _decode(response.body)
        except DecodeError:
            raise unreadable(request.method, request.path, response, "it holds no token").error from None
        token = SharedToken(answer.access_token, answer.expires_in)
        self._hold(token)
        return token

    def _hold(self, token: SharedToken) -> None:
        now = self._clock()
        ends_at = now + token.seconds
        # Near its end the same token may come back: then ask again after a pause.
        ask_at = max(ends_at - RENEWAL + JITTER * random.random(), now + PAUSE)
        self._held = _CachedToken(token.value, ask_at, ends_at)

    def _request(self) -> Request:
        secret = self._credentials.secret.reveal()
        body = encode({"appId": self._credentials.app_id, "clientSecret": secret})
        headers = {"Content-Type": "application/json"}
        return Request("POST", self._url, urlsplit(self._url).path, headers, body, FETCH_TIMEOUT)
