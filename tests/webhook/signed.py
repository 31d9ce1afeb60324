"""Webhook calls as the platform makes them, by its own rules: what the tests send."""

import json
import time
from typing import Any, Self

import aiohttp

from qqbot import Credentials
from qqbot.webhook import sign

APP_ID, SECRET = "102000001", "DG5g3B4j9X2KOErG"
CREDENTIALS = Credentials(APP_ID, SECRET)
ACK, AGAIN = {"op": 12, "d": 0}, {"op": 12, "d": 1}


def event(number: int | str, kind: str = "C2C_MESSAGE_CREATE", *, user: str = "U", text: str = "hi") -> bytes:
    """A message of a user; `number` makes its ids."""
    d = {
        "id": f"ROBOT1.0_{number}",
        "author": {"id": user, "user_openid": user},
        "content": text,
        "timestamp": "2026-03-01T09:48:47+08:00",
    }
    return json.dumps({"op": 0, "s": 1, "t": kind, "id": f"{kind}:{number}", "d": d}).encode()


def click(number: int | str, *, user: str = "U") -> bytes:
    """A click of the same user."""
    d = {"id": f"click-{number}", "type": 11, "user_openid": user, "data": {"type": 11, "resolved": {"button_id": "1"}}}
    envelope = {"op": 0, "s": 1, "t": "INTERACTION_CREATE", "id": f"INTERACTION_CREATE:{number}", "d": d}
    return json.dumps(envelope).encode()


def signed(
    body: bytes, *, secret: str = SECRET, app_id: str = APP_ID, age: int = 0, **more: str | None
) -> dict[str, str]:
    """The platform's headers for `body`; `age`: seconds ago that it was signed."""
    timestamp = str(int(time.time()) - age)
    fields = {
        "User-Agent": "QQBot-Callback",
        "Content-Type": "application/json",
        "X-Bot-Appid": app_id,
        "X-Signature-Ed25519": sign(secret, timestamp, body),
        "X-Signature-Timestamp": timestamp,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return {name: value for name, value in fields.items() if value is not None}


class Caller:
    """Makes calls to one address."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, body: Any, headers: dict[str, str] | None = None, method: str = "POST") -> tuple[int, Any]:
        """Send `body`, signed unless `headers` are given; status and document of the answer."""
        fields = signed(body) if headers is None else headers
        async with self._session.request(
            method, self.url, data=body, headers=fields, skip_auto_headers=["Content-Type"], allow_redirects=False
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def ask(self, method: str, path: str) -> tuple[int, Any]:
        """Call another route of the same server; status and document of the answer."""
        async with self._session.request(method, f"{self.url}{path}") as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text
