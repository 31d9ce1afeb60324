"""`Observer`: nobody is taken for dead who could not have been seen."""

from qqbot.sessions.cluster.failure_detector import Observer

PATIENCE = 15.0


def watch(observer: Observer, beats: dict[str, str], start: float, seconds: float, incarnation: int = 1) -> float:
    """Look at the same beats every second; return the moment of the last look."""
    now = start
    for step in range(int(seconds) + 1):
        now = start + step
        observer.note(incarnation, beats, now)
    return now


def test_a_node_is_dead_when_its_beat_stood_still_for_long_enough() -> None:
    observer = Observer(PATIENCE)
    watch(observer, {"a": "1:1", "b": "1:1"}, 0, 10)
    watch(observer, {"a": "1:1", "b": "1:2"}, 11, 3)
    assert observer.silent(14.9) == {}
    assert observer.silent(15.0) == {"a": "1:1"}
    assert observer.silent(26.0) == {"a": "1:1", "b": "1:2"}


def test_a_new_incarnation_starts_every_count_anew() -> None:
    observer = Observer(PATIENCE)
    watch(observer, {"a": "1:1"}, 0, 14)
    watch(observer, {"a": "1:1"}, 15, 14, incarnation=2)
    assert not observer.settled(29.9) and observer.silent(29.9) == {}
    assert observer.settled(30.0) and observer.silent(30.0) == {"a": "1:1"}


def test_who_could_not_look_has_not_seen_silence() -> None:
    observer = Observer(PATIENCE)
    watch(observer, {"a": "1:1"}, 0, 16)
    assert observer.silent(16) == {"a": "1:1"}
    observer.note(1, {"a": "1:1"}, 100)  # the store, or this process, stood still meanwhile
    assert observer.silent(100) == {} and observer.settled(100)
    watch(observer, {"a": "1:1"}, 101, 13)
    assert observer.silent(114.9) == {} and observer.silent(115) == {"a": "1:1"}


def test_it_says_when_to_look_again() -> None:
    observer = Observer(PATIENCE)
    assert observer.next_at() == float("inf")
    observer.note(1, {"a": "1:1"}, 3)
    assert observer.next_at() == 18
    observer.note(1, {"a": "1:2"}, 6)
    assert observer.next_at() == 18  # the incarnation settles
    watch(observer, {"a": "1:2"}, 7, 12)
    assert observer.next_at() == 21
    observer.note(1, {}, 20)
    assert observer.next_at() == float("inf")
