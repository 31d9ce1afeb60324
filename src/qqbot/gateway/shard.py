"""`Shard`: runs one shard over as many connections as it takes.

Responsible for the sockets, the reader, the pacemaker (the task that sends heartbeats) and the delays in between.
Collaborators: `protocol` (what a frame or a close code means), `connection` (one websocket), `lease` (whether this
process may run the shard), the `FrameConsumer` (receives the events), `TokenSource`. It decides nothing about sessions
or delays, and handles no event.
"""

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Literal, Protocol, Self

import aiohttp
from aiohttp import WebSocketError, WSMsgType
from aiohttp.http import WSMessageNoDecodeText
from msgspec import Struct

from .._visible import visible_line
from ..aio.background import background
from ..aio.backoff import Backoff
from ..aio.clock import steady
from ..aio.throttle import Throttle
from ..aio.until_done import until_done
from ..api.network import ConnectOptions, cause_of
from ..api.token import TokenSource
from ..config import GatewayConfig, check_url
from ..errors import (
    ApiError,
    AuthError,
    ConnectionFailed,
    GatewayHalted,
    IPNotAllowed,
    LeaseLost,
    RateLimited,
    ServerError,
    TransportError,
)
from ..lease import Lease
from ..models.frames import Frame
from ..models.gateway import GatewayBot, ReadyUser, ResumeState, ShardExit, ShardKey
from ..models.stats import ShardState, ShardStats
from ..models.watermark import Watermark
from .close_codes import ASKED, RENEWAL, CloseRule
from .connection import Connection
from .protocol import (
    Disconnect,
    GatewayProtocol,
    Halt,
    HelloReceived,
    Next,
    Phase,
    ProtocolAction,
    Reconnect,
    Refused,
    Reshard,
    Send,
    SequenceJump,
    SessionReady,
    SessionResumed,
    Skipped,
)


class FrameConsumer(Protocol):
    """Receives the events of a shard, with back-pressure."""

    @property
    def full(self) -> bool:
        """True if reading has to wait."""
        ...

    async def room(self) -> None:
        """Return when there is room again."""
        ...

    def begin(
        self, session_id: str, seq: int, done: Sequence[tuple[int, int]] = (), *, taken_over: bool = False
    ) -> None:
        """Start counting a session: everything up to `seq`, and the ranges `done`, is finished.

        `taken_over`: from an earlier process, which may have begun to handle what is replayed until `caught_up`.
        """
        ...

    def caught_up(self, seq: int) -> None:
        """Mark the replay as complete up to `seq`; what follows is new."""
        ...

    def publish(self, frame: Frame, raw: bytes) -> bool:
        """Accept one dispatch frame; `raw` is what arrived. Return False to let handlers run before the next."""
        ...


class ShardEvent(Struct, frozen=True):
    """Something that happened to a shard, for logs and metrics.

    `code` is the close code of `closed` and `halted`, `cause` the reason as text.
    """

    kind: Literal["connected", "identified", "resumed", "closed", "halted", "lease_lost"]
    shard: ShardKey
    code: int | None = None
    cause: str = ""


ShardListener = Callable[[ShardEvent], None]


log = logging.getLogger(__name__)

STATES: dict[Phase, ShardState] = {
    Phase.DOWN: "waiting",
    Phase.CONNECTED: "connecting",
    Phase.GREETED: "waiting",
    Phase.IDENTIFYING: "identifying",
    Phase.RESUMING: "resuming",
    Phase.LIVE: "live",
    Phase.REFUSED: "waiting",
}

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY  # a global is looked up faster than an attribute
YIELD_EVERY = 64  # frames; aiohttp's receive does not yield while frames are queued
TOKEN_BACKOFF = Backoff(3.0, 60.0)
TOKEN_RETRY_FLOOR = 30.0  # seconds, if the platform answered, but with a failure of its own
ATTEMPTS_AT_ONE_ADDRESS = 3
WHAT, SCHEMES = "the gateway's url", ("ws", "wss")
RATE_SAMPLES = 11  # one a second: ten seconds
UNREACHABLE = "the gateway could not be reached"  # one text for all causes, because it is a key of `reconnects`


