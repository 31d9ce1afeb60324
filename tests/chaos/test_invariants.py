"""Each invariant is broken once, by hand, and says so."""

from collections import Counter
from collections.abc import Sequence

import pytest

from qqbot.testing import Drop, Latency, Op7, StopAcks
from tests.chaos import invariants
from tests.chaos.invariants import Violation
from tests.chaos.people import Dialog, Pushed
from tests.chaos.record import Handled, Record
from tests.chaos.server_log import SessionLog


def whats(violations: Sequence[Violation]) -> list[str]:
    return [violation.what for violation in violations]


def test_of_a_session_that_lives_on_all_is_owed_of_another_what_was_acknowledged() -> None:
    alive = SessionLog("alive", seqs={1: "a", 2: "b"})
    over = SessionLog("over", seqs={1: "c", 2: "d", 3: "e"}, acked=2)
    assert invariants.owed([alive, over], [alive]) == {"a", "b", "c", "d"}


def test_what_is_owed_and_was_not_handled_is_lost() -> None:
    assert [each.key for each in invariants.lost(["a", "b"], [Handled("a", 1, 2)])] == ["b"]


def test_what_was_pushed_and_not_delivered() -> None:
    assert [each.key for each in invariants.kept_back(["a", "b"], {"a"})] == ["b"]


def test_twice_in_one_process() -> None:
    runs = [Handled("a", 1, 2), Handled("b", 1, 2), Handled("a", 3, 4)]
    assert whats([*invariants.repeated(runs)]) == ["it was handled 2 times in one process"]


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ([Handled("g#1", 1, 2), Handled("h#1", 1.5, 3), Handled("g#3", 2, 3)], []),
        ([Handled("g#2", 1, 2), Handled("g#1", 2, 3)], ["it was handled after g#2"]),
        ([Handled("g#1", 1, 3), Handled("g#2", 2, 4)], ["it was begun before g#1 was done"]),
        ([Handled("g#1", 1), Handled("g#2", 2, 4)], ["it was begun before g#1 was done"]),
        ([Handled("d#1", 1, 9), Handled("d#2", 2, 9)], []),  # a dialog takes further messages while it lasts
    ],
)
def test_order(runs: list[Handled], found: list[str]) -> None:
    assert whats([*invariants.out_of_order(runs)]) == found


@pytest.mark.parametrize(
    ("sent", "unsent", "chat", "found"),
    [
        (["re a#1"], {}, {"re a#1": 1}, 0),
        (["re a#1"], {}, {}, 1),
        (["re a#1"], {}, {"re a#1": 2}, 1),
        ([], {"re a#1": "Timeout"}, {}, 0),
        ([], {"re a#1": "Timeout"}, {"re a#1": 1}, 0),
        ([], {"re a#1": "Timeout"}, {"re a#1": 2}, 1),
        ([], {}, {"re a#1": 1}, 1),
        (["re h#1"], {}, {"re h#1": 2}, 0),  # in a guild, and handled twice
        (["re h#2"], {}, {"re h#2": 2}, 1),
    ],
)
def test_answers(sent: list[str], unsent: dict[str, str], chat: dict[str, int], found: int) -> None:
    records = [Record(runs=[Handled("h#1", 1), Handled("h#2", 2)], sent=set(sent), unsent=unsent)]
    records.append(Record(runs=[Handled("h#1", 3)]))
    assert len([*invariants.unanswered(records, Counter(chat))]) == found


def test_no_answer_was_tried() -> None:
    pushed = {key: Pushed(key, word, 0) for key, word in (("a#1", "echo"), ("a#2", "mute"), ("a#3", "wait"))}
    runs = [Handled("a#1", 1, 2), Handled("a#2", 2, 3), Handled("a#3", 3)]
    assert [each.key for each in invariants.speechless(pushed, [Record(runs=runs)])] == ["a#1"]
    assert [*invariants.speechless(pushed, [Record(runs=runs, sent={"re a#1"})])] == []


def stuck(record: Record, owed: set[str], *answers: str) -> list[str]:
    return [each.key for each in invariants.stuck([Dialog(["d#1", "d#2"])], owed, [record], answers)]


def test_dialog_without_an_end() -> None:
    both = {"d#1", "d#2"}
    assert stuck(Record(), both) == ["d#1"]
    assert stuck(Record(), both, "done d#1 d#2") == []
    assert stuck(Record(), {"d#1"}) == []  # the platform lost the other one
    assert stuck(Record(unsent={"ask1 d#1": "Timeout"}), both) == []


def test_dialog_whose_message_came_too_late() -> None:
    both = {"d#1", "d#2"}
    late = Record(runs=[Handled("d#1", 1, 11), Handled("d#2", 12, 12)], expired={"d#1"})
    missed = Record(runs=[Handled("d#1", 1, 11), Handled("d#2", 2, 2)], expired={"d#1"})
    assert stuck(late, both) == []
    assert stuck(missed, both) == ["d#1"]


def test_acknowledged_and_never_sent() -> None:
    assert len([*invariants.beyond([SessionLog("a", high=3, acked=4), SessionLog("b", high=3, acked=3)])]) == 1


def test_connection_left_for_no_reason() -> None:
    strikes = [(1, Op7()), (2, Latency(1)), (3, StopAcks())]
    assert [each.connection for each in invariants.left([1, 2, 3], strikes)] == [2]
    assert [*invariants.left([1], [(1, Drop())])] == []


def test_handled_again_though_it_was_saved() -> None:
    first = Record(runs=[Handled("saved", 1, 2), Handled("unsaved", 8, 9), Handled("open", 3)])
    later = Record(runs=[Handled(key, 20, 21) for key in ("saved", "unsaved", "open")])
    found = invariants.repeated_needlessly([(first, 10.0, 3.0), (later, 30.0, 3.0)])
    assert [each.key for each in found] == ["saved"]


@pytest.mark.parametrize(
    ("session", "codes", "may"),
    [
        (SessionLog("a", acked=5, connections=[1]), {1: 4009}, False),
        (SessionLog("a", acked=5, connections=[1, 2]), {1: 4009, 2: 4006}, True),
        (SessionLog("a", acked=5, connections=[1]), {1: 4902}, True),
        (SessionLog("a", acked=5, ended=True), {}, True),
        (SessionLog("a", acked=5, unanswered=1), {}, False),
        (SessionLog("a", acked=5, unanswered=2), {}, True),
        (SessionLog("a"), {}, True),
    ],
)
def test_when_a_session_may_be_given_up(session: SessionLog, codes: dict[int, int], may: bool) -> None:
    assert session.may_be_given_up(codes) == may
