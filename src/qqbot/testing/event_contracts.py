"""`EventSinkContract`, `EventSourceContract`: what a bot relies on in a broker, as tests that each has to pass.

Responsible for the tests. They need no test runner: derive a class and override `place`, then pytest with
pytest-asyncio collects it, or `check` runs it without pytest. Collaborators: `ingest` has the Protocols. They measure
nothing, and restart no broker.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeAlias, cast
from unittest import SkipTest

from ..errors import FencedOut
from ..ingest.forwarder import EventSink, opened
from ..ingest.source import EventSource, Partition
from ..models.gateway import ShardKey
from ..models.ingest import Envelope, Fence, Received

MakeSink: TypeAlias = Callable[[], EventSink]
MakeSource: TypeAlias = Callable[[], EventSource]
ReadStored: TypeAlias = Callable[[], Awaitable[Sequence[Envelope]]]
Publish: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[None]]

APP_ID = "102000001"
FIRST, SECOND = ShardKey(1, 0, 2), ShardKey(1, 1, 2)


def sample(number: int, key: str = "group", **fields: object) -> Envelope:
    """Return an envelope with the id `event-NUMBER`, whose frame is a message in the group `key`."""
    raw = b'{"op":0,"s":%d,"t":"GROUP_AT_MESSAGE_CREATE","id":"event-%d","d":{"id":"m%d","group_openid":"%s"}}'
    values: dict[str, object] = {
        "id": f"event-{number}",
        "type": "GROUP_AT_MESSAGE_CREATE",
        "shard": 0,
        "session": "session",
        "seq": number,
        "key": key,
        "ts": round(time.time() * 1000),
        "raw": raw % (number, number, number, key.encode()),
        "app_id": APP_ID,
        "headers": {"traceparent": f"00-{number:032x}-{number:016x}-01"},
    }
    return Envelope(**(values | fields))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def _check(contract: "EventSinkContract | EventSourceContract") -> None:
    """Run all tests in turn, each on a new object of the class."""
    kind = type(contract)
    for name in sorted(name for name in dir(kind) if name.startswith("test_")):
        try:
            await getattr(kind(), name)()
        except SkipTest:
            continue
        except Exception as error:
            error.add_note(f"in {kind.__name__}.{name}")
            raise


class EventSinkContract:
    """The tests. A subclass overrides `place`, and `patience`: seconds for what should happen."""

    patience: float = 20.0

    def place(self) -> AbstractAsyncContextManager[tuple[MakeSink, ReadStored]]:
        """Return a new, empty place: a factory of sinks, and a function that returns all that is stored.

        What it returns is in the order in which it was stored, as far as the ordering key is the same.
        """
        raise NotImplementedError

    async def check(self) -> None:
        """Run all tests in turn, each on a new object of this class."""
        await _check(self)

    async def test_what_was_published_is_stored_as_it_is(self) -> None:
        """Each field comes out as it went in, also bytes that are no text, and an event that came by webhook."""
        batch = [
            sample(1),
            sample(2, raw=bytes(range(256)), key="频道", headers={}),
            sample(3, shard=None, session="", seq=0, raw=b"x" * 200_000, again=True),
        ]
        async with self._published(batch) as read:
            assert sorted(await read(), key=_number) == batch, "an envelope was changed, or is missing"

    async def test_the_order_of_a_key_is_kept(self) -> None:
        """Over batches, and among many keys."""
        batches = [[sample(10 * turn + place, f"key-{place % 4}") for place in range(10)] for turn in range(20)]
        async with self._published(*batches) as read:
            stored = await read()
        for key in {envelope.key for envelope in stored}:
            numbers = [_number(envelope) for envelope in stored if envelope.key == key]
            assert numbers == sorted(numbers), f"{key} is out of order: {numbers}"
        assert len(stored) == 200, f"{len(stored)} of 200 are stored"

    async def test_an_earlier_owner_is_fenced_out(self) -> None:
        """A smaller token than the largest is refused, with that one; nothing of the batch is stored."""
        async with self._sinks(2) as ((earlier, later), read):
            await self._in_time(earlier.publish([sample(1)], Fence(FIRST, 5)))
            await self._in_time(later.publish([sample(2)], Fence(FIRST, 6)))
            await self._in_time(later.publish([sample(3)], Fence(FIRST, 6)))
            await self._refused(earlier, [sample(4), sample(5)], Fence(FIRST, 5), 6)
            assert [_number(envelope) for envelope in await read()] == [1, 2, 3]

    async def test_shards_and_webhooks_are_fenced_apart(self) -> None:
        """A token counts for its own shard only; a webhook has no owner."""
        async with self._sinks(1) as ((sink,), read):
            await self._in_time(sink.publish([sample(1)], Fence(FIRST, 9)))
            await self._in_time(sink.publish([sample(2)], Fence(SECOND, 1)))
            await self._in_time(sink.publish([sample(3, shard=None)], Fence(None, 0)))
            assert sorted(_number(envelope) for envelope in await read()) == [1, 2, 3]

    async def test_a_batch_that_comes_again_is_stored_at_least_once(self) -> None:
        """An answer that was lost leads to a repeat."""
        async with self._sinks(1) as ((sink,), read):
            for _ in range(2):
                await self._in_time(sink.publish([sample(1), sample(2)], Fence(FIRST, 1)))
            assert {_number(envelope) for envelope in await read()} == {1, 2}

    async def test_several_publish_at_a_time(self) -> None:
        """Nothing is lost when several processes publish."""
        async with self._sinks(3) as (sinks, read):

            async def publish(place: int, sink: EventSink) -> None:
                for number in range(20):
                    await sink.publish([sample(100 * place + number, f"key-{place}")], Fence(None, 0))

            async with asyncio.timeout(self.patience), asyncio.TaskGroup() as group:
                for place, sink in enumerate(sinks):
                    group.create_task(publish(place, sink))
            assert len(await read()) == 60

    @asynccontextmanager
    async def _sinks(self, count: int) -> AsyncGenerator[tuple[list[EventSink], ReadStored]]:
        async with self.place() as (make, read), AsyncExitStack() as stack:
            sinks = [make() for _ in range(count)]
            for sink in sinks:
                await stack.enter_async_context(opened(sink))
            yield sinks, read

    @asynccontextmanager
    async def _published(self, *batches: Sequence[Envelope]) -> AsyncGenerator[ReadStored]:
        async with self._sinks(1) as ((sink,), read):
            for batch in batches:
                await self._in_time(sink.publish(batch, Fence(FIRST, 1)))
            yield read

    async def _in_time(self, publishing: Awaitable[None]) -> None:
        async with asyncio.timeout(self.patience):
            await publishing

    async def _refused(self, sink: EventSink, batch: Sequence[Envelope], fence: Fence, largest: int) -> None:
        refusal: FencedOut | None = None
        try:
            await self._in_time(sink.publish(batch, fence))
        except FencedOut as error:
            refusal = error
        assert refusal is not None, "an earlier owner of the shard was not refused"
        assert refusal.token in (0, largest), f"FencedOut has the token {refusal.token}, the largest is {largest}"


class EventSourceContract:
    """The tests. A subclass overrides `place`, and those of the following attributes that differ.

    `shares`: several sources of one place run at a time and divide the partitions. `patience`: seconds for what should
    happen, a takeover after a crash included; `quiet`: seconds in which what must not happen would have.
    """

    shares: bool = True
    patience: float = 30.0
    quiet: float = 0.3

    def place(self) -> AbstractAsyncContextManager[tuple[MakeSource, Publish]]:
        """Return a new, empty place: a factory of sources, and a function that stores envelopes."""
        raise NotImplementedError

    async def check(self) -> None:
        """Run all tests in turn, each on a new object of this class."""
        await _check(self)

    async def test_everything_is_delivered_once_in_the_order_of_its_key(self) -> None:
        """Stored before and after the source begins; each event as it was published."""
        first = [sample(number, f"key-{number % 7}") for number in range(100)]
        rest = [sample(number, f"key-{number % 7}") for number in range(100, 200)]
        async with self.place() as (make, publish):
            await publish(first)
            async with self._run(make()) as work:
                await work.until(lambda: len(work.received) == 100)
                await publish(rest)
                await work.until(lambda: len(work.received) == 200)
                await asyncio.sleep(self.quiet)
        assert sorted((each.envelope for each in work.received), key=_number) == first + rest
        assert {each.deliveries for each in work.received} == {1}
        _assert_order(work.received)

    async def test_a_key_is_in_one_partition(self) -> None:
        """One process handles a conversation."""
        async with self.place() as (make, publish), self._run(make()) as work:
            await publish([sample(number, f"key-{number % 5}") for number in range(50)])
            await work.until(lambda: len(work.received) == 50)
            for partitions in work.partitions_by_key().values():
                assert len(partitions) == 1, f"a key is in the partitions {partitions}"

    async def test_what_is_done_does_not_come_again_and_the_rest_does(self) -> None:
        """The next owner gets it first, and marked; done may be called in any order."""
        async with self.place() as (make, publish):
            await publish([sample(number) for number in range(10)])
            async with self._run(make(), lambda received: _number(received.envelope) in (1, 4, 9)) as work:
                await work.until(lambda: len(work.received) == 10)
            await publish([sample(10)])
            async with self._run(make()) as following:
                await following.until(lambda: len(following.received) >= 8)
                await asyncio.sleep(self.quiet)
        again = [_number(each.envelope) for each in following.received]
        assert again[-1] == 10, f"newer events came before what was open: {again}"
        assert set(again) >= {0, 2, 3, 5, 6, 7, 8, 10}, f"lost: {again}"
        assert again == sorted(again)
        open_before = [each for each in following.received if _number(each.envelope) in (0, 2, 3, 5, 6, 7, 8)]
        assert all(each.deliveries > 1 for each in open_before), "what a worker had begun is not marked"
        assert following.received[-1].deliveries == 1, "what no worker had begun is marked"

    async def test_what_was_begun_stays_marked_after_an_owner_that_received_nothing(self) -> None:
        """One that has to give a partition up at once does not know what the earlier ones had begun there."""
        async with self.place() as (make, publish):
            await publish([sample(number) for number in range(4)])
            async with self._run(make(), lambda _: False) as work:
                await work.until(lambda: len(work.received) == 4)
            (index,) = work.partitions_by_key()["group"]
            source, idle = make(), _Work(lambda _: False)
            idle.idle = True
            async with self._running(source, idle):
                await idle.until(lambda: any(partition.lease.shard.index == index for partition in idle.partitions))
                await source.stop()
                idle.idle = False
            async with self._run(make()) as following:
                await following.until(lambda: len(following.received) == 4)
        assert all(each.deliveries > 1 for each in following.received), "what a worker had begun is not marked"

    async def test_stop_gives_the_work_its_time(self) -> None:
        """`receive` returns nothing, and what is done after that still counts; then the lease ends."""
        async with self.place() as (make, publish):
            await publish([sample(1)])
            source, work = make(), _Work(lambda _: False)
            work.late = True
            async with self._running(source, work):
                await work.until(lambda: bool(work.received))
                assert all(partition.lease.valid() for partition in work.partitions)
                assert source.lag in (0, 1)
            assert not any(partition.lease.valid() for partition in work.partitions), "a lease outlived the run"
            async with self._run(make()) as following:
                await asyncio.sleep(self.quiet)
                assert not following.received, "what was done at the end came again"

    async def test_an_error_of_the_work_ends_the_run(self) -> None:
        """`run` raises it."""
        async with self.place() as (make, _), AsyncExitStack() as stack:
            source, error = make(), ValueError("a bug")

            async def fail(_: Partition) -> None:
                raise error

            await stack.enter_async_context(opened(source))
            run = asyncio.create_task(source.run(APP_ID, fail))
            done, _ = await asyncio.wait([run], timeout=self.patience)
            assert done, "run goes on after its work has failed"
            assert error in _leaves(run.exception()), f"run raised {run.exception()!r}"

    async def test_a_run_that_is_cancelled_leaves_its_events_to_the_next(self) -> None:
        """As if the process had died: nothing that was not done is lost."""
        async with self.place() as (make, publish):
            await publish([sample(number, f"key-{number}") for number in range(20)])
            work = _Work(lambda _: False)
            async with AsyncExitStack() as stack:
                source = make()
                await stack.enter_async_context(opened(source))
                run = asyncio.create_task(source.run(APP_ID, work))
                await work.until(lambda: len(work.received) == 20, self.patience)
                run.cancel()
                await asyncio.wait([run])
            assert not any(partition.lease.valid() for partition in work.partitions), "a lease outlived the run"
            async with self._run(make()) as following:
                await following.until(lambda: len(following.received) == 20)

    async def test_sources_divide_the_partitions(self) -> None:
        """One that joins gets its part when the other has finished there; nothing is lost, repeated or reordered."""
        if not self.shares:
            raise SkipTest("sources of this kind do not share partitions")
        received: list[Received] = []
        async with self.place() as (make, publish), self._run(make(), log=received) as one:
            await publish([sample(number, f"key-{number % 40}") for number in range(200)])
            await one.until(lambda: len(received) == 200)
            number = 200
            async with self._run(make(), log=received) as other:
                async with asyncio.timeout(self.patience):
                    while not other.received:
                        await publish([sample(number + place, f"key-{place}") for place in range(40)])
                        number += 40
                        await asyncio.sleep(0.05)
                await one.until(lambda: len(received) == number)
            await publish([sample(number + place, f"key-{place}") for place in range(40)])
            await one.until(lambda: len(received) == number + 40)
        _assert_order(received)
        assert {each.deliveries for each in received} == {1}

    @asynccontextmanager
    async def _run(
        self,
        source: EventSource,
        done: Callable[[Received], bool] = lambda _: True,
        log: list[Received] | None = None,
    ) -> AsyncGenerator["_Work"]:
        work = _Work(done, log)
        async with self._running(source, work):
            yield work

    @asynccontextmanager
    async def _running(self, source: EventSource, work: "_Work") -> AsyncGenerator[None]:
        work.patience = self.patience
        async with opened(source):
            run = asyncio.create_task(source.run(APP_ID, work))
            try:
                yield
            finally:
                await source.stop()
                done, _ = await asyncio.wait([run], timeout=self.patience)
                run.cancel()
                await asyncio.gather(run, return_exceptions=True)
            assert done, "run did not return after stop"
            run.result()


class _Work:
    """Reads partitions, and marks as done what the function `done` selects."""

    def __init__(self, done: Callable[[Received], bool], log: list[Received] | None = None) -> None:
        self.received: list[Received] = []
        self.partitions: list[Partition] = []
        self.late = False  # True: mark all as done after `receive` has returned nothing
        self.idle = False  # True: receive nothing yet
        self.patience = 30.0
        self._keys: dict[str, set[int]] = {}
        self._done = done
        self._log: list[Received] = [] if log is None else log

    async def __call__(self, partition: Partition) -> None:
        self.partitions.append(partition)
        mine: list[Received] = []
        while self.idle:  # noqa: ASYNC110 - the test sets it
            await asyncio.sleep(0.01)
        while batch := await partition.receive():
            assert partition.lease.valid(), "events came without a lease"
            for received in batch:
                mine.append(received)
                self.received.append(received)
                self._log.append(received)
                self._keys.setdefault(received.envelope.key, set()).add(partition.lease.shard.index)
            for received in reversed(batch):
                if self._done(received):
                    partition.done(received)
        for received in mine if self.late else ():
            partition.done(received)

    def partitions_by_key(self) -> dict[str, set[int]]:
        return self._keys

    async def until(self, condition: Callable[[], bool], patience: float | None = None) -> None:
        try:
            async with asyncio.timeout(patience or self.patience):
                while not condition():  # noqa: ASYNC110 - the condition is of the test
                    await asyncio.sleep(0.01)
        except TimeoutError:
            numbers = [_number(each.envelope) for each in self._log or self.received]
            raise AssertionError(f"not in time; {len(numbers)} events came, the last ones {numbers[-20:]}") from None


def _number(envelope: Envelope) -> int:
    return int(envelope.id.rpartition("-")[2])


def _assert_order(received: Sequence[Received]) -> None:
    for key in {each.envelope.key for each in received}:
        numbers = [_number(each.envelope) for each in received if each.envelope.key == key]
        assert numbers == sorted(set(numbers)), f"{key} is out of order, or repeated: {numbers}"


def _leaves(error: BaseException | None) -> list[BaseException | None]:
    """Return the errors in a group of errors; the error itself if it is none."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group = cast("BaseExceptionGroup[BaseException]", error)
    return [leaf for each in group.exceptions for leaf in _leaves(each)]
