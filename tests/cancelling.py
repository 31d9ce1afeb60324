"""Cancels a coroutine at each of its waits, and checks what it leaves behind.

Responsible for the cancellation and the checks for tasks, files and sockets. The tests supply the attempt and further
checks.
"""

import asyncio
import contextlib
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, get_args

PATIENCE = 10.0
LINGERING = 2.0  # seconds in which the other side of a socket has to close it, or a thread a file
FILES = Path("/proc/self/fd")  # only Linux has it: elsewhere what is open is not looked at
SERVERS = ("aiohttp/web", "qqbot/simulator", "asyncio/selector_events")  # what a simulator beside the attempt runs

Moment = Literal["at once", "soon", "late"]
"""Before what is waited for begins, if that is a task; when it has begun; when it is over."""

Attempt = Callable[[], Coroutine[Any, Any, object]]
Check = Callable[[], Awaitable[object]]


async def cancel_everywhere(attempt: Attempt, then: Check | None = None, *, twice: bool = False) -> int:
    """Make `attempt` again and again, cancelled at its first wait, its second, and so on; return how many there were.

    Each is cancelled at each `Moment`. `twice`: the next wait is cancelled as well. `then` has to succeed after each
    attempt.

    Raises: AssertionError with the place where `attempt` was cancelled, when it does not end, or goes on, or leaves a
    task, a file or a socket behind.
    """
    number = 0
    for moment in get_args(Moment):
        number = 1
        while await _is_cancelled(_Interrupted(attempt, {number, number + twice}, moment), then):
            number += 1
    assert number > 1, "it never waits"
    return number - 1


def cancel_at_each_turn(setting: Callable[[], AbstractAsyncContextManager[Attempt]], *, most: int = 1000) -> int:
    """Make the attempt of `setting`, in a loop of its own, cancelled in the first turn of the loop, and so on.

    So that it is cancelled wherever the tasks that it has begun may be, in the first `most` turns. Otherwise like
    `cancel_everywhere`.
    """
    turns = _Turns()

    async def main() -> int:
        async with setting() as attempt:
            number = 0
            while number < most and await _is_cancelled(_Overtaken(attempt, turns, number), None):
                number += 1
        return number

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        return runner.run(main())


async def _is_cancelled(attempt: "_Interrupted | _Overtaken", then: Check | None) -> bool:
    """Make one attempt, and look for what is left of it; False where it came to its end."""
    before, opened = asyncio.all_tasks(), _open()
    task = asyncio.create_task(attempt.run(), name="attempt")
    await asyncio.wait([task], timeout=PATIENCE)
    where = f"cancelled at {', then at '.join(attempt.places)}" if attempt.places else "not cancelled"
    assert task.done(), f"{where}, it does not end, but waits at {_place(task)}"
    if attempt.places:
        assert task.cancelled(), f"{where}, it goes on, and ends with {task.exception()!r}"
        left = [f"{each.get_name()} at {_place(each)}" for each in asyncio.all_tasks() - before if not _serves(each)]
        assert not left, f"{where}, it leaves tasks: {'; '.join(left)}"
        assert await _are_closed(opened), f"{where}, it leaves files or sockets open"
    else:
        task.result()
    if then is not None:
        try:
            async with asyncio.timeout(PATIENCE):
                await then()
        except Exception as error:
            raise AssertionError(f"{where}, it leaves something behind") from error
    return bool(attempt.places)


async def _are_closed(before: set[str]) -> bool:
    """Whether soon nothing more is open than `before`."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + LINGERING
    while more := _open() - before:
        if loop.time() >= ends_at:
            break
        await asyncio.sleep(0.002)
    return not more


class _Interrupted:
    """A coroutine that cancels its task at some of its waits."""

    def __init__(self, attempt: Attempt, waits: set[int], moment: Moment) -> None:
        self.places: list[str] = []
        self._coroutine = attempt()
        self._waits = waits
        self._moment = moment

    async def run(self) -> object:
        return await self

    def __await__(self) -> Generator[Any, Any, object]:
        number, error = 0, None
        while True:
            try:
                future = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as end:
                return end.value
            number += 1
            if number in self._waits:
                self._interrupt(future)
            try:
                error = None
                yield future
            except BaseException as raised:  # noqa: BLE001 - it is thrown into the coroutine
                error = raised

    def _interrupt(self, future: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.places.append(_place(self._coroutine))
        match self._moment:
            case "at once":
                task.cancel()
            case "late" if future is not None:
                future.add_done_callback(lambda _: task.cancel())  # before the task is resumed
            case _:
                asyncio.get_running_loop().call_soon(task.cancel)


class _Overtaken:
    """A coroutine whose task is cancelled in a turn of the loop."""

    def __init__(self, attempt: Attempt, turns: "_Turns", number: int) -> None:
        self.places: list[str] = []
        self._attempt = attempt
        self._turns = turns
        self._number = number

    async def run(self) -> object:
        task = asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            if not task.done():
                self.places.append(_place(task))
                task.cancel()

        self._turns.call(self._number, cancel)
        return await self._attempt()


class _Turns(selectors.DefaultSelector):
    """A loop's selector: it is asked once a turn."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._act: Callable[[], object] | None = None

    def call(self, number: int, act: Callable[[], object]) -> None:
        """Call `act` after so many more turns."""
        self._left, self._act = number, act

    def select(self, timeout: float | None = None) -> Any:
        if self._act is not None:
            self._left -= 1
            if self._left < 0:
                act, self._act = self._act, None
                act()
                timeout = 0
        return super().select(timeout)


def _place(where: Any) -> str:
    """Return the innermost line at which a task or a coroutine waits, as far as it is the package's or the test's."""
    coroutine = where.get_coro() if isinstance(where, asyncio.Task) else where
    place = "its beginning"
    while coroutine is not None:
        for kind in ("cr", "gi", "ag"):
            if (frame := getattr(coroutine, f"{kind}_frame", None)) is not None:
                file = Path(frame.f_code.co_filename)
                if "qqbot" in file.parts or "tests" in file.parts:
                    place = f"{file.name}:{frame.f_lineno}"
                coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:
            break
    return place


def _serves(task: "asyncio.Task[Any]") -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and any(name in Path(code.co_filename).as_posix() for name in SERVERS)


def _open() -> set[str]:
    found = set[str]()
    for file in FILES.iterdir() if FILES.exists() else ():
        with contextlib.suppress(OSError):  # it was closed meanwhile, or is the descriptor of the folder itself
            found.add(str(file.readlink()))
    return found
