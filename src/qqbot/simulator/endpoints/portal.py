"""The developers' portal, as far as it passes the credentials of a bot to a tool by QR code.

Responsible for the tasks of such tools: opening the address of the QR code stands for the user who scans it and agrees.
Collaborators: `platform` (the bot, the time). It needs no token, as the portal.
Source: qqbot-agent-sdk onboard.py
"""

import base64
import binascii
import secrets
from dataclasses import dataclass

from aiohttp import web

from .. import wire
from ..platform import Platform
from ..state.bounded import Bounded
from ..wire import JsonObject

PENDING, COMPLETED, EXPIRED = 1, 2, 3
LIFETIME = 300.0  # seconds of the business clock
KEY_BYTES, NONCE_BYTES = 32, 12
MOST_TASKS = 1000
BAD_REQUEST, NO_TASK, NO_CRYPTOGRAPHY = 1001, 1002, 1003  # the portal's own numbers are not known


@dataclass(slots=True)
class PortalTask:
    """A task of a tool. `ends_at`: seconds of the business clock."""

    key: bytes
    ends_at: float
    scanned: bool = False


class Portal:
    """Serves the three addresses of the portal for one bot."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._tasks: dict[str, PortalTask] = Bounded(MOST_TASKS)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/lite/create_bind_task", self._create),
            web.post("/lite/poll_bind_result", self._poll),
            web.get("/qqbot/openclaw/connect.html", self._scan),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        try:
            key = base64.b64decode(wire.text_of(await _body(request), "key"), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            return _refused(BAD_REQUEST, "key must be base64 of 32 bytes")
        task_id = secrets.token_urlsafe(16)
        self._tasks[task_id] = PortalTask(key, self._platform.clock.now() + LIFETIME)
        return _answer({"retcode": 0, "msg": "success", "data": {"task_id": task_id}})

    async def _poll(self, request: web.Request) -> web.Response:
        task = self._tasks.get(wire.text_of(await _body(request), "task_id"))
        if task is None:
            return _refused(NO_TASK, "there is no such task")
        data: JsonObject = {"status": PENDING}
        if task.scanned:
            try:
                sealed = _sealed(task.key, self._platform.settings.secret)
            except ImportError:
                return _refused(NO_CRYPTOGRAPHY, "the simulator needs pip install 'aioqqbot[crypto]' for this")
            user = self._platform.world.open("c2c", "Alice").id
            app_id = self._platform.settings.app_id
            data = {"status": COMPLETED, "bot_appid": app_id, "bot_encrypt_secret": sealed, "user_openid": user}
        elif self._platform.clock.now() >= task.ends_at:
            data = {"status": EXPIRED}
        return _answer({"retcode": 0, "msg": "success", "data": data})

    async def _scan(self, request: web.Request) -> web.Response:
        task = self._tasks.get(request.query.get("task_id", ""))
        if task is None or self._platform.clock.now() >= task.ends_at:
            return web.Response(status=404, text="The code has expired. 二维码已过期\n")
        task.scanned = True
        return web.Response(text="The credentials were passed on. 已授权\n")


async def _body(request: web.Request) -> JsonObject:
    try:
        return wire.parse_object(await request.read())
    except ValueError:
        return {}


def _sealed(key: bytes, secret: str) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra

    nonce = secrets.token_bytes(NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, secret.encode(), None)).decode()


def _refused(code: int, words: str) -> web.Response:
    return _answer({"retcode": code, "msg": words})


def _answer(document: JsonObject) -> web.Response:
    return web.Response(text=wire.dump(document), content_type="application/json")
