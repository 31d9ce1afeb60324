"""Error answers of the platform."""

import math
from collections.abc import Mapping

ERR_CODES: Mapping[int, int] = {
    11241: 40011005,
    11243: 40012002,
    11244: 40011027,
    11253: 40012010,
    11255: 40011028,
    11293: 40011026,
    11298: 40023002,
    850028: 40011021,
}
"""`err_code` of each `code` of the older family that is answered with another number of the newer one.

Source: codes.json, answers of 2026.
"""


class Refusal(Exception):
    """A call that the platform answers with an error: its code, its message and the HTTP status."""

    headers: Mapping[str, str] | None = None

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def document(self, trace_id: str) -> dict[str, object]:
        """Return the body of the answer."""
        return {
            "message": self.message,
            "code": self.code,
            "err_code": ERR_CODES.get(self.code, self.code),
            "trace_id": trace_id,
        }


class TooManyCalls(Refusal):
    """HTTP 429; `wait`: seconds until a call is allowed again."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(100001, message, status=429)
        self.headers = {"Retry-After": str(math.ceil(wait))}
