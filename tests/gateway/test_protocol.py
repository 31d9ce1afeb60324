"""`GatewayProtocol`: each row of the decision table, deadlines, heartbeats, and what always holds."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import Raw

from qqbot.config import GatewayConfig
from qqbot.gateway.close_codes import ASKED, LOST, RENEWAL, CloseRule
from qqbot.gateway.protocol import (
    DELAY_CAP,
    DELAY_CAP_LATE,
    MAX_REPEATS,
    SETTLED_SECONDS,
    Disconnect,
    GatewayProtocol,
    Halt,
    HelloReceived,
    Next,
    Phase,
    Reconnect,
    Refused,
    Reshard,
    Send,
    SequenceJump,
    SessionReady,
    SessionResumed,
    Skipped,
)
from qqbot.models.frames import Frame, decode_frame
from qqbot.models.gateway import ResumeState
from tests.gateway import wire

CONFIG = GatewayConfig()
STATE = ResumeState(session_id="session", seq=7, me="42", name="robot")
EVENT = "GROUP_AT_MESSAGE_CREATE"
T = 1000.0


class Shard:
    """A protocol and the time, driven as `Shard` drives it."""

    def __init__(self, state: ResumeState | None = None, *, pace: float = 1.0, chance: float = 0.5) -> None:
        self.now = T
        self.protocol = GatewayProtocol(GatewayConfig(pace=pace), state, clock=lambda: self.now, chance=lambda: chance)

    def hello(self, interval: float = 45.0) -> None:
        self.protocol.connected()
        assert self.take(wire.hello(interval)) == HelloReceived()

    def take(self, data: bytes) -> object:
        return self.protocol.receive(data)

    def open(self) -> dict[str, object]:
        """HELLO, then IDENTIFY or RESUME; return what was sent."""
        self.hello()
        return self.opening()

    def opening(self) -> dict[str, object]:
        if self.protocol.resumable:
            return sent(self.protocol.resume("token"))
        return sent(self.protocol.identify("token", 1 << 25, (0, 1)))

    def live(self) -> None:
        if self.open()["op"] == 2:
            assert isinstance(self.take(wire.ready()), SessionReady)
        else:
            assert isinstance(self.take(wire.resumed()), SessionResumed)

    def lose(self, code: int | None) -> Next:
        return self.protocol.closed(code)

    def retry(self, code: int | None) -> Reconnect:
        after = self.lose(code)
        assert isinstance(after, Reconnect)
        return after

    def tick_at_deadline(self) -> object:
        self.now = self.protocol.deadline()
        return self.protocol.tick()


def sent(data: bytes) -> dict[str, object]:
    return dict(json.loads(data))


# Opening


def test_identify_carries_token_intents_and_our_own_shard() -> None:
    body = Shard().open()
    assert body["op"] == 2
    assert body["d"] == {
        "token": "QQBot token",
        "intents": 1 << 25,
        "shard": [0, 1],
        "properties": {"$browser": "qqbot"},
    }


def test_resume_carries_session_and_the_last_seq_received() -> None:
    shard = Shard()
    shard.live()
    shard.take(wire.dispatch(2))
    shard.take(wire.dispatch(3))
    shard.retry(4009)
    assert shard.open() == {"op": 6, "d": {"token": "QQBot token", "session_id": "session", "seq": 3}}


def test_a_saved_state_is_resumed_and_names_the_bot() -> None:
    shard = Shard(STATE)
    assert shard.protocol.me is not None and shard.protocol.me.id == "42"
    assert shard.open()["d"] == {"token": "QQBot token", "session_id": "session", "seq": 7}


def test_ready_begins_a_session() -> None:
    shard = Shard()
    shard.open()
    action = shard.take(wire.ready("other", s=1))
    assert isinstance(action, SessionReady) and action.frame.t == "READY"
    assert (shard.protocol.session_id, shard.protocol.seq, shard.protocol.phase) == ("other", 1, Phase.LIVE)
    assert shard.protocol.me is not None and shard.protocol.me.username == "robot"


@pytest.mark.parametrize("user", [None, {}, "x", 3, {"id": None}])
def test_ready_with_an_unusable_user_still_begins_a_session(user: object) -> None:
    shard = Shard()
    shard.open()
    assert isinstance(shard.take(wire.frame(0, {"session_id": "s", "user": user}, s=1, t="READY")), SessionReady)
    assert shard.protocol.me is None


def test_ready_without_a_session_id_is_skipped_and_the_deadline_stands() -> None:
    shard = Shard()
    shard.open()
    assert isinstance(shard.take(wire.frame(0, {"user": {"id": "1"}}, s=1, t="READY")), Skipped)
    assert shard.protocol.phase is Phase.IDENTIFYING


@pytest.mark.parametrize(
    ("session_id", "read"), [(17, "17"), (2**63, str(2**63)), ("x" * 1024, "x" * 1024)], ids=["small", "large", "long"]
)
@pytest.mark.parametrize("listed", [False, True])
def test_ready_is_read_leniently(session_id: object, read: str, listed: bool) -> None:
    shard = Shard()
    shard.open()
    body: object = {"session_id": session_id}
    assert isinstance(shard.take(wire.frame(0, [body] if listed else body, s=1, t="READY")), SessionReady)
    assert shard.protocol.session_id == read


UNUSABLE = ["", " ", None, True, ["x"], {}, "x" * 1025]


@pytest.mark.parametrize("session_id", UNUSABLE, ids=[str(value)[:8] for value in UNUSABLE])
@pytest.mark.parametrize("state", [None, STATE], ids=["identifying", "resuming"])
def test_ready_without_a_usable_session_id_is_a_failed_identify(session_id: object, state: ResumeState | None) -> None:
    """Its delay grows to minutes, because each IDENTIFY uses up the day's allowance."""
    shard = Shard(state)
    delays: list[float] = []
    for _ in range(9):
        shard.open()
        assert isinstance(shard.take(wire.frame(0, {"session_id": session_id}, s=1, t="READY")), Skipped)
        assert isinstance(shard.take(wire.dispatch(9)), Skipped), "no event belongs to such a session"
        assert isinstance(shard.tick_at_deadline(), Disconnect)
        after = shard.retry(None)
        assert "session_id" in after.cause and not after.routine and not shard.protocol.resumable
        delays.append(after.delay)
    assert delays[:3] == pytest.approx([5.5, 11, 22]) and delays[-1] == DELAY_CAP_LATE


