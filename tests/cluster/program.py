"""A node process of the cluster tests: a real bot whose handler logs when it begins and ends an event.

Beside it, the processes take a lock in turn and log while they hold it. Its settings come from the environment; one
line of its log is one write, so that a kill loses none.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Callable

from redis.exceptions import RedisError

from qqbot import Bot, Context, Credentials, Endpoints, LockLost, RedisLock, UnknownEvent
from qqbot.aio.clock import steady
from qqbot.config import GatewayConfig
from qqbot.lease import current_lease
from qqbot.sessions import EtcdSessionManager, RedisSessionManager, SessionManager, Timings
from tests.cluster.gateway import EVENT, INTENT
from tests.cluster.stores import APP_ID, CLUSTER

LOCK, LOCK_TTL = "{qqbot-test}:work", 12.0


def timings(fields: dict[str, float]) -> Timings:
    """Timings that may also be wrong ones: the mutation checks need some."""
    made = object.__new__(Timings)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def main() -> None:
    options = json.loads(os.environ["CLUSTER_NODE"])
    log = os.open(options["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    if options.get("no_grace"):
        from qqbot.sessions.cluster.failure_detector import FailureDetector

        FailureDetector.settled = lambda self, now: True  # type: ignore[method-assign]
    on_etcd = options["url"].startswith("etcd")
    sessions = (EtcdSessionManager if on_etcd else RedisSessionManager)(
        options["url"],
        cluster=CLUSTER,
        name=options["name"],
        role=options["role"],
        target_active=options["target"],
        timings=timings(options["timings"]),
    )

    def write(kind: str, *words: object, at: float | None = None) -> None:
        os.write(log, f"{kind} {at or steady():.4f} {' '.join(map(str, words))}\n".encode())

    @contextlib.asynccontextmanager
    async def beside(_: Bot) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(write_claims(sessions, write))]
        if not on_etcd:  # which has no lock
            lock = RedisLock(options["url"], LOCK, ttl=LOCK_TTL * options["pace"])
            tasks.append(asyncio.create_task(take_turns(lock, write)))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    bot = Bot(
        Credentials(APP_ID, "secret"),
        endpoints=Endpoints(options["base"]),
        shards=options["shards"],
        sessions=sessions,
        gateway=GatewayConfig(pace=options["pace"]),
        drain=2.0,
        max_inflight=1024,
        lifespan=beside,
    )

    @bot.on(EVENT, intent=INTENT)
    async def handle(ctx: Context[UnknownEvent]) -> None:
        lease = current_lease.get()
        assert lease is not None
        write("begin", lease.shard.gen, lease.shard.index, lease.token, ctx.event_id)
        await asyncio.sleep(random.random() * options["handling"])
        write("end", lease.shard.gen, lease.shard.index, lease.token, ctx.event_id)

    @bot.on_shard_event
    def record(event: object) -> None:
        write("shard", event.shard.index, event.kind, event.code)  # type: ignore[attr-defined]

    bot.run()


async def write_claims(sessions: SessionManager, write: Callable[..., None]) -> None:
    """Log each shard that this process claims."""
    async for event in sessions.watch():
        if event.kind == "claimed" and event.shard is not None:
            write("claim", event.shard.gen, event.shard.index)


async def take_turns(lock: RedisLock, write: Callable[..., None]) -> None:
    """Hold the lock for a while, again and again; log each moment at which this process holds it."""
    while True:
        with contextlib.suppress(LockLost, RedisError, OSError):
            async with lock:
                until = steady() + random.random()
                while steady() < until:
                    at = steady()
                    if lock.valid():  # asked after the moment: the process may be stopped in between
                        write("hold", lock.token, at=at)
                    await asyncio.sleep(0.02)
        await asyncio.sleep(random.random() / 10)


if __name__ == "__main__":
    sys.exit(main())
