"""Files that users and the bot have sent, in memory, served under URLs that cannot be guessed.

Responsible for the bytes and for how they are served. The description of a file is part of its message.
"""

import mimetypes
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from aiohttp import web

PATH = "/_sim/files/"
LIBRARY = "qqbot-media://image/v1/"
"""Beginning of the address of an image of the library; the key of its file follows."""

FILE_LIMIT = 32 << 20
"""Bytes of one file."""

_MAX_TOTAL = 256 << 20  # bytes of all files; the oldest are dropped first

_INLINE = re.compile(r"image/(png|jpeg|gif|webp|bmp)|(audio|video)/[a-z0-9.-]{1,60}")  # none with +xml
_MAX_NAME = 200  # characters
_SILK = b"#!SILK"
_DEFAULTS = {"image": "image/png", "video": "video/mp4", "voice": "audio/mpeg"}


@dataclass(frozen=True, slots=True)
class File:
    """One file. `key` identifies it in its URL; `type` is its content type."""

    key: str
    name: str
    type: str
    data: bytes


class FileStore:
    """Files of one simulator, oldest first. `base` returns the URL of its HTTP side."""

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base
        self._files: OrderedDict[str, File] = OrderedDict()
        # Bytes of all files, so that the limit needs no sum over them.
        self._size = 0

    def store(self, data: bytes, *, name: str, content_type: str = "", kind: str = "", key: str = "") -> str:
        """Store a file; return its URL.

        Without `content_type` the type follows from the name, or else from `kind`: image, video, voice or file.
        """
        content_type = content_type.lower() or _type_of(name, kind, data)
        name = name[:_MAX_NAME] if name.strip(". ") else ""
        file = File(key or secrets.token_urlsafe(18), name or kind or "file", content_type, data)
        if (replaced := self._files.pop(file.key, None)) is not None:
            self._size -= len(replaced.data)
        self._files[file.key] = file
        self._size += len(data)
        while self._size > _MAX_TOTAL and len(self._files) > 1:
            self._size -= len(self._files.popitem(last=False)[1].data)
        return f"{self._base()}{PATH}{file.key}/{quote(file.name, safe='')}"

    def find(self, url: object) -> File | None:
        """Return the file at a URL of this store, or of the image library; None for any other value."""
        if not isinstance(url, str):
            return None
        if url.startswith(LIBRARY):
            return self._files.get(url.removeprefix(LIBRARY))
        try:
            path = urlsplit(url).path
        except ValueError:
            return None
        return self._files.get(path.removeprefix(PATH).partition("/")[0]) if path.startswith(PATH) else None

    async def serve(self, request: web.Request) -> web.Response:
        """Serve a file; a type that a browser could execute is sent as a download."""
        file = self._files.get(request.match_info["key"])
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=3600",
        }
        if file is None:
            return web.json_response({"error": "there is no such file"}, status=404, headers=headers)
        inline = _INLINE.fullmatch(file.type) is not None
        if not inline:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
        kind = file.type if inline else "application/octet-stream"
        return web.Response(body=file.data, content_type=kind, headers=headers)


def _type_of(name: str, kind: str, data: bytes) -> str:
    if kind == "voice" and _SILK in data[:10]:
        return "application/x-silk"
    guessed, _ = mimetypes.guess_type(name)
    return guessed or _DEFAULTS.get(kind, "application/octet-stream")