def test_a_usable_ready_after_an_unusable_one_begins_a_session() -> None:
    shard = Shard()
    shard.open()
    shard.take(wire.ready(""))
    assert isinstance(shard.take(wire.ready()), SessionReady)
    assert isinstance(shard.take(wire.dispatch(2)), Frame)
    shard.retry(None)
    shard.open()
    assert isinstance(shard.tick_at_deadline(), Disconnect)
    assert "READY" not in shard.retry(None).cause, "the next connection begins without that mark"


@pytest.mark.parametrize("interval", [45000, 45000.5, "45000", "45000.5", 10**18])
def test_hello_is_read_leniently(interval: object) -> None:
    for body in ({"heartbeat_interval": interval}, [{"heartbeat_interval": interval}]):
        shard = Shard()
        shard.protocol.connected()
        assert shard.take(wire.frame(10, body)) == HelloReceived()
        assert 0 < shard.protocol.deadline() - shard.now <= 300


@pytest.mark.parametrize("interval", [0, -1, "nan", "-inf", "", None, [45000], {}])
def test_a_hello_that_cannot_be_used_leaves_the_deadline(interval: object) -> None:
    shard = Shard()
    shard.protocol.connected()
    assert isinstance(shard.take(wire.frame(10, {"heartbeat_interval": interval})), Skipped)
    assert isinstance(shard.tick_at_deadline(), Disconnect)


def test_replayed_events_come_before_resumed() -> None:
    shard = Shard(STATE)
    shard.open()
    assert isinstance(shard.take(wire.dispatch(8)), Frame)
    assert isinstance(shard.take(wire.resumed(9)), SessionResumed)
    assert shard.protocol.seq == 9


def test_ready_as_the_answer_to_resume_begins_a_new_session() -> None:
    shard = Shard(STATE)
    shard.open()
    assert isinstance(shard.take(wire.ready("new", s=1)), SessionReady)
    assert (shard.protocol.session_id, shard.protocol.seq) == ("new", 1)


# Dispatches


def test_a_live_dispatch_is_returned_itself_and_moves_the_seq() -> None:
    shard = live()
    assert shard.take(wire.dispatch(2)) == Frame(
        op=0, d=Raw(b'{"id": "m2", "content": "\\u4f60\\u597d"}'), s=2, t=EVENT
    )
    assert (shard.protocol.seq, shard.protocol.events) == (2, 1)


def test_events_are_counted_with_duplicates_but_without_ready_and_resumed() -> None:
    shard = Shard(STATE)
    shard.open()
    shard.take(wire.dispatch(8))
    shard.take(wire.resumed(9))
    assert shard.protocol.events == 1
    for s in (10, 10, 3):
        shard.take(wire.dispatch(s))
    assert (shard.protocol.seq, shard.protocol.events) == (10, 4)


def test_a_live_dispatch_does_not_read_the_clock() -> None:
    reads = 0

    def clock() -> float:
        nonlocal reads
        reads += 1
        return T

    protocol = GatewayProtocol(CONFIG, None, clock=clock, chance=lambda: 0.5)
    protocol.connected()
    protocol.receive(wire.hello())
    protocol.identify("token", 1, (0, 1))
    protocol.receive(wire.ready())
    before = reads
    assert isinstance(protocol.receive(wire.dispatch(2)), Frame)
    assert (before > 0, reads) == (True, before)


