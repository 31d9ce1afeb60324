"""The image library for Markdown. Experimental: seen in one source only."""

import asyncio
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Protocol

from ...aio.threads import Threads
from ...errors import ConfigError, MediaError, Timeout, TransportError
from ...models.media_images import (
    CONTENT_TYPES,
    LARGEST_IMAGE,
    MediaImageCompleteBody,
    MediaImageCompleteResult,
    MediaImageList,
    MediaImagePrepareBody,
    MediaImagePrepareResult,
    MediaImageRecord,
)
from ..exchange import Response
from ..files import error_words
from ..route import Route, nothing
from .base import Call, Resource
from .cursors import pages

PREPARE_MEDIA_IMAGE = Route("prepare_media_image", "POST", "/v2/media-images/prepare", MediaImagePrepareResult)
COMPLETE_MEDIA_IMAGE = Route("complete_media_image", "POST", "/v2/media-images/complete", MediaImageCompleteResult)
LIST_MEDIA_IMAGES = Route("list_media_images", "GET", "/v2/media-images", MediaImageList)
DELETE_MEDIA_IMAGE = Route("delete_media_image", "DELETE", "/v2/media-images/{image_id}/delete", nothing)


PUT_ATTEMPTS = 3
PUT_TIMEOUT = 120.0  # seconds
PUT_PAUSE = 1.0  # seconds between attempts


class PutImage(Protocol):
    """Sends a PUT request without the access token; `size` in bytes, `timeout` in seconds."""

    async def __call__(self, url: str, content: bytes, size: int, timeout: float, *, content_type: str) -> Response:
        """Return the answer, with any status."""
        ...


class MediaImages(Resource):
    """Images that Markdown shows by address: at most 100, kept as long as they are used. Experimental."""

    def __init__(self, call: Call, put: PutImage, threads: Threads) -> None:
        super().__init__(call)
        self._threads = threads
        self._put = put

    async def upload(
        self, image: bytes | os.PathLike[str], *, name: str | None = None, timeout: float | None = None
    ) -> MediaImageCompleteResult:
        """Add an image to the library in one call; Markdown refers to it by `url`.

        `image`: the bytes, or a path. `name` is the file name, whose extension states the kind (png, jpg, gif or webp);
        by default that of the path, or one after the first bytes. `timeout` (seconds) covers all steps.

        Experimental: seen in one source only.

        Raises: ConfigError if the file cannot be read, is empty, too large or of another kind; QuotaExceeded if the
        library is full, MediaError, Timeout.
        Source: qqbotsdk-py 1.0.0 qqbotsdk/api/media.py
        """
        try:
            async with asyncio.timeout(timeout):
                data = image if isinstance(image, bytes) else await self._threads.run(partial(_read, Path(image)))
                body = MediaImagePrepareBody.of(name or _name(image, data), data)
                plan = await self.prepare(body)
                await self._send(plan.presigned_url, data, body.content_type)
                return await self.complete(plan.upload_id, body.md5)
        except TimeoutError:
            raise Timeout(f"the upload of the image took longer than {timeout} s") from None

    async def _send(self, url: str, data: bytes, content_type: str) -> None:
        """Send the bytes with exactly the declared Content-Type: the store answers 403 to any other."""
        for attempt in range(1, PUT_ATTEMPTS + 1):
            try:
                response = await self._put(url, data, len(data), PUT_TIMEOUT, content_type=content_type)
            except TransportError:
                if attempt == PUT_ATTEMPTS:
                    raise
            else:
                if response.status < 300:
                    return
                if response.status < 500 or attempt == PUT_ATTEMPTS:
                    raise _refused(response)
            await asyncio.sleep(PUT_PAUSE)

    async def prepare(self, image: MediaImagePrepareBody, *, timeout: float | None = None) -> MediaImagePrepareResult:
        """Announce an image (`MediaImagePrepareBody.of(name, data)`); send its bytes by PUT to `presigned_url` next.

        Experimental: seen in one source only.

        Raises: QuotaExceeded if the library is full, MediaError.
        Source: qq-botpy-sdk 2.2.1 botpy/api.py
        """
        return await self._call(PREPARE_MEDIA_IMAGE, body=image, timeout=timeout)

    async def complete(self, upload_id: str, md5: str, *, timeout: float | None = None) -> MediaImageCompleteResult:
        """Add an image to the library after its bytes were sent; Markdown refers to it by `url`.

        Experimental: seen in one source only.

        Raises: QuotaExceeded if the library is full, MediaError; ConfigError for an invalid md5.
        Source: qq-botpy-sdk 2.2.1
        """
        body = MediaImageCompleteBody(upload_id=upload_id, md5=md5)
        return await self._call(COMPLETE_MEDIA_IMAGE, body=body, timeout=timeout)

    async def list(self, *, cursor: str = "", timeout: float | None = None) -> MediaImageList:
        """Return one page of images, newest first: the first page or the one at `cursor`.

        Experimental: seen in one source only.

        Raises: PermissionMissing.
        Source: qq-botpy-sdk 2.2.1
        """
        return await self._call(LIST_MEDIA_IMAGES, query={"cursor": cursor or None}, timeout=timeout)

    async def iter(self, *, timeout: float | None = None) -> AsyncIterator[MediaImageRecord]:
        """Yield every image, newest first; `timeout` (seconds) is for each page.

        Raises: as `list`.
        """
        async for page in pages(lambda cursor: self.list(cursor=cursor, timeout=timeout)):
            for image in page.images:
                yield image

    async def delete(self, image_id: str, *, timeout: float | None = None) -> None:
        """Delete an image: new messages cannot show it. Messages that were sent keep it.

        Experimental: seen in one source only.

        Raises: NotFound.
        Source: qq-botpy-sdk 2.2.1
        """
        await self._call(DELETE_MEDIA_IMAGE, image_id, timeout=timeout)


def _read(path: Path) -> bytes:
    """Return the bytes of a file.  Raises: ConfigError if it cannot be read or is too large."""
    try:
        if (size := path.stat().st_size) > LARGEST_IMAGE:
            raise ConfigError(f"{path.name} has {size} bytes, an image of the library at most {LARGEST_IMAGE}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(path)!r:.200} cannot be read: {error_words(error)}") from None


def _name(image: bytes | os.PathLike[str], data: bytes) -> str:
    """Return the name of the file; if its extension is of no kind that the library accepts, one after the bytes."""
    name = "" if isinstance(image, bytes) else Path(image).name
    if name.rpartition(".")[2].lower() in CONTENT_TYPES:
        return name
    extension = next((kind for kind, offset, magic in _SIGNATURES if data.startswith(magic, offset)), None)
    if extension is None:
        raise ConfigError(
            "the bytes are no png, jpg, gif or webp; if they are of one of these kinds, give name='picture.png'"
        )
    return f"{name.removeprefix('.') or 'image'}.{extension}"


_SIGNATURES = (("png", 0, b"\x89PNG"), ("jpg", 0, b"\xff\xd8\xff"), ("gif", 0, b"GIF8"), ("webp", 8, b"WEBP"))


def _refused(response: Response) -> MediaError:
    return MediaError(
        response.status,
        0,
        "the store refused the image",
        method="PUT",
        path="(a pre-signed address)",
        trace_id=response.trace_id,
    )
