"""Uploads and downloads of the page: files for a chat, and whole chats that are saved or opened."""

from aiohttp import web

from .. import wire
from ..control import archive
from ..platform import Platform
from ..state.files import FILE_LIMIT, PATH
from ..wire import JsonObject
from ..wire.guard import Guard

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Transfers:
    """Serves `/_sim/files` and `/_sim/chat`. Files need no token to be read, as on the platform."""

    def __init__(self, platform: Platform, guard: Guard) -> None:
        self._platform = platform
        self._guard = guard

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/_sim/files", self._upload),
            web.get(f"{PATH}{{key}}/{{name}}", self._platform.files.serve),
            web.get("/_sim/chat", self._save),
            web.post("/_sim/chat", self._open),
        ]

    async def _upload(self, request: web.Request) -> web.Response:
        """Store a file; answer the URL that a bot can download it from."""
        data = await self._body(request, FILE_LIMIT)
        if isinstance(data, web.Response):
            return data
        kind = request.content_type if "Content-Type" in request.headers else ""
        url = self._platform.files.store(data, name=request.query.get("name", ""), content_type=kind)
        return _answer({"url": url, "size": len(data)})

    async def _save(self, request: web.Request) -> web.Response:
        if not self._guard.authorized(request):
            return _unauthorized()
        return web.Response(text=archive.save(self._platform), content_type="application/jsonl", headers=_HEADERS)

    async def _open(self, request: web.Request) -> web.Response:
        data = await self._body(request, archive.ARCHIVE_LIMIT)
        if isinstance(data, web.Response):
            return data
        try:
            return _answer({"messages": archive.load(self._platform, _text(data))})
        except ValueError as error:
            return _answer({"error": str(error)}, 400)

    async def _body(self, request: web.Request, limit: int) -> bytes | web.Response:
        """Return the body, or the answer that refuses it."""
        if not self._guard.authorized(request):
            return _unauthorized()
        try:
            return await request.clone(client_max_size=limit).read()
        except web.HTTPRequestEntityTooLarge:
            return _answer({"error": f"the body is larger than {limit >> 20} MiB"}, 413)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the file is not UTF-8: byte {error.start}") from None


def _unauthorized() -> web.Response:
    return _answer({"error": "Authorization: Bearer <control_token> is missing or wrong"}, 401)


def _answer(document: JsonObject, status: int = 200) -> web.Response:
    return web.Response(status=status, text=wire.dump(document), content_type="application/json", headers=_HEADERS)