class Shard:
    """One shard of a bot; an async context manager, whose end closes the socket so that a RESUME may follow.

    `intents` is the sum of the bits; `locate` returns the gateway's address as it is now, "" if it is not known;
    `chance` returns numbers from 0 to 1, evenly spread.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        info: GatewayBot,
        state: ResumeState | None,
        intents: int,
        consumer: FrameConsumer,
        tokens: TokenSource,
        session: aiohttp.ClientSession,
        config: GatewayConfig,
        connect_options: ConnectOptions,
        on_event: ShardListener,
        locate: Callable[[], Awaitable[str]],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._lease = lease
        self._consumer = consumer
        self._tokens = tokens
        self._session = session
        self._config = config
        self._connect_options = connect_options
        self._on_event = on_event
        self._locate = locate
        self._chance = chance
        self._clock = steady
        self._protocol = GatewayProtocol(config, state, clock=self._clock, chance=chance)
        self._saved_state = state  # until `__aenter__`: the consumer continues to count from it
        self._intents = intents
        self._session_intents = state.intents if state is not None else intents  # a RESUME keeps those of its IDENTIFY
        # The current attempt to connect.
        self._url = info.url  # changes if the gateway has moved
        self._attempts = 0  # to connect, since the shard was live: after some the address is asked for again
        self._connecting = False  # the protocol has no phase for it
        self._connection: Connection | None = None  # kept after a cancellation, so that `__aexit__` can close it
        self._token = ""  # the one in use: a refusal invalidates it, and not a newer one
        self._identify_turn = AsyncExitStack()  # closed as soon as IDENTIFY is sent: other shards wait for the turn
        self._deadline_moved = asyncio.Event()  # wakes the pacemaker
        self._final_state: ShardState | None = None  # why `run` ended; the protocol's phase no longer counts
        # Unix times outlive the process, but that clock may jump: from here on ages are measured by our own.
        self._session_since = state.since if state is not None else 0.0
        self._last_event = state.last_event if state is not None else 0.0
        self._session_since_steady = self._clock() - _age(self._session_since)
        self._last_event_steady = self._clock() - _age(self._last_event)
        # Counters for `stats`, and what must not flood the log.
        self.skipped: Counter[str] = Counter()
        self._reconnects: Counter[str] = Counter()
        self._last_code: int | None = None
        self._events_sampled = 0  # the protocol's counter at the last look: a difference means new events
        self._samples: deque[tuple[float, int]] = deque([(self._clock(), 0)], maxlen=RATE_SAMPLES)
        self._jump_warnings = Throttle()
        self._outage_warnings = Throttle()  # reset when the shard is live: each new outage is reported at once

    @property
    def ready(self) -> bool:
        """True if the shard is READY or RESUMED now."""
        return self._protocol.phase is Phase.LIVE

    @property
    def held_up(self) -> bool:
        """True if the shard cannot become ready before events that it has received are finished."""
        return self._protocol.held_up

    @property
    def me(self) -> ReadyUser | None:
        """The bot's own user, from READY or the saved state."""
        return self._protocol.me

    @property
    def lost_events(self) -> int:
        """How many events were given up because they are larger than `GatewayConfig.max_frame_bytes` bytes."""
        return self._protocol.lost_events

    @property
    def session_id(self) -> str | None:
        """The session that a RESUME would continue; None while there is none."""
        return self._protocol.session_id

    @property
    def _state_now(self) -> ShardState:
        return self._final_state or ("connecting" if self._connecting else STATES[self._protocol.phase])

    async def reconnect(self) -> None:
        """Close the connection if it is live; the next one RESUMEs."""
        await self._close_live(ASKED)

    async def renew(self) -> None:
        """Close the connection if it is live; the next one begins a new session."""
        await self._close_live(RENEWAL)

    async def _close_live(self, rule: CloseRule) -> None:
        if self._protocol.start_close(rule) and self._connection is not None:
            await self._connection.close()  # ends the reader's next `receive`

    @property
    def stale(self) -> bool:
        """True if the session is so old, and has been silent for so long, that the platform may have forgotten it."""
        self._update_last_event()
        now, config = self._clock(), self._config
        old = now - self._session_since_steady >= config.renew_after
        silent = now - self._last_event_steady >= config.renew_silence
        return self.ready and old and silent

    def sample(self) -> None:
        """Check whether events have come; called once a second, so that no event has to read a clock."""
        self._update_last_event()
        self._samples.append((self._clock(), self._protocol.events))

    def _update_last_event(self) -> None:
        if self._protocol.events != self._events_sampled:
            self._events_sampled = self._protocol.events
            self._last_event, self._last_event_steady = time.time(), self._clock()

    def stats(self, watermark: Watermark, repeats: int) -> ShardStats:
        """Return the shard's statistics; `watermark` and `repeats` (duplicates) come from its consumer."""
        protocol, now = self._protocol, self._clock()
        then, before = self._samples[0]
        has_session = protocol.session_id is not None
        return ShardStats(
            shard=self._lease.shard,
            state=self._state_now,
            session_age=now - self._session_since_steady if has_session else None,
            received=protocol.seq,
            watermark=watermark.low,
            lag=max(protocol.seq - watermark.low, 0) if has_session else 0,
            unfinished=watermark.unfinished,
            ranges=len(watermark.done),
            events=protocol.events,
            events_per_second=(protocol.events - before) / max(now - then, 1.0),
            last_event=now - self._last_event_steady if self._last_event else None,
            round_trip=protocol.round_trip,
            identifies=protocol.identifies,
            resumes=protocol.resumes,
            reconnects=dict(self._reconnects),
            last_code=self._last_code,
            skipped=dict(self.skipped),
            repeats=repeats,
            lost_events=protocol.lost_events,
        )

    def state(self) -> ResumeState | None:
        """Return what a RESUME from the last *received* event needs; None while there is no session."""
        protocol = self._protocol
        if protocol.session_id is None:
            return None
        me = protocol.me or ReadyUser(id="")
        return ResumeState(
            session_id=protocol.session_id,
            seq=protocol.seq,
            received=protocol.seq,
            intents=self._session_intents,
            me=me.id,
            name=me.username,
            since=self._session_since,
            last_event=self._last_event,
            heartbeat=protocol.round_trip or 0.0,
        )

    async def __aenter__(self) -> Self:
        if (state := self._saved_state) is not None:
            self._consumer.begin(state.session_id, state.seq, state.done, taken_over=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._emit("closed", cause="the shard was ended")

    async def run(self) -> ShardExit:
        """Connect, again and again, and pass events to the consumer. Cancelling leaves the socket open.

        Raises: GatewayHalted if the platform demands a stop, AuthError and IPNotAllowed if it refuses the
        credentials, ConfigError if its gateway's address would send the token in the clear.
        """
        check_url(self._address, WHAT, SCHEMES)
        try:
            while True:
                await self._find_gateway()
                after = await self._connect_once()
                if isinstance(after, Halt):
                    self._final_state = "halted"
                    self._emit("halted", after.code, after.reason)
                    raise GatewayHalted(after.code, after.reason, after.hint)
                await asyncio.sleep(after.delay)
                if isinstance(after, Reshard):
                    return ShardExit("reshard")
        except LeaseLost:
            self._emit("lease_lost")
            return ShardExit("lost")
        finally:
            self._final_state = self._final_state or "draining"

    @property
    def _address(self) -> str:
        return self._url.partition("?")[0]  # the query may hold a secret, which must not be logged

    async def _find_gateway(self) -> None:
        """Ask for the gateway's address after several failed attempts to connect: it may have moved."""
        if self._attempts >= ATTEMPTS_AT_ONE_ADDRESS and (url := await self._locate()) not in ("", self._url):
            check_url(url.partition("?")[0], WHAT, SCHEMES)
            log.warning("shard %s: the gateway has moved", self._lease.shard)
            self._url = url
        self._attempts += 1

    # One connection

    async def _connect_once(self) -> Next:
        """Connect once and serve the connection until it ends; return what is next."""
        async with AsyncExitStack() as self._identify_turn:
            if not self._protocol.resumable:  # a RESUME needs no turn
                await self._identify_turn.enter_async_context(self._lease.identify_turn())
            self._token = await self._get_token()
            self._assert_lease()
            self._connecting = True
            try:
                connection = self._connection = await Connection.open(
                    self._session, self._url, self._config, self._connect_options
                )
            except ConnectionFailed as error:
                self._warn_of_outage(f"the gateway {self._address} cannot be reached: {error}")
                self._reconnects[UNREACHABLE] += 1
                return self._protocol.failed(str(error))
            finally:
                self._connecting = False
            self._protocol.connected()
            self._emit("connected")
            code = await self._serve(connection)
        await connection.close()
        self._connection = None
        return self._connection_ended(code)

    async def _serve(self, connection: Connection) -> int | None:
        """Read, and send heartbeats, until the connection or the pacemaker ends; return the close code."""
        self._deadline_moved = asyncio.Event()
        code, over = None, False
        async with (
            background(self._keep_pace(connection), name=f"qqbot pacemaker {self._lease.shard}") as (pacemaker,),
            until_done(pacemaker),  # without heartbeats the reader would wait for a dead connection
        ):
            code, over = await self._read(connection), True
        if not over:
            await connection.close(answered=False)
        if not pacemaker.cancelled():
            pacemaker.result()  # the pacemaker's fault ended the connection, so it must not pass for a lost one
        return code

    async def _read(self, connection: Connection) -> int | None:
        read, receive, publish = connection.receive, self._protocol.receive, self._consumer.publish
        valid = self._lease.valid
        left = YIELD_EVERY
        while True:
            message = await read()
            if message.type is not TEXT and message.type is not BINARY:
                return _close_code(message)
            data: bytes = message.data
            received = receive(data)
            frame = received if isinstance(received, Frame) else await self._act(received, connection)
            left -= 1
            if frame is not None:
                if not valid():  # asked for each event: another owner may have been granted the shard meanwhile
                    raise LeaseLost(f"shard {self._lease.shard} is no longer ours")
                if not publish(frame, data):
                    left = 0
            if left <= 0:
                left = YIELD_EVERY
                await asyncio.sleep(0)  # handlers run, and may make room
                if self._consumer.full:
                    await self._wait_for_room()

    async def _act(self, action: ProtocolAction | None, connection: Connection) -> Frame | None:
        """Carry out what the protocol asks for; return the dispatch that came with it."""
        if action is None:
            return None
        self._deadline_moved.set()  # before the action: heartbeats are due while a permit is awaited
        match action:
            case HelloReceived():
                await self._open_session(connection)
                self._deadline_moved.set()  # READY or RESUMED is due from here on
            case SessionReady(frame):
                self._session_began(frame)
            case SessionResumed():
                self._consumer.caught_up(self._protocol.seq)
                self._became_live("resumed")
            case SequenceJump(frame, after):
                self._warn_of_jump(frame, after)
            case Send(data):
                await connection.send(data)
            case Disconnect():
                await connection.close()  # ends the next `receive`
            case Skipped():
                self._skip(action)
            case Refused():
                pass  # only the deadline has moved
        return action.frame if isinstance(action, SessionReady | SessionResumed | SequenceJump) else None

    async def _open_session(self, connection: Connection) -> None:
        """Send RESUME, or IDENTIFY as soon as there is a permit."""
        index, count = self._lease.shard.index, self._lease.shard.count
        if self._protocol.resumable:
            self._assert_lease()
            await connection.send(self._protocol.resume(self._token))
            return
        await self._wait_for_permit()
        self._assert_lease()  # the wait may have outlived the lease
        await connection.send(self._protocol.identify(self._token, self._intents, (index, count)))
        await self._identify_turn.aclose()

    async def _wait_for_permit(self) -> None:
        self._protocol.set_reading(False)
        while not (await self._lease.identify_permit()).usable():
            log.debug("shard %s: the permit to identify expired unused", self._lease.shard)
        self._protocol.set_reading(True)

    async def _wait_for_room(self) -> None:
        self._protocol.set_reading(False)
        await self._consumer.room()
        self._protocol.set_reading(True)
        self._deadline_moved.set()

    async def _keep_pace(self, connection: Connection) -> None:
        """Send heartbeats; return when a deadline has passed, which ends the connection."""
        while True:
            left = self._protocol.deadline() - self._clock()
            if left > 0:
                await self._wait_for_deadline(left)
                continue
            match self._protocol.tick():
                case Disconnect():
                    return
                case Send(data):
                    await connection.send(data)
                case None:
                    pass

    async def _wait_for_deadline(self, seconds: float) -> None:
        """Return after `seconds`, or when the deadline may have moved."""
        try:
            async with asyncio.timeout(seconds):
                await self._deadline_moved.wait()
        except TimeoutError:
            return
        self._deadline_moved.clear()

    # What happened

    def _session_began(self, frame: Frame) -> None:
        session_id = self._protocol.session_id
        assert session_id is not None
        # READY is itself a dispatch of the session, so it is not finished yet.
        self._consumer.begin(session_id, max(self._protocol.seq - 1, 0))
        self._session_intents = self._intents
        self._session_since = self._last_event = time.time()
        self._session_since_steady = self._last_event_steady = self._clock()
        self._became_live("identified")
        if self._protocol.me is None:
            log.debug("shard %s: %.200r does not name the bot's user", self._lease.shard, frame.t)

    def _became_live(self, kind: Literal["identified", "resumed"]) -> None:
        self._outage_warnings.reset()
        self._attempts = 0
        log.info("shard %s: %s", self._lease.shard, kind)
        self._emit(kind)

    def _skip(self, skipped: Skipped) -> None:
        self.skipped[skipped.kind] += 1
        if self.skipped[skipped.kind] == 1:  # a platform that sends one such frame sends many
            log.warning(
                "shard %s: %s (%s) was skipped; further ones are only counted",
                self._lease.shard,
                skipped.kind,
                visible_line(skipped.detail),
            )

    def _warn_of_jump(self, frame: Frame, after: int) -> None:
        if self._jump_warnings.ready():
            log.warning(
                "shard %s: `s` jumped from %d to %s (%.100r): events are missing, or it counts in another way",
                self._lease.shard,
                after,
                frame.s,
                frame.t,
            )

    def _connection_ended(self, code: int | None) -> Next:
        after = self._protocol.closed(code)
        self._last_code = code
        if isinstance(after, Reconnect):
            self._reconnects[after.cause] += 1
            if after.refresh:
                self._tokens.invalidate(self._token)
            log.log(
                logging.INFO if after.routine else logging.WARNING,
                "shard %s: connection ended (%s): %s; %s in %.1f s",
                self._lease.shard,
                "no close code" if code is None else code,
                after.cause,
                "RESUME" if self._protocol.resumable else "IDENTIFY",
                after.delay,
            )
        self._emit("closed", code, after.cause if isinstance(after, Reconnect) else "")
        return after

    def _emit(
        self,
        kind: Literal["connected", "identified", "resumed", "closed", "halted", "lease_lost"],
        code: int | None = None,
        cause: str = "",
    ) -> None:
        self._on_event(ShardEvent(kind, self._lease.shard, code, cause))

    def _assert_lease(self) -> None:
        if not self._lease.valid():
            raise LeaseLost(f"shard {self._lease.shard} is no longer ours")

    # What a connection needs

    async def _get_token(self) -> str:
        """Return a token; retry forever.  Raises: AuthError, IPNotAllowed."""
        failures = 0
        while True:
            try:
                return await self._tokens.get()
            except (AuthError, IPNotAllowed):  # no retry helps; both are ApiErrors
                raise
            except (TransportError, ApiError, OSError, aiohttp.ClientError) as error:
                self._warn_of_outage(f"no access token could be fetched: {_one_line(error)}")
                delay = _token_delay(error, failures, self._chance())
            await asyncio.sleep(delay * self._config.pace)
            failures += 1

    def _warn_of_outage(self, what: str) -> None:
        """Log at once, then once a minute, what keeps the shard from connecting."""
        if self._outage_warnings.ready():
            log.warning("shard %s: %s; trying again until it works", self._lease.shard, what)


def _age(moment: float) -> float:
    """Return how many seconds ago `moment` of the Unix clock was; 0 for an unknown one, or one yet to come."""
    return max(time.time() - moment, 0.0) if moment else 0.0


def _close_code(message: WSMessageNoDecodeText) -> int | None:
    """Return the close code in aiohttp's `message`; None if the connection ended without one."""
    if message.type is WSMsgType.CLOSE and isinstance(message.data, int):
        return message.data or None  # aiohttp has 0 for a close frame without a code
    return int(message.data.code) if isinstance(message.data, WebSocketError) else None


def _token_delay(error: Exception, failures: int, chance: float) -> float:
    """Return the seconds until the next token request; more if the platform answered with a failure of its own."""
    delay = TOKEN_BACKOFF.delay(failures, chance)
    return max(delay, TOKEN_RETRY_FLOOR) if isinstance(error, ServerError | RateLimited) else delay


def _one_line(error: Exception) -> str:
    """Return what went wrong, in one line that holds no secret."""
    if isinstance(error, OSError | aiohttp.ClientError):
        return cause_of(error)
    return visible_line(str(error).partition("\n")[0])
