"""The image library: pictures that Markdown shows by a `qqbot-media://` address.

Experimental: seen in one source only. It transfers no bytes.
"""

import hashlib
import re

from ..errors import ConfigError
from .base import Aware, Body, Id, Model, require

LARGEST_IMAGE = 10 * 1024 * 1024  # bytes
CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
"""The kinds that the library accepts, by the extension of the file name."""


class MediaImagePrepareBody(Body, frozen=True, kw_only=True):
    """Announces an image of at most 10 MiB: its name, kind, size in bytes and hashes (hexadecimal).

    Raises: ConfigError for a kind that does not match the name, a size out of range, or an invalid hash.
    Source: qq-botpy-sdk 2.2.1 botpy/api.py
    """

    file_name: str
    content_type: str
    file_size: int
    md5: str
    sha1: str

    def __post_init__(self) -> None:
        if self.content_type != _content_type(self.file_name):
            raise ConfigError(f"{self.file_name!r} is not {self.content_type!r}: the kind must match the extension")
        if not 0 < self.file_size <= LARGEST_IMAGE:
            raise ConfigError(f"an image has 1 to {LARGEST_IMAGE} bytes, not {self.file_size}")
        _check_hash("md5", self.md5, 32)
        _check_hash("sha1", self.sha1, 40)

    @classmethod
    def of(cls, file_name: str, data: bytes) -> "MediaImagePrepareBody":
        """Return the announcement of the image `data`; the extension of the name decides its kind."""
        return cls(
            file_name=file_name,
            content_type=_content_type(file_name),
            file_size=len(data),
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        )


class MediaImagePrepareResult(Model, frozen=True, kw_only=True):
    """The address to PUT the bytes to, within `expires_in` seconds; `upload_id` is valid for 4 hours.

    Source: qq-botpy-sdk botpy/types/media_image.py
    """

    upload_id: Id
    presigned_url: Id
    expires_in: int = 0


class MediaImageCompleteBody(Body, frozen=True, kw_only=True):
    """Adds the image to the library after its bytes were sent.

    Raises: ConfigError for an empty id or an invalid hash.
    Source: qq-botpy-sdk 2.2.1
    """

    upload_id: str
    md5: str

    def __post_init__(self) -> None:
        require(upload_id=self.upload_id)
        _check_hash("md5", self.md5, 32)


class MediaImageCompleteResult(Model, frozen=True, kw_only=True):
    """An image and its address for Markdown. `ttl` (seconds) starts again at each use.

    Source: qq-botpy-sdk botpy/types/media_image.py
    """

    image_id: Id
    url: Id
    ttl: int = 0
    preview_url: str = ""


class MediaImageRecord(Model, frozen=True, kw_only=True):
    """An image in the library.  Source: qq-botpy-sdk botpy/types/media_image.py"""

    image_id: Id
    url: Id
    file_name: str = ""
    preview_url: str = ""
    created_at: Aware | None = None
    expires_at: Aware | None = None


class MediaImageList(Model, frozen=True, kw_only=True):
    """Images, newest first, and how many there are; `next_cursor` asks for the next page, '' ends the list.

    Source: qq-botpy-sdk botpy/types/media_image.py
    """

    images: tuple[MediaImageRecord, ...]
    next_cursor: str = ""
    total: int = 0


def _content_type(file_name: str) -> str:
    extension = file_name.rpartition(".")[2].lower()
    if extension not in CONTENT_TYPES or file_name.startswith("."):
        raise ConfigError(
            f"{file_name!r} is not an image for the library: the name must end in .{', .'.join(CONTENT_TYPES)}"
        )
    return CONTENT_TYPES[extension]


def _check_hash(name: str, text: str, digits: int) -> None:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", text):
        raise ConfigError(f"{name} must be {digits} hexadecimal digits, not {text!r}")
