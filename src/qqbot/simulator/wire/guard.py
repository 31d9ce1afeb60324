"""Access control of the simulator: requests of this machine, addressed to a loopback name, with the control token.

Responsible for the checks of Host, Origin and token. A foreign web page in the same browser can reach loopback too;
Host and Origin distinguish it.
"""

import hmac

from aiohttp import web

BODY_LIMIT = 1 << 20
"""Bytes of a request body."""

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Guard:
    """Checks Host, Origin and token."""

    def __init__(self, control_token: str) -> None:
        self._token = control_token.encode()
        # Empty until the port is known: no Host is accepted before `listen`.
        self._hosts: frozenset[str] = frozenset()

    def listen(self, port: int) -> None:
        """Set the port that the Host header must contain."""
        self._hosts = frozenset(f"{name}:{port}" for name in _LOOPBACK)

    def accepts(self, token: object) -> bool:
        """True if this is the control token."""
        return isinstance(token, str) and hmac.compare_digest(token.encode(errors="replace"), self._token)

    def authorized(self, request: web.Request) -> bool:
        """True if the request carries the control token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and self.accepts(token)

    def refusal(self, request: web.Request) -> str | None:
        """Return why a request is refused, or None."""
        if request.headers.get("Host", "").lower() not in self._hosts:
            return "this Host is not served here"
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower().removeprefix("http://") not in self._hosts:
            return "this Origin is not allowed"
        return None
