"""Uploads in parts: announced files, received parts, and the comparison of the two.

Responsible for upload ids, presigned URLs and part hashes. It stores the bytes only of files that the page can show,
and only until their upload ends; of other files it stores hashes.

Source: server-inter/message/rich-media.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..wire import JsonObject, is_decimal, is_integer, text_of
from ..wire.refusal import Refusal
from .bounded import Bounded
from .budget import DayLimit
from .clock import Clock
from .files import FILE_LIMIT
from .world import Scene

STORE_PATH = "/_store/"
"""Path of the presigned URLs, outside the API as on the platform."""

BLOCK_SIZE = 5 * 1024 * 1024
HARD_LIMIT = 200 * 1024 * 1024
DAILY_VOLUME = 2 * 1024 * 1024 * 1024

UNFINISHED = 64 << 20
"""Bytes that are stored of unfinished uploads; those of the oldest are dropped first."""

MAX_UNFINISHED = 1000
"""Unfinished uploads; the oldest are forgotten first."""

_WRONG = 850026
_NOT_READY = 40093001
_VOLUME_USED = 40093002


@dataclass(slots=True)
class _Part:
    size: int
    key: str
    md5: str = ""
    finished: bool = False
    data: bytes = b""


@dataclass(slots=True)
class _Upload:
    """One unfinished upload. `stores_bytes`: False if only hashes are stored.

    `file_type`: the announced one, None if there was none.
    `content_type`: Content-Type that the PUT must have; '' for any.
    """

    scene: Scene
    name: str
    parts: dict[int, _Part] = field(default_factory=dict[int, _Part])
    stores_bytes: bool = False
    file_type: object = None
    content_type: str = ""

    def data(self) -> bytes:
        """Return the bytes, b"" if they are not stored."""
        return b"".join(part.data for part in self.parts.values())

    def drop_bytes(self) -> None:
        """Drop the bytes of all parts, also of later ones: an incomplete file is useless."""
        self.stores_bytes = False
        for part in self.parts.values():
            part.data = b""


class UploadState:
    """Part uploads of one bot.

    `block_size`: bytes. `concurrency`, `retry_delay` (seconds): upload settings in the answer to the bot.
    `volume`: bytes per day.
    """

    def __init__(self, clock: Clock) -> None:
        self.block_size = BLOCK_SIZE
        self.concurrency = 3
        self.retry_delay = 1
        self.volume = DayLimit(clock, DAILY_VOLUME)
        # Unfinished uploads by id, oldest first.
        self._uploads: dict[str, _Upload] = Bounded(MAX_UNFINISHED)

    def prepare(self, scene: Scene, body: JsonObject, base: str) -> JsonObject:
        """Register a file; return the upload plan.  Raises: Refusal."""
        text = text_of(body, "file_size")
        size = int(text) if is_decimal(text) and len(text) < 19 else 0
        if not 0 < size <= HARD_LIMIT:
            raise Refusal(_WRONG, "file_size is none, or more than 200 MB")
        for name, length in (("md5", 32), ("sha1", 40), ("md5_10m", 32)):
            if len(text_of(body, name)) != length:
                raise Refusal(_WRONG, f"{name} is no hash")
        if not self.volume.take(size):
            raise Refusal(_VOLUME_USED, "the volume of the day is used up")
        upload_id = secrets.token_hex(12)
        upload = self._uploads[upload_id] = _Upload(
            scene, text_of(body, "file_name"), stores_bytes=size <= FILE_LIMIT, file_type=body.get("file_type")
        )
        for index, offset in enumerate(range(0, size, self.block_size), 1):
            upload.parts[index] = _Part(min(self.block_size, size - offset), secrets.token_hex(8))
        addresses = [
            {"index": index, "presigned_url": f"{base}{STORE_PATH}{upload_id}/{index}?sign={part.key}"}
            for index, part in upload.parts.items()
        ]
        config = {"concurrency": self.concurrency, "retry_timeout": 300, "retry_delay": self.retry_delay}
        return {
            "upload_id": upload_id,
            "block_size": str(self.block_size),
            "parts": addresses[::-1],
            "upload_config": config,
        }

    def reserve(self, size: int, content_type: str, base: str) -> tuple[str, str]:
        """Register an upload of one part of `size` bytes; return its id and its presigned URL.

        The PUT must have exactly this Content-Type.
        """
        upload_id = secrets.token_hex(12)
        part = _Part(size, secrets.token_hex(8))
        self._uploads[upload_id] = _Upload("c2c", "", {1: part}, stores_bytes=True, content_type=content_type)
        return upload_id, f"{base}{STORE_PATH}{upload_id}/1?sign={part.key}"

    def stored(self, upload_id: str) -> str:
        """Return the md5 of a reserved part, '' until its bytes have arrived."""
        upload = self._uploads.get(upload_id)
        return upload.parts[1].md5 if upload else ""

    def end_reserved(self, upload_id: str) -> bytes:
        """End the upload of a reserved part; return its bytes, b"" if they were not stored."""
        return self._uploads.pop(upload_id).data()

    def put(self, path: str, sign: str, data: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Store the bytes of a part; return the HTTP status and the text of the answer."""
        upload_id, _, index = path.removeprefix(STORE_PATH).partition("/")
        upload = self._uploads.get(upload_id)
        part = upload.parts.get(int(index)) if upload and index.isdigit() else None
        if upload is None or part is None or sign != part.key:
            return 403, "SignatureDoesNotMatch"
        if upload.content_type not in ("", headers.get("Content-Type")):
            return 403, "SignatureDoesNotMatch: Content-Type is not the declared one"
        if "Authorization" in headers:
            return 403, "the address is signed: Authorization does not go with it"
        if "Content-Length" not in headers:
            return 411, "MissingContentLength"
        if len(data) != part.size:
            return 400, "IncompleteBody"
        part.md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if upload.stores_bytes:
            part.data = data
            self._make_room()
        return 200, ""

    def _make_room(self) -> None:
        total = 0
        for upload in reversed(self._uploads.values()):
            total += sum(len(part.data) for part in upload.parts.values())
            if total > UNFINISHED:
                upload.drop_bytes()

    def finish_part(self, scene: Scene, body: JsonObject) -> JsonObject:
        """Check a part.  Raises: Refusal 40093001 if it has not arrived, 850026 if it differs from the call."""
        upload = self._find(scene, text_of(body, "upload_id"))
        index = body.get("part_index")
        part = upload.parts.get(index) if is_integer(index) else None
        if part is None:
            raise Refusal(_WRONG, "part_index is of no part")
        if not part.md5:
            raise Refusal(_NOT_READY, "the part is not there yet")
        if (body.get("block_size"), text_of(body, "md5")) != (part.size, part.md5):
            raise Refusal(_WRONG, "block_size or md5 of the part is wrong")
        part.finished = True
        return {}

    def file_type(self, scene: Scene, upload_id: str) -> object:
        """Return the announced file_type of an upload.  Raises: Refusal 850026 if the upload is unknown."""
        return self._find(scene, upload_id).file_type

    def close(self, scene: Scene, upload_id: str) -> tuple[str, bytes]:
        """End an upload; return the name and the bytes of the file, b"" if they were not stored.

        Raises: Refusal 850026 if a part is missing.
        """
        upload = self._find(scene, upload_id)
        if not all(part.finished for part in upload.parts.values()):
            raise Refusal(_WRONG, "parts of the upload are missing")
        del self._uploads[upload_id]
        return upload.name, upload.data()

    def _find(self, scene: Scene, upload_id: str) -> _Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or upload.scene != scene:
            raise Refusal(_WRONG, "upload_id is unknown, or of another scene")
        return upload
