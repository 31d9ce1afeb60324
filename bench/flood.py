"""20 000 events at once against handlers that do not end: what that costs in memory, tasks and connections."""

from statistics import median

from bench.children import Child, Stage
from bench.peer import Burst
from bench.receivers import Connected, Flooded
from bench.report import Row, Target
from bench.rounds import Effort

EVENTS = 20_000
SECONDS = 2.0
ROUNDS = 3
MOST_INFLIGHT = 256
MEGABYTE = 1024 * 1024
ROOM = 16
"""MB that the frames of waiting events may have: `max_queued_bytes` of a bot that does not say otherwise."""


async def run(effort: Effort) -> list[Row]:
    """Flood a new process each time, the floor's and the package's in turn."""
    floods: dict[str, list[Flooded]] = {"floor": [], "qqbot": []}
    sessions = 0
    async with Stage.open() as stage:
        for number in range(effort.rounds_of(ROUNDS)):
            for kind, flooded in floods.items():
                name = f"{kind}{number}"
                flooded.append(await _flood(stage, kind, name, effort))
                sessions = max(sessions, await stage.sessions(name))
    peak, base = (
        median((flooded.peak - flooded.before) / MEGABYTE for flooded in floods[kind]) for kind in ("qqbot", "floor")
    )
    tasks = max(flooded.tasks for flooded in floods["qqbot"])
    events = effort.amount(EVENTS)
    return [
        Row(f"{events} events against stuck handlers: memory above idle", "MB", peak, base, target=Target(ROOM + 10)),
        Row("the same: tasks above idle", "tasks", tasks, target=Target(MOST_INFLIGHT + 1)),
        Row("the same: sessions that it took", "sessions", sessions, target=Target(1)),
    ]


async def _flood(stage: Stage, kind: str, name: str, effort: Effort) -> Flooded:
    seconds = str(max(SECONDS * min(effort.scale, 1), 0.1))
    async with Child.start("bench.receivers", kind, f"{stage.address}/{name}", "--stuck", seconds) as child:
        await child.report(Connected)
        await stage.burst(name, Burst(effort.amount(EVENTS)))
        return await child.report(Flooded)
