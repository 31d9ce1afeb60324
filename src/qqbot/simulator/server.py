"""One aiohttp application on loopback that serves platform, gateway, control API and page.

Responsible for listening and for the routes. Collaborators: `endpoints`, `gateway`, `control`, `page` (the handlers),
`wire.guard` (which requests are refused).
"""

import asyncio
from contextlib import AsyncExitStack

from aiohttp import web
from aiohttp.typedefs import Handler

from .control.api import Control
from .control.commands import Commands
from .endpoints.portal import Portal
from .endpoints.rest import RestFront
from .page import assets as page
from .page.commands import PageCommands
from .page.live import Live
from .page.transfers import Transfers
from .platform import Platform
from .wire.guard import BODY_LIMIT, Guard

HOST = "127.0.0.1"
GATEWAY_PATH = "/websocket"


class Server:
    """Listens on loopback between `start` and `stop`."""

    def __init__(self, platform: Platform, commands: Commands, page_commands: PageCommands, control_token: str) -> None:
        self._platform = platform
        self._guard = Guard(control_token)
        self._live = Live(page_commands, platform.journal, self._guard)
        self._control = Control(commands, self._guard)
        self._transfers = Transfers(platform, self._guard)
        self._open: AsyncExitStack | None = None  # what `stop` has to close; None while stopped

    def _application(self) -> web.Application:
        @web.middleware
        async def turn_away(request: web.Request, handler: Handler) -> web.StreamResponse:
            if (reason := self._guard.refusal(request)) is not None:
                return web.json_response({"error": reason}, status=403, headers={"X-Content-Type-Options": "nosniff"})
            return await handler(request)

        app = web.Application(middlewares=[turn_away], client_max_size=BODY_LIMIT)
        app.add_routes(
            [
                web.get("/", page.index),
                web.get("/_sim/page/{name:.+}", page.asset),
                web.get("/_sim/ws", self._live.handle),
                *self._transfers.routes(),
                *self._control.routes(),
                *Portal(self._platform).routes(),
                web.get(GATEWAY_PATH, self._platform.gateway.handle),
                web.route("*", "/{tail:.*}", RestFront(self._platform).handle),
            ]
        )
        app.on_shutdown.append(self._hang_up)
        return app

    async def _hang_up(self, _: web.Application) -> None:
        self._platform.gateway.close_all()
        await self._live.close()

    @property
    def listening(self) -> bool:
        """True if it has been started and not stopped."""
        return self._open is not None

    async def start(self, port: int) -> int:
        """Listen on `port`, 0 for any free one; return the port.  Raises: OSError if the port is in use."""
        runner = web.AppRunner(self._application(), handle_signals=False, access_log=None, shutdown_timeout=0.5)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            assert runner.server is not None
            # Not web.TCPSite: if it is cancelled while it starts, its socket listens forever.
            loop = asyncio.get_running_loop()
            listener = await loop.create_server(runner.server, HOST, port, start_serving=False)
            stack.callback(listener.close)
            await listener.start_serving()
            stack.push_async_callback(self._platform.webhook.stop)
            self._open = stack.pop_all()
        bound: int = listener.sockets[0].getsockname()[1]
        self._guard.listen(bound)
        self._platform.listening = True
        self._platform.gateway_url = f"ws://{HOST}:{bound}{GATEWAY_PATH}"
        return bound

    async def stop(self) -> None:
        """Close all connections and stop listening."""
        stack, self._open = self._open, None
        self._platform.listening = False
        if stack is not None:
            await stack.aclose()
