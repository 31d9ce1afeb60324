"""Room that many tasks wait for: bounded, promised to one at a time, and never lost with a task that gives up."""

import asyncio

import pytest

from qqbot.aio.capacity import Capacity


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_it_is_full_by_number_or_by_bytes() -> None:
    capacity = Capacity(2, max_bytes=100)
    assert capacity.add(10)
    assert not capacity.add(10)
    capacity.remove(10)
    assert not capacity.full
    assert not capacity.add(95)
    assert capacity.full
    assert capacity.busy
    capacity.remove(95)
    assert (capacity.count, capacity.bytes, capacity.full, capacity.full_for) == (1, 10, False, 0.0)


@pytest.mark.parametrize("freed", [1, 3])
async def test_room_is_promised_to_one_at_a_time_in_the_order_of_the_calls(freed: int) -> None:
    capacity = Capacity(3)
    for _ in range(3):
        capacity.add()
    order: list[int] = []
    woken = 0

    async def read(number: int) -> None:
        nonlocal woken
        await capacity.room()
        woken += 1
        assert not capacity.full
        capacity.add()
        order.append(number)

    tasks = [asyncio.create_task(read(number)) for number in range(6)]
    await settle()
    assert order == []
    for expected in range(freed, 6 + 1, freed):
        capacity.remove(count=freed)
        await settle()
        assert order == list(range(expected)), "and no task was woken for a place that another one took"
        assert woken == expected
    assert all(task.done() for task in tasks)


async def test_a_caller_that_did_not_queue_does_not_cost_the_first_one_its_turn() -> None:
    capacity = Capacity(1)
    capacity.add()
    order: list[int] = []

    async def read(number: int) -> None:
        await capacity.room()
        capacity.add()
        order.append(number)

    tasks = [asyncio.create_task(read(number)) for number in range(2)]
    await settle()
    capacity.remove()
    capacity.add()  # before the first one has had its turn
    await settle()
    assert order == []
    for _ in range(2):
        capacity.remove()
        await settle()
    assert order == [0, 1]
    assert all(task.done() for task in tasks)


async def test_a_caller_that_takes_nothing_passes_the_turn_on() -> None:
    capacity = Capacity(1)
    capacity.add()
    passed: list[int] = []

    async def look(number: int) -> None:
        await capacity.room()
        passed.append(number)

    tasks = [asyncio.create_task(look(number)) for number in range(5)]
    await settle()
    capacity.remove()
    await settle()
    assert passed == [0, 1, 2, 3, 4]
    assert all(task.done() for task in tasks)


@pytest.mark.parametrize("steps", range(4))
@pytest.mark.parametrize("who", [0, 1])
async def test_a_task_that_is_cancelled_takes_no_turn_with_it(steps: int, who: int) -> None:
    capacity = Capacity(1)
    capacity.add()
    order: list[int] = []

    async def read(number: int) -> None:
        await capacity.room()
        order.append(number)
        capacity.add()

    tasks = [asyncio.create_task(read(number)) for number in range(3)]
    await settle()
    capacity.remove()
    for _ in range(steps):
        await asyncio.sleep(0)
    tasks[who].cancel()
    await settle()
    while len(order) + tasks[who].cancelled() < 3:
        capacity.remove()
        await settle()
    assert order == [number for number in range(3) if number in order]
    assert set(order) >= {0, 1, 2} - {who}
    assert not capacity.busy or capacity.full


async def test_without_waiting_there_is_room_at_once() -> None:
    capacity = Capacity(2)
    capacity.add()
    async with asyncio.timeout(1):
        await capacity.room()
