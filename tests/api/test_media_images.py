"""An image goes into the library in one call."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from qqbot import ConfigError, DecodeError, MediaError, Timeout
from qqbot.api.resources import media_images
from qqbot.models.media_images import LARGEST_IMAGE
from tests.api.scripted import Scripted, hang, reply

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
SIGNED = "/store/a%2fb?sign=q%2B1%3d/+==&content-type=image%2fpng"
ADDED = {"image_id": "I1", "url": "qqbot-media://I1", "ttl": 7776000}


def store(seen: list[tuple[str, str, str | None, bytes]], status: int = 200) -> Callable[..., Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        seen.append(
            (request.raw_path, request.content_type, request.headers.get("Authorization"), await request.read())
        )
        return web.Response(status=status)

    return answer


def planned(platform: Scripted) -> dict[str, object]:
    return {"upload_id": "U1", "presigned_url": platform.url + SIGNED, "expires_in": 600}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_images, "PUT_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("given", "sent", "kind"),
    [
        ((None, None), "image.png", "image/png"),
        ((None, "logo.WEBP"), "logo.WEBP", "image/webp"),
        (("cat.png", None), "cat.png", "image/png"),
        (("cat.JPG", None), "cat.JPG", "image/jpeg"),
        (("cat", None), "cat.png", "image/png"),
        ((".cat", None), "cat.png", "image/png"),
    ],
)
async def test_an_image_goes_up_in_one_call(
    platform: Scripted, tmp_path: Path, given: tuple[str | None, str | None], sent: str, kind: str
) -> None:
    file, name = given
    seen: list[tuple[str, str, str | None, bytes]] = []
    platform.answers.extend([reply(planned(platform)), store(seen), reply(ADDED)])
    source: bytes | Path = PNG
    if file is not None:
        source = tmp_path / file
        source.write_bytes(PNG)
    async with platform.api() as api:
        added = await api.media_images.upload(source, name=name)
    assert (added.image_id, added.url) == ("I1", "qqbot-media://I1")
    prepare, _, complete = platform.calls
    md5 = hashlib.md5(PNG, usedforsecurity=False).hexdigest()
    assert prepare.json == {
        "file_name": sent,
        "content_type": kind,
        "file_size": len(PNG),
        "md5": md5,
        "sha1": hashlib.sha1(PNG, usedforsecurity=False).hexdigest(),
    }
    assert seen == [(SIGNED, kind, None, PNG)]
    assert complete.json == {"upload_id": "U1", "md5": md5}


async def test_a_store_that_fails_is_asked_again(platform: Scripted) -> None:
    seen: list[tuple[str, str, str | None, bytes]] = []
    platform.answers.extend([reply(planned(platform)), store(seen, 503), store(seen), reply(ADDED)])
    async with platform.api() as api:
        await api.media_images.upload(PNG)
        platform.answers.extend([reply(planned(platform)), *[store(seen, 500)] * 3])
        with pytest.raises(MediaError, match="the store refused the image") as caught:
            await api.media_images.upload(PNG)
        assert caught.value.status == 500
        platform.answers.extend([reply(planned(platform)), store(seen, 403)])
        with pytest.raises(MediaError) as caught:
            await api.media_images.upload(PNG)
        assert caught.value.status == 403
    assert len(seen) == 6


async def test_the_timeout_covers_all_steps(platform: Scripted) -> None:
    platform.answers.extend([reply(planned(platform)), hang])
    async with platform.api() as api:
        with pytest.raises(Timeout):
            await api.media_images.upload(PNG, timeout=0.4)


async def test_what_the_library_cannot_accept(platform: Scripted, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(LARGEST_IMAGE + 1)
    async with platform.api() as api:
        for image, words in (
            (b"text", "no png, jpg, gif or webp"),
            (large, "at most"),
            (tmp_path / "absent.png", "cannot be read"),
        ):
            with pytest.raises(ConfigError, match=words):
                await api.media_images.upload(image)
        with pytest.raises(ConfigError, match="1 to"):
            await api.media_images.upload(b"", name="a.png")
        platform.answers.append(reply({"upload_id": "U1", "presigned_url": "nowhere"}))
        with pytest.raises(DecodeError, match="pre-signed address"):
            await api.media_images.upload(PNG)
    assert len(platform.calls) == 1
