"""Uploaded media: scene, expiry, and the description that a chat shows.

Responsible for issuing and checking `file_info`. It does not download anything: a URL is stored as it is.
Collaborators: `uploads` (uploads in parts), `files` (the bytes).

Source: server-inter/message/rich-media.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ..wire import JsonObject, text_of
from ..wire.refusal import Refusal
from .bounded import Bounded
from .clock import Clock
from .files import FileStore
from .uploads import UploadState
from .world import Scene

TTL = 3600
"""Seconds during which an upload can be sent."""

_KEPT = 10000  # uploads; a bot sends the newest
_FILE_INFO_BYTES = 49  # not divisible by 3, so that the text has its padding

KINDS = {1: "image", 2: "video", 3: "voice", 4: "file"}


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file. `expires_at`: business time; `document`: kind, url and name for the chat."""

    scene: Scene
    expires_at: float
    document: JsonObject


class MediaService:
    """Uploads of one bot. `uploads`: the part uploads that have not ended."""

    def __init__(self, clock: Clock, files: FileStore) -> None:
        self._clock = clock
        self._files = files
        self.uploads = UploadState(clock)
        # Media that can be sent, by file_info.
        self._uploads: dict[str, Upload] = Bounded(_KEPT)

    def upload(self, scene: Scene, body: JsonObject) -> JsonObject:
        """Accept a file; return the MediaUploadResult.  Raises: Refusal."""
        url = text_of(body, "url")
        upload_id = text_of(body, "upload_id")
        # Several SDKs end an upload with its id alone: the file_type was announced by upload_prepare.
        announced = self.uploads.file_type(scene, upload_id) if upload_id else None
        kind = KINDS.get(_integer(body.get("file_type") or announced))
        if kind is None:
            raise Refusal(850019, "file_type is none of 1, 2, 3 and 4")
        if not url and not upload_id and not body.get("file_data"):
            raise Refusal(850026, "there is neither a url nor file_data nor an upload_id")
        if url and not _downloadable(url):
            raise Refusal(850028, "the source URL is not usable")
        stored, data = self.uploads.close(scene, upload_id) if upload_id else ("", _decode(text_of(body, "file_data")))
        name = text_of(body, "file_name") or stored or unquote(urlsplit(url).path.rpartition("/")[2])
        if data and not url:
            url = self._files.store(data, name=name, kind=kind)
        # Standard base64 with padding, the form of a Go `[]byte`.
        file_info = base64.b64encode(secrets.token_bytes(_FILE_INFO_BYTES)).decode()
        media: JsonObject = {"kind": kind, "url": url or None, "name": name or None}
        self._uploads[file_info] = Upload(scene, self._clock.now() + TTL, media)
        return {"file_uuid": secrets.token_urlsafe(24), "file_info": file_info, "ttl": TTL}

    def use(self, scene: Scene, media: JsonObject) -> JsonObject:
        """Return the document of a file that is being sent.  Raises: Refusal 304080."""
        upload = self._uploads.get(text_of(media, "file_info"))
        if upload is None or upload.scene != scene:
            raise Refusal(304080, "file_info is invalid, or was uploaded for another scene")
        if upload.expires_at < self._clock.now():
            raise Refusal(304080, "file_info is invalid: its ttl is over")
        return upload.document


def _decode(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise Refusal(850026, "file_data is no base64") from None


def _integer(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _downloadable(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
