"""`FailureDetector`: no node is taken for dead that could not have been seen."""

from qqbot.sessions.cluster.failure_detector import FailureDetector

PATIENCE = 15.0


def watch(
    detector: FailureDetector, beats: dict[str, str], start: float, seconds: float, incarnation: int = 1
) -> float:
    """Look at the same beats every second; return the moment of the last look."""
    now = start
    for step in range(int(seconds) + 1):
        now = start + step
        detector.record(incarnation, beats, now)
    return now


def test_a_node_is_dead_when_its_beat_stood_still_for_long_enough() -> None:
    detector = FailureDetector(PATIENCE)
    watch(detector, {"a": "1:1", "b": "1:1"}, 0, 10)
    watch(detector, {"a": "1:1", "b": "1:2"}, 11, 3)
    assert detector.silent(14.9) == {}
    assert detector.silent(15.0) == {"a": "1:1"}
    assert detector.silent(26.0) == {"a": "1:1", "b": "1:2"}


def test_a_new_incarnation_starts_every_count_again() -> None:
    detector = FailureDetector(PATIENCE)
    watch(detector, {"a": "1:1"}, 0, 14)
    watch(detector, {"a": "1:1"}, 15, 14, incarnation=2)
    assert not detector.settled(29.9) and detector.silent(29.9) == {}
    assert detector.settled(30.0) and detector.silent(30.0) == {"a": "1:1"}


def test_a_node_that_could_not_look_has_not_seen_silence() -> None:
    detector = FailureDetector(PATIENCE)
    watch(detector, {"a": "1:1"}, 0, 16)
    assert detector.silent(16) == {"a": "1:1"}
    detector.record(1, {"a": "1:1"}, 100)  # the store, or this process, stood still meanwhile
    assert detector.silent(100) == {} and detector.settled(100)
    watch(detector, {"a": "1:1"}, 101, 13)
    assert detector.silent(114.9) == {} and detector.silent(115) == {"a": "1:1"}


def test_when_to_look_again() -> None:
    detector = FailureDetector(PATIENCE)
    assert detector.next_at() == float("inf")
    detector.record(1, {"a": "1:1"}, 3)
    assert detector.next_at() == 18
    detector.record(1, {"a": "1:2"}, 6)
    assert detector.next_at() == 18  # the incarnation settles
    watch(detector, {"a": "1:2"}, 7, 12)
    assert detector.next_at() == 21
    detector.record(1, {}, 20)
    assert detector.next_at() == float("inf")
