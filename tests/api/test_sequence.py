"""msg_seq counters."""

import asyncio

from qqbot.api.sequence import Sequences


def test_each_message_counts_from_one() -> None:
    sequences = Sequences()
    assert [sequences.next("a"), sequences.next("a"), sequences.next("b"), sequences.next("a")] == [1, 2, 1, 3]


def test_the_longest_unused_is_forgotten() -> None:
    sequences = Sequences(capacity=2)
    for reference in ("a", "b", "a", "c"):
        sequences.next(reference)
    assert sequences.next("a") == 3
    assert sequences.next("b") == 1


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
    assert (sequences.given("a"), sequences.given("b")) == (2, 0)
