"""`RedisLock`: one holder at a time among all processes that name it, kept alive for as long as it is held.

Owns the lock's life in this process: renewing, the deadline by our own clock, telling the holder that it is lost.
The waiting, releasing and renewing scripts are the redis library's. It is no session manager: it shares nothing but
who may go on.
"""

import asyncio
import logging
import re
import uuid
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from redis.asyncio.lock import Lock
from redis.exceptions import LockNotOwnedError

from ..aio.clock import steady
from ..errors import ConfigError, LockLost
from ..lease import LeaseDeadline
from .connection import FAILURES, OPERATION_SECONDS, Client, is_away, opened, within

log = logging.getLogger(__name__)

RENEWALS = 3  # in one ttl: two may fail
MARGIN = 0.1  # of the ttl: we stop that much earlier than the store, for clocks that do not go equally fast
LONGEST_PAUSE_SECONDS = 1.0  # between two attempts to get a lock that somebody else holds
WARN_EVERY_SECONDS = 60.0
HASTE = 4  # after a renewal that failed the next one comes that much sooner

# KEYS[1]  the lock: the owner's name, for ARGV[2]
# KEYS[2]  the last fencing token, kept for ever
# ARGV[1]  owner
# ARGV[2]  milliseconds
# returns  the fencing token; 0 when another owner holds the lock
#
# A request that was sent again because its answer was lost finds its own name, and gets the same token. Tokens are the
# server's clock in microseconds, or the last one and 1, so that they grow even when that was lost with the data.
ACQUIRE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
    return 0
end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if owner and last > 0 then
    return last
end
local now = redis.call('TIME')
local token = math.max(last + 1, now[1] * 1000000 + now[2])
redis.call('SET', KEYS[2], string.format('%.0f', token))
return token
"""


class RedisLock:
    """A lock in Redis or Valkey: `async with RedisLock("redis://...", "name"):`, or `acquire` and `release`.

    `store`: a URL, for connections of the lock's own, or a client of the redis library, which is not closed here.
    `ttl`: seconds after which the store gives the lock to somebody else unless it was renewed, which happens three
    times in a ttl with `auto_renew`. `cancel_on_lost`: whether losing the lock cancels the body of `async with`.
    `token`: larger for each holder, to be refused by whatever keeps the largest it saw; 0 before the first. `lost`:
    set when the lock is no longer ours; each `acquire` makes a new one.

    It saves work that would be done twice and does not replace a fencing token: a store that loses its data can let
    in a second holder.

    Raises: ConfigError for a name or ttl that cannot be used.
    """

    def __init__(
        self,
        store: Client | str,
        name: str,
        *,
        ttl: float = 30.0,
        auto_renew: bool = True,
        cancel_on_lost: bool = True,
    ) -> None:
        if not 0 < ttl < float("inf"):
            raise ConfigError("RedisLock(ttl=...) must be greater than 0 seconds, and finite")
        self.name = name
        self.token = 0
        self.lost = asyncio.Event()
        self._fence_key = _fence_key(name)
        self._store = store
        self._ttl = ttl
        self._auto_renew = auto_renew
        self._cancel_on_lost = cancel_on_lost
        self._held: _HeldLock | None = None

    def valid(self) -> bool:
        """Whether we hold the lock now, by our own clock; asks nobody."""
        return self._held is not None and self._held.deadline.valid()

    async def acquire(self, *, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take the lock; False when somebody else keeps it all the `timeout` seconds, or now if not `blocking`.

        While the store is away it waits, too, and says so.

        Raises: ConfigError when we hold it already, or for a URL that cannot be used; an error of the redis library
        when the store refuses us, or is away and we may not wait longer.
        """
        if self._held is not None:
            raise ConfigError(f"lock {self.name!r} is held already: release() it first, or make a second RedisLock")
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(opened(self._store))
            lock = _FencedLock(client, self.name, self._fence_key, self._ttl)
            if not await lock.obtain(blocking, timeout):
                return False
            self.token, self.lost = lock.fence, asyncio.Event()
            held = _HeldLock(lock, LeaseDeadline(self._ttl * (1 - MARGIN), lock.sent_at), self.lost, stack.pop_all())
            held.keeper = asyncio.create_task(self._keep(held), name=f"qqbot lock {self.name}")
            self._held = held
        return True

    async def renew(self) -> None:
        """Hold the lock for another ttl.

        Raises: LockLost when it is no longer ours; an error of the redis library when the store is away.
        """
        held = self._held
        if held is None or not held.deadline.valid():
            raise self._loss()
        sent_at = steady()
        try:
            await within(min(OPERATION_SECONDS, held.deadline.left()), held.lock.do_reacquire())
        except LockNotOwnedError:
            ours = False
        else:
            ours = held.deadline.renew(sent_at)
        if not ours:
            self._lose(held)
            raise self._loss()

    async def release(self) -> None:
        """Give the lock back. A store that is away cannot be told: there the lock ends by itself, after its ttl.

        Raises: LockLost when it was no longer ours.
        """
        held, self._held = self._held, None
        if held is None:
            raise self._loss()
        ours = held.deadline.valid()
        held.deadline.shut()
        async with held.stack:
            try:
                await held.end_keeper()
                ours = await self._give_back(held.lock) and ours
            except BaseException:
                await held.lock.withdraw()  # else nobody gets it before its ttl has passed
                raise
        if not ours:
            raise self._loss()

    async def _give_back(self, lock: "_FencedLock") -> bool:
        """Delete our entry; whether it was still there, as far as we know."""
        try:
            await within(OPERATION_SECONDS, lock.do_release(lock.owner))
        except LockNotOwnedError:
            return False
        except FAILURES as error:
            log.warning("lock %r could not be given back, it ends after %g s: %r", self.name, self._ttl, error)
        return True

    async def __aenter__(self) -> Self:
        await self.acquire()
        if self._cancel_on_lost and self._held is not None:
            self._held.body = _Body()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        body = None if self._held is None else self._held.body
        ended_by_us = body is not None and body.ended_by_us(error)
        try:
            await self.release()
        except LockLost:
            if error is None or ended_by_us:  # any other error of the body tells more
                raise

    async def _keep(self, held: "_HeldLock") -> None:
        """Renew the lock while it is held; when it is lost, tell the holder."""
        pause = self._ttl / RENEWALS
        while left := held.deadline.left():
            await asyncio.sleep(min(pause, left))
            if self._auto_renew and held.deadline.valid():
                pause = self._ttl / RENEWALS / (1 if await self._renewed() else HASTE)
        self._lose(held)

    async def _renewed(self) -> bool:
        try:
            await self.renew()
        except LockLost:
            return False
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the deadline decides
            log.warning("lock %r could not be renewed, trying again: %r", self.name, error)
            return False
        return True

    def _lose(self, held: "_HeldLock") -> None:
        """Tell the holder, once, and not where the lock has been given back meanwhile."""
        held.deadline.shut()
        if held is self._held and not held.lost.is_set():
            held.lost.set()
            log.warning("%s", self._loss())
            if held.body is not None:
                held.body.cancel()

    def _loss(self) -> LockLost:
        return LockLost(
            f"lock {self.name!r} is not ours: it was released, its {self._ttl:g} s passed without a renewal, or the "
            "store lost it. Stop what it protects; acquire() it again. 锁已失效：请停止受其保护的工作，或重新获取"
        )


