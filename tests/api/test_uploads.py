"""Media from here: one body, parts, forms, and the checks that need no platform."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qqbot import Api, ConfigError, MediaError, QuotaExceeded, Text, Timeout
from qqbot.aio.threads import Threads
from qqbot.api.files import FIRST_BYTES, opened
from qqbot.api.uploads import LONGEST_DELAY, REMEMBERED, Steps, Uploads, _delay
from qqbot.models.media import FileType, MediaUploadBody, MediaUploadResult, UploadConfig, fits
from qqbot.models.outgoing.messages import Media, Source
from qqbot.models.targets import Scene
from qqbot.testing import Simulator

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
MP4 = b"\x00\x00\x00\x18ftypmp42"
BIG = 6 * 1024 * 1024


@pytest.fixture
async def api(sim: Simulator) -> AsyncIterator[Api]:
    async with Api(sim.credentials, endpoints=sim.endpoints, clock=sim.clock.now) as api:
        yield api


def paths(sim: Simulator) -> list[str]:
    return [call["path"].rpartition("/")[2] for call in sim.calls if "Token" not in call["path"]]


def body(sim: Simulator, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(next(c["request"] for c in sim.calls if c["path"].endswith(name)))
    return found


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_small_files_go_up_in_one_body(sim: Simulator, api: Api, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    heard: list[tuple[int, int]] = []
    group = sim.group("test").id
    for source in (path, PNG + b"1", stream(PNG, b"2")):
        sent = await api.groups.send_message(
            group, Media.image(source, "look", progress=lambda done, total: heard.append((done, total)))
        )
        assert sent.id
    assert paths(sim) == ["files", "messages"] * 3
    upload, message = body(sim, "/files"), body(sim, "/messages")
    assert set(upload) == {"file_type", "srv_send_msg", "file_data"}
    assert (message["msg_type"], message["content"]) == (7, "look")
    assert heard == [(108, 108), (109, 109), (109, 109)]


async def test_an_upload_is_remembered_by_content_scene_and_type_until_its_ttl(sim: Simulator, api: Api) -> None:
    group, user = sim.group("test").id, sim.user("Alice").openid
    heard: list[tuple[int, int]] = []
    image = Media.image(PNG, progress=lambda done, total: heard.append((done, total)))
    first = await api.groups.upload_media(group, image)
    assert await api.groups.upload_media(sim.group("other").id, image) == first
    assert len(paths(sim)) == 1
    assert heard == [(108, 108)] * 2
    assert (await api.c2c.upload_media(user, image)).file_info != first.file_info
    assert (await api.groups.upload_media(group, Media.file(PNG))).file_info != first.file_info
    assert len(paths(sim)) == 3
    await sim.clock.advance(seconds=3580)
    assert await api.groups.upload_media(group, image) == first
    await sim.clock.advance(seconds=21)
    assert (await api.groups.upload_media(group, image)).file_info != first.file_info


async def test_large_files_go_up_in_parts(sim: Simulator, api: Api, tmp_path: Path) -> None:
    data = MP4 + os.urandom(2 * BIG)
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    heard: list[tuple[int, int]] = []
    media = Media.video(path, progress=lambda done, total: heard.append((done, total)))
    await api.c2c.send_message(sim.user("Alice").openid, media)
    announced = body(sim, "/upload_prepare")
    assert announced == {
        "file_type": 2,
        "file_size": str(len(data)),
        "file_name": "film.mp4",
        "md5": hashlib.md5(data).hexdigest(),
        "sha1": hashlib.sha1(data).hexdigest(),
        "md5_10m": hashlib.md5(data[:FIRST_BYTES]).hexdigest(),
    }
    names = paths(sim)
    assert (names[0], names[-2:]) == ("upload_prepare", ["files", "messages"])
    assert sorted(names[1:-2]) == sorted(["1", "2", "3", *["upload_part_finish"] * 3])
    assert heard[-1] == (len(data), len(data))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert "upload_id" in body(sim, "/files")


async def test_a_part_that_fails_is_repeated(sim: Simulator, api: Api) -> None:
    sim.uploads.retry_delay = 0
    sim.faults.http("PUT /_store/*", 503)
    sim.faults.http("POST /v2/users/*/upload_part_finish", 400, body={"code": 40093001, "message": "wait"}, times=2)
    heard: list[int] = []
    media = Media.video(MP4 + bytes(BIG), progress=lambda done, _: heard.append(done))
    assert (await api.c2c.upload_media(sim.user("Alice").openid, media)).file_info
    assert heard[-1] == len(MP4) + BIG
    assert paths(sim).count("upload_part_finish") == 4


async def test_the_daily_volume_ends_the_upload(sim: Simulator, api: Api) -> None:
    group = sim.group("test").id
    sim.faults.http("POST /v2/groups/*/upload_part_finish", 400, body={"code": 40093002, "message": "no"}, times=0)
    with pytest.raises(QuotaExceeded):
        await api.groups.send_message(group, Media.file(bytes(BIG)))
    assert "messages" not in paths(sim)
    assert "files" not in paths(sim)


async def test_a_part_that_is_refused(sim: Simulator, api: Api) -> None:
    sim.faults.http("PUT /_store/*", 403, body="<Error/>", times=0)
    with pytest.raises(MediaError, match="refused part"):
        await api.groups.upload_media(sim.group("test").id, Media.file(bytes(BIG)))
    task = asyncio.current_task()
    assert task is not None and not task.cancelling()


async def test_one_timeout_covers_all_parts(sim: Simulator, api: Api) -> None:
    sim.faults.http("PUT /_store/*", 503, delay=5, times=0)
    with pytest.raises(Timeout, match=r"0\.5 s"):
        await api.groups.upload_media(sim.group("test").id, Media.file(bytes(BIG)), timeout=0.5)


async def test_guild_images_are_forms(sim: Simulator, api: Api, tmp_path: Path) -> None:
    path = tmp_path / 'c"at.png'
    path.write_bytes(PNG)
    channel = sim.channel("general").id
    sent = await api.channels.send_message(channel, Media.image(path, "look"))
    await api.direct_messages.send_message(sim.dms("Alice").conversation_id, Media.image(PNG))
    assert sent.content == "look"
    shown = [message["media"]["kind"] for message in sim.state()["messages"] if message["media"]]
    assert shown == ["image", "image"]


async def test_what_cannot_be_sent_asks_nothing_of_the_platform(sim: Simulator, api: Api, tmp_path: Path) -> None:
    empty, text, huge = tmp_path / "empty.png", tmp_path / "text.png", tmp_path / "huge.bin"
    empty.touch()
    text.write_text("no picture")
    with huge.open("wb") as file:
        file.truncate(200 * 1024 * 1024 + 1)
    cases: list[tuple[Media, str]] = [
        (Media.image(tmp_path / "none.png"), "cannot be read"),
        (Media.image(tmp_path), "cannot be read"),
        (Media.image(tmp_path / "a\0b"), "cannot be read: it contains NUL"),
        (Media.image(tmp_path / "half \ud800"), "cannot be read: it contains half a character"),
        (Media.image(tmp_path / ("x" * 300)), "cannot be read: File name too long"),
        (Media.image(empty), "0 bytes"),
        (Media.image(text), "png, jpg"),
        (Media.video(PNG), "mp4"),
        (Media.voice(PNG), "silk"),
        (Media.file(huge), "at most"),
        (Media.file(stream()), "0 bytes"),
    ]
    for media, words in cases:
        with pytest.raises(ConfigError, match=words):
            await api.groups.send_message(sim.group("test").id, media)
        if media.type.name == "IMAGE":
            with pytest.raises(ConfigError, match=words):
                await api.channels.send_message(sim.channel("general").id, media)
    with pytest.raises(ConfigError, match="groups"):
        await api.groups.send_message(sim.group("test").id, Text("hi", wakeup=True))
    assert sim.calls == []


async def test_a_result_that_the_platform_refuses_is_uploaded_anew(sim: Simulator, api: Api) -> None:
    group = sim.group("test").id
    image = Media.image(PNG)
    await api.groups.send_message(group, image)
    sim.faults.http("POST /v2/groups/*/messages", 400, body={"code": 304080, "message": "file_info invalid"})
    with pytest.raises(MediaError):
        await api.groups.send_message(group, image)
    await api.groups.send_message(group, image)
    assert paths(sim) == ["files", "messages", "messages", "files", "messages"]


async def slow() -> AsyncIterator[bytes]:
    yield PNG
    await asyncio.Event().wait()


async def test_a_stream_that_stalls_does_not_hold_a_guild_message(sim: Simulator, api: Api) -> None:
    channel = sim.channel("general").id
    with pytest.raises(Timeout, match="nothing was sent"):
        await api.channels.send_message(channel, Media.image(slow()), timeout=0.1)
    assert paths(sim) == []


async def test_a_stream_that_stalls_ends_without_a_timeout_too(
    sim: Simulator, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qqbot.api.files.SILENCE", 0.1)
    with pytest.raises(Timeout, match="yielded nothing"):
        await api.groups.send_message(sim.group("test").id, Media.image(slow()))
    assert paths(sim) == []


async def test_a_pipe_is_no_file(api: Api, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        await api.groups.upload_media("G", Media.image(tmp_path / "pipe"))


async def test_a_stream_ends_at_the_limit() -> None:
    with pytest.raises(ConfigError, match="at most 10"):
        async with opened(Threads(1, "files"), Media.file(stream(b"x" * 6, b"x" * 6)), 10):
            pass


@pytest.mark.parametrize(
    ("make", "head"),
    [
        (Media.image, b"\xff\xd8\xff\xe0"),
        (Media.image, b"GIF89a"),
        (Media.image, b"RIFF\x00\x00\x00\x00WEBP"),
        (Media.voice, b"\x02#!SILK_V3"),
        (Media.voice, b"ID3\x04"),
        (Media.voice, b"RIFF\x00\x00\x00\x00WAVE"),
        (Media.voice, b"OggS"),
        (Media.video, MP4),
        (Media.file, b"anything"),
    ],
)
async def test_the_formats_that_are_taken(make: object, head: Source) -> None:
    assert callable(make)
    async with opened(Threads(1, "files"), make(head)) as file:
        assert file.size > 0


MEMORY = """
import asyncio, os, resource, sys
from pathlib import Path
from qqbot import Api, Credentials, Endpoints, Media