@pytest.mark.parametrize("resuming", [False, True])
def test_every_frame_is_decoded_once(resuming: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def decode(data: bytes) -> Frame:
        decoded.append(data)
        return decode_frame(data)

    shard = Shard(STATE)
    (shard.open if resuming else shard.live)()
    monkeypatch.setattr("qqbot.gateway.protocol.decode_frame", decode)
    received = [wire.dispatch(8), wire.dispatch(9), wire.ACK, wire.resumed(10), wire.dispatch(11), wire.frame(1)]
    for data in received:
        shard.take(data)
    assert decoded == received


@pytest.mark.parametrize("state", [None, STATE], ids=["live", "resuming"])
@pytest.mark.parametrize("step", [1000, 1001, 2**40])
def test_a_jump_far_ahead_is_reported_and_delivered(state: ResumeState | None, step: int) -> None:
    shard = Shard(state)
    (shard.live if state is None else shard.open)()
    before, events = shard.protocol.seq, shard.protocol.events
    received = shard.take(wire.dispatch(before + step))
    frame = received.frame if isinstance(received, SequenceJump) else received
    assert isinstance(frame, Frame) and frame.s == before + step
    assert isinstance(received, SequenceJump) == (step > 1000)
    assert (shard.protocol.seq, shard.protocol.events) == (before + step, events + 1)


@pytest.mark.parametrize("s", [0, 1, 5])
def test_a_long_run_of_repeats_is_a_broken_session(s: int) -> None:
    shard = live()
    shard.take(wire.dispatch(5))
    received = [shard.take(wire.dispatch(s)) for _ in range(MAX_REPEATS)]
    assert {type(each) for each in received[:-1]} == {Frame}
    assert isinstance(received[-1], Disconnect)
    after = shard.retry(None)
    assert "broken" in after.cause and not after.routine and not shard.protocol.resumable


def test_what_follows_a_wild_jump_does_not_end_in_silence() -> None:
    shard = live()
    assert isinstance(shard.take(wire.dispatch(2**50)), SequenceJump)
    assert any(isinstance(shard.take(wire.dispatch(s)), Disconnect) for s in range(2, 2 + MAX_REPEATS))


def test_repeats_among_new_events_do_not_add_up() -> None:
    shard = live()
    for s in range(2, 200):
        assert isinstance(shard.take(wire.dispatch(s)), Frame)
        assert isinstance(shard.take(wire.dispatch(s)), Frame)


def test_a_long_replay_is_no_run_of_repeats() -> None:
    shard = Shard(ResumeState(session_id="session", seq=500))
    shard.open()
    assert all(isinstance(shard.take(wire.dispatch(s)), Frame) for s in range(1, 500))
    assert isinstance(shard.take(wire.resumed()), SessionResumed)


# The decision table

RESUMING = [(code, 1.0) for code in (1009,)] + [(4008, 60.0), (4009, 0.5), (None, 0.5), (1000, 0.5), (1006, 0.5)]


@pytest.mark.parametrize(("code", "delay"), RESUMING)
def test_codes_that_keep_the_session(code: int | None, delay: float) -> None:
    shard = Shard()
    shard.live()
    after = shard.retry(code)
    assert (after.delay, after.refresh, shard.protocol.resumable) == (delay, False, True)


IDENTIFYING = [
    *((code, 1.0, False) for code in (4003, 4005, 4006, 4007)),
    *((code, 5.5, False) for code in (4000, 4099, 4924)),
    *((code, 3.3, False) for code in (4900, 4902, 4913)),
    *((code, 5.0, False) for code in (4001, 4002)),
    (4903, 5.5, True),
    (4004, 1.0, True),
]


@pytest.mark.parametrize(("code", "delay", "refresh"), IDENTIFYING)
def test_codes_that_drop_the_session(code: int, delay: float, refresh: bool) -> None:
    shard = Shard()
    shard.live()
    after = shard.retry(code)
    assert (after.delay, after.refresh, shard.protocol.resumable) == (pytest.approx(delay), refresh, False)
    assert shard.open()["op"] == 2


@pytest.mark.parametrize("code", [4010, 4012, 4013, 4014, 4914, 4915])
def test_codes_that_stop(code: int) -> None:
    shard = Shard()
    shard.live()
    after = shard.lose(code)
    assert isinstance(after, Halt) and after.code == code and after.hint is not None


def test_4011_asks_for_more_shards() -> None:
    shard = Shard()
    shard.live()
    assert shard.lose(4011) == Reshard(5.0)
    assert not shard.protocol.resumable


def test_only_expected_ends_are_routine() -> None:
    assert [code for code in (None, 1000, 4006, 4008, 4009) if live().retry(code).routine] == [4009]


def live() -> Shard:
    shard = Shard()
    shard.live()
    return shard


def test_op_7_hangs_up_and_the_4009_that_follows_does_not_count() -> None:
    shard = live()
    assert isinstance(shard.take(wire.RECONNECT), Disconnect)
    after = shard.retry(4009)
    assert (after.delay, after.routine, shard.protocol.resumable) == (0.5, True, True)


@pytest.mark.parametrize(("rule", "resumes"), [(ASKED, True), (RENEWAL, False)])
def test_a_live_connection_that_we_close_follows_our_own_rule(rule: CloseRule, resumes: bool) -> None:
    shard = live()
    assert shard.protocol.start_close(rule)
    assert not shard.protocol.start_close(LOST), "the first reason counts"
    after = shard.retry(4914)
    assert (after.cause, after.routine, shard.protocol.resumable) == (rule.reason, True, resumes)


def test_only_a_live_connection_is_closed_on_request() -> None:
    shard = Shard(STATE)
    assert not shard.protocol.start_close(ASKED)
    shard.open()
    assert not shard.protocol.start_close(ASKED)


def test_our_own_close_does_not_hide_the_code_of_the_next_connection() -> None:
    shard = live()
    shard.take(wire.RECONNECT)
    shard.retry(None)
    shard.open()
    assert isinstance(shard.lose(4914), Halt)


def test_op_7_ignores_even_a_code_that_would_stop() -> None:
    shard = live()
    shard.take(wire.RECONNECT)
    assert shard.retry(4914).routine


def test_op_9_true_resumes_after_3_s() -> None:
    shard = live()
    assert isinstance(shard.take(wire.frame(9, True)), Disconnect)
    after = shard.retry(None)
    assert (after.delay, after.refresh, shard.protocol.resumable) == (3.0, False, True)


@pytest.mark.parametrize("d", [False, None, {"code": 1}, 0, 1, "true", [True]])
def test_op_9_with_anything_else_waits_for_the_code_then_identifies(d: object) -> None:
    shard = live()
    assert shard.take(wire.frame(9, d)) == Refused()
    assert shard.protocol.deadline() == shard.now + CONFIG.close_code_timeout
    assert isinstance(shard.tick_at_deadline(), Disconnect)
    after = shard.retry(1006)
    assert (after.delay, after.refresh, shard.protocol.resumable) == (pytest.approx(3.3), True, False)


def test_op_9_true_without_a_session_is_an_invalid_session() -> None:
    shard = Shard()
    shard.open()
    assert shard.take(wire.frame(9, True)) == Refused()
    assert shard.retry(None).refresh


@pytest.mark.parametrize("code", [4013, 4914])
def test_op_9_then_a_code_that_stops(code: int) -> None:
    shard = live()
    shard.take(wire.frame(9, False))
    after = shard.lose(code)
    assert isinstance(after, Halt) and after.code == code


@pytest.mark.parametrize("code", [None, 1000, 4006, 4008, 4009, 4902])
def test_op_9_then_a_code_that_does_not_stop_identifies_with_a_new_token(code: int | None) -> None:
    shard = live()
    shard.take(wire.frame(9, False))
    after = shard.retry(code)
    assert after.refresh and not shard.protocol.resumable and after.delay == pytest.approx(3.3)


def test_after_op_9_nothing_moves_the_deadline_or_revives_the_session() -> None:
    shard = live()
    shard.take(wire.frame(9, False))
    deadline = shard.protocol.deadline()
    shard.now += 2
    for data in (wire.frame(9, False), wire.RECONNECT, wire.frame(9, True), wire.dispatch(9), wire.ready("x")):
        assert not isinstance(shard.take(data), Frame | Disconnect | SessionReady)
    assert shard.protocol.deadline() == deadline
    assert not shard.protocol.resumable


def test_op_9_three_times_while_identifying_backs_off_and_goes_on() -> None:
    shard = Shard()
    delays: list[float] = []
    for _ in range(3):
        shard.open()
        shard.take(wire.frame(9, False))
        delays.append(shard.retry(None).delay)
    assert delays == pytest.approx([3.3, 6.6, 13.2])
    shard.live()


def test_two_refused_resumes_then_identify_whatever_the_code() -> None:
    for codes in ([1006, 1006], [4009, 4000], [4008, 1000], [4004, 4009]):
        shard = Shard(STATE)
        for code in codes:
            assert shard.open()["op"] == 6
            shard.retry(code)
        assert shard.open()["op"] == 2


def test_a_resume_that_is_swallowed_twice_counts_as_refused() -> None:
    shard = Shard(STATE)
    for _ in range(2):
        assert shard.open()["op"] == 6
        assert isinstance(shard.tick_at_deadline(), Disconnect)
        shard.retry(None)
    assert not shard.protocol.resumable


def test_a_resume_that_a_lost_connection_left_unanswered_is_not_refused() -> None:
    shard = Shard(STATE)
    for _ in range(5):
        assert shard.open()["op"] == 6
        shard.retry(None)
    assert shard.open()["op"] == 6


def test_op_9_true_twice_as_the_answer_to_resume_counts_as_refused() -> None:
    shard = Shard(STATE)
    for _ in range(2):
        assert shard.open()["op"] == 6
        assert isinstance(shard.take(wire.frame(9, True)), Disconnect)
        shard.retry(None)
    assert shard.open()["op"] == 2


def test_attempts_without_hello_do_not_count_as_refused() -> None:
    shard = Shard(STATE)
    for _ in range(10):
        shard.protocol.connected()
        shard.retry(1006)
        shard.protocol.failed("no route")
    assert shard.open()["op"] == 6


def test_a_dispatch_makes_a_resume_good() -> None:
    shard = Shard(STATE)
    for s in range(8, 20):
        assert shard.open()["op"] == 6
        assert isinstance(shard.take(wire.dispatch(s)), Frame)
        shard.retry(1006)
        assert shard.open()["op"] == 6
        shard.retry(1006)


def test_4902_on_a_resume_is_never_resumed() -> None:
    shard = Shard(STATE)
    for _ in range(3):
        shard.open()
        assert not isinstance(shard.lose(4902), Halt)
        assert shard.open()["op"] == 2
        shard.take(wire.ready())
        shard.retry(4009)


def test_4004_while_resuming_resumes_once_more_with_a_new_token() -> None:
    shard = Shard(STATE)
    shard.open()
    assert shard.retry(4004).refresh
    assert shard.open()["op"] == 6
    assert shard.retry(4004).refresh
    assert shard.open()["op"] == 2


@pytest.mark.parametrize(("code", "limit"), [(4004, 5), (4903, 5), (4924, 5), (4001, 2), (4002, 2)])
def test_so_many_in_a_row_stop(code: int, limit: int) -> None:
    shard = Shard()
    for _ in range(limit - 1):
        shard.live()  # READY resets the delays, but not this
        shard.retry(code)
    shard.open()
    after = shard.lose(code)
    assert isinstance(after, Halt) and after.code == code and after.hint is not None
    assert f"{limit} times" in after.reason


def test_a_session_that_lived_60_s_clears_the_counters() -> None:
    shard = Shard()
    for _ in range(10):
        shard.live()
        shard.now += SETTLED_SECONDS
        shard.retry(4001)


def test_a_session_that_lived_clears_the_counters_although_op_9_ends_it() -> None:
    shard = Shard()
    for _ in range(10):
        shard.live()
        shard.now += SETTLED_SECONDS
        assert shard.take(wire.frame(9, False)) == Refused()
        shard.retry(4903)


def test_4001_and_4002_are_counted_together() -> None:
    shard = live()
    shard.retry(4001)
    shard.open()
    assert isinstance(shard.lose(4002), Halt)


def test_1009_twice_at_one_seq_gives_up_one_event() -> None:
    shard = Shard(STATE)
    seqs: list[object] = []
    for _ in range(5):
        d = shard.open()["d"]
        assert isinstance(d, dict)
        seqs.append(d["seq"])
        shard.retry(1009)
    assert seqs == [7, 7, 8, 8, 9]
    assert shard.protocol.lost_events == 2


def test_1009_at_different_seqs_gives_up_nothing() -> None:
    shard = live()
    for s in (5, 6, 7):
        shard.take(wire.dispatch(s))
        shard.retry(1009)
        shard.live()
    assert (shard.protocol.lost_events, shard.protocol.seq) == (0, 7)


def test_1009_of_an_earlier_session_gives_up_nothing_in_the_next() -> None:
    shard = Shard()
    shard.open()
    shard.take(wire.ready(s=1))
    shard.retry(1009)
    shard.open()
    shard.take(wire.ready("next", s=1))
    shard.retry(1009)
    assert (shard.protocol.lost_events, shard.protocol.seq) == (0, 1)


# Delays


def test_growing_delays_double_up_to_their_cap() -> None:
    shard = Shard(chance=0)
    delays: list[float] = []
    for _ in range(9):
        shard.hello()
        delays.append(shard.retry(4900).delay)
    assert delays == [3, 6, 12, 24, 48, *[DELAY_CAP] * 4]


def test_from_the_third_identify_in_ten_minutes_the_cap_is_five_minutes() -> None:
    shard = Shard(chance=0)
    delays: list[float] = []
    for _ in range(9):
        shard.open()
        delays.append(shard.retry(4900).delay)
    assert delays == [3, 6, 12, 24, 48, 96, 192, DELAY_CAP_LATE, DELAY_CAP_LATE]
    shard.now += 600
    shard.hello()
    assert shard.retry(4900).delay == DELAY_CAP


@pytest.mark.parametrize(("code", "base"), [(4006, 1), (4902, 3), (4000, 5)])
def test_sessions_that_end_soon_after_ready_back_off_from_the_third_identify(code: int, base: int) -> None:
    shard = Shard(chance=0)
    delays: list[float] = []
    for _ in range(12):
        shard.live()
        shard.now += 1
        delays.append(shard.retry(code).delay)
    assert delays[:5] == [base, 2 * base, 4 * base, 8 * base, 16 * base]
    assert delays[-1] == DELAY_CAP_LATE
    shard.now += 600
    shard.live()
    assert shard.retry(code).delay == base, "what was ten minutes ago does not count"


def test_a_resume_never_waits_for_earlier_identifies() -> None:
    shard = Shard(chance=1)
    for _ in range(5):
        shard.live()
        shard.retry(4006)
    shard.live()
    assert shard.retry(4009).delay <= 1
    shard.live()
    assert shard.retry(None).delay <= 1


def test_growing_jitter_is_at_most_20_percent_and_on_top() -> None:
    shard = Shard(chance=1)
    shard.hello()
    assert shard.retry(4900).delay == pytest.approx(3.6)


def test_full_jitter_grows_up_to_60_s() -> None:
    shard = Shard(STATE, chance=1)
    assert [shard.protocol.failed("x").delay for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert Shard(STATE, chance=0).protocol.failed("x").delay == 0


def test_ready_resets_the_delays_but_hello_does_not() -> None:
    shard = Shard(chance=0)
    for expected in (3, 6, 12):
        shard.hello()
        assert shard.retry(4900).delay == expected
    shard.live()
    assert shard.retry(4900).delay == 3


def test_pace_scales_every_delay() -> None:
    for code, delay in ((4009, 0.5), (4008, 60), (1006, 0.5), (4900, 3.3), (4004, 1)):
        shard = Shard(pace=0.01)
        shard.live()
        assert shard.retry(code).delay == pytest.approx(delay / 100)
    shard = Shard(pace=0.01)
    shard.live()
    assert shard.lose(4011) == Reshard(0.05)


# Deadlines and heartbeats


def test_hello_is_due_after_10_s() -> None:
    shard = Shard()
    shard.protocol.connected()
    assert shard.protocol.deadline() == T + 10
    shard.now = T + 9.9
    assert shard.protocol.tick() is None
    shard.now = T + 10
    assert shard.protocol.tick() == Disconnect("no HELLO came")


def test_ready_is_due_after_20_s() -> None:
    shard = Shard()
    shard.open()
    assert shard.protocol.deadline() == T + 20
    shard.now = T + 20
    assert shard.protocol.tick() == Disconnect("no answer to IDENTIFY")


def test_resumed_is_due_20_s_after_the_last_replayed_event() -> None:
    shard = Shard(STATE)
    shard.open()
    shard.now += 15
    shard.take(wire.dispatch(8))
    assert shard.protocol.deadline() == min(T + 35, T + 45 * 0.75)
    shard.now += 20
    assert shard.protocol.tick() == Disconnect("no answer to RESUME")


def test_the_first_heartbeat_is_null_later_ones_carry_the_seq() -> None:
    shard = Shard()
    shard.hello(10)
    assert shard.tick_at_deadline() == Send(b'{"op":1,"d":null}')
    shard.opening()
    shard.take(wire.ACK)
    shard.take(wire.ready(s=1))
    shard.take(wire.dispatch(4))
    assert shard.tick_at_deadline() == Send(b'{"op":1,"d":4}')


def test_heartbeats_are_one_interval_apart() -> None:
    shard = Shard()
    shard.hello(10)
    first = shard.protocol.deadline()
    assert T + 5 <= first <= T + 10
    shard.tick_at_deadline()
    assert shard.protocol.deadline() == first + 10


def test_the_servers_own_heartbeat_is_answered_at_once() -> None:
    shard = live()
    assert shard.take(wire.frame(1, 5)) == Send(b'{"op":1,"d":1}')


def test_a_missing_ack_ends_the_connection_at_the_next_beat() -> None:
    shard = live()
    assert isinstance(shard.tick_at_deadline(), Send)
    assert shard.tick_at_deadline() == Disconnect("heartbeats were not acknowledged")
    after = shard.retry(4914)
    assert shard.protocol.resumable and after.delay == 0.5


def test_any_inbound_frame_is_a_sign_of_life() -> None:
    for data in (wire.dispatch(2), b"not json", wire.frame(99), wire.ACK):
        shard = live()
        for _ in range(5):
            assert isinstance(shard.tick_at_deadline(), Send)
            shard.take(data)


def test_the_round_trip_is_measured_from_the_heartbeat_that_is_acknowledged() -> None:
    shard = live()
    shard.take(wire.ACK)
    assert shard.protocol.round_trip is None
    shard.tick_at_deadline()
    shard.now += 0.25
    shard.take(wire.ACK)
    shard.now += 1
    shard.take(wire.ACK)
    assert shard.protocol.round_trip == 0.25


def test_resumed_that_lies_unread_is_no_missing_answer() -> None:
    shard = Shard(STATE)
    shard.open()
    assert not shard.protocol.held_up
    shard.protocol.set_reading(False)
    assert shard.protocol.held_up
    shard.retry(None)
    shard.hello()
    shard.opening()
    assert not shard.protocol.held_up, "a new connection is read"


def test_silence_while_the_reader_is_paused_proves_nothing() -> None:
    shard = live()
    shard.protocol.set_reading(False)
    for _ in range(5):
        assert isinstance(shard.tick_at_deadline(), Send)
    shard.protocol.set_reading(True)
    assert isinstance(shard.tick_at_deadline(), Send)
    assert isinstance(shard.tick_at_deadline(), Disconnect)


@pytest.mark.parametrize("state", [None, STATE])
def test_while_the_reader_is_paused_no_answer_is_overdue(state: ResumeState | None) -> None:
    shard = Shard(state)
    shard.open()
    shard.protocol.set_reading(False)
    for _ in range(5):
        assert isinstance(shard.tick_at_deadline(), Send)
    assert shard.now > T + 4 * 45
    shard.protocol.set_reading(True)
    assert shard.protocol.deadline() <= shard.now + 20


def test_a_machine_that_slept_reconnects_at_the_next_tick() -> None:
    shard = live()
    shard.now = shard.protocol.deadline() + 3600
    assert isinstance(shard.protocol.tick(), Disconnect)
    shard.retry(None)
    assert shard.protocol.resumable


@pytest.mark.parametrize("interval", [0, -1, None, "soon", [1]])
def test_a_hello_without_a_usable_interval_is_no_hello(interval: object) -> None:
    shard = Shard()
    shard.protocol.connected()
    assert isinstance(shard.take(wire.frame(10, {"heartbeat_interval": interval})), Skipped)
    assert isinstance(shard.tick_at_deadline(), Disconnect)


@pytest.mark.parametrize("interval", [1, 10**9, 10**400])
def test_the_interval_is_kept_within_bounds(interval: int) -> None:
    shard = Shard()
    shard.protocol.connected()
    shard.take(f'{{"op":10,"d":{{"heartbeat_interval":{interval}}}}}'.encode())
    assert T < shard.protocol.deadline() <= T + 300


# What does not fit


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "malformed frame"),
        (b"{", "malformed frame"),
        (b"[]", "malformed frame"),
        (b'{"op":"0"}', "malformed frame"),
        (b'{"op":0,"d":{},"s":"1","t":"X"}', "malformed frame"),
        (b'{"op":0,"d":{},"s":1,"t":"\xff"}', "malformed frame"),
        (b'{"op":0,"d":{},"s":%d,"t":"X"}' % (1 << 60), "malformed frame"),
        (wire.dispatch(-1), "malformed frame"),
        (wire.dispatch(1 << 53), "malformed frame"),
        (b"[" * 100_000, "malformed frame"),
        (wire.dispatch(None), "dispatch without s"),
        (wire.frame(5), "unknown op"),
        (wire.frame(-1), "unknown op"),
        (wire.hello(), "unexpected HELLO"),
    ],
)
def test_what_does_not_fit_is_skipped_and_the_session_lives(data: bytes, kind: str) -> None:
    shard = live()
    action = shard.take(data)
    assert isinstance(action, Skipped) and action.kind == kind
    assert shard.protocol.phase is Phase.LIVE
    assert isinstance(shard.take(wire.dispatch(2)), Frame)


