"""`GatewayProtocol`: what a shard does, without I/O. Bytes and ticks go in, actions come out.

Responsible for the session over all connections of a shard: session id, last received seq, refused RESUMEs, failures
in a row, delays and deadlines. Collaborators: `close_codes` (what each close code means), `models.frames` (the wire
form), `shard` (carries the actions out). It has no socket and no task; clock and chance are functions of the caller.

One connection: `connected`, then `receive` for each frame, `identify` or `resume` after `HelloReceived`, `tick`
when `deadline` has passed, and `closed` at its end, which returns what is next. `failed` stands for an attempt to
connect that failed.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Literal

import msgspec
from msgspec import Struct

from ..aio.backoff import Backoff
from ..config import GatewayConfig
from ..errors import DecodeError, Hint
from ..models import frames
from ..models.frames import SYSTEM_EVENTS, Frame, Op, decode_frame
from ..models.gateway import MAX_SEQ, ReadyUser, ResumeState
from .close_codes import (
    BROKEN_SEQUENCE,
    INVALID_RESUMABLE,
    INVALID_SESSION,
    LOST,
    RECONNECT,
    UNUSABLE_READY,
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
MIN_BEAT, MAX_BEAT = 0.02, 300.0  # bounds on the heartbeat interval of HELLO, in seconds
MAX_STEP = 1000  # `s` grows by 1; a larger step than this is reported
MAX_REPEATS = 50  # in a row, without any new `s`: then the session does not count its events as we do
STANDSTILL_SECONDS = 5.0  # a heartbeat this late (and by more than its interval) means that the machine slept

Skip = Literal["malformed frame", "dispatch without s", "unexpected dispatch", "unexpected HELLO", "unknown op"]


class Phase(Enum):
    """Where the current connection is."""

    DOWN = auto()
    CONNECTED = auto()  # HELLO is awaited
    GREETED = auto()  # neither IDENTIFY nor RESUME was sent yet: a permit may be awaited
    IDENTIFYING = auto()
    RESUMING = auto()
    LIVE = auto()
    REFUSED = auto()  # op 9 came, the close code is awaited


LIVE, DISPATCH = Phase.LIVE, int(Op.DISPATCH)  # a global is looked up faster than an attribute


class HelloReceived(Struct, frozen=True):
    """HELLO came: send IDENTIFY or RESUME."""


class SessionReady(Struct, frozen=True):
    """A new session began; deliver `frame` like any other dispatch."""

    frame: Frame


class SessionResumed(Struct, frozen=True):
    """The session continues; deliver `frame` like any other dispatch."""

    frame: Frame


class SequenceJump(Struct, frozen=True):
    """The `s` of a dispatch is far ahead of `after`, the last one; deliver `frame` like any other dispatch."""

    frame: Frame
    after: int


class Send(Struct, frozen=True):
    """Send `data` as a text frame."""

    data: bytes


class Refused(Struct, frozen=True):
    """The session is over; `deadline` has moved, because the close code that gives the reason is awaited."""


class Disconnect(Struct, frozen=True):
    """Close the connection with code 4000."""

    cause: str


class Skipped(Struct, frozen=True):
    """A frame was of no use; the connection stays open."""

    kind: Skip
    detail: str


ProtocolAction = HelloReceived | SessionReady | SessionResumed | SequenceJump | Send | Refused | Disconnect | Skipped


class Reconnect(Struct, frozen=True, kw_only=True):
    """Connect again after `delay` seconds.

    `refresh`: do not use the same token again. `routine`: nothing went wrong.
    """

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
    """Ask for the number of shards after `delay` seconds, and start over with it."""

    delay: float


Next = Reconnect | Halt | Reshard


class GatewayProtocol:
    """The decision table of one shard, over all of its connections.

    `clock` returns seconds that only go forward; `chance` returns numbers from 0 to 1, evenly spread.
    Source: dev-prepare/event-emit/websocket
    """

    def __init__(
        self,
        config: GatewayConfig,
        state: ResumeState | None,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._config = config
        self._clock = clock
        self._chance = chance
        # The session: it outlives connections, and the process if `state` was saved.
        self.session_id = None if state is None else state.session_id
        self.seq: int = 0 if state is None else state.seq  # the last received; a heartbeat and a RESUME carry it
        self.me = ReadyUser(id=state.me, username=state.name) if state is not None and state.me else None
        # Counters for `ShardStats`.
        self.events = 0  # received, with duplicates, without READY and RESUMED
        self.identifies = 0
        self.resumes = 0
        self.lost_events = 0
        self.round_trip: float | None = None  # seconds from the last acknowledged heartbeat to its op 11
        # The current connection.
        self._phase = Phase.DOWN
        self._answer_due = 0.0  # when HELLO, READY, RESUMED or the close code after op 9 is overdue
        self._heartbeat_interval = MAX_BEAT
        self._next_heartbeat = 0.0
        self._last_heartbeat = 0.0  # for `round_trip`
        self._ack_pending = False  # a second heartbeat in silence means that the connection is dead
        self._received = False  # any frame since the last heartbeat proves that the connection is alive
        self._reading = True  # while the reader waits, an answer may lie unread: silence proves nothing
        self._unusable_ready = False  # then READY is as good as missing, and what follows belongs to no session
        self._own_close: CloseRule | None = None  # set if we close: then the peer's close code does not count
        # The history that delays and stops follow from.
        self._live_since = 0.0  # a session that lived long enough clears `_streaks`
        self._failures = 0  # in a row since the shard was live; delays grow with it
        self._resume_pending = False  # only a RESUME that was sent can be refused
        self._refused_resumes = 0  # in a row; the platform no longer has the session after REFUSED_RESUMES
        self._streaks: dict[str, int] = {}  # by family of close codes, for those that stop after some in a row
        self._identify_times: deque[float] = deque(maxlen=IDENTIFIES_REMEMBERED)  # they use up a daily allowance
        self._repeats = 0  # dispatches in a row without a new `s`, while `seq` was `_repeated_at`
        self._repeated_at = 0
        self._oversized_after: int | None = None  # the seq at the last 1009: the same one again means the same event

    @property
    def phase(self) -> Phase:
        """Where the current connection is."""
        return self._phase

    @property
    def held_up(self) -> bool:
        """True if RESUMED cannot be read because the events before it wait for room."""
        return self._phase is Phase.RESUMING and not self._reading

    @property
    def resumable(self) -> bool:
        """True if the next connection sends RESUME."""
        return self.session_id is not None

    # One connection, in order

    def connected(self) -> None:
        """Mark the socket as open: HELLO is awaited."""
        self._phase = Phase.CONNECTED
        self._own_close = None
        self._unusable_ready = False
        self._repeats = 0
        self._reading = True
        self._answer_due = self._clock() + self._config.hello_timeout

    def receive(self, data: bytes) -> Frame | ProtocolAction | None:
        """Process one frame; return it if it is a dispatch for the consumer, else what to do (None: nothing)."""
        self._received = True
        try:
            frame = decode_frame(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return Skipped("malformed frame", str(error))
        following = self.seq + 1
        # Nearly every frame is the next dispatch of a live session: reading the clock would cost as much as all this.
        if self._phase is LIVE and frame.op == DISPATCH and frame.s == following <= MAX_SEQ:
            self.seq = following
            self.events += 1
            return frame
        return self._receive_control(frame)

    def identify(self, token: str, intents: int, shard: tuple[int, int]) -> bytes:
        """Return the IDENTIFY to send now; READY is awaited from here on."""
        now = self._clock()
        self._phase = Phase.IDENTIFYING
        self._answer_due = now + self._config.ready_timeout
        self._identify_times.append(now)
        self.identifies += 1
        return frames.identify(token, intents, shard)

    def resume(self, token: str) -> bytes:
        """Return the RESUME to send now; RESUMED is awaited from here on."""
        assert self.session_id is not None
        self._phase = Phase.RESUMING
        self._answer_due = self._clock() + self._config.resumed_timeout
        self._resume_pending = True
        self.resumes += 1
        return frames.resume(token, self.session_id, self.seq)

    def set_reading(self, reading: bool) -> None:
        """Mark the reader as running or paused: while it is paused, silence proves nothing."""
        self._reading = reading
        if reading:
            # What came meanwhile is read only now, so every deadline starts again.
            self._received = True
            if self._phase is Phase.RESUMING:
                self._answer_due = self._clock() + self._config.resumed_timeout
            elif self._phase is Phase.IDENTIFYING:
                self._answer_due = self._clock() + self._config.ready_timeout

    def deadline(self) -> float:
        """Return when `tick` is due, in seconds of the clock; finite while a connection is open."""
        if self._phase in (Phase.CONNECTED, Phase.REFUSED):
            return self._answer_due  # no heartbeats before HELLO, and none that matter after op 9
        if self._awaiting_answer:
            return min(self._answer_due, self._next_heartbeat)
        return self._next_heartbeat

    def tick(self) -> Send | Disconnect | None:
        """Do what is due: send a heartbeat, or give up a dead connection, which needs no close handshake."""
        now = self._clock()
        if now < self.deadline():
            return None
        if self._phase is Phase.REFUSED:
            return self._disconnect(INVALID_SESSION)
        if self._phase is Phase.CONNECTED:
            return self._disconnect(LOST, "no HELLO came")
        if self._awaiting_answer and now >= self._answer_due:
            self._resume_refused()  # a RESUME that is ignored twice is as good as refused
            if self._unusable_ready:
                return self._disconnect(UNUSABLE_READY)
            return self._disconnect(
                LOST, f"no answer to {'IDENTIFY' if self._phase is Phase.IDENTIFYING else 'RESUME'}"
            )
        return self._beat(now)

    def closed(self, code: int | None) -> Next:
        """Process the end of the connection by close code `code` (None: without one); return what is next.

        After a `Disconnect` of our own the code does not count.
        """
        now = self._clock()
        self._clear_streaks_if_settled(now)
        phase, self._phase = self._phase, Phase.DOWN
        if self._own_close is not None:
            code, rule = None, self._own_close
        else:
            rule = _after_op_9(close_rule(code)) if phase is Phase.REFUSED else close_rule(code)
        if code == 1009:
            self._skip_oversized_event()  # our own limit, so it does not mean that the RESUME was refused
        elif code is not None:
            self._resume_refused()
        self._resume_pending = False  # a connection that broke without a code does not refuse a RESUME
        return self._next(code, rule, resuming=phase is Phase.RESUMING, now=now)

    def start_close(self, rule: CloseRule) -> bool:
        """Mark the live connection as closed by us because of `rule`; return False if none is live."""
        if self._phase is not Phase.LIVE or self._own_close is not None:
            return False
        self._own_close = rule
        return True

    def failed(self, cause: str) -> Reconnect:
        """Process an attempt to connect that failed; it counts neither as a refusal nor towards a stop."""
        self._phase = Phase.DOWN
        return self._reconnect(msgspec.structs.replace(LOST, reason=cause), self._clock())

    # Inbound frames, except dispatches of a live session

    def _receive_control(self, frame: Frame) -> Frame | ProtocolAction | None:
        match frame.op:
            case Op.DISPATCH:
                return self._on_dispatch(frame)
            case Op.HEARTBEAT:
                return Send(self._heartbeat())
            case Op.HEARTBEAT_ACK:
                if self._ack_pending:  # a stray op 11 would measure from an older heartbeat
                    self.round_trip = self._clock() - self._last_heartbeat
                self._ack_pending = False
                return None
            case Op.HELLO:
                return self._on_hello(frame)
            case Op.RECONNECT | Op.INVALID_SESSION:
                return self._on_disconnect(frame)
            case _:
                return Skipped("unknown op", f"op {frame.op}")

    def _on_hello(self, frame: Frame) -> HelloReceived | Skipped:
        if self._phase is not Phase.CONNECTED:
            return Skipped("unexpected HELLO", "a second HELLO in one connection")
        try:
            interval = frames.decode_hello(frame.d).heartbeat_interval
        except DecodeError as error:
            return Skipped("malformed frame", str(error))
        if not interval > 0:  # the text "nan" is a number, too
            return Skipped("malformed frame", f"HELLO with heartbeat_interval {interval}")
        self._phase = Phase.GREETED
        self._heartbeat_interval = max(min(interval / 1000, MAX_BEAT), MIN_BEAT)
        self._ack_pending = False
        # Spread, so that shards that connected together do not send heartbeats together.
        self._next_heartbeat = self._clock() + self._heartbeat_interval * (1 - self._chance() / 2)
        return HelloReceived()

    def _on_dispatch(self, frame: Frame) -> Frame | SessionReady | SessionResumed | SequenceJump | Disconnect | Skipped:
        if frame.s is None and frame.t not in SYSTEM_EVENTS:
            return Skipped("dispatch without s", str(frame.t))
        if frame.s is not None and not 0 <= frame.s <= MAX_SEQ:
            return Skipped("malformed frame", f"s is {frame.s}")
        # The platform may answer a RESUME with a new session.
        if frame.t == "READY" and self._phase in (Phase.IDENTIFYING, Phase.RESUMING):
            return self._on_ready(frame)
        if self._phase is Phase.RESUMING and not self._unusable_ready:
            return self._on_replay(frame)
        if self._phase is LIVE and frame.s is not None:
            return self._on_odd_seq(frame, frame.s)
        return Skipped("unexpected dispatch", f"{frame.t} outside of a session")

    def _on_ready(self, frame: Frame) -> SessionReady | Skipped:
        try:
            body = frames.decode_ready(frame.d)
        except DecodeError as error:
            self._unusable_ready = True  # the deadline stands: another READY or a close code may follow
            return Skipped("malformed frame", str(error))
        self.session_id = body.session_id
        self.seq = frame.s or 0
        self.me = frames.ready_user(body) or self.me
        self._oversized_after = None
        self._unusable_ready = False
        self._go_live()
        return SessionReady(frame)

    def _on_odd_seq(self, frame: Frame, seq: int) -> Frame | SequenceJump | Disconnect:
        """Process a dispatch of a live session that repeats an old `s`, or leaves some out."""
        self.events += 1
        if seq > self.seq:
            before, self.seq = self.seq, seq
            return SequenceJump(frame, before) if seq - before > MAX_STEP else frame
        if self._repeated_at != self.seq:
            self._repeated_at, self._repeats = self.seq, 0
        self._repeats += 1
        return self._disconnect(BROKEN_SEQUENCE) if self._repeats >= MAX_REPEATS else frame

    def _on_replay(self, frame: Frame) -> Frame | SessionResumed | SequenceJump:
        self._resume_accepted()
        # A long replay is no silence: RESUMED is due some seconds after its last event.
        self._answer_due = self._clock() + self._config.resumed_timeout
        before = self.seq
        if frame.s is not None:
            self.seq = max(self.seq, frame.s)
        if frame.t == "RESUMED":
            self._go_live()
            return SessionResumed(frame)
        self.events += 1
        return SequenceJump(frame, before) if self.seq - before > MAX_STEP else frame

    def _on_disconnect(self, frame: Frame) -> Disconnect | Refused | None:
        if self._phase is Phase.REFUSED:
            return None  # the session is gone already, and the close code is on its way
        if frame.op == Op.RECONNECT:
            return self._disconnect(RECONNECT)
        if bytes(frame.d) == b"true" and self.session_id is not None:
            self._resume_refused()
            return self._disconnect(INVALID_RESUMABLE)
        now = self._clock()
        self._clear_streaks_if_settled(now)  # here, because the phase is no longer LIVE when `closed` is called
        self._phase = Phase.REFUSED
        self._answer_due = now + self._config.close_code_timeout
        self._drop_session()
        return Refused()

    # The session

    def _go_live(self) -> None:
        self._phase = Phase.LIVE
        self._live_since = self._clock()
        self._failures = 0
        self._resume_accepted()

    def _clear_streaks_if_settled(self, now: float) -> None:
        if self._phase is Phase.LIVE and now - self._live_since >= SETTLED_SECONDS:
            self._streaks.clear()

    def _resume_accepted(self) -> None:
        self._resume_pending = False
        self._refused_resumes = 0

    def _resume_refused(self) -> None:
        """Count a RESUME that the platform did not grant, once for each that was sent."""
        if self._resume_pending:
            self._refused_resumes += 1
        self._resume_pending = False

    def _drop_session(self) -> None:
        self.session_id = None
        self.seq = 0
        self._refused_resumes = 0
        self._oversized_after = None

    def _skip_oversized_event(self) -> None:
        """Give up the event after the last one received if it was too large twice: a RESUME would repeat it forever."""
        if self.session_id is not None and self._oversized_after == self.seq:
            self.seq += 1
            self.lost_events += 1
            self._oversized_after = None
        else:
            self._oversized_after = self.seq

    # Heartbeats and ends

    @property
    def _awaiting_answer(self) -> bool:
        """True if READY or RESUMED is due; not while the reader is paused, because it may lie unread."""
        return self._phase in (Phase.IDENTIFYING, Phase.RESUMING) and self._reading

    def _heartbeat(self) -> bytes:
        return frames.heartbeat(self.seq or None)

    def _beat(self, now: float) -> Send | Disconnect:
        if self._ack_pending and self._reading and not self._received:
            return self._disconnect(LOST, "heartbeats were not acknowledged")
        # After a suspend the platform has ended the connection, and a new one is faster than the missing op 11.
        if now - self._next_heartbeat > max(self._heartbeat_interval, STANDSTILL_SECONDS):
            return self._disconnect(LOST, "this process or its machine stood still for longer than a heartbeat")
        self._ack_pending = True
        self._received = False
        self._last_heartbeat = now
        self._next_heartbeat = now + self._heartbeat_interval
        return Send(self._heartbeat())

    def _disconnect(self, rule: CloseRule, reason: str = "") -> Disconnect:
        self._own_close = msgspec.structs.replace(rule, reason=reason) if reason else rule
        return Disconnect(self._own_close.reason)

    # What is next

    def _next(self, code: int | None, rule: CloseRule, *, resuming: bool, now: float) -> Next:
        if rule.action is Action.STOP:
            self._drop_session()
            return Halt(code, rule.reason, rule.hint)
        if rule.limit and (times := self._lengthen_streak(rule.family)) >= rule.limit:
            self._drop_session()
            return Halt(code, f"{rule.reason}, {times} times in a row", rule.hint)
        keeps_session = rule.action is Action.RESUME or (rule.spares_resume and resuming)
        if not keeps_session or self._refused_resumes >= REFUSED_RESUMES:
            self._drop_session()
        if rule.action is Action.RESHARD:
            return Reshard(rule.delay * self._config.pace)
        return self._reconnect(rule, now)

    def _lengthen_streak(self, family: str) -> int:
        self._streaks[family] = self._streaks.get(family, 0) + 1
        return self._streaks[family]

    def _reconnect(self, rule: CloseRule, now: float) -> Reconnect:
        delay = self._delay(rule, now) * self._config.pace
        self._failures += 1
        return Reconnect(delay=delay, cause=rule.reason, refresh=rule.refresh, routine=rule.routine)

    def _delay(self, rule: CloseRule, now: float) -> float:
        failures, growth, cap = self._failures, rule.growth, DELAY_CAP
        # READY resets `_failures`, but sessions that end soon after READY would use up the day's allowance.
        identifies = self._recent_identifies(now)
        if rule.action is Action.IDENTIFY and not self.resumable and identifies >= 2:
            failures, growth, cap = max(failures, identifies - 1), ReconnectDelay.GROWING, DELAY_CAP_LATE
        match growth:
            case ReconnectDelay.FIXED:
                return rule.delay
            case ReconnectDelay.SPREAD:
                return rule.delay * self._chance()
            case ReconnectDelay.FULL_JITTER:
                return Backoff(rule.delay, cap, low=0.0).delay(failures, self._chance())
            case ReconnectDelay.GROWING:
                backoff = Backoff(rule.delay, cap, low=1.0, high=1 + GROWTH_JITTER)
                return min(backoff.delay(failures, self._chance()), cap)

    def _recent_identifies(self, now: float) -> int:
        return sum(now - moment < IDENTIFY_MEMORY for moment in self._identify_times)


def _after_op_9(rule: CloseRule) -> CloseRule:
    """Join op 9 with the close code that followed it: the code decides, but it cannot bring the session back."""
    if rule.action is Action.RESUME:
        return INVALID_SESSION
    if rule.action is not Action.IDENTIFY:
        return rule
    return msgspec.structs.replace(
        rule,
        refresh=True,
        spares_resume=False,
        delay=max(rule.delay, INVALID_SESSION.delay),
        growth=ReconnectDelay.GROWING,
    )


__all__ = [
    "Disconnect",
    "GatewayProtocol",
    "Halt",
    "HelloReceived",
    "Next",
    "Phase",
    "ProtocolAction",
    "Reconnect",
    "Refused",
    "Reshard",
    "Send",
    "SequenceJump",
    "SessionReady",
    "SessionResumed",
    "Skipped",
]
