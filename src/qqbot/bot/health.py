"""`/livez` and `/readyz`, as an aiohttp sub-application.

Responsible for the two answers. Collaborators: `runtime` returns the reasons. It decides nothing about the bot.
"""

from collections.abc import Callable, Sequence

from aiohttp import web

Reasons = Callable[[], Sequence[str]]
"""Returns what is wrong; empty if nothing is."""


def application(live: Reasons, ready: Reasons) -> web.Application:
    """Return an application with GET /livez and GET /readyz: 200, or 503 and the reasons, in JSON."""

    async def livez(_: web.Request) -> web.Response:
        return _answer(live())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(ready())

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz)])
    return app


def _answer(reasons: Sequence[str]) -> web.Response:
    status = 503 if reasons else 200
    headers = {"Cache-Control": "no-store"}
    return web.json_response({"ok": not reasons, "reasons": list(reasons)}, status=status, headers=headers)
