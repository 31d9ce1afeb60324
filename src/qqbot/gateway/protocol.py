"""`GatewayProtocol`: what a shard does, without doing it. Bytes and ticks go in, actions come out.

Owns the session over all connections of a shard: session id, last received seq, refused RESUMEs, failures in a
row, delays and deadlines. It knows no socket, clock or task: `now` is seconds of a clock that only goes forward,
chance is a function. What the close codes mean is `gateway.close_codes`'s.

One connection: `connected`, then `receive` for each frame, `identify` or `resume` after `HelloReceived`, `tick`
whenever `deadline` has passed, and at its end `closed`, which says what is next. `failed` stands for a connection that did
not come about.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Literal

import msgspec
from msgspec import Struct

from ..config import GatewayConfig
from ..errors import DecodeError, Hint
from ..models import frames
from ..models.frames import Frame, Op, decode_frame
from ..models.gateway import MAX_SEQ, ReadyUser, ResumeState
from .close_codes import (
    INVALID_RESUMABLE,
    INVALID_SESSION,
    LOST,
    RECONNECT,
    Action,
    CloseRule,
    ReconnectDelay,
    close_rule,
)

DELAY_CAP = 60.0
DELAY_CAP_LATE = 300.0  # from the third IDENTIFY in ten minutes
IDENTIFY_MEMORY = 600.0
IDENTIFIES_REMEMBERED = 16  # by then the delay is at its cap
GROWTH_JITTER = 0.2
REFUSED_RESUMES = 2
SETTLED_SECONDS = 60.0  # a session that lived this long clears the counters that lead to a stop
MIN_BEAT, MAX_BEAT = 0.02, 300.0  # bounds on what HELLO may ask for, in seconds
STANDSTILL_SECONDS = 5.0  # a beat this late (and by more than its interval) means that the machine slept

Skip = Literal["malformed frame", "dispatch without s", "unexpected dispatch", "unexpected HELLO", "unknown op"]


class Phase(Enum):
    """Where the current connection is."""

    DOWN = auto()
    CONNECTED = auto()  # HELLO is awaited
    GREETED = auto()  # neither IDENTIFY nor RESUME was sent yet
    IDENTIFYING = auto()
    RESUMING = auto()
    LIVE = auto()
    REFUSED = auto()  # op 9 came, the close code is awaited


LIVE, DISPATCH = Phase.LIVE, int(Op.DISPATCH)  # a global is found faster than a member


class HelloReceived(Struct, frozen=True):
    """HELLO came: send IDENTIFY or RESUME."""


class SessionReady(Struct, frozen=True):
    """A new session began with `frame`, a dispatch like any other."""

    frame: Frame


class SessionResumed(Struct, frozen=True):
    """The session goes on; `frame` is a dispatch like any other."""

    frame: Frame


class Send(Struct, frozen=True):
    """Send `data` as a text frame."""

    data: bytes


class Refused(Struct, frozen=True):
    """The session is over; the close code that says why is awaited, so `deadline` has moved."""


class Disconnect(Struct, frozen=True):
    """End the connection with code 4000."""

    cause: str


class Skipped(Struct, frozen=True):
    """A frame was of no use; the connection lives on."""

    kind: Skip
    detail: str


Received = Frame | HelloReceived | SessionReady | SessionResumed | Send | Refused | Disconnect | Skipped


class Reconnect(Struct, frozen=True, kw_only=True):
    """Connect again after `delay` seconds; with `refresh` the token that was used is not to be used again."""

    delay: float
    cause: str
    refresh: bool = False
    routine: bool = False


class Halt(Struct, frozen=True):
    """Do not connect again."""

    code: int | None
    reason: str
    hint: Hint | None


class Reshard(Struct, frozen=True):
    """After `delay` seconds ask for the number of shards and start over with it."""

    delay: float


Next = Reconnect | Halt | Reshard


class GatewayProtocol:
    """The decision table of one shard at work.

    `chance` returns numbers from 0 to 1, evenly spread.  Source: dev-prepare/event-emit/websocket
    """

    def __init__(self, config: GatewayConfig, state: ResumeState | None, *, chance: Callable[[], float]) -> None:
        self._config = config
        self._chance = chance
        self._phase = Phase.DOWN
        self.session_id = None if state is None else state.session_id
        self.seq = 0 if state is None else state.seq
        self.me = ReadyUser(id=state.me, username=state.name) if state is not None and state.me else None
        self.events = 0  # received, repeats among them; READY and RESUMED are none
        self.identifies = 0
        self.resumes = 0
        self.lost_events = 0
        self.round_trip: float | None = None  # seconds from the last acknowledged heartbeat to its answer
        self._interval = MAX_BEAT
        self._deadline = 0.0
        self._beat_at = 0.0
        self._beaten_at = 0.0
        self._unanswered = False
        self._heard = False
        self._reading = True
        self._close_rule: CloseRule | None = None  # why we hang up ourselves
        self._live_since = 0.0
        self._failures = 0
        self._resume_unanswered = False
        self._refused_resumes = 0
        self._in_a_row: dict[str, int] = {}
        self._identified: deque[float] = deque(maxlen=IDENTIFIES_REMEMBERED)
        self._too_large_after: int | None = None

    @property
    def phase(self) -> Phase:
        """Where the current connection is."""
        return self._phase

    @property
    def held_up(self) -> bool:
        """Whether RESUMED cannot be read, because nobody takes the events before it."""
        return self._phase is Phase.RESUMING and not self._reading

    @property
    def resumable(self) -> bool:
        """Whether the next connection sends RESUME."""
        return self.session_id is not None

    # One connection, in order

    def connected(self, now: float) -> None:
        """Note that a socket is open."""
        self._phase = Phase.CONNECTED
        self._close_rule = None
        self._reading = True
        self._deadline = now + self._config.hello_timeout

    def dispatch(self, data: bytes) -> Frame | None:
        """Take one frame if it is a dispatch of a live session; None for all others, which `receive` has to take.

        Nearly every frame is one, and a look at the clock would cost it as much as all that is done here.
        """
        try:
            frame = decode_frame(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        seq = frame.s
        if self._phase is not LIVE or frame.op != DISPATCH or seq is None or seq > MAX_SEQ:
            return None
        self._heard = True
        if seq > self.seq:  # noqa: PLR1730 - nor a call of max()
            self.seq = seq
        self.events += 1
        return frame

    def receive(self, data: bytes, now: float) -> Received | None:
        """Take one frame; return the dispatch itself, or what is to be done, or None."""
        self._heard = True
        try:
            frame = decode_frame(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return Skipped("malformed frame", str(error))
        return self._control(frame, now)

    def identify(self, token: str, intents: int, shard: tuple[int, int], now: float) -> bytes:
        """Return the IDENTIFY that is sent now; from here on READY is awaited."""
        self._phase = Phase.IDENTIFYING
        self._deadline = now + self._config.ready_timeout
        self._identified.append(now)
        self.identifies += 1
        return frames.identify(token, intents, shard)

    def resume(self, token: str, now: float) -> bytes:
        """Return the RESUME that is sent now; from here on RESUMED is awaited."""
        assert self.session_id is not None
        self._phase = Phase.RESUMING
        self._deadline = now + self._config.resumed_timeout
        self._resume_unanswered = True
        self.resumes += 1
        return frames.resume(token, self.session_id, self.seq)

    def reading(self, reading: bool, now: float) -> None:
        """Note that frames are (not) being read: while they are not, silence means nothing."""
        self._reading = reading
        if reading:
            self._heard = True
            if self._phase is Phase.RESUMING:
                self._deadline = now + self._config.resumed_timeout
            elif self._phase is Phase.IDENTIFYING:
                self._deadline = now + self._config.ready_timeout

    def deadline(self) -> float:
        """Return when `tick` wants to be called; finite while a connection is open."""
        if self._phase in (Phase.CONNECTED, Phase.REFUSED):
            return self._deadline
        if self._phase in (Phase.IDENTIFYING, Phase.RESUMING) and self._reading:
            return min(self._deadline, self._beat_at)
        return self._beat_at

    def tick(self, now: float) -> Send | Disconnect | None:
        """Do what is due: a heartbeat, or give up a connection that is dead. Such a one is not worth a goodbye."""
        if now < self.deadline():
            return None
        if self._phase is Phase.REFUSED:
            return self._hang_up(INVALID_SESSION)
        if self._phase is Phase.CONNECTED:
            return self._hang_up(LOST, "no HELLO came")
        if self._phase in (Phase.IDENTIFYING, Phase.RESUMING) and self._reading and now >= self._deadline:
            self._count_refusal()
            return self._hang_up(LOST, f"no answer to {'IDENTIFY' if self._phase is Phase.IDENTIFYING else 'RESUME'}")
        return self._beat(now)

    def closed(self, code: int | None, now: float) -> Next:
        """Note that the connection ended, by close code `code` (None: without one); say what is next.

        After a `Disconnect` of our own the code does not count.
        """
        self._count_life(now)
        phase, self._phase = self._phase, Phase.DOWN
        if self._close_rule is not None:
            code, found = None, self._close_rule
        else:
            found = _after_op_9(close_rule(code)) if phase is Phase.REFUSED else close_rule(code)
        if code == 1009:
            self._skip_what_is_too_large()
        elif code is not None:
            self._count_refusal()
        self._resume_unanswered = False
        return self._next(code, found, resuming=phase is Phase.RESUMING, now=now)

    def leave(self, why: CloseRule) -> bool:
        """Note that we hang up because of `why`; False where no connection is live."""
        if self._phase is not Phase.LIVE or self._close_rule is not None:
            return False
        self._close_rule = why
        return True

    def failed(self, cause: str, now: float) -> Reconnect:
        """Note that no connection came about; it counts neither as a refusal nor towards a stop."""
        self._phase = Phase.DOWN
        return self._retry(msgspec.structs.replace(LOST, words=cause), now)

    # Inbound control frames

    def _control(self, frame: Frame, now: float) -> Received | None:
        match frame.op:
            case Op.DISPATCH:
                return self._dispatched(frame, now)
            case Op.HEARTBEAT:
                return Send(self._heartbeat())
            case Op.HEARTBEAT_ACK:
                if self._unanswered:
                    self.round_trip = now - self._beaten_at
                self._unanswered = False
                return None
            case Op.HELLO:
                return self._greeted(frame, now)
            case Op.RECONNECT | Op.INVALID_SESSION:
                return self._sent_away(frame, now)
            case _:
                return Skipped("unknown op", f"op {frame.op}")

    def _greeted(self, frame: Frame, now: float) -> HelloReceived | Skipped:
        if self._phase is not Phase.CONNECTED:
            return Skipped("unexpected HELLO", "a second HELLO in one connection")
        try:
            interval = frames.decode_hello(frame.d).heartbeat_interval
        except DecodeError as error:
            return Skipped("malformed frame", str(error))
        if interval <= 0:
            return Skipped("malformed frame", f"HELLO with heartbeat_interval {interval}")
        self._phase = Phase.GREETED
        self._interval = max(min(interval, MAX_BEAT * 1000) / 1000, MIN_BEAT)
        self._unanswered = False
        # Spread, so that shards that connected together do not beat together.
        self._beat_at = now + self._interval * (1 - self._chance() / 2)
        return HelloReceived()

    def _dispatched(self, frame: Frame, now: float) -> Received:
        if frame.s is None and frame.t not in ("READY", "RESUMED"):
            return Skipped("dispatch without s", str(frame.t))
        if frame.s is not None and not 0 <= frame.s <= MAX_SEQ:
            return Skipped("malformed frame", f"s is {frame.s}")
        if frame.t == "READY" and self._phase in (Phase.IDENTIFYING, Phase.RESUMING):
            return self._ready(frame, now)
        if self._phase is Phase.RESUMING:
            return self._replayed(frame, now)
        if self._phase is Phase.LIVE and frame.s is not None:
            self.seq = max(self.seq, frame.s)
            self.events += 1
            return frame
        return Skipped("unexpected dispatch", f"{frame.t} outside of a session")

    def _ready(self, frame: Frame, now: float) -> SessionReady | Skipped:
        try:
            body = frames.decode_ready(frame.d)
        except DecodeError as error:
            return Skipped("malformed frame", str(error))
        self.session_id = body.session_id
        self.seq = frame.s or 0
        self.me = frames.ready_user(body) or self.me
        self._too_large_after = None
        self._settle(now)
        return SessionReady(frame)

    def _replayed(self, frame: Frame, now: float) -> Frame | SessionResumed:
        self._resume_good()
        self._deadline = now + self._config.resumed_timeout
        if frame.s is not None:
            self.seq = max(self.seq, frame.s)
        if frame.t != "RESUMED":
            self.events += 1
            return frame
        self._settle(now)
        return SessionResumed(frame)

    def _settle(self, now: float) -> None:
        self._phase = Phase.LIVE
        self._live_since = now
        self._failures = 0
        self._resume_good()

    def _count_life(self, now: float) -> None:
        if self._phase is Phase.LIVE and now - self._live_since >= SETTLED_SECONDS:
            self._in_a_row.clear()

    def _resume_good(self) -> None:
        self._resume_unanswered = False
        self._refused_resumes = 0

    def _count_refusal(self) -> None:
        """Note that the platform did not grant a RESUME; a connection that merely broke says nothing about it."""
        if self._resume_unanswered:
            self._refused_resumes += 1
        self._resume_unanswered = False

    def _sent_away(self, frame: Frame, now: float) -> Disconnect | Refused | None:
        if self._phase is Phase.REFUSED:
            return None  # the close code is on its way
        if frame.op == Op.RECONNECT:
            return self._hang_up(RECONNECT)
        if bytes(frame.d) == b"true" and self.session_id is not None:
            self._count_refusal()
            return self._hang_up(INVALID_RESUMABLE)
        self._count_life(now)
        self._phase = Phase.REFUSED
        self._deadline = now + self._config.close_code_timeout
        self._drop_session()
        return Refused()

    # Heartbeats and ends

    def _heartbeat(self) -> bytes:
        return frames.heartbeat(self.seq or None)

    def _beat(self, now: float) -> Send | Disconnect:
        if self._unanswered and self._reading and not self._heard:
            return self._hang_up(LOST, "heartbeats were not acknowledged")
        if now - self._beat_at > max(self._interval, STANDSTILL_SECONDS):
            return self._hang_up(LOST, "this process or its machine stood still for longer than a heartbeat")
        self._unanswered = True
        self._heard = False
        self._beaten_at = now
        self._beat_at = now + self._interval
        return Send(self._heartbeat())

    def _hang_up(self, why: CloseRule, cause: str = "") -> Disconnect:
        self._close_rule = msgspec.structs.replace(why, words=cause) if cause else why
        return Disconnect(self._close_rule.words)

    def _drop_session(self) -> None:
        self.session_id = None
        self.seq = 0
        self._refused_resumes = 0
        self._too_large_after = None

    def _skip_what_is_too_large(self) -> None:
        """Give up the event after the last one received when it was too large twice."""
        if self.session_id is not None and self._too_large_after == self.seq:
            self.seq += 1
            self.lost_events += 1
            self._too_large_after = None
        else:
            self._too_large_after = self.seq

    # What is next

    def _next(self, code: int | None, found: CloseRule, *, resuming: bool, now: float) -> Next:
        if found.action is Action.STOP:
            self._drop_session()
            return Halt(code, found.words, found.hint)
        if found.limit and (times := self._count(found.family)) >= found.limit:
            self._drop_session()
            return Halt(code, f"{found.words}, {times} times in a row", found.hint)
        keeps = found.action is Action.RESUME or (found.spares_resume and resuming)
        if not keeps or self._refused_resumes >= REFUSED_RESUMES:
            self._drop_session()
        if found.action is Action.RESHARD:
            return Reshard(found.delay * self._config.pace)
        return self._retry(found, now)

    def _count(self, family: str) -> int:
        self._in_a_row[family] = self._in_a_row.get(family, 0) + 1
        return self._in_a_row[family]

    def _retry(self, found: CloseRule, now: float) -> Reconnect:
        delay = self._delay(found, now) * self._config.pace
        self._failures += 1
        return Reconnect(delay=delay, cause=found.words, refresh=found.refresh, routine=found.routine)

    def _delay(self, found: CloseRule, now: float) -> float:
        failures, pause, cap = self._failures, found.pause, DELAY_CAP
        # Sessions that end soon after READY would use up the day's allowance.
        identifies = self._identifies_lately(now)
        if found.action is Action.IDENTIFY and not self.resumable and identifies >= 2:
            failures, pause, cap = max(failures, identifies - 1), ReconnectDelay.GROWING, DELAY_CAP_LATE
        grown = found.delay * 2.0 ** min(failures, 30)
        match pause:
            case ReconnectDelay.FIXED:
                return found.delay
            case ReconnectDelay.SPREAD:
                return found.delay * self._chance()
            case ReconnectDelay.FULL_JITTER:
                return min(grown, cap) * self._chance()
            case ReconnectDelay.GROWING:
                return min(grown * (1 + GROWTH_JITTER * self._chance()), cap)

    def _identifies_lately(self, now: float) -> int:
        return sum(now - moment < IDENTIFY_MEMORY for moment in self._identified)


def _after_op_9(found: CloseRule) -> CloseRule:
    """Join op 9 with the close code that followed it: the code decides, unless it would only say RESUME."""
    if found.action is Action.RESUME:
        return INVALID_SESSION
    if found.action is not Action.IDENTIFY:
        return found
    return msgspec.structs.replace(
        found,
        refresh=True,
        spares_resume=False,
        delay=max(found.delay, INVALID_SESSION.delay),
        pause=ReconnectDelay.GROWING,
    )


__all__ = [
    "Disconnect",
    "GatewayProtocol",
    "Halt",
    "HelloReceived",
    "Next",
    "Phase",
    "Received",
    "Reconnect",
    "Refused",
    "Reshard",
    "Send",
    "SessionReady",
    "SessionResumed",
    "Skipped",
]
