"""Pictures, videos, voice and files: what an upload takes and gives.

Owns no bytes and no transfer; sending the result is in `outgoing`.
"""

from enum import IntEnum

from msgspec import UNSET, UnsetType

from .base import Body, Model


class FileType(IntEnum):
    """What kind of media a file is.  Source: server-inter/message/rich-media"""

    IMAGE = 1
    VIDEO = 2
    VOICE = 3
    FILE = 4


class MediaInfo(Body, frozen=True, kw_only=True):
    """Names an uploaded file in a message; good only in the scene (group or C2C) it was uploaded in."""

    file_info: str


class MediaUploadBody(Body, frozen=True, kw_only=True):
    """Asks the platform to fetch `url`. `srv_send_msg` true would send it at once, as an active message.

    Source: autogen/api/v2_users_user_openid_files.post
    """

    file_type: FileType
    srv_send_msg: bool = False
    url: str | UnsetType = UNSET
    file_name: str | UnsetType = UNSET


class MediaUploadResult(Model, frozen=True, kw_only=True):
    """An uploaded file. `ttl` is in seconds, 0 = does not expire; `id` is set when the upload also sent it.

    Source: autogen/api/v2_users_user_openid_files.post
    """

    file_info: str
    file_uuid: str = ""
    ttl: int = 0
    id: str = ""
    raw_url: str = ""

    @property
    def media(self) -> MediaInfo:
        """What a message carries to show this file."""
        return MediaInfo(file_info=self.file_info)
