"""Events over one real websocket, from the first byte on the wire to the handler of the last one.

The contestants are connected all the time, each in a process of its own, and get their bursts in turn. Owns what is
compared; the contestants are in `receivers`, the server in `peer`.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import compress
from statistics import median

from bench.children import Child, Stage
from bench.peer import Burst
from bench.receivers import Connected, Handled
from bench.report import Row, Target
from bench.rounds import Effort, ratio

BURST = 20_000
ROUNDS = 21
CASTS = 3
FLOOR_SHARE = 0.6
"""Of the floor's rate, at least: what order, back-pressure and knowing what came before may cost."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A receiver and the bursts that it gets."""

    kind: str
    options: tuple[str, ...] = ()
    handled: bool = True


CONTESTANTS = {
    "floor": Contestant("floor"),
    "tasks": Contestant("tasks"),
    "qqbot": Contestant("qqbot"),
    "unwanted": Contestant("qqbot", handled=False),
    "floor-20": Contestant("floor", ("--shards", "20")),
    "qqbot-20": Contestant("qqbot", ("--shards", "20")),
    "floor-200": Contestant("floor", ("--shards", "200")),
    "qqbot-200": Contestant("qqbot", ("--shards", "200")),
    "handlers": Contestant("qqbot", ("--handlers", "200")),
}


@dataclass(frozen=True, slots=True)
class Series:
    """What each round of one contestant took, for one event: seconds of the clock, and of the processor."""

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        """Events in a second."""
        return 1 / median(self.wall)

    @property
    def microseconds(self) -> float:
        """Of the processor, for one event."""
        return median(self.cpu) * 1e6


async def run(effort: Effort) -> list[Row]:
    """Measure everything in one interleaved run."""
    size = effort.amount(BURST, least=2)
    series = {name: Series() for name in CONTESTANTS}
    casts = effort.casts_of(ROUNDS, CASTS)
    for rounds in casts:
        await measure(CONTESTANTS, size, rounds, series)
    return [*_throughput(series), *_growth(series, casts[0])]


async def measure(contestants: Mapping[str, Contestant], size: int, rounds: int, series: Mapping[str, Series]) -> None:
    """Send bursts of `size` events to fresh processes, and add what they took to `series`."""
    async with connected(contestants, size) as (stage, receivers):
        for number in range(rounds + 1):
            for name, receiver in receivers.items():
                burst = Burst(size) if contestants[name].handled else Burst(1, unwanted=size - 1)
                started = await stage.burst(name, burst)
                handled = await receiver.report(Handled)
                if number:  # the first round warms up
                    series[name].wall.append((handled.at - started.at) / size)
                    series[name].cpu.append(handled.cpu / size)


@asynccontextmanager
async def connected(contestants: Mapping[str, Contestant], size: int) -> AsyncGenerator[tuple[Stage, dict[str, Child]]]:
    """Run the platform's side and all contestants, which expect bursts of `size` events, while the body runs."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage.open())
        receivers: dict[str, Child] = {}
        for name, contestant in contestants.items():
            burst = size if contestant.handled else 1
            arguments = (contestant.kind, f"{stage.address}/{name}", "--burst", str(burst), *contestant.options)
            receivers[name] = await stack.enter_async_context(Child.start("bench.receivers", *arguments))
        for receiver in receivers.values():
            await receiver.report(Connected)
        yield stage, receivers


def _throughput(series: Mapping[str, Series]) -> list[Row]:
    qqbot, floor, tasks, unwanted = (series[name] for name in ("qqbot", "floor", "tasks", "unwanted"))
    return [
        Row(
            "one connection",
            "events/s",
            qqbot.rate,
            floor.rate,
            ratio(floor.wall, qqbot.wall),
            Target(FLOOR_SHARE, least=True),
        ),
        Row(
            "one connection",
            "CPU us/event",
            qqbot.microseconds,
            floor.microseconds,
            ratio(qqbot.cpu, floor.cpu),
            Target(1 / FLOOR_SHARE),
        ),
        Row(
            "beside dicts and a task for each event",
            "CPU us/event",
            qqbot.microseconds,
            tasks.microseconds,
            ratio(qqbot.cpu, tasks.cpu),
        ),
        Row(
            "an event without a handler, beside a handled one",
            "events/s",
            unwanted.rate,
            qqbot.rate,
            ratio(qqbot.wall, unwanted.wall),
            Target(1.3, least=True),
        ),
        Row(
            "an event without a handler, beside a handled one",
            "CPU us/event",
            unwanted.microseconds,
            qqbot.microseconds,
            ratio(unwanted.cpu, qqbot.cpu),
            Target(1 / 1.3),
        ),
    ]


def _growth(series: Mapping[str, Series], rounds: int) -> list[Row]:
    qqbot, floor, handlers = series["qqbot"], series["floor"], series["handlers"]
    beside_floor = [mine / base for mine, base in zip(qqbot.cpu, floor.cpu, strict=True)]
    early = [number % rounds < rounds / 2 for number in range(len(beside_floor))]  # in the life of its process
    return [
        *(_connections(series, number) for number in (20, 200)),
        Row(
            "200 handlers registered, beside 1",
            "CPU us/event",
            handlers.microseconds,
            qqbot.microseconds,
            ratio(handlers.cpu, qqbot.cpu),
            Target(1.05),
        ),
        Row(
            f"the second half of {rounds} bursts, beside the first",
            "CPU us/event",
            _late(qqbot.cpu, early) * 1e6,
            median(compress(qqbot.cpu, early)) * 1e6,
            _late(beside_floor, early) / median(compress(beside_floor, early)),
            Target(1.05),
        ),
    ]


def _connections(series: Mapping[str, Series], number: int) -> Row:
    qqbot, floor = series[f"qqbot-{number}"], series[f"floor-{number}"]
    return Row(
        f"{number} connections",
        "CPU us/event",
        qqbot.microseconds,
        floor.microseconds,
        ratio(qqbot.cpu, floor.cpu),
        Target(1 / FLOOR_SHARE),
    )


def _late(figures: Sequence[float], early: Sequence[bool]) -> float:
    """Return the median of those that are not early, or of all where each process had one round."""
    return median([figure for figure, is_early in zip(figures, early, strict=True) if not is_early] or figures)
