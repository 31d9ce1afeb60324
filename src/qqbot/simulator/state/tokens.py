"""The token desk: issues access tokens and knows which are good.

Source: dev-prepare/access-token. All life spans run on the business clock.
"""

import hmac
import secrets

from ..wire import JsonObject, is_object
from .clock import Clock

LIFETIME = 7200.0
"""Seconds a token lives."""

RENEWAL = 60.0
"""In the last seconds of a token, a call gives a new one; the old one lives on to its end."""


class TokenService:
    """Hands out the access tokens of one bot. `numeric_expiry`: `expires_in` is a number, as the documentation says."""

    def __init__(self, clock: Clock, app_id: str, secret: str, *, numeric_expiry: bool) -> None:
        self._clock = clock
        self.app_id = app_id
        self._secret = secret
        self._numeric_expiry = numeric_expiry
        self._current = ""
        self._ends: dict[str, float] = {}

    def answer(self, body: object) -> JsonObject:
        """Return the answer to a token request; a failure has a `code` and comes with HTTP 200 as well."""
        if not is_object(body):
            return {"code": 100002, "message": "internal err"}
        app_id, secret = body.get("appId"), body.get("clientSecret")
        if not (isinstance(app_id, str) and isinstance(secret, str)):
            return {"code": 100002, "message": "internal err"}
        if app_id != self.app_id or not hmac.compare_digest(secret.encode(), self._secret.encode()):
            return {"code": 100016, "message": "invalid appid or secret"}
        token, left = self._issue()
        return {"access_token": token, "expires_in": int(left) if self._numeric_expiry else str(int(left))}

    def _issue(self) -> tuple[str, float]:
        now = self._clock.now()
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        left = self._ends.get(self._current, now) - now
        if left <= RENEWAL:
            self._current, left = secrets.token_urlsafe(32), LIFETIME
            self._ends[self._current] = now + left
        return self._current, left

    def accepts(self, token: str) -> bool:
        """Whether calls with this token are let in now."""
        return self._ends.get(token, 0.0) > self._clock.now()

    def revoke(self) -> None:
        """End all tokens at once; the next request gets a new one."""
        self._ends.clear()
