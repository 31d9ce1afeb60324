"""The state file: its form, its lock, and that nothing waits for the disk."""

import asyncio
import json
import logging
import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from qqbot.errors import ConfigError
from qqbot.models.gateway import ResumeState
from qqbot.sessions import state_file
from qqbot.sessions.state_file import StateFile, States

PATIENCE = 10.0
FIRST = ResumeState(session_id="s-1", seq=7, done=((9, 9), (11, 20)), me="42", name="robot", since=1.5)
SECOND = ResumeState(session_id="s-2", seq=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def written(path: Path, states: Mapping[int, ResumeState], *, app_id: str = "1", count: int = 2) -> None:
    StateFile(path, app_id).write(count, states)


def test_what_is_written_is_read(path: Path) -> None:
    written(path, {0: FIRST, 1: SECOND})
    assert StateFile(path, "1").read(2) == {0: FIRST, 1: SECOND}


def test_no_file_is_nothing_to_speak_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert StateFile(path, "1").read(2) == {}
    assert not caplog.records


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_it_is_for_its_owner_only_and_nothing_is_left_beside_it(path: Path) -> None:
    before = os.umask(0)
    try:
        written(path, {0: FIRST})
        path.chmod(0o644)
        written(path, {0: FIRST})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["state.json"]


def test_a_draft_of_a_process_that_died_is_in_nobodys_way(path: Path) -> None:
    draft = path.with_name("state.json.new")
    draft.write_text("half a fi")
    draft.chmod(0o666)
    written(path, {0: FIRST})
    assert StateFile(path, "1").read(2) == {0: FIRST}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_the_file_as_it_was(path: Path) -> None:
    written(path, {0: FIRST})
    path.with_name("state.json.new").mkdir()
    with pytest.raises(OSError, match=r"state\.json\.new"):
        written(path, {0: SECOND})
    assert StateFile(path, "1").read(2) == {0: FIRST}


GOOD = {"session_id": "s", "seq": 7}


def document(**changed: object) -> str:
    return json.dumps({"version": 1, "app_id": "1", "count": 2, "shards": {"0": GOOD}, **changed})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "damaged"),
        ("\0\0\0\0", "damaged"),
        ("[]", "damaged"),
        (document()[:-2], "damaged"),
        ("[" * 100_000, "damaged"),
        (document(shards={"zero": GOOD}), "damaged"),
        (document(shards={"0": {**GOOD, "seq": -1}}), "damaged"),
        (document(shards={"0": {**GOOD, "seq": 1 << 53}}), "damaged"),
        (document(shards={"0": {**GOOD, "session_id": ""}}), "damaged"),
        (document(shards={"0": {**GOOD, "done": [[7, 9]]}}), "damaged"),
        (document(shards={"0": {**GOOD, "done": [[9, 8]]}}), "damaged"),
        (document(shards={"0": {**GOOD, "done": [[12, 13], [9, 10]]}}), "damaged"),
        (document(version=2, shards=None), "version 2, this release reads version 1"),
        (document(app_id="2"), "belongs to the bot 2, this one is 1"),
        (document(count=3), "of 3 shards, now there are 2"),
    ],
)
def test_what_is_damaged_or_foreign_is_ignored_and_said_once(
    path: Path, caplog: pytest.LogCaptureFixture, content: str, why: str
) -> None:
    path.write_text(content)
    assert StateFile(path, "1").read(2) == {}
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    for part in (str(path), why, "new sessions are begun"):
        assert part in record.getMessage()


def test_a_field_of_a_later_release_is_no_damage(path: Path) -> None:
    path.write_text(document(shards={"0": {**GOOD, "new": 1}}, new=2))
    assert StateFile(path, "1").read(2) == {0: ResumeState(session_id="s", seq=7)}


def in_no_directory(path: Path) -> Path:
    return path.parent / "nowhere" / "state.json"


def below_a_file(path: Path) -> Path:
    path.write_text("{}")
    return path / "state.json"


