"""The state file under every kind of name, and with every kind of content."""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qqbot.errors import ConfigError
from qqbot.models.gateway import ResumeState
from qqbot.sessions import state_file
from qqbot.sessions.state_file import StateFile
from tests.documents import COUNT

FIRST = ResumeState(session_id="s-1", seq=7)
SECOND = ResumeState(session_id="s-2", seq=8)
IN_USE = "in use by another bot"
REFUSED = "cannot be kept in"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and devices as POSIX has them")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@contextmanager
def opened(path: Path) -> Iterator[StateFile]:
    file = StateFile(path, "1")
    file.open()
    try:
        yield file
    finally:
        file.close()


def refused(path: Path, why: str) -> None:
    """Opening is refused for this reason, and soon."""
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            StateFile(path, "1").open()
        except BaseException as error:  # noqa: BLE001 - the test judges it
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive(), "opening it blocks"
    [error] = errors
    assert isinstance(error, ConfigError) and why in str(error), error


def test_a_link_keeps_its_target(path: Path) -> None:
    target = path.parent / "disk" / "real.json"
    target.parent.mkdir()
    path.symlink_to(target)  # of a file that is not there yet
    with opened(path) as file:
        file.write(2, {0: FIRST})
        assert path.is_symlink() and target.is_file()
        file.write(2, {0: SECOND})
    assert path.is_symlink() and StateFile(target, "1").read(2) == {0: SECOND}
    assert sorted(each.name for each in path.parent.iterdir()) == ["disk", "state.json"], (
        "something lies beside the link"
    )


def test_a_link_that_changes_while_it_is_open_changes_nothing(path: Path) -> None:
    target, other = path.with_name("one.json"), path.with_name("two.json")
    path.symlink_to(target)
    with opened(path) as file:
        path.unlink()
        path.symlink_to(other)
        file.write(2, {0: FIRST})
    assert StateFile(target, "1").read(2) == {0: FIRST} and not other.exists()


def by_a_link(path: Path) -> Path:
    (link := path.with_name("link.json")).symlink_to(path)
    return link


def by_a_link_to_the_folder(path: Path) -> Path:
    (link := path.parent / "folder").symlink_to(path.parent)
    return link / path.name


def by_a_hard_link(path: Path) -> Path:
    (link := path.with_name("hard.json")).hardlink_to(path)
    return link


def by_a_relative_path(path: Path) -> Path:
    return Path(os.path.relpath(path))


def by_a_detour(path: Path) -> Path:
    (path.parent / "a").mkdir()
    return path.parent / "a" / ".." / path.name


@pytest.mark.parametrize("other", [by_a_link, by_a_link_to_the_folder, by_a_hard_link, by_a_relative_path, by_a_detour])
@pytest.mark.parametrize("written", [False, True])
def test_two_names_of_one_file_exclude_each_other(path: Path, other: Callable[[Path], Path], written: bool) -> None:
    StateFile(path, "1").write(2, {0: FIRST})
    with opened(path) as file:
        if written:
            file.write(2, {0: SECOND})
        name = other(path)
        refused(name, IN_USE)
        for _ in range(3):
            file.write(2, {0: SECOND})
        refused(name, IN_USE)
    with opened(name):
        pass


def test_a_hard_link_of_before_stays_refused_after_a_write(path: Path) -> None:
    StateFile(path, "1").write(2, {0: FIRST})
    name = by_a_hard_link(path)
    with opened(name) as file:
        file.write(2, {0: SECOND})  # from here on they are two files
        refused(path, IN_USE)


