"""The control API: HTTP in front of `commands`. Collaborators: `wire.guard` (authorization)."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from .. import wire
from ..wire import JsonObject
from ..wire.guard import Guard
from .commands import Commands

_Command = Callable[[JsonObject], Awaitable[JsonObject]]


class Control:
    """Serves `/_sim/`, except for the page."""

    def __init__(self, commands: Commands, guard: Guard) -> None:
        self._commands = commands
        self._guard = guard

    def routes(self) -> list[web.RouteDef]:
        """Return the routes; the last one answers unknown paths."""
        posts = ("say", "click", "event", "fault", "clock", "group")
        return [
            *(web.post(f"/_sim/{name}", self._serving(getattr(self._commands, name))) for name in posts),
            web.get("/_sim/state", self._state),
            web.get("/_sim/frames", self._frames),
            web.route("*", "/_sim/{tail:.*}", self._unknown),
        ]

    def _serving(self, command: _Command) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            if not self._guard.authorized(request):
                return _unauthorized()
            try:
                document = wire.parse_object(await request.read())
                return _answer(await command(document))
            except web.HTTPRequestEntityTooLarge:
                return _answer({"error": "the body is larger than 1 MiB"}, 413)
            except ValueError as error:
                return _answer({"error": str(error)}, 400)

        return serve

    async def _state(self, request: web.Request) -> web.Response:
        return _answer(self._commands.state()) if self._guard.authorized(request) else _unauthorized()

    async def _frames(self, request: web.Request) -> web.Response:
        if not self._guard.authorized(request):
            return _unauthorized()
        since = request.query.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) < 19):
            return _answer({"error": "since must be a frame's number"}, 400)
        return _answer(self._commands.frames(int(since)))

    async def _unknown(self, request: web.Request) -> web.Response:
        if not self._guard.authorized(request):
            return _unauthorized()
        return _answer({"error": f"there is no {request.method} {request.path}"}, 404)


def _unauthorized() -> web.Response:
    return _answer({"error": "Authorization: Bearer <control_token> is missing or wrong"}, 401)


def _answer(document: JsonObject, status: int = 200) -> web.Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return web.Response(status=status, text=wire.dump(document), content_type="application/json", headers=headers)