def rss():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def main():
    app_id, secret, base, group, path = sys.argv[1:]
    async with Api(Credentials(app_id, secret), endpoints=Endpoints(base)) as api:
        await api.groups.upload_media(group, Media.file(b"warm"))
        before, most = rss(), 0
        def look(done, total):
            nonlocal most
            most = max(most, rss())
        await api.groups.upload_media(group, Media.file(Path(path), progress=look))
        print(most - before)

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
async def test_memory_stays_flat(sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    arguments = [sim.app_id, sim.secret.reveal() if hasattr(sim.secret, "reveal") else sim.secret, sim.api_base]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MEMORY, *arguments, sim.group("test").id, str(path), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    assert int(told) < 20 * 1024 * 1024


@pytest.mark.parametrize("second", ["fa", "fb", "f2", "f3", "e2", "e3"])
def test_every_frame_of_mp3_is_a_voice(second: str) -> None:
    assert fits(FileType.VOICE, bytes.fromhex(f"ff{second}9000"))


@pytest.mark.parametrize("head", [b"\xff", b"\xff\xf1P", b"\xff\xfd\x90", b"\xff\xea\x90", b"\xfe\xfb\x90", b""])
def test_other_bytes_are_no_voice(head: bytes) -> None:
    assert not fits(FileType.VOICE, head)


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        (FileType.VOICE, b"fLaC\0\0\0\x22"),
        (FileType.VOICE, b"OggS\0\2"),
        (FileType.VIDEO, b"\0\0\0\x20ftypiso5"),
        (FileType.VIDEO, b"\0\0\0\x14ftypqt  "),
        (FileType.VIDEO, b"\0\0\0\x18styp"),
        (FileType.VIDEO, b"\0\0\0\x08wide\0\0\0\0mdat"),
        (FileType.VIDEO, b"\0\0\x10\0moov"),
        (FileType.VIDEO, b"\0\0\0\x08free\0\0\0\x20ftyp"),
    ],
)
def test_kinds_are_known_by_all_their_signatures(kind: FileType, head: bytes) -> None:
    assert fits(kind, head)
    assert not fits(FileType.IMAGE, head)