def test_a_change_of_the_working_directory_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with opened(Path(path.name)) as file:
        (path.parent / "elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        file.write(2, {0: FIRST})
    assert StateFile(path, "1").read(2) == {0: FIRST}


def a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def a_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def a_device(_: Path) -> Path:
    return Path("/dev/null")


def a_link_to_a_device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def a_link_to_itself(path: Path) -> Path:
    path.symlink_to(path)
    return path


def with_a_pipe_as_its_lock(path: Path) -> Path:
    os.mkfifo(f"{path}.lock")
    return path


def with_a_link_as_its_lock(path: Path) -> Path:
    Path(f"{path}.lock").symlink_to(path.parent / "precious")
    return path


def with_a_null(path: Path) -> Path:
    return Path(f"{path}\0")


def too_long(path: Path) -> Path:
    return path.with_name("n" * 5000)


def no_text(path: Path) -> Path:
    return Path(f"{path}\ud800")


@pytest.mark.parametrize(
    "kind",
    [
        a_pipe,
        a_socket,
        a_folder,
        a_device,
        a_link_to_a_device,
        a_link_to_itself,
        with_a_pipe_as_its_lock,
        with_a_link_as_its_lock,
        with_a_null,
        too_long,
        no_text,
    ],
)
def test_only_a_regular_file_is_opened(path: Path, kind: Callable[[Path], Path]) -> None:
    name = kind(path)
    devices = [(each, Path(each).stat().st_mode) for each in ("/dev/null", "/dev/zero")]
    refused(name, REFUSED)
    assert devices == [(each, Path(each).stat().st_mode) for each in ("/dev/null", "/dev/zero")]
    assert not any(Path(f"{each}.lock").exists() for each, _ in devices)
    assert not (path.parent / "precious").exists()


@pytest.mark.parametrize("kind", [a_pipe, a_socket])
def test_what_took_the_files_place_is_not_replaced(path: Path, kind: Callable[[Path], Path]) -> None:
    with opened(path) as file:
        before = kind(path).lstat()
        with pytest.raises(OSError, match="not a regular file"):
            file.write(2, {0: FIRST})
        assert file.read(2) == {}
        assert path.lstat() == before


def test_what_is_too_large_is_not_read(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with opened(path) as state:
        assert state.read(2) == {}
    [record] = caplog.records
    assert f"more than {state_file.MOST_BYTES} bytes" in record.getMessage()


@pytest.mark.parametrize("index", ["-1", "2", "99999999999"])
def test_a_shard_that_there_cannot_be_is_damage(path: Path, caplog: pytest.LogCaptureFixture, index: str) -> None:
    good = {"session_id": "s", "seq": 7}
    path.write_text(json.dumps({"version": 1, "app_id": "1", "count": 2, "shards": {"0": good, index: good}}))
    assert StateFile(path, "1").read(2) == {}
    assert "damaged" in caplog.records[0].getMessage()


def test_words_of_the_file_are_cut_and_escaped(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(json.dumps({"version": 1, "app_id": "\x1b[2J\n" * 10_000, "count": 2, "shards": {}}))
    assert StateFile(path, "1").read(2) == {}
    text = caplog.records[0].getMessage()
    assert "\x1b" not in text and "\\x1b[2J" in text and len(text) < 1000


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
ALMOST = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just(1) | ANYTHING,
        "app_id": st.just("1") | ANYTHING,
        "count": st.just(2) | ANYTHING,
        "shards": ANYTHING
        | st.dictionaries(
            st.sampled_from(["0", "1", "-1", "x", "9" * 5000]) | st.text(),
            ANYTHING
            | st.fixed_dictionaries(
                {"session_id": st.just("s") | ANYTHING, "seq": st.integers() | ANYTHING},
                optional=dict.fromkeys(
                    ("done", "me", "name", "since", "received", "last_event", "heartbeat", "intents"), ANYTHING
                ),
            ),
            max_size=3,
        ),
    },
)


@settings(max_examples=COUNT, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.binary() | ANYTHING.map(json.dumps) | ALMOST.map(json.dumps))
def test_any_content_is_read_or_named(path: Path, caplog: pytest.LogCaptureFixture, document: bytes | str) -> None:
    caplog.clear()
    path.write_bytes(document if isinstance(document, bytes) else document.encode())
    file = StateFile(path, "1")
    states = file.read(2)
    assert [record.levelno for record in caplog.records] in ([], [logging.WARNING])
    assert not any(record.exc_info for record in caplog.records)
    assert all(index in (0, 1) and state.session_id for index, state in states.items())
    file.write(2, states)
    assert file.read(2) == states
