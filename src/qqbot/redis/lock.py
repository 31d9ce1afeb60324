"""`RedisLock`: one holder at a time among all processes that name it, kept alive for as long as it is held.

Responsible for the life of the lock in this process: it renews it, keeps the deadline by our own clock, and reports
its loss to the holder. Collaborators: `connection` (which errors of the store pass), `LeaseDeadline`. It is not a
session manager: it shares nothing but the right to continue.
"""

import asyncio
import logging
import os
import re
import uuid
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ..aio.background import background
from ..aio.clock import steady
from ..aio.forks import check_process
from ..aio.throttle import Throttle
from ..config import Secret, hidden
from ..errors import ConfigError, LockLost
from ..lease import LeaseDeadline
from .connection import (
    FAILURES,
    OPERATION_SECONDS,
    Client,
    Script,
    drop_idle,
    is_away,
    opened,
    repeated,
    within,
)

log = logging.getLogger(__name__)

RENEWALS = 3  # in one ttl, so that two may fail
MARGIN = 0.1  # of the ttl: we stop that much earlier than the store, because clocks differ in speed
LONGEST_PAUSE_SECONDS = 1.0  # between two attempts to acquire a lock that another process holds
HASTE = 4  # a failed renewal is retried after a quarter of the usual pause
MOST_RELEASES = 12  # requests, in less than `OPERATION_SECONDS`: a store that is down holds up no caller for long
RELEASE_PAUSE_SECONDS = 0.2  # between two pairs of them, while a store fails over

# KEYS[1]  the lock: the owner's name, for ARGV[2]
# KEYS[2]  the last fencing token, kept forever
# ARGV[1]  owner
# ARGV[2]  milliseconds
# returns  the fencing token; 0 when another owner holds the lock
#
# A request that was sent again because its answer was lost finds its own name and gets the same token. A token is the
# server's clock in microseconds, or the last token plus 1 if that is larger, so that tokens grow even if the store
# lost its data, or the last token cannot be read.
ACQUIRE = Script("""
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
    return 0
end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if not last or not (last >= 0 and last < 2 ^ 53) then last = 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if owner and last > 0 then
    return last
end
local now = redis.call('TIME')
local token = math.max(last + 1, now[1] * 1000000 + now[2])
redis.call('SET', KEYS[2], string.format('%.0f', token))
return token
""")

# KEYS[1]  the lock
# ARGV[1]  owner
# ARGV[2]  milliseconds
# returns  1; 0 if it is not ours any more
RENEW = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")

# KEYS[1]  the lock
# ARGV[1]  owner
# returns  1; 0 if it is not ours any more
RELEASE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")