@pytest.mark.parametrize("s", [-(1 << 53), -1, 1 << 53])
@pytest.mark.parametrize("state", [None, STATE])
def test_a_seq_out_of_range_is_skipped_in_every_phase(state: ResumeState | None, s: int) -> None:
    shard = Shard(state)
    seq = shard.protocol.seq
    shard.open()
    for _ in range(2):
        action = shard.take(wire.dispatch(s))
        assert isinstance(action, Skipped) and action.kind == "malformed frame"
        assert (shard.protocol.seq, shard.protocol.events) == (seq, 0)
        seq = seq or 1
        shard.take(wire.ready() if state is None else wire.resumed())
        assert shard.protocol.phase is Phase.LIVE


@pytest.mark.parametrize("state", [None, STATE])
def test_what_was_delivered_before_is_handed_over_but_moves_nothing(state: ResumeState | None) -> None:
    shard = Shard(state)
    shard.open()
    if state is None:
        shard.take(wire.ready(s=1))
    for s, seq in ((9, 9), (3, 9), (9, 9), (0, 9), (10, 10)):
        assert isinstance(shard.take(wire.dispatch(s)), Frame)
        assert shard.protocol.seq == seq


def test_a_dispatch_before_ready_is_skipped() -> None:
    shard = Shard()
    shard.open()
    action = shard.take(wire.dispatch(3))
    assert isinstance(action, Skipped) and action.kind == "unexpected dispatch"
    assert shard.protocol.seq == 0


