"""Access tokens of the bot.

Responsible for issuing, checking and revoking them. All lifetimes run on the business clock.

Source: dev-prepare/access-token.
"""

import hmac
import secrets

from ..wire import JsonObject, is_integer, is_object
from .clock import Clock

LIFETIME = 7200.0
"""Lifetime of a token in seconds."""

_FIELDS = ("appId", "clientSecret")

RENEWAL = 60.0
"""Seconds before the expiry of a token from which a request issues a new one; the old one stays valid until then."""


class TokenService:
    """Access tokens of one bot. `numeric_expiry`: `expires_in` is a number, as documented, instead of text."""

    def __init__(self, clock: Clock, app_id: str, secret: str, *, numeric_expiry: bool) -> None:
        self._clock = clock
        self.app_id = app_id
        self._secret = secret
        self._numeric_expiry = numeric_expiry
        # The token that a request returns until its last `RENEWAL` seconds.
        self._current = ""
        # Business time at which each issued token expires.
        self._expires_at: dict[str, float] = {}

    def answer(self, body: object) -> JsonObject:
        """Return the answer to a token request; a failure has a `code` and is HTTP 200 too."""
        if not is_object(body):
            return {"code": 100002, "message": "internal err"}
        app_id, secret = (str(value) if is_integer(value) else value for value in map(body.get, _FIELDS))
        if not (isinstance(app_id, str) and isinstance(secret, str)):
            return {"code": 100002, "message": "internal err"}
        if app_id != self.app_id or not hmac.compare_digest(secret.encode(), self._secret.encode()):
            return {"code": 100016, "message": "invalid appid or secret"}
        token, left = self._issue()
        return {"access_token": token, "expires_in": int(left) if self._numeric_expiry else str(int(left))}

    def _issue(self) -> tuple[str, float]:
        now = self._clock.now()
        self._expires_at = {token: end for token, end in self._expires_at.items() if end > now}
        left = self._expires_at.get(self._current, now) - now
        if left <= RENEWAL:
            self._current, left = secrets.token_urlsafe(32), LIFETIME
            self._expires_at[self._current] = now + left
        return self._current, left

    def accepts(self, token: str) -> bool:
        """True if the token is valid now."""
        return self._expires_at.get(token, 0.0) > self._clock.now()

    def revoke(self) -> None:
        """Revoke all tokens at once; the next request issues a new one."""
        self._expires_at.clear()