async def test_a_check_that_errs_can_be_left_out(sim: Simulator, api: Api) -> None:
    group = sim.group("test").id
    for source in (b"a new format", stream(b"a newer ", b"one")):
        image = Media.image(source, check=False)
        assert (await api.groups.send_message(group, image)).id
    with pytest.raises(ConfigError, match="check=False sends it all the same"):
        await api.groups.send_message(group, Media.image(b"a new format"))
    assert Media.image(b"", check=False).source == b""
    for source in (b"12345", stream(b"123", b"45")):
        with pytest.raises(ConfigError, match="at most 4"):
            async with opened(Threads(1, "files"), Media.file(source), limit=4):
                pass
    for source in (b"12345", stream(b"123", b"45")):
        async with opened(Threads(1, "files"), Media.file(source, check=False), limit=4) as file:
            assert await file.read(0, 9) == b"12345"


def test_a_plan_of_years_is_carried_out_in_seconds() -> None:
    for planned, seconds in ((10**9, LONGEST_DELAY), (-1, 0.0), (2, 2.0)):
        assert _delay(UploadConfig(retry_delay=planned)) == seconds


async def test_as_many_uploads_are_remembered_as_fit(api: Api) -> None:
    stored = 0

    async def store(*, body: MediaUploadBody, timeout: float | None) -> MediaUploadResult:
        nonlocal stored
        stored += 1
        return MediaUploadResult(file_uuid=str(stored), file_info=str(stored), ttl=0)

    uploads = Uploads(api._put, api.clock, api._files)
    steps = Steps(store=store, prepare=_unused, finish_part=_unused)
    for number in range(REMEMBERED + 50):
        await uploads.upload(Scene.GROUP, Media.file(b"%d" % number, name="n"), steps, None)
    assert len(uploads._done) == REMEMBERED
    await uploads.upload(Scene.GROUP, Media.file(b"%d" % (REMEMBERED + 49), name="n"), steps, None)
    assert stored == REMEMBERED + 50


async def _unused(_: object) -> Any:
    raise AssertionError("small files are stored in one call")