# What always holds

SEQS = st.none() | st.integers(-2, 30) | st.just(1 << 53)
NAMES = st.sampled_from(["READY", "RESUMED", "GROUP_AT_MESSAGE_CREATE", "NEW_EVENT"])
BODIES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just({"session_id": "next"})
FRAMES = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda op, d, s, t: wire.frame(op, d, s=s, t=t), st.integers(-1, 14), BODIES, SEQS, NAMES),
    st.builds(wire.hello, st.floats(0.001, 100)),
    st.builds(wire.ready, st.sampled_from(["a", "b"]), SEQS),
    st.builds(wire.dispatch, SEQS),
    st.builds(wire.resumed, SEQS),
)
CODES = st.none() | st.integers(999, 1016) | st.integers(3998, 4017) | st.integers(4899, 4930) | st.integers(0, 65535)


@given(st.lists(FRAMES), st.sampled_from([None, STATE]))
def test_any_bytes_give_an_action_and_never_an_exception(received: list[bytes], state: ResumeState | None) -> None:
    shard = Shard(state)
    shard.open()
    for data in received:
        shard.take(data)


class Lives(RuleBasedStateMachine):
    """Any order of what can happen to a shard."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(None)

    def begin(self, state: ResumeState | None) -> None:
        self.shard = Shard(state)
        self.protocol = self.shard.protocol
        self.session: str | None = None
        self.seq = 0
        self.invalid: set[str] = set()
        self.refused = 0
        self.asked = False  # a RESUME is on its way
        self.hung_up = False
        self.halted = False

    @precondition(lambda self: self.halted or self.protocol.phase is Phase.DOWN)
    @rule(state=st.sampled_from([None, STATE]))
    def another_process(self, state: ResumeState | None) -> None:
        self.begin(state)

    def open(self) -> bool:
        return self.protocol.phase is not Phase.DOWN

    @precondition(lambda self: not self.open() and not self.halted)
    @rule()
    def connect(self) -> None:
        self.protocol.connected()
        self.hung_up = False

    @precondition(lambda self: not self.open() and not self.halted)
    @rule()
    def fail(self) -> None:
        assert 0 <= self.protocol.failed("unreachable").delay <= DELAY_CAP_LATE

    @precondition(lambda self: self.open() and not self.hung_up)
    @rule()
    def go_on(self) -> None:
        """Let the platform do what it should, so that sessions come about at all."""
        match self.protocol.phase:
            case Phase.CONNECTED:
                self.receive(wire.hello())
            case Phase.IDENTIFYING:
                self.receive(wire.ready("c"))
            case Phase.RESUMING:
                self.receive(wire.resumed())
            case _:
                self.receive(wire.dispatch(self.protocol.seq + 1))

    @precondition(lambda self: self.protocol.phase is Phase.LIVE and not self.hung_up)
    @rule(s=SEQS)
    def dispatch(self, s: int | None) -> None:
        self.receive(wire.dispatch(s))

    @precondition(lambda self: self.open() and not self.hung_up)
    @rule(data=FRAMES)
    def receive_anything(self, data: bytes) -> None:
        self.receive(data)

    def receive(self, data: bytes) -> None:
        before = self.protocol.session_id
        action = self.shard.take(data)
        if isinstance(action, SessionReady | SessionResumed | SequenceJump | Frame):
            self.refused = 0
            self.asked = False
        if isinstance(action, SessionReady):
            assert self.protocol.session_id is not None
            self.invalid.discard(self.protocol.session_id)
            self.session = None
        elif before is not None and self.protocol.session_id is None:
            self.invalid.add(before)
        self.hung_up = isinstance(action, Disconnect)

    @precondition(lambda self: self.protocol.phase is Phase.GREETED and not self.hung_up)
    @rule()
    def authenticate(self) -> None:
        body = self.shard.opening()
        if body["op"] == 6:
            assert self.protocol.session_id not in self.invalid
            assert self.refused < 2
            self.asked = True

    @precondition(lambda self: self.open() and not self.hung_up)
    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.shard.now += seconds
        due = self.shard.now >= self.protocol.deadline()
        action = self.protocol.tick()
        assert (action is not None) == due
        self.hung_up = isinstance(action, Disconnect)
        if isinstance(action, Send):
            assert self.protocol.deadline() > self.shard.now

    @precondition(lambda self: self.open())
    @rule(reading=st.booleans())
    def reading(self, reading: bool) -> None:
        self.protocol.set_reading(reading)

    @precondition(lambda self: self.open())
    @rule(code=CODES)
    def close(self, code: int | None) -> None:
        session = self.protocol.session_id
        self.refused += self.asked and (self.hung_up or code != 1009)
        self.asked = False
        after = self.shard.lose(code)
        if isinstance(after, Halt):
            self.halted = True
        elif isinstance(after, Reconnect):
            assert 0 <= after.delay <= DELAY_CAP_LATE
        if session is not None and self.protocol.session_id is None:
            self.invalid.add(session)
            self.refused = 0

    @invariant()
    def a_live_connection_has_a_finite_deadline(self) -> None:
        if self.open():
            assert math.isfinite(self.protocol.deadline())
            assert self.protocol.deadline() <= self.shard.now + 300 + 1e-6 or self.hung_up

    @invariant()
    def seq_never_goes_back_within_a_session(self) -> None:
        if self.protocol.session_id == self.session and self.session is not None:
            assert self.protocol.seq >= self.seq
        self.session, self.seq = self.protocol.session_id, self.protocol.seq

    @invariant()
    def a_dropped_session_is_never_resumed(self) -> None:
        if not self.protocol.resumable:
            assert self.protocol.seq == 0


TestLives = Lives.TestCase
