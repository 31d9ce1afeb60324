"""`Refusal`: a call that the platform answers with an error."""

# The number of the newer 8-digit family where it differs from the older one.
_ERR_CODES = {11298: 40023002}


class Refusal(Exception):
    """The platform says no: HTTP status, its number, and its words."""

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
            "err_code": _ERR_CODES.get(self.code, self.code),
            "trace_id": trace_id,
        }