def a_directory(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("shard_id", [in_no_directory, below_a_file, a_directory])
def test_a_path_where_nothing_can_be_kept(path: Path, shard_id: Callable[[Path], Path]) -> None:
    named = shard_id(path)
    with pytest.raises(ConfigError, match="cannot be kept in") as raised:
        StateFile(named, "1").open()
    assert str(named) in str(raised.value)


def test_opening_keeps_what_is_there(path: Path) -> None:
    written(path, {0: FIRST})
    file = StateFile(path, "1")
    file.open()
    assert file.read(2) == {0: FIRST}
    file.close()


def test_one_holder_at_a_time(path: Path) -> None:
    first, second = StateFile(path, "1"), StateFile(path, "1")
    first.open()
    with pytest.raises(ConfigError, match="in use by another bot"):
        second.open()
    with pytest.raises(ConfigError, match="in use by another bot"):
        StateFile(path, "1").open()
    first.close()
    second.open()
    second.close()


def hold(path: Path, held: Event) -> None:
    file = StateFile(path, "1")
    file.open()
    held.set()
    time.sleep(3600)


def test_the_lock_of_a_process_that_is_killed_is_free(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    holder = spawn.Process(target=hold, args=(path, held))
    holder.start()
    try:
        assert held.wait(PATIENCE)
        with pytest.raises(ConfigError, match="in use by another bot"):
            StateFile(path, "1").open()
    finally:
        holder.kill()
        holder.join()
    file = StateFile(path, "1")
    file.open()
    file.close()


class SlowFile(StateFile):
    """A disk that takes as long as the test says."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "1")
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.writes: list[dict[int, ResumeState]] = []

    def write(self, count: int, states: Mapping[int, ResumeState]) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        self.writes.append(dict(states))
        super().write(count, states)


async def test_a_slow_disk_holds_nothing_up(path: Path) -> None:
    file = SlowFile(path)
    async with States(file) as states:
        await states.begin(2)
        states.note(0, FIRST)
        first = asyncio.create_task(states.flush())
        while not file.begun.is_set():
            await asyncio.sleep(0.001)  # the loop runs on
        states.note(1, SECOND)
        others = [asyncio.create_task(states.flush()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert not first.done() and not any(task.done() for task in others)
        file.go_on.set()
        await asyncio.gather(first, *others)
        assert file.writes == [{0: FIRST}, {0: FIRST, 1: SECOND}], "what was noted together is written together"


class SlowToOpen(SlowFile):
    """A disk on which the file is locked at once, and looked at as slowly as the test says."""

    def open(self) -> None:
        super().open()
        self.begun.set()
        assert self.go_on.wait(PATIENCE)


async def test_the_lock_is_free_when_opening_was_given_up(path: Path) -> None:
    file = SlowToOpen(path)
    opening = asyncio.create_task(States(file).__aenter__())
    while not file.begun.is_set():
        await asyncio.sleep(0.001)
    opening.cancel()
    asyncio.get_running_loop().call_later(0.05, file.go_on.set)
    await asyncio.wait([opening])
    assert opening.cancelled() and not is_locked(path)


async def test_the_lock_is_given_back_also_where_nobody_waits_for_that(path: Path) -> None:
    file = SlowToOpen(path)
    opening = asyncio.create_task(States(file).__aenter__())
    while not file.begun.is_set():
        await asyncio.sleep(0.001)
    for _ in range(2):
        opening.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([opening])
    assert opening.cancelled() and is_locked(path)
    file.go_on.set()
    async with asyncio.timeout(PATIENCE):
        while is_locked(path):
            await asyncio.sleep(0.01)


def is_locked(path: Path) -> bool:
    other = StateFile(path, "1")
    try:
        other.open()
    except ConfigError:
        return True
    other.close()
    return False


async def test_nobody_waits_for_a_write_that_was_given_up(path: Path) -> None:
    file = SlowFile(path)
    async with States(file) as states:
        await states.begin(2)
        states.note(0, FIRST)
        given_up = asyncio.create_task(states.flush())
        while not file.begun.is_set():
            await asyncio.sleep(0.001)
        given_up.cancel()
        await asyncio.wait([given_up])
        states.note(0, None)
        states.note(1, SECOND)
        last = asyncio.create_task(states.flush())
        file.go_on.set()
        await last
    assert StateFile(path, "1").read(2) == {1: SECOND}, "the older write came last"


async def test_changes_are_written_within_a_second_and_only_changes(path: Path) -> None:
    file = SlowFile(path)
    file.go_on.set()
    async with States(file) as states:
        await states.begin(2)
        states.note(0, FIRST)
        async with asyncio.timeout(PATIENCE):
            while not file.writes:
                await asyncio.sleep(0.05)
        await asyncio.sleep(2.2 * state_file.SAVE_SECONDS)
        assert len(file.writes) == 1
    assert len(file.writes) == 1


async def test_what_is_noted_last_is_written_at_the_end(path: Path) -> None:
    async with States(StateFile(path, "1")) as states:
        await states.begin(2)
        states.note(0, FIRST)
    async with States(StateFile(path, "1")) as states:
        assert await states.begin(2) == {0: FIRST}
        assert await states.begin(4) == {}, "another number of shards means other sessions"
        states.note(3, SECOND)
    assert StateFile(path, "1").read(4) == {3: SECOND}


async def test_a_disk_that_fails_is_named_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_file, "SAVE_SECONDS", 0.02)
    path = tmp_path / "states" / "state.json"
    path.parent.mkdir()
    async with States(StateFile(path, "1")) as states:
        await states.begin(2)
        path.parent.rename(tmp_path / "gone")
        states.note(0, FIRST)
        await states.flush()
        states.note(1, SECOND)
        await asyncio.sleep(0.1)
        [record] = caplog.records
        assert record.levelno == logging.WARNING and str(path) in record.getMessage()
        (tmp_path / "gone").rename(path.parent)
        async with asyncio.timeout(PATIENCE):
            while not path.exists():
                await asyncio.sleep(0.01)
    assert StateFile(path, "1").read(2) == {0: FIRST, 1: SECOND}
