"""`ShardSupervisor`: runs one `Shard` for each lease that a session manager grants.

Responsible for the shards of this process and what happens around them: the answer of /gateway/bot, draining before a
shard closes, when its state is saved, when its session is renewed. Collaborators: `sessions` (decides which shards run
here, stores the state), `gateway.shard` (the connection), `dispatcher` or `ingest` (consume the events). It handles no
event.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec

from .._visible import visible_line
from ..aio.background import background, repeat
from ..aio.backoff import Backoff
from ..aio.cancellation import is_cancelled, unexpected_cancellation
from ..aio.clock import steady
from ..aio.throttle import Throttle
from ..api.client import Api
from ..config import GatewayConfig, ShardSelection
from ..errors import (
    ApiError,
    AuthError,
    ConfigError,
    DecodeError,
    GatewayError,
    GatewayHalted,
    IPNotAllowed,
    LeaseLost,
    QQBotError,
    TransportError,
)
from ..gateway.handover import ShardConsumer, buffered
from ..gateway.shard import Shard, ShardEvent, ShardListener
from ..lease import Lease, StandbyLease
from ..models.gateway import GatewayBot, ReadyUser, ResumeState, ShardExit, ShardKey
from ..models.intents import Intents
from ..models.stats import ShardStats
from ..sessions.base import SessionManager

log = logging.getLogger(__name__)

FETCH_RETRY_SECONDS = 3.0
ANSWERED_RETRY_SECONDS = 30.0  # an error that is an answer may mean "too often": twice a minute is allowed
LONGEST_RETRY_SECONDS = 60.0
LOCATE_EVERY_SECONDS, LOCATE_SECONDS = 60.0, 5.0  # /gateway/bot may be asked twice a minute, by all processes
CHECKPOINT_SECONDS = 1.0
LOOKS_IN_SILENCE = 10  # how often stale sessions are looked for, in the time after which one counts as silent

_UNREACHABLE = Backoff(FETCH_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
_ANSWERED = Backoff(ANSWERED_RETRY_SECONDS, LONGEST_RETRY_SECONDS)


class ShardSupervisor:
    """The shards of one bot in this process.

    `consumer` makes what takes the events of a lease. `drain`: seconds that handlers have before a shard closes.
    `listener` is called with each `ShardEvent`; `explain` adds to a halt what only the bot knows.
    """

    def __init__(
        self,
        manager: SessionManager,
        api: Api,
        consumer: Callable[[Lease], ShardConsumer],
        *,
        app_id: str,
        selection: ShardSelection,
        intents: Intents,
        config: GatewayConfig,
        drain: float,
        listener: ShardListener,
        explain: Callable[[GatewayHalted], GatewayHalted],
    ) -> None:
        self.app_id = app_id
        self.selection = selection
        self._manager = manager
        self._api = api
        self._consumer = consumer
        self._intents = intents
        self._config = config
        self._drain = drain
        self._listener = listener
        self._explain = explain
        self._running: dict[ShardKey, RunningShard] = {}
        self._me: ReadyUser | None = None  # kept: the shard that knew it may have ended
        self._changed = asyncio.Event()  # wakes those that wait for a state of the shards; each clears it and looks
        self._locating = asyncio.Lock()  # shards that reconnect together share one request
        self._locate_at = 0.0  # when the address may be asked for again, by `steady`
        self._located = ""  # the address that was returned last; "" while none was
        self._over = False  # True once no shard will be connected again, so that nothing waits for one forever

    async def run(self) -> None:
        """Run shards until `stop`.  Raises: GatewayHalted, AuthError, IPNotAllowed."""
        if self._over:  # `stop` can overtake the task that runs this
            return
        async with (
            background(repeat(self._checkpoint), name="qqbot checkpoints"),
            background(repeat(self._renew), name="qqbot session renewal"),
        ):
            try:
                await self._manager.run(self, self._run_shard)
            except GatewayHalted as halted:
                raise self._explain(halted) from None
            except asyncio.CancelledError as error:
                if is_cancelled():
                    raise
                # Not our own cancellation: one that leaked out of a store must not pass for it.
                raise unexpected_cancellation("the session manager", error) from error
            finally:
                self._over = True
                self._changed.set()

    async def stop(self) -> None:
        """Drain, save and close every shard."""
        self._over = True
        self._changed.set()
        await self._manager.stop(drain=self._drain)

    async def ready(self) -> None:
        """Return when every shard of this process is READY or RESUMED."""
        while not (self._running and all(running.shard.ready for running in self._running.values())):
            self._changed.clear()
            await self._changed.wait()

    async def connected(self) -> None:
        """Return when no shard of this process is between connections, or none will be connected again.

        A shard that replays events to handlers that are all busy counts as connected: they may be waiting here.
        """
        while not self._over and not (
            self._running and all(running.shard.ready or running.shard.held_up for running in self._running.values())
        ):
            self._changed.clear()
            await self._changed.wait()

    def not_ready(self) -> list[str]:
        """Return why not every shard of this process is READY or RESUMED; nothing if it is."""
        if not self._running:
            return ["no shard has started yet"]
        return [f"shard {key} is not connected" for key, running in self._running.items() if not running.shard.ready]

    @property
    def me(self) -> ReadyUser | None:
        """The bot's own user, as soon as one shard knows it."""
        if self._me is None:
            known = (running.shard.me for running in self._running.values())
            self._me = next((me for me in known if me is not None), None)
        return self._me

    async def reconnect(self, index: int | None) -> None:
        """Disconnect and RESUME every shard of this process, or the one of `index`; return when they are live again.

        Raises: ConfigError when no such shard runs here, GatewayError when one ends instead.
        """
        chosen = {key: running for key, running in self._running.items() if index in (None, key.index)}
        if not chosen:
            here = ", ".join(str(key) for key in self._running) or "none yet"
            raise ConfigError(f"shard {index} does not run in this process; those that do: {here}")
        wanted = {key: running.times_live + 1 for key, running in chosen.items()}
        async with asyncio.TaskGroup() as group:
            for running in chosen.values():
                group.create_task(running.shard.reconnect())
        for key, running in chosen.items():
            if not await self._live_again(running, wanted[key]):
                raise GatewayError(f"shard {key} ended before it was connected again; bot.wait() says why")

    async def _live_again(self, running: "RunningShard", times: int) -> bool:
        """Return True when the shard has been live so many times, False when it ends before."""
        while running.times_live < times:
            if running not in self._running.values():  # the key is not enough: another run may have it by now
                return False
            self._changed.clear()
            await self._changed.wait()
        return True

    def stats(self) -> list[ShardStats]:
        """Return the figures of each shard of this process, in order of their index."""
        return [self._running[key].stats() for key in sorted(self._running, key=lambda key: (key.gen, key.index))]

    async def fetch(self) -> GatewayBot:
        """Ask /gateway/bot until it answers.  Raises: AuthError, IPNotAllowed."""
        throttle = Throttle()
        failures = 0
        while True:
            try:
                return await self._api.gateway.bot()
            except (AuthError, IPNotAllowed):  # no retry makes these pass
                raise
            except (TransportError, ApiError, DecodeError) as error:
                backoff = _UNREACHABLE if isinstance(error, TransportError) else _ANSWERED
                if throttle.ready():
                    log.warning(
                        "the platform does not answer as it should, trying again until it does; check the network, "
                        "the proxy and QQBOT_API_BASE: %s",
                        visible_line(str(error), 500),
                    )
            delay = backoff.delay(failures, random.random())
            failures += 1
            await asyncio.sleep(delay * self._config.pace)

    async def _locate(self) -> str:
        """Return the present address of the gateway; ask at most once a minute, and for a few seconds only."""
        async with self._locating:
            if steady() >= self._locate_at:
                # Spread, so that the processes of a bot do not ask at one moment.
                self._locate_at = steady() + LOCATE_EVERY_SECONDS * (1 + random.random()) * self._config.pace
                with contextlib.suppress(QQBotError, TimeoutError):  # then the address of before is used
                    async with asyncio.timeout(LOCATE_SECONDS):
                        self._located = (await self._api.gateway.bot()).url
            return self._located

    async def _run_shard(self, lease: Lease, info: GatewayBot, state: ResumeState | None) -> ShardExit:
        consumer = self._consumer(lease)
        if isinstance(lease, StandbyLease):  # another generation handles the same events until this one is active
            async with buffered(consumer, lease) as buffer:
                return await self._run_with(buffer, lease, info, state)
        return await self._run_with(consumer, lease, info, state)

    async def _run_with(
        self, consumer: ShardConsumer, lease: Lease, info: GatewayBot, state: ResumeState | None
    ) -> ShardExit:
        shard = Shard(
            lease,
            info=info,
            state=self._usable(state, lease.shard),
            intents=self._intents,
            consumer=consumer,
            tokens=self._api.tokens,
            session=self._api.session,
            config=self._config,
            connect_options=self._api.connect_options,
            on_event=self._on_event,
            locate=self._locate,
        )
        running = self._running[lease.shard] = RunningShard(lease, shard, consumer, state)
        try:
            async with shard, running.saving():
                try:
                    return await shard.run()
                finally:
                    await self._drain_consumer(lease, consumer)
        finally:
            if self._running.get(lease.shard) is running:  # it may have come back under another lease
                del self._running[lease.shard]
            self._changed.set()

    def _usable(self, state: ResumeState | None, shard: ShardKey) -> ResumeState | None:
        """Return `state`; None if the handlers ask for events by now that its session does not get."""
        if state is None or not state.intents or not self._intents & ~state.intents:
            return state
        log.warning(
            "shard %s: the handlers ask for intents that the saved session does not have (%r): a new one is begun, and "
            "what happened since the last stop is not delivered",
            shard,
            Intents(self._intents & ~state.intents),
        )
        return None

    async def _drain_consumer(self, lease: Lease, consumer: ShardConsumer) -> None:
        """Let the handlers finish; end those that wait for an event, which another process may get from here on."""
        if lease.valid() and (unfinished := await consumer.drain(self._drain)):  # else close without delay
            log.warning("shard %s: %d events are unfinished after %g s", lease.shard, unfinished, self._drain)
        if not self._over:  # else the end of the dispatcher cancels them
            consumer.end()

    async def _checkpoint(self) -> None:
        await asyncio.sleep(CHECKPOINT_SECONDS)
        failures: list[Exception] = []
        for running in tuple(self._running.values()):
            try:
                running.checkpoint()
            except Exception as error:  # noqa: BLE001 - it must not cost the other shards their checkpoints
                failures.append(error)
        self._changed.set()  # a shard that is held up sends no event, and `connected` depends on it
        _raise_all("checkpoints", failures)

    async def _renew(self) -> None:
        """Replace sessions that the platform may have forgotten, one after another."""
        await asyncio.sleep(self._config.renew_silence / LOOKS_IN_SILENCE)
        failures: list[Exception] = []
        for running in tuple(self._running.values()):
            try:
                if not await self._renew_if_stale(running):
                    break  # the budget is the same for all shards: look again at the next turn
            except Exception as error:  # noqa: BLE001 - the other sessions are renewed all the same
                failures.append(error)
        _raise_all("renewals", failures)

    async def _renew_if_stale(self, running: "RunningShard") -> bool:
        """Replace the session if it is stale; return False if the session manager refuses that."""
        times = running.times_live
        if running.stale:
            if not await running.may_renew():
                return False
            await running.shard.renew()
            with contextlib.suppress(TimeoutError):  # a shard that cannot connect must not hold up the others
                async with asyncio.timeout(self._config.renew_silence):
                    await self._live_again(running, times + 1)
        return True

    def _on_event(self, event: ShardEvent) -> None:
        if event.shard in self._running:  # the last event of a shard may come after its end
            self._running[event.shard].on_event(event)
        self._changed.set()
        self._listener(event)


