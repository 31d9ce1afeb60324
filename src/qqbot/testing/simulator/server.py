"""One aiohttp application on loopback that serves platform, gateway, control API and page."""

from aiohttp import web
from aiohttp.typedefs import Handler

from . import page
from .commands import Commands
from .control import Control
from .guard import BODY_LIMIT, Guard
from .live import Live
from .page_commands import PageCommands
from .platform import Platform
from .rest import RestFront
from .transfers import Transfers

HOST = "127.0.0.1"
GATEWAY_PATH = "/websocket"


class Server:
    """Listens while it is entered."""

    def __init__(self, platform: Platform, commands: Commands, page_commands: PageCommands, control_token: str) -> None:
        self._platform = platform
        self._guard = Guard(control_token)
        self._live = Live(page_commands, platform.journal, self._guard)
        self._control = Control(commands, self._guard)
        self._transfers = Transfers(platform, self._guard)
        self._runner: web.AppRunner | None = None

    def _application(self) -> web.Application:
        @web.middleware
        async def turn_away(request: web.Request, handler: Handler) -> web.StreamResponse:
            if (reason := self._guard.refusal(request)) is not None:
                return web.json_response({"error": reason}, status=403)
            return await handler(request)

        app = web.Application(middlewares=[turn_away], client_max_size=BODY_LIMIT)
        app.add_routes(
            [
                web.get("/", page.index),
                web.get("/_sim/page/{name:.+}", page.asset),
                web.get("/_sim/ws", self._live.handle),
                *self._transfers.routes(),
                *self._control.routes(),
                web.get(GATEWAY_PATH, self._platform.gateway.handle),
                web.route("*", "/{tail:.*}", RestFront(self._platform).handle),
            ]
        )
        app.on_shutdown.append(self._hang_up)
        return app

    async def _hang_up(self, _: web.Application) -> None:
        self._platform.gateway.close_all()
        await self._live.close()

    async def start(self, port: int) -> int:
        """Listen on `port`, 0 for any free one; return the port.  Raises: OSError where it is taken."""
        runner = web.AppRunner(self._application(), handle_signals=False, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        bound: int = runner.addresses[0][1]
        self._guard.listen(bound)
        self._platform.gateway_url = f"ws://{HOST}:{bound}{GATEWAY_PATH}"
        return bound

    async def stop(self) -> None:
        """Close all connections and stop listening."""
        await self._platform.webhook.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
