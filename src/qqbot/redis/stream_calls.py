"""Calls of the store for many partitions at once: their number must not grow with that of the partitions.

Responsible for one script over the keys of several partitions (`PartScript`), for servers that refuse that
(`PartCalls`: a Cluster, or a proxy in front of one, gets a call for each), and for sending together what several
partitions ask for meanwhile (`SharedCalls`). Collaborators: `streams` and `stream_source`, which know the scripts and
what an answer means. It judges no error: each partition gets the error of its call.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias

from redis.asyncio import RedisCluster
from redis.exceptions import ResponseError

from ..aio.ending import end_tasks
from .connection import OPERATION_SECONDS, RAW, Client, Script, repeated, within

BLOCK_SECONDS = 5.0  # for which the store keeps a request for new entries open

SLOTS = re.compile(r"\bslots?\b|CROSSSLOT", re.IGNORECASE)
"""What the error contains if the keys of one call have to belong together."""

_FOR_EACH = """
local function part(KEYS, ARGV)
%s
end
local answers, width, next_key, next_argument = {}, tonumber(ARGV[1]), 1, 2
while next_key <= #KEYS do
    local keys, arguments = {}, {}
    for place = 1, width do keys[place] = KEYS[next_key + place - 1] end
    local count = tonumber(ARGV[next_argument])
    for place = 1, count do arguments[place] = ARGV[next_argument + place] end
    next_key, next_argument = next_key + width, next_argument + count + 1
    answers[#answers + 1] = part(keys, arguments)
end
return answers
"""


class Part(NamedTuple):
    """What a script gets for one partition."""

    keys: Sequence[str]
    arguments: Sequence[object]


class PartScript:
    """A Lua script for one partition, which one call runs for several. It never answers nil."""

    def __init__(self, lua: str) -> None:
        self._script = Script(_FOR_EACH.replace("%s", lua))

    async def run(self, client: Client, parts: Sequence[Part]) -> Sequence[Any]:
        """Return the answer for each part, all with as many keys.  Raises: what the library raises, for all of them."""
        keys: list[str] = []
        arguments: list[object] = [len(parts[0].keys)]
        for part in parts:
            keys += part.keys
            arguments.append(len(part.arguments))
            arguments += part.arguments
        answers: Sequence[Any] = await self._script.run(client, keys, arguments)
        return answers


class PartCalls:
    """Calls for several partitions: one for all of them, or one for each if the store wants that."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._together = not isinstance(client, RedisCluster)

    async def run(self, script: PartScript, parts: Sequence[Part], *, again: bool) -> Sequence[Any]:
        """Return the answer for each part, or the exception of its call. `again`: a call may be sent twice."""

        async def run(some: Sequence[Part]) -> Sequence[Any]:
            if again:
                command = repeated(self.client, lambda: script.run(self.client, some))
            else:
                command = script.run(self.client, some)
            return await within(OPERATION_SECONDS, command)

        return await self._divided(run, parts)

    async def _divided(
        self, run: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]], parts: Sequence[Any]
    ) -> Sequence[Any]:
        if self._together or len(parts) == 1:
            try:
                return await run(parts)
            except ResponseError as error:
                if len(parts) == 1 or not SLOTS.search(str(error)):
                    return [error] * len(parts)
                self._together = False  # a proxy in front of a Cluster
            except Exception as error:  # noqa: BLE001 - each partition gets it
                return [error] * len(parts)
        answers = await asyncio.gather(*(run([part]) for part in parts), return_exceptions=True)
        return [answer if isinstance(answer, BaseException) else answer[0] for answer in answers]

    async def changed(self, streams: Sequence[tuple[str, str]]) -> Sequence[Any]:
        """Wait until one of the streams has an entry after an id, at most `BLOCK_SECONDS`; return for each if it has.

        All are True if none has within that time; or the exception of their call.
        """
        return await self._divided(self._changed, streams)

    async def _changed(self, streams: Sequence[tuple[str, str]]) -> Sequence[bool]:
        untyped: Any = self.client
        names, ids = zip(*streams, strict=True)
        command = ("XREAD", "COUNT", 1, "BLOCK", int(BLOCK_SECONDS * 1000), "STREAMS", *names, *ids)
        answer: Any = await within(BLOCK_SECONDS + OPERATION_SECONDS, untyped.execute_command(*command, **RAW))
        found = {text(each if isinstance(answer, dict) else each[0]) for each in answer or ()}  # a dict with RESP3
        return [not found or name in found for name in names]


Ask: TypeAlias = tuple[Any, "asyncio.Future[Any]"]


class SharedCalls:
    """Requests of many tasks: those that come while a call is under way are the next call.

    An async context manager: it owns the tasks of its calls, and ends them when it is left.
    """

    def __init__(self, calls: PartCalls) -> None:
        self.client = calls.client
        self._calls = calls
        self._asked: dict[tuple[PartScript, bool], list[Ask]] = {}  # what waits while a call of its kind is under way
        self._watched: list[Ask] = []  # streams whose next entry is waited for, and not yet by the store
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await end_tasks(self._tasks)

    async def run(self, script: PartScript, part: Part, *, again: bool) -> Any:
        """Return the script's answer for one partition.  Raises: what the call raised."""
        kind = (script, again)
        asked = self._asked.get(kind)
        future = asyncio.get_running_loop().create_future()
        if asked is None:
            self._asked[kind] = [(part, future)]
            self._start(self._run(script, again))
        else:
            asked.append((part, future))
        return await future

    async def _run(self, script: PartScript, again: bool) -> None:
        kind = (script, again)
        try:
            while asked := self._asked[kind]:
                self._asked[kind] = []
                await _answer(asked, lambda parts: self._calls.run(script, parts, again=again))
        finally:
            for _, future in self._asked.pop(kind):  # some only if the call was cancelled
                future.cancel()

    def watch(self, stream: str, last: str) -> "asyncio.Future[None]":
        """Return a future that is done when a stream has an entry after the id `last`, or none came for a while."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watched.append(((stream, last), future))
        if len(self._watched) == 1:
            self._start(self._watch())
        return future

    async def _watch(self) -> None:
        """Let one call of the store wait for what is watched, until none of that is left."""
        while watched := [each for each in self._watched if not each[1].done()]:
            self._watched = []
            await _answer(watched, self._calls.changed)
            left = [each for each in watched if not each[1].done()]
            if self._watched:  # there is a task for these, which has not begun
                self._watched += left
                return
            self._watched = left
        self._watched = []

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine, name="qqbot streams")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _answer(asked: Sequence[Ask], call: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]) -> None:
    """Let one call answer all who ask; one that gets False goes on asking."""
    try:
        answers: Sequence[Any] = await call([what for what, _ in asked])
    except BaseException:
        for _, future in asked:
            future.cancel()
        raise
    for (_, future), answer in zip(asked, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        elif answer is not False:
            future.set_result(answer)


def text(value: bytes | str) -> str:
    """Return what the store calls a name or an id, in either protocol."""
    return value.decode() if isinstance(value, bytes) else value
