"""`RedisSeenIds`: the ids of events that some process of the bot has finished, for ten minutes.

Responsible for the keys and their expiry. Collaborators: the dispatcher decides which ids are added, and when: never on
receipt, so that a process that dies during a handler does not hide the event from the next process.
"""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from .circuit_breaker import CircuitBreaker
from .connection import Client, Script, hash_tag, repeated

KEPT_SECONDS = 600
MOST_DISCARDS = 4096  # that wait for the store; more would only use memory
LONGEST_ID = 256  # characters; the store keeps the digest of a longer one

# KEYS[1]  the id
# ARGV[1]  a name for this one request
# ARGV[2]  seconds
# returns  1 if it was added, 0 if it was there already, also as a key of another type
#
# A request that was sent again because its answer was lost finds its own name: the id is new all the same.
ADD = Script("""
local by = redis.pcall('GET', KEYS[1])
if type(by) == 'table' and not string.find(by.err, 'WRONGTYPE') then return by end
if by then
    return by == ARGV[1] and 1 or 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
""")


class RedisSeenIds:
    """`SeenIds` in Redis or Valkey. While the store is down every id counts as new, with one WARNING a minute."""

    def __init__(self, client: Client, *, app_id: str, cluster: str) -> None:
        self._client: Any = client
        self._prefix = f"qqbot:{hash_tag(app_id, cluster)}:d:"
        self._circuit_breaker = CircuitBreaker("events that come twice are handled twice")
        self._discards: dict[str, None] = {}  # not deleted in the store yet, oldest first

    async def add(self, event_id: str) -> bool:
        """Add `event_id`; return False if it was there already."""
        await self._catch_up()
        self._discards.pop(event_id, None)
        request = uuid.uuid4().hex
        added = await self._ask(lambda: ADD.run(self._client, [self._key(event_id)], [request, KEPT_SECONDS]), 1)
        return added == 1

    async def contains(self, event_id: str) -> bool:
        """True if `event_id` is there."""
        await self._catch_up()
        if event_id in self._discards:
            return False
        return await self._ask(lambda: self._client.execute_command("EXISTS", self._key(event_id)), 0) == 1

    async def discard(self, event_id: str) -> None:
        """Remove `event_id`; if the store is down, it is removed there later, and here at once."""
        self._discards[event_id] = None
        if len(self._discards) > MOST_DISCARDS:
            del self._discards[next(iter(self._discards))]
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Delete in the store what could not be deleted before."""
        if not self._discards:
            return
        pending = tuple(self._discards)
        deleted = await self._ask(lambda: self._delete(pending), -1)
        if deleted >= 0:
            for event_id in pending:
                self._discards.pop(event_id, None)

    async def _delete(self, event_ids: Iterable[str]) -> int:
        return int(await self._client.execute_command("DEL", *map(self._key, event_ids)))

    async def _ask(self, call: Callable[[], Awaitable[int]], instead: int) -> int:
        return await self._circuit_breaker.ask(lambda: repeated(self._client, call), instead)

    def _key(self, event_id: str) -> str:
        if len(event_id) > LONGEST_ID:
            event_id = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self._prefix + event_id
