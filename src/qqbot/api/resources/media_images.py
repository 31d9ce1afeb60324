"""The image library for Markdown. Experimental: seen in one source only."""

from collections.abc import AsyncIterator

from ...models.media_images import (
    MediaImageCompleteBody,
    MediaImageCompleteResult,
    MediaImageList,
    MediaImagePrepareBody,
    MediaImagePrepareResult,
    MediaImageRecord,
)
from ..route import Route, nothing
from .base import Resource
from .cursors import pages

PREPARE_MEDIA_IMAGE = Route("prepare_media_image", "POST", "/v2/media-images/prepare", MediaImagePrepareResult)
COMPLETE_MEDIA_IMAGE = Route("complete_media_image", "POST", "/v2/media-images/complete", MediaImageCompleteResult)
LIST_MEDIA_IMAGES = Route("list_media_images", "GET", "/v2/media-images", MediaImageList)
DELETE_MEDIA_IMAGE = Route("delete_media_image", "DELETE", "/v2/media-images/{image_id}/delete", nothing)


class MediaImages(Resource):
    """Images that Markdown shows by address: at most 100, kept as long as they are used. Experimental."""

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
        """Delete an image; messages no longer show it.

        Experimental: seen in one source only.

        Raises: NotFound.
        Source: qq-botpy-sdk 2.2.1
        """
        await self._call(DELETE_MEDIA_IMAGE, image_id, timeout=timeout)
