"""The watermark: pure arithmetic, so property tests."""

from hypothesis import given
from hypothesis import strategies as st

from qqbot.models.watermark import MAX_RANGES, Watermark


def test_starts_where_the_session_was_left() -> None:
    mark = Watermark(10)
    assert (mark.low, mark.high, mark.done) == (10, 10, ())


def test_low_stays_below_the_oldest_unfinished_event() -> None:
    mark = Watermark()
    for seq in range(1, 8):
        assert mark.accept(seq)
    for seq in (1, 2, 4, 5, 7):
        mark.finish(seq)
    assert mark.low == 2
    assert mark.done == ((4, 5), (7, 7))


def test_a_repeat_is_not_accepted() -> None:
    mark = Watermark(3)
    assert mark.accept(4)
    assert not mark.accept(4)
    assert not mark.accept(2)


def test_the_next_owner_skips_what_was_finished_above_the_low_mark() -> None:
    mark = Watermark(2, ((4, 5), (7, 7)))
    assert [seq for seq in range(3, 10) if mark.accept(seq)] == [3, 6, 8, 9]


def test_ranges_not_replayed_yet_are_still_known() -> None:
    mark = Watermark(2, ((4, 5), (7, 7)))
    assert mark.accept(3)
    assert mark.done == ((4, 5), (7, 7))


@given(st.lists(st.integers(1, 60), unique=True), st.data())
def test_a_successor_handles_exactly_what_was_unfinished(seqs: list[int], data: st.DataObject) -> None:
    seqs.sort()
    mark = Watermark()
    for seq in seqs:
        assert mark.accept(seq)
    finished = set(data.draw(st.lists(st.sampled_from(seqs), unique=True))) if seqs else set[int]()
    for seq in finished:
        mark.finish(seq)
    successor = Watermark(mark.low, mark.done)
    again = {seq for seq in seqs if seq > mark.low and successor.accept(seq)}
    assert again == set(seqs) - finished


def test_a_range_replayed_in_part_keeps_its_rest() -> None:
    mark = Watermark(4, ((6, 10),))
    for seq in (5, 6, 7):
        mark.accept(seq)
    assert (mark.low, mark.done) == (4, ((6, 10),))
    mark.finish(5)
    assert (mark.low, mark.done) == (7, ((8, 10),))


@given(st.sets(st.integers(2, 30)), st.integers(1, 31), st.sets(st.integers(1, 30)))
def test_a_second_crash_in_the_middle_of_the_replay_forgets_nothing(
    finished: set[int], cut: int, finished_again: set[int]
) -> None:
    first = Watermark()
    for seq in range(1, 31):
        first.accept(seq)
    for seq in finished:
        first.finish(seq)
    second = Watermark(first.low, first.done)
    accepted = {seq for seq in range(first.low + 1, cut) if second.accept(seq)}
    for seq in finished_again & accepted:
        second.finish(seq)
    third = Watermark(second.low, second.done)
    known = {seq for seq in range(1, 31) if seq <= third.low or not third.accept(seq)}
    assert known == finished | (finished_again & accepted)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40))))
def test_low_never_goes_back(steps: list[tuple[bool, int]]) -> None:
    mark, low = Watermark(), 0
    for accept, seq in steps:
        if accept:
            mark.accept(seq)
        else:
            mark.finish(seq)
        assert low <= mark.low <= mark.high
        low = mark.low


def test_so_many_unfinished_events_that_reading_has_to_stop() -> None:
    mark = Watermark()
    for seq in range(1, 2 * MAX_RANGES, 2):
        assert not mark.crowded
        mark.accept(seq)
        mark.accept(seq + 1)
        mark.finish(seq + 1)
    assert mark.crowded and len(mark.done) == MAX_RANGES
    mark.finish(1)
    assert not mark.crowded


def test_a_successor_of_so_many_ranges_reads_on_as_it_passes_them() -> None:
    mark = Watermark(0, [(seq, seq) for seq in range(2, 2 * MAX_RANGES - 3, 2)])
    for seq in range(1, 2 * MAX_RANGES - 3):
        assert mark.accept(seq) is bool(seq % 2)
        assert not mark.crowded, seq
    assert len(mark.done) == MAX_RANGES - 2