class RunningShard:
    """One shard while it runs under a lease: when its state is saved, and what is in it.

    `saved` is the state that it began with.
    """

    def __init__(self, lease: Lease, shard: Shard, consumer: ShardConsumer, saved: ResumeState | None) -> None:
        self.shard = shard
        self.times_live = 0  # counted, since `ready` may be True again before a waiter looks
        self._lease = lease
        self._consumer = consumer
        self._saved = None if saved is None else saved.session_id  # the session that the store knows
        self._due = asyncio.Event()  # set when the state has to be saved at once
        self._kept: tuple[object, ...] | None = (
            None  # the progress that was handed over last; the same needs no writing
        )

    def on_event(self, event: ShardEvent) -> None:
        """Let the state be saved at once if a session has begun, goes on, or is over."""
        live = event.kind in ("identified", "resumed")
        self.times_live += live
        if live or self.shard.session_id != self._saved:
            self._due.set()

    def checkpoint(self) -> None:
        """Hand the state to the session manager if it has changed since the last checkpoint.

        Raises: whatever the session manager raises, or RuntimeError for a state that cannot be right.
        """
        try:
            self.shard.sample()
            if (progress := self._progress()) == self._kept or (state := self._state()) is None:
                return
            self._lease.checkpoint(state)
            self._kept = progress
        except Exception as error:
            raise RuntimeError(f"shard {self._lease.shard}: its state was not taken: {error}") from error

    @property
    def stale(self) -> bool:
        """True if the session should be replaced by a new one."""
        # Not with unfinished events: a new session does not deliver them again.
        return not self._consumer.watermark.unfinished and self.shard.stale

    async def may_renew(self) -> bool:
        """Return True if the session manager allows it, and the session is still stale."""
        try:
            return await self._lease.may_renew() and self.stale  # events may have come meanwhile
        except Exception:
            log.exception(
                "shard %s: the session manager did not answer if its session may be renewed", self._lease.shard
            )
            return False

    def stats(self) -> ShardStats:
        """Return the figures of the shard."""
        return self.shard.stats(self._consumer.watermark, self._consumer.repeats)

    @asynccontextmanager
    async def saving(self) -> AsyncGenerator[None]:
        """Save the state whenever that is due while the body runs, and at its end."""
        try:
            async with background(repeat(self._save_when_due), name=f"qqbot state {self._lease.shard}"):
                yield
        finally:
            await self._save()

    async def _save_when_due(self) -> None:
        await self._due.wait()
        self._due.clear()
        await self._save()

    async def _save(self) -> None:
        """Save what the next run of the shard needs; log what fails: handling events matters more than duplicates."""
        try:
            session_id, progress = self.shard.session_id, self._progress()
            await self._lease.save(self._state())
            self._saved, self._kept = session_id, progress
        except LeaseLost:
            log.info("shard %s: another process may run it now: its state is not saved here", self._lease.shard)
        except Exception:
            log.exception("shard %s: its state could not be saved", self._lease.shard)

    def _progress(self) -> tuple[object, ...]:
        """Return a value that differs whenever the state does, and costs less."""
        watermark = self._consumer.watermark
        return self.shard.session_id, watermark.low, watermark.high, watermark.unfinished

    def _state(self) -> ResumeState | None:
        """Return what a RESUME after the last *finished* event needs; None while there is no session."""
        state = self.shard.state()
        if state is None:
            return None
        return msgspec.structs.replace(state, seq=self._consumer.watermark.low, done=self._consumer.watermark.done)


def _raise_all(what: str, failures: list[Exception]) -> None:
    """Raises: the failure, or all of them as a group, so that the chore logs them and retries."""
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(f"{len(failures)} {what} failed", failures)
