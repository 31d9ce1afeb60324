"""Pictures, videos, voice and files: the bodies and answers of uploads, and the formats.

It holds no bytes and transfers nothing; see `api.uploads`.
"""

from enum import IntEnum

from msgspec import UNSET, UnsetType

from .base import Body, Model


class FileType(IntEnum):
    """The kind of a media file.  Source: server-inter/message/rich-media"""

    IMAGE = 1
    VIDEO = 2
    VOICE = 3
    FILE = 4


class MediaInfo(Body, frozen=True, kw_only=True):
    """Refers to an uploaded file in a message; valid only in the scene (group or C2C) of the upload."""

    file_info: str


_MAGIC: dict[FileType, tuple[tuple[int, bytes], ...]] = {
    FileType.IMAGE: ((0, b"\x89PNG"), (0, b"\xff\xd8\xff"), (0, b"GIF8"), (8, b"WEBP"), (0, b"BM")),
    # An mp4 usually begins with its type, but a file of QuickTime, a fragment or padding may come first.
    FileType.VIDEO: tuple(
        (4, box) for box in (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"sidx", b"free", b"skip", b"wide", b"pnot")
    ),
    FileType.VOICE: (
        (0, b"#!SILK"),
        (1, b"#!SILK"),
        (0, b"ID3"),
        (8, b"WAVE"),
        (0, b"OggS"),
        (0, b"fLaC"),
    ),
}
"""The first bytes of the formats that the platform accepts: offset and bytes."""

FORMATS = {
    FileType.IMAGE: "png, jpg, gif, webp or bmp",
    FileType.VIDEO: "mp4",
    FileType.VOICE: "silk, mp3, wav, flac or ogg",
}

HEAD = 16  # bytes that identify the format


def fits(kind: FileType, head: bytes) -> bool:
    """True if a file that begins with `head` can be of this kind."""
    if kind not in _MAGIC or any(head.startswith(magic, offset) for offset, magic in _MAGIC[kind]):
        return True
    return kind is FileType.VOICE and _is_layer_three(head)


def _is_layer_three(head: bytes) -> bool:
    """True if `head` begins a frame of mp3: MPEG 1, 2 or 2.5, layer III, with or without a checksum."""
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer == 1


class MediaUploadBody(Body, frozen=True, kw_only=True):
    """Stores a file: from a `url`, from `file_data` (base64), or from the parts of the upload `upload_id`.

    With `srv_send_msg` the platform would send it at once, as an active message.

    Source: autogen/api/v2_users_user_openid_files.post
    """

    file_type: FileType
    srv_send_msg: bool = False
    url: str | UnsetType = UNSET
    file_data: str | UnsetType = UNSET
    upload_id: str | UnsetType = UNSET
    file_name: str | UnsetType = UNSET


class MediaUploadResult(Model, frozen=True, kw_only=True):
    """An uploaded file. `ttl` is in seconds, 0 = does not expire; `id` is set if the upload also sent it.

    Source: autogen/api/v2_users_user_openid_files.post
    """

    file_info: str
    file_uuid: str = ""
    ttl: int = 0
    id: str = ""
    raw_url: str = ""

    @property
    def media(self) -> MediaInfo:
        """The reference to this file in a message."""
        return MediaInfo(file_info=self.file_info)


class UploadPrepareBody(Body, frozen=True, kw_only=True):
    """Announces an upload in parts. `file_size` is in bytes; the hashes are hexadecimal.

    `md5_10m` is the md5 of the first 10 002 432 bytes.

    Source: autogen/api/v2_users_user_id_upload_prepare.post
    """

    file_type: FileType
    file_size: str
    file_name: str
    md5: str
    sha1: str
    md5_10m: str


class UploadPart(Model, frozen=True, kw_only=True):
    """One part: the address for its bytes, and their number (0: `block_size` of the upload)."""

    index: int
    presigned_url: str
    block_size: int = 0


class UploadConfig(Model, frozen=True, kw_only=True):
    """How to upload: parts at once, and the seconds for, and between, attempts to finish a part."""

    concurrency: int = 1
    retry_timeout: int = 300
    retry_delay: int = 1


class UploadPrepareResult(Model, frozen=True, kw_only=True):
    """The plan of an upload. `block_size` is in bytes.

    The platform sends the configuration in `upload_config` or next to it; `config` reads both.

    Source: autogen/api/v2_users_user_id_upload_prepare.post
    """

    upload_id: str
    block_size: int
    parts: tuple[UploadPart, ...]
    upload_config: UploadConfig | None = None
    concurrency: int = 1
    retry_timeout: int = 300
    retry_delay: int = 1

    @property
    def config(self) -> UploadConfig:
        """How to upload."""
        return self.upload_config or UploadConfig(
            concurrency=self.concurrency, retry_timeout=self.retry_timeout, retry_delay=self.retry_delay
        )


class UploadPartBody(Body, frozen=True, kw_only=True):
    """Reports that a part's bytes were sent. `block_size` in bytes, `md5` of the part, hexadecimal.

    Source: autogen/api/v2_users_user_id_upload_part_finish.post
    """

    upload_id: str
    part_index: int
    block_size: int
    md5: str
