"""msg_seq counters."""

import asyncio
from dataclasses import dataclass

from qqbot.api.sequence import BLOCKS, CAPACITY, Sequences


@dataclass
class Owned:
    shard: int


def test_each_message_counts_from_one() -> None:
    sequences = Sequences()
    assert [sequences.next("a"), sequences.next("a"), sequences.next("b"), sequences.next("a")] == [1, 2, 1, 3]


def test_the_longest_unused_is_forgotten() -> None:
    sequences = Sequences(capacity=2)
    for reference in ("a", "b", "a", "c"):
        sequences.next(reference)
    assert sequences.next("a") == 3
    assert sequences.next("b") == 2


def test_a_number_is_not_given_twice_for_what_was_forgotten() -> None:
    sequences = Sequences()
    given = [sequences.next("a"), sequences.reserve("a", 64), sequences.next("b")]
    for number in range(CAPACITY + 1):
        sequences.next(f"other {number}")
    again = [sequences.next("a"), sequences.reserve("a", 64), sequences.next("b")]
    assert given == [1, 2, 1]
    assert again == [66, 67, 66]


def test_handlers_number_their_answers_as_another_process_would() -> None:
    sequences, lease, later, other = Sequences(capacity=2), Owned(1), Owned(1), Owned(2)
    for number in range(5):
        sequences.next(f"other {number}")
    sequences.begin("a", lease, again=False)
    assert [sequences.next("a"), sequences.next("a")] == [1, 2]
    sequences.begin("a", lease, again=True)
    assert sequences.next("a") == 3, "it failed, and was run again"
    sequences.begin("a", later, again=True)
    assert [sequences.next("a"), sequences.next("a")] == [1, 2], "it was delivered again"
    sequences.begin("a", later, again=False)
    assert sequences.next("a") == 3
    sequences.begin("a", lease, again=False)
    assert [sequences.next("a"), sequences.next("a")] == [1, 2], "a later owner gets only what was not finished"
    sequences.begin("a", None, again=False)
    assert sequences.next("a") == 3, "it came by webhook as well"
    sequences.begin("a", other, again=False)
    assert sequences.next("a") == 4


def test_a_block_is_remembered_until_its_end() -> None:
    sequences = Sequences(capacity=1)

    def next_of(reference: str, now: float = 0.0) -> int | None:
        return sequences.next_of_block(reference, 5, 3, ends_at=10.0, now=now)

    assert next_of("a") == 5
    for number in range(10):
        assert next_of(f"other {number}") == 5
        sequences.next(f"other {number}")
    assert [next_of("a"), next_of("a", 9.9), next_of("a")] == [6, 7, None]
    assert sequences.next_of_block("a", 5, 3, ends_at=20.0, now=10.0) == 5


def test_answers_are_counted_by_their_numbers() -> None:
    sequences = Sequences()
    sequences.next("a")
    assert sequences.answers("a") == 0
    for number in (2, 2, 70):
        sequences.answered("a", number)
    assert (sequences.answers("a"), sequences.answers("b")) == (2, 0)


async def test_concurrent_replies_get_different_numbers() -> None:
    sequences = Sequences()

    async def reply() -> int:
        await asyncio.sleep(0)
        return sequences.next("m")

    numbers = await asyncio.gather(*(reply() for _ in range(100)))
    assert sorted(numbers) == list(range(1, 101))


def test_a_reserved_block_is_never_given() -> None:
    sequences = Sequences()
    assert sequences.next("a") == 1
    assert [sequences.reserve("a", 64), sequences.reserve("a", 64)] == [2, 66]
    assert sequences.next("a") == 130


def test_blocks_of_tickets_without_end_are_bounded() -> None:
    sequences = Sequences()
    for number in range(3 * BLOCKS):
        assert sequences.next_of_block(f"m{number}", 1, 5, ends_at=1e12 + number, now=0.0) == 1
        sequences.answered(f"m{number}", 1)
    assert len(sequences._blocks) == len(sequences._block_ends) == BLOCKS
    assert len(sequences._counts) <= CAPACITY
    assert sequences.next_of_block(f"m{3 * BLOCKS - 1}", 1, 5, ends_at=1e13, now=0.0) == 2, "the latest are kept"