class RedisLock:
    """A lock in Redis or Valkey: `async with RedisLock("redis://...", "name"):`, or `acquire` and `release`.

    `store`: a URL (the lock opens its own connections), or a client of the redis library (it stays open).
    `ttl`: seconds after which another process can acquire the lock if it was not renewed; `auto_renew` renews it three
    times in each ttl. `cancel_on_lost`: if True, losing the lock cancels the body of `async with`.
    `token`: the fencing token, larger for each holder, 0 before the first `acquire`; a resource that remembers the
    largest token can refuse an earlier holder. `lost`: set when the lock is no longer ours; each `acquire` makes a new
    event.

    The lock avoids duplicate work. It does not replace the fencing token: a store that loses its data can admit a
    second holder.

    Raises: ConfigError for an invalid name or ttl.
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
        self._store: Client | Secret = hidden(store)
        del store  # a URL holds a password, and a traceback may show the variables of its frames
        if not 0 < ttl < float("inf"):
            raise ConfigError("RedisLock(ttl=...) must be greater than 0 seconds, and finite")
        self.name = name
        self.token = 0  # 0: never held
        self.lost = asyncio.Event()  # replaced by each acquire, so that an earlier holder keeps its own
        self._fence_key = fence_key(name)
        self._ttl = ttl
        self._auto_renew = auto_renew
        self._cancel_on_lost = cancel_on_lost
        self._warnings = Throttle()
        self._held: _HeldLock | None = None  # None: not held; a keeper compares it to detect a release

    def valid(self) -> bool:
        """True if this process holds the lock now, by our own clock; sends nothing."""
        held = self._held
        return held is not None and held.pid == os.getpid() and held.deadline.valid()

    async def acquire(self, *, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock; return False if another process holds it for `timeout` seconds, or now if not `blocking`.

        While the store is down it waits as well, and logs a warning.

        Raises: ConfigError if we hold it already, or for an invalid URL; an error of the redis library if the store
        refuses us, or is down and the time to wait is over.
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
            self._held = held  # before the keeper starts: an eager task reads it in its first step
            await held.keeper.enter_async_context(background(self._keep(held), name=f"qqbot lock {self.name}"))
        return True

    async def renew(self) -> None:
        """Hold the lock for another ttl.

        Raises: LockLost if it is no longer ours; an error of the redis library if the store is down; ConfigError in a
        child process.
        """
        held = self._held
        if held is None or not held.deadline.valid():
            raise self._loss()
        check_process(held.pid, f"lock {self.name!r}")
        sent_at = steady()
        ours = await within(min(OPERATION_SECONDS, held.deadline.left()), held.lock.renew())
        if not (ours and held.deadline.renew(sent_at)):
            self._lose(held)
            raise self._loss()

    async def release(self) -> None:
        """Release the lock. If the store is down, the lock expires there after its ttl.

        Raises: LockLost if it was no longer ours; ConfigError in a child process, which leaves it to its parent.
        """
        if self._held is not None:
            check_process(self._held.pid, f"lock {self.name!r}")
        held, self._held = self._held, None
        if held is None:
            raise self._loss()
        ours = held.deadline.valid()
        held.deadline.shut()
        async with held.stack:
            try:
                await held.keeper.aclose()
                ours = await self._give_back(held.lock) and ours
            except BaseException:
                await held.lock.withdraw()  # otherwise no process gets it before its ttl has passed
                raise
        if not ours:
            raise self._loss()

    async def _give_back(self, lock: "_FencedLock") -> bool:
        """Delete our entry; return True if it was still there, as far as we know."""
        try:
            return await within(OPERATION_SECONDS, lock.release())
        except FAILURES as error:
            if self._warnings.ready("release"):
                log.warning("lock %r could not be released, it expires after %g s: %r", self.name, self._ttl, error)
        return True

    async def __aenter__(self) -> Self:
        await self.acquire()
        held = self._held
        if self._cancel_on_lost and held is not None:
            held.body = _Body()
            if held.lost.is_set():  # an eager keeper can find a deadline that has passed before there is a body
                held.body.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        body = None if self._held is None else self._held.body
        ended_by_us = body is not None and body.ended_by_us(error)
        try:
            await self.release()
        except LockLost:
            if error is None or ended_by_us:  # any other error of the body says more than the loss
                raise

    async def _keep(self, held: "_HeldLock") -> None:
        """Renew the lock while it is held; report its loss to the holder."""
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
        except Exception as error:  # noqa: BLE001 - a client may raise anything: only the deadline ends the lock
            if self._warnings.ready("renew"):
                log.warning("lock %r could not be renewed, trying again: %r", self.name, error)
            return False
        return True

    def _lose(self, held: "_HeldLock") -> None:
        """Report the loss to the holder, once, and not if the lock has been released meanwhile."""
        held.deadline.shut()
        if held is self._held and not held.lost.is_set():
            held.lost.set()
            log.warning("%s", self._loss())
            if held.body is not None:
                held.body.cancel()

    def _loss(self) -> LockLost:
        return LockLost(
            f"lock {self.name!r} is not ours: it was released, its {self._ttl:g} s passed without a renewal, or the "
            "store lost it. Stop the work that it protects, or acquire() it again. "
            "锁已失效：请停止受其保护的工作，或重新获取"
        )


class OneOfManyLocks(RedisLock):
    """A lock of a holder that has many of them on one store: when that is away, `warnings` lets one of them log it."""

    def __init__(self, store: Client, name: str, *, ttl: float, warnings: Throttle) -> None:
        super().__init__(store, name, ttl=ttl)
        self._warnings = warnings


def fence_key(name: str) -> str:
    """Return the key of the fencing token, which a Redis Cluster keeps on the node of the lock itself.

    Raises: ConfigError for a name with braces that are not a hash tag.
    """
    tag = re.search(r"\{([^}]*)\}", name)
    if tag is not None and tag[1]:
        return f"{name}:f"
    if not name or "{" in name or "}" in name:
        raise ConfigError(f"RedisLock name {name!r}: it must not be empty, and braces only stand around a hash tag")
    return f"{{{name}}}:f"


@dataclass(eq=False, slots=True)
class _HeldLock:
    """What exists from `acquire` to `release`."""

    lock: "_FencedLock"
    deadline: LeaseDeadline  # by our own clock, earlier than the expiry in the store
    lost: asyncio.Event
    stack: AsyncExitStack  # closes the client, after the lock was released through it
    keeper: AsyncExitStack = field(default_factory=AsyncExitStack)  # ends the renewals, before the release
    body: "_Body | None" = None  # None: a loss cancels nothing
    pid: int = field(default_factory=os.getpid)  # a child inherits the object, not the right


class _Body:
    """The task in the body of `async with`, and whether we have cancelled it. Works like `asyncio.timeout`."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()  # requests of others, made before ours
        self._cancelled = False  # True: `uncancel` is owed, exactly once

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def ended_by_us(self, error: BaseException | None) -> bool:
        """Take our cancellation back; return True if `error` is caused by it alone."""
        if not self._cancelled:
            return False
        return self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError)