def _fence_key(name: str) -> str:
    """Return where the fencing token stands: in a Redis Cluster on the node of the lock itself.

    Raises: ConfigError for a name whose braces do not allow that.
    """
    tag = re.search(r"\{([^}]*)\}", name)
    if tag is not None and tag[1]:
        return f"{name}:f"
    if not name or "{" in name or "}" in name:
        raise ConfigError(f"RedisLock name {name!r}: it must not be empty, and braces only stand around a hash tag")
    return f"{{{name}}}:f"


@dataclass(eq=False, slots=True)
class _HeldLock:
    """What exists while the lock is held."""

    lock: "_FencedLock"
    deadline: LeaseDeadline
    lost: asyncio.Event
    stack: AsyncExitStack
    keeper: "asyncio.Task[None] | None" = None
    body: "_Body | None" = None

    async def end_keeper(self) -> None:
        if self.keeper is not None:
            self.keeper.cancel()
            await asyncio.wait([self.keeper])


class _Body:
    """The task in the body of `async with`, and whether we have cancelled it. Follows `asyncio.timeout`."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._cancelled = False

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def ended_by_us(self, error: BaseException | None) -> bool:
        """Take our cancellation back; whether it, and no other, is what `error` is."""
        if not self._cancelled:
            return False
        return self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)


class _FencedLock(Lock):
    """The library's lock, with a fencing token that the acquiring script counts."""

    lua_release: Any
    lua_reacquire: Any

    def __init__(self, client: Client, name: str, fence_key: str, ttl: float) -> None:
        pause = min(ttl / 20, LONGEST_PAUSE_SECONDS)
        super().__init__(client, name, timeout=ttl, sleep=pause, thread_local=False)
        self.owner = uuid.uuid4().hex.encode()
        self.fence = 0
        self._milliseconds = max(int(ttl * 1000), 1)
        self.sent_at = 0.0
        self._fence_key = fence_key
        self._acquire: Any = client.register_script(ACQUIRE)

    async def obtain(self, blocking: bool, timeout: float | None) -> bool:
        """Try until we have it, or may not wait longer; also while the store is away."""
        ends_at = float("inf") if timeout is None else steady() + timeout
        warned = -WARN_EVERY_SECONDS
        try:
            while True:
                try:
                    left = None if timeout is None else ends_at - steady()
                    return bool(await self.acquire(blocking, left, self.owner))
                except FAILURES as error:
                    if not (blocking and is_away(error) and steady() < ends_at):
                        raise
                    if steady() - warned >= WARN_EVERY_SECONDS:
                        warned = steady()
                        log.warning("lock %r: the store does not answer, waiting until it does: %r", self.name, error)
                await asyncio.sleep(self.sleep)
        except BaseException:
            await self.withdraw()
            raise

    async def withdraw(self) -> None:
        """Delete our entry, if there is one: what a request whose answer we did not wait for may have set."""
        with suppress(*FAILURES):
            await within(OPERATION_SECONDS, self.do_release(self.owner))

    def register_scripts(self) -> None:
        """Keep the scripts here: the library's own way keeps them, and the first client, for the whole process."""
        self.lua_release = self.redis.register_script(self.LUA_RELEASE_SCRIPT)
        self.lua_reacquire = self.redis.register_script(self.LUA_REACQUIRE_SCRIPT)

    async def do_acquire(self, token: str | bytes) -> bool:
        """Try once; note when the request was sent, and the fencing token."""
        self.sent_at = steady()
        request = self._acquire(keys=[self.name, self._fence_key], args=[token, self._milliseconds])
        answer = await within(OPERATION_SECONDS, request)
        self.fence = int(answer)
        return self.fence > 0
