"""Files that people and the bot have sent: kept in memory, handed out under addresses nobody can guess.

Owns the bytes and how they are served; what a message says of its file is in the message.
"""

import mimetypes
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from aiohttp import web

PATH = "/_sim/files/"

FILE_LIMIT = 32 << 20
"""Bytes of one file."""

_KEPT = 256 << 20  # bytes of all files; the oldest go first

_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "audio/", "video/")
_SILK = b"#!SILK"
_DEFAULTS = {"image": "image/png", "video": "video/mp4", "voice": "audio/mpeg"}


@dataclass(frozen=True, slots=True)
class File:
    """One file. `type` is its content type."""

    key: str
    name: str
    type: str
    data: bytes


class FileStore:
    """The files of one simulator. `base`: the address of its HTTP side."""

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base
        self._files: OrderedDict[str, File] = OrderedDict()
        self._size = 0

    def keep(self, data: bytes, *, name: str, content_type: str = "", kind: str = "", key: str = "") -> str:
        """Keep a file; return its address.

        Without `content_type` its name tells what it is, else its `kind`: image, video, voice or file.
        """
        content_type = content_type or _type_of(name, kind, data)
        file = File(key or secrets.token_urlsafe(18), name or kind or "file", content_type, data)
        if (former := self._files.pop(file.key, None)) is not None:
            self._size -= len(former.data)
        self._files[file.key] = file
        self._size += len(data)
        while self._size > _KEPT and len(self._files) > 1:
            self._size -= len(self._files.popitem(last=False)[1].data)
        return f"{self._base()}{PATH}{file.key}/{quote(file.name, safe='')}"

    def find(self, address: object) -> File | None:
        """Return the file that an address of this store is of."""
        if not isinstance(address, str):
            return None
        try:
            path = urlsplit(address).path
        except ValueError:
            return None
        return self._files.get(path.removeprefix(PATH).partition("/")[0]) if path.startswith(PATH) else None

    async def serve(self, request: web.Request) -> web.Response:
        """Hand out a file. What a browser could run is only ever saved."""
        file = self._files.get(request.match_info["key"])
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=3600",
        }
        if file is None:
            return web.json_response({"error": "there is no such file"}, status=404, headers=headers)
        shown = file.type.startswith(_SHOWN)
        if not shown:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
        kind = file.type if shown else "application/octet-stream"
        return web.Response(body=file.data, content_type=kind, headers=headers)


def _type_of(name: str, kind: str, data: bytes) -> str:
    if kind == "voice" and _SILK in data[:10]:
        return "application/x-silk"
    guessed, _ = mimetypes.guess_type(name)
    return guessed or _DEFAULTS.get(kind, "application/octet-stream")
