"""Pacing: active messages wait for room in the platform's quotas, so that it refuses none of them.

Responsible for the option (`Pacing`), for which calls count, for the queue of each conversation, and for what a failure
means: whether the message counts, and whether the platform reported an allowance as used up. Collaborators: `quotas`
has the numbers and counts; `client` puts each call inside `Pacer.slot`. Replies never come here.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any, NamedTuple, cast

from msgspec import UNSET

from ...aio.clock import Clock
from ...aio.in_time import in_time
from ...errors import ApiError, ConfigError, DecodeError, LeaseLost, QuotaExceeded, RateLimited, TransportError
from ...models.codec import parse
from ...models.outgoing.wire import MessageType
from ...models.targets import Scene
from ..codes import error_rule
from ..multipart import Form
from ..route import Route
from .quotas import (
    CERTIFIED,
    EACH_USED_UP,
    HOUR,
    PAUSES,
    TOGETHER_USED_UP,
    TOO_FAST,
    UNCERTIFIED,
    ActiveQuotas,
    PacingStore,
    QuotaCounts,
    Usage,
    Use,
)

SHORTEST_WAIT = 0.001  # seconds; two clocks may differ by less

PACED: Mapping[str, Scene] = {
    "/v2/groups/{group_openid}/messages": Scene.GROUP,
    "/v2/users/{user_openid}/messages": Scene.C2C,
    "/channels/{channel_id}/messages": Scene.CHANNEL,
    "/dms/{guild_id}/messages": Scene.DMS,
}
"""The kind of conversation that a POST to each path sends to."""


class Pacing:
    """How active messages are paced: by the documented quotas, or by numbers of your own for a kind of conversation.

    `certified`: the larger quotas of a certified bot. `ActiveQuotas()` does not pace a kind of conversation at all.

    Source: server-inter/message/overview
    """

    def __init__(
        self,
        *,
        certified: bool = False,
        group: ActiveQuotas | None = None,
        c2c: ActiveQuotas | None = None,
        channel: ActiveQuotas | None = None,
        dms: ActiveQuotas | None = None,
    ) -> None:
        own = {Scene.GROUP: group, Scene.C2C: c2c, Scene.CHANNEL: channel, Scene.DMS: dms}
        self.quotas: Mapping[Scene, ActiveQuotas] = {
            **(CERTIFIED if certified else UNCERTIFIED),
            **{scene: quotas for scene, quotas in own.items() if quotas is not None},
        }


def pacing_of(option: object) -> Pacing | None:
    """Return what the option `pacing` means; None: no pacing.  Raises: ConfigError."""
    if option is None or isinstance(option, Pacing):
        return option
    if isinstance(option, bool):
        return Pacing() if option else None
    raise ConfigError(
        f"Api(pacing=...) takes True, False or Pacing(...), not {option!r:.80}. pacing= 应为 True、False 或 Pacing(...)"
    )


def paced_scene(route: Route[Any], body: object) -> Scene | None:
    """Return the kind of conversation that a call sends an active message to; None if it sends none."""
    scene = PACED.get(route.path) if route.method == "POST" else None
    return None if scene is None or _counts_otherwise(body) else scene


def _counts_otherwise(body: object) -> bool:
    """True for a reply, a wake-up message and the typing notice, which have limits of their own."""
    if isinstance(body, Form):
        body = body.body
    if isinstance(body, bytes):
        try:
            body = parse(body)
        except DecodeError:
            return False
    return (
        bool(_field(body, "msg_id") or _field(body, "event_id"))
        or _field(body, "is_wakeup") is True
        or _field(body, "msg_type") == MessageType.INPUT_NOTIFY
    )


def _field(body: object, name: str) -> object:
    value = cast("Mapping[str, object]", body).get(name) if isinstance(body, Mapping) else getattr(body, name, None)
    return None if value is UNSET else value


class _Granted(NamedTuple):
    """When a message was counted, by the clock of this process, and by that of the store if the store counted it."""

    here: float
    shared: float | None


class _Turn:
    """A queue, and how many tasks are in it."""

    __slots__ = ("lock", "tasks")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.tasks = 0


class Pacer:
    """Lets active messages wait for room; the times are those of `clock`. `store` counts for several processes."""

    def __init__(self, pacing: Pacing, clock: Clock, store: PacingStore | None = None) -> None:
        self._quotas = pacing.quotas
        self._clock = clock
        self._store = store
        self._counts = QuotaCounts()
        self._turns: dict[str, _Turn] = {}  # as long as there are tasks in them
        self._moved = asyncio.Event()  # replaced when it was set

    def clock_moved(self) -> None:
        """Look at the clock again: it was moved forward."""
        self._moved.set()
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def slot(
        self, scene: Scene, target_id: str, timeout: float, hold: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncGenerator[float]:
        """Wait for room for one message, sent by the body; yield the seconds of `timeout` that are left.

        `hold` is awaited before. A message that the platform did not accept does not count.

        Raises: QuotaExceeded at once if an allowance is used up and not renewed in time; RateLimited if the rates leave
        no room in time.
        """
        uses, pauses = self._uses(scene, target_id)
        now = asyncio.get_running_loop().time
        ends_at = now() + timeout
        if hold is not None and not await in_time(hold, ends_at):
            yield SHORTEST_WAIT  # the call awaits `hold`, too, and reports that
            return
        granted = await self._wait(scene, uses, pauses, ends_at)
        try:
            yield max(ends_at - now(), SHORTEST_WAIT)
        except Exception as error:
            if _was_not_sent(error):
                self._counts.release(uses, granted.here)
                if granted.shared is not None and self._store is not None:
                    await self._store.release(uses, granted.shared)
            if isinstance(error, QuotaExceeded) and (pause := PAUSES.get(error.code)) is not None:
                key = pauses[pause.together]
                self._counts.pause(key, pause.seconds, error.code, self._clock())
                if self._store is not None:
                    await self._store.pause(key, pause.seconds, error.code)
            raise

    def _uses(self, scene: Scene, target_id: str) -> tuple[list[Use], tuple[str, str]]:
        quotas, each, together = self._quotas[scene], f"{scene.value}:{target_id}", scene.value
        uses = [Use(f"{each}:{rate.per:g}", rate, False) for rate in quotas.each]
        uses += [Use(f"{together}::{rate.per:g}", rate, True) for rate in quotas.together]
        return uses, (f"{each}:pause", f"{together}::pause")

    async def _wait(self, scene: Scene, uses: Sequence[Use], pauses: tuple[str, str], ends_at: float) -> _Granted:
        """Return when the message was counted.  Raises: see `slot`."""
        limit = asyncio.timeout_at(ends_at)
        try:
            async with limit, self._turn(pauses[False]):
                # A rate of all conversations has one queue; a conversation that is full must not hold up that queue.
                behind = pauses[True] in self._turns
                while True:
                    async with self._turn(pauses[True]) if behind else nullcontext():
                        while True:
                            usage = await self._use(uses, pauses)
                            if isinstance(usage, _Granted):
                                return usage
                            assert usage.full is not None
                            together = usage.full == len(uses) + 1 or (
                                usage.full < len(uses) and uses[usage.full].together
                            )
                            if asyncio.get_running_loop().time() + usage.seconds >= ends_at:
                                raise _refusal(scene, uses, usage, together)
                            if together != behind:
                                break
                            await self._sleep(usage.seconds)
                    behind = together
        except TimeoutError:
            if not limit.expired():
                raise
            raise _too_fast("other active messages were first, or the store that counts them was slow", None) from None

    async def _use(self, uses: Sequence[Use], pauses: Sequence[str]) -> _Granted | Usage:
        """Count a message, or return what is full."""
        if self._store is not None and (shared := await self._store.use(uses, pauses)) is not None:
            if shared.full is not None:
                return shared
            now = self._clock()
            self._counts.count(uses, now)  # for the time in which the store may be down
            return _Granted(now, shared.seconds)
        usage = self._counts.use(uses, pauses, self._clock())
        return usage if usage.full is not None else _Granted(usage.seconds, None)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, SHORTEST_WAIT)):
                await self._moved.wait()

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncGenerator[None]:
        """Enter the queue `key`; the body runs when its turn has come."""
        turn = self._turns.setdefault(key, _Turn())
        turn.tasks += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.tasks -= 1
            if not turn.tasks:
                del self._turns[key]


def _was_not_sent(error: Exception) -> bool:
    if isinstance(error, ApiError):
        return 400 <= error.status < 500
    if isinstance(error, TransportError):
        return not error.maybe_sent
    return isinstance(error, (ConfigError, LeaseLost))


def _refusal(scene: Scene, uses: Sequence[Use], usage: Usage, together: bool) -> ApiError:
    """Return the error of a message that would find no room in time."""
    assert usage.full is not None
    if usage.full < len(uses):
        rate = uses[usage.full].rate
        code = TOO_FAST if rate.per <= HOUR else (TOGETHER_USED_UP if together else EACH_USED_UP)[scene]
        what = f"{rate.times} active messages in {rate.per:g} s were sent"
    else:
        code, what = usage.code, f"the platform has answered {usage.code}"
    if code == TOO_FAST:
        return _too_fast(what, usage.seconds)
    message = f"{what}: this one was not sent, there is no room for {usage.seconds:.0f} s"
    error = QuotaExceeded(400, code, message, hint=error_rule("general", code, 400).hint)
    error.retry_after = usage.seconds
    return error


def _too_fast(what: str, seconds: float | None) -> RateLimited:
    message = f"{what}: this one was not sent, its timeout ends before there is room"
    error = RateLimited(429, TOO_FAST, message, hint=error_rule("general", TOO_FAST, 429).hint)
    error.retry_after = seconds
    return error