class _FencedLock:
    """The entry of one holder in the store, with a fencing token from the script that acquires it.

    Each request may be sent twice: it names its owner.
    """

    def __init__(self, client: Client, name: str, fence_key: str, ttl: float) -> None:
        self.owner = uuid.uuid4().hex
        self.fence = 0  # 0: not acquired
        self.sent_at = 0.0  # of the last request to acquire: the ttl counts from no earlier moment
        self._client = client
        self._name = name
        self._fence_key = fence_key
        self._milliseconds = max(int(ttl * 1000), 1)
        self._pause = min(ttl / 20, LONGEST_PAUSE_SECONDS)

    async def obtain(self, blocking: bool, timeout: float | None) -> bool:
        """Try until we have it or the time to wait is over; also while the store is down."""
        ends_at = float("inf") if timeout is None else steady() + timeout
        warnings = Throttle()
        try:
            while True:
                try:
                    if await self.do_acquire(self.owner):
                        return True
                    if not blocking or steady() + self._pause > ends_at:
                        return False
                except FAILURES as error:
                    if not (blocking and is_away(error) and steady() < ends_at):
                        raise
                    if warnings.ready():
                        log.warning("lock %r: the store does not answer, waiting until it does: %r", self._name, error)
                    await drop_idle(self._client)
                await asyncio.sleep(self._pause)
        except BaseException:
            await self.withdraw()
            raise

    async def do_acquire(self, owner: str) -> bool:
        """Try once; record when the request was sent, and the fencing token."""

        async def send() -> int:
            self.sent_at = steady()
            keys = [self._name, self._fence_key]
            return int(await ACQUIRE.run(self._client, keys, [owner, self._milliseconds]))

        self.fence = await within(OPERATION_SECONDS, repeated(self._client, send))
        return self.fence > 0

    async def renew(self) -> bool:
        """Keep it for another ttl; return False if it is not ours any more."""
        arguments = [self.owner, self._milliseconds]
        return bool(await repeated(self._client, lambda: RENEW.run(self._client, [self._name], arguments)))

    async def release(self) -> bool:
        """Delete our entry, also if the store fails over meanwhile; return False if it was gone before."""
        attempts = 0  # an earlier one may have deleted it, and its answer was lost

        async def send() -> bool:
            nonlocal attempts
            attempts += 1
            return bool(await RELEASE.run(self._client, [self._name], [self.owner]))

        while True:
            try:
                return await repeated(self._client, send) or attempts > 1
            except FAILURES as error:
                if not is_away(error) or attempts >= MOST_RELEASES:
                    raise
            await asyncio.sleep(RELEASE_PAUSE_SECONDS)

    async def withdraw(self) -> None:
        """Delete our entry if there is one: a request may have set it after we stopped waiting for the answer."""
        with suppress(*FAILURES):
            await within(OPERATION_SECONDS, RELEASE.run(self._client, [self._name], [self.owner]))
