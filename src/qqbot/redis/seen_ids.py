"""`RedisSeenIds`: the ids of events that some process of the bot has finished, for ten minutes.

Responsible for the keys and their expiry. Collaborators: the dispatcher decides which ids are added, and when: never on
receipt, so that a process that dies during a handler does not hide the event from the next process.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Any

from .circuit_breaker import CircuitBreaker
from .connection import Client, Script, hash_tag, repeated

KEPT_SECONDS = 600
MOST_PENDING = 4096  # changes that wait for the store; more would only use memory
LATE_SECONDS = 0.5  # between two attempts to write them
MOST_AT_ONCE = 100  # of them in one request: the store runs it as a whole
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


# KEYS     ids that were finished while the store was away
# ARGV[1]  a name for this one request
# ARGV[2]  seconds
# returns  1
ADD_LATE = Script("""
for _, id in ipairs(KEYS) do redis.call('SET', id, ARGV[1], 'EX', ARGV[2], 'NX') end
return 1
""")


class RedisSeenIds:
    """`SeenIds` in Redis or Valkey. While the store is down every id counts as new, with one WARNING a minute.

    What is added or discarded meanwhile is written when the store answers again, up to `MOST_PENDING` ids.
    """

    def __init__(self, client: Client, *, app_id: str, cluster: str) -> None:
        self._client: Any = client
        self._prefix = f"qqbot:{hash_tag(app_id, cluster)}:d:"
        self._circuit_breaker = CircuitBreaker("events that come twice are handled twice")
        self._pending: dict[str, bool] = {}  # not in the store yet, oldest first: True is to be added, False deleted
        self._behind = asyncio.Event()  # there are some

    async def add(self, event_id: str) -> bool:
        """Add `event_id`; return False if it was there already. If the store is down, it is added there later."""
        await self._catch_up()
        self._pending.pop(event_id, None)
        request = uuid.uuid4().hex
        added = await self._ask(lambda: ADD.run(self._client, [self._key(event_id)], [request, KEPT_SECONDS]))
        if added is None:
            self._keep(event_id, add=True)
        return added != 0

    async def contains(self, event_id: str) -> bool:
        """True if `event_id` is there."""
        await self._catch_up()
        if self._pending.get(event_id) is False:
            return False
        return await self._ask(lambda: self._client.execute_command("EXISTS", self._key(event_id))) == 1

    async def discard(self, event_id: str) -> None:
        """Remove `event_id`; if the store is down, it is removed there later, and here at once."""
        self._keep(event_id, add=False)
        await self._catch_up()

    def _keep(self, event_id: str, *, add: bool) -> None:
        self._pending[event_id] = add
        self._behind.set()
        if len(self._pending) > MOST_PENDING:
            del self._pending[next(iter(self._pending))]

    async def keep_up(self) -> None:
        """Write what waits for the store also if no further event comes; one turn of a chore."""
        await self._behind.wait()
        await self._catch_up()
        if self._pending:
            await asyncio.sleep(LATE_SECONDS)
        else:
            self._behind.clear()

    async def _catch_up(self) -> None:
        """Change in the store what could not be changed before."""
        if not self._pending:
            return
        pending = dict(islice(self._pending.items(), MOST_AT_ONCE))
        if await self._ask(lambda: self._change(pending)) is not None:
            for event_id, add in pending.items():
                if self._pending.get(event_id) is add:
                    del self._pending[event_id]

    async def _change(self, pending: Mapping[str, bool]) -> int:
        added = [self._key(event_id) for event_id, add in pending.items() if add]
        removed = [self._key(event_id) for event_id, add in pending.items() if not add]
        if added:
            await ADD_LATE.run(self._client, added, [uuid.uuid4().hex, KEPT_SECONDS])
        if removed:
            await self._client.execute_command("DEL", *removed)
        return len(pending)

    async def _ask(self, call: Callable[[], Awaitable[int]]) -> int | None:
        return await self._circuit_breaker.ask(lambda: repeated(self._client, call), None)

    def _key(self, event_id: str) -> str:
        if len(event_id) > LONGEST_ID:
            event_id = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self._prefix + event_id
