"""One HTTP request and its answer as values, and the error that an answer stands for.

Responsible for reading error answers; pure.
Collaborators: `codes` defines what a code means, `transport` sends, `retry` decides about repeats.
"""

import re
from collections.abc import AsyncIterable, Mapping
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from ..config import Secret
from ..errors import (
    ApiError,
    ConfigError,
    DecodeError,
    Hint,
    MessagePendingAudit,
    RateLimited,
    ServerError,
    TransportError,
)
from ..models.codec import decoder, parse
from .codes import PENDING, ErrorRule, Family, RetryPolicy, error_rule, is_known
from .masking import without_secrets

TRACE_HEADER = "x-tps-trace-id"
SHOWN_CHARACTERS = 200  # of an answer that is not JSON
SHOWN_BYTES = 64 * 1024  # of such an answer that are read for its words
MESSAGE_CHARACTERS = 1000  # of what the platform says about an error; some of its texts quote the request


class Request(Struct):
    """One HTTP request. `headers` may be changed by request hooks; `timeout` is in seconds.

    `path` is for errors and the log (no query, no host). The repr omits URL, headers and body: they may hold secrets.
    """

    method: str
    url: str
    path: str
    headers: dict[str, str]
    body: bytes | AsyncIterable[bytes] | None
    timeout: float

    def __repr__(self) -> str:
        return f"Request(method={self.method!r}, path={self.path!r}, timeout={self.timeout!r})"


class Response:
    """The answer to a request. The repr omits headers and body: they may hold secrets."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"<Response {self.status}>"

    def header(self, name: str) -> str | None:
        """Return a header by its lower-case name; None if it is absent."""
        return next((value for key, value in self.headers.items() if key.lower() == name), None)

    @property
    def trace_id(self) -> str | None:
        """The id that Tencent's support asks for."""
        return self.header(TRACE_HEADER)


class Failure(NamedTuple):
    """A failed attempt: the exception that it becomes, and the rule for the platform's code (None: no answer).

    `sent`: True if the platform may have received the call.
    """

    error: ApiError | TransportError
    rule: ErrorRule | None
    sent: bool = True


class _Audit(Struct, frozen=True):
    audit_id: str = ""


class _Data(Struct, frozen=True):
    message_audit: _Audit = _Audit()


_Code = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class _ErrorBody(Struct, frozen=True):
    """Source: dev-prepare/api-call-guide."""

    code: _Code = 0
    err_code: _Code = 0
    message: str = ""
    trace_id: str = ""
    data: _Data = _Data()
    message_audit: _Audit = _Audit()

    @property
    def audit_id(self) -> str:
        """The review that the message waits for, '' if there is none."""
        return self.data.message_audit.audit_id or self.message_audit.audit_id


_UNREADABLE = Hint(
    "收到的不是平台的回答：检查代理、网关登录页和 QQBOT_API_BASE",
    "something other than the platform seems to answer: check the proxy, a login page of the network, QQBOT_API_BASE",
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile("[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")

_decode = decoder(_ErrorBody)
_NO_ERROR = _ErrorBody()


def check_headers(headers: Mapping[Any, Any], option: str) -> None:
    """Return if each of `headers` can be sent.  Raises: ConfigError, naming `option`, without the value."""
    for name, value in headers.items():
        if not (isinstance(name, str) and _HEADER_NAME.fullmatch(name)):
            raise ConfigError(f"{option}: {name!r:.80} cannot be the name of a header. 请求头名称无效")
        if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value)):
            raise ConfigError(
                f"{option}: the header {name!r:.80} cannot be sent: its value must be text without line breaks, NUL "
                "or other control characters (it is not shown here). 请求头的值不能含有换行等控制字符"
            )


def is_success(response: Response) -> bool:
    """True if the answer is certainly not an error; cheap, because it does not decode the body."""
    body = response.body
    return response.status in (200, 204) and b'code"' not in body and b'message_audit"' not in body


def failure_of(
    request: Request, response: Response, *, family: Family = "general", secrets: tuple[Secret, ...] = ()
) -> Failure | None:
    """Return the failure that an answer stands for, None if it is not an error; mask `secrets` in the message.

    An answer with status 200 is an error if its body has a code other than 0. An answer with 200, 201 or 202 may name
    the review that the message waits for, with or without a code.
    """
    status = response.status
    if is_success(response):
        return None
    body = _body(response.body)
    if status < 300 and not (body.code or body.err_code or body.audit_id):
        return None
    code, meaning = _judge(family, body, status)
    message = body.message or ("" if body is not _NO_ERROR else _shown(response.body))
    error = meaning.error(
        status,
        code,
        without_secrets(message, secrets)[:MESSAGE_CHARACTERS],
        method=request.method,
        path=request.path,
        trace_id=response.trace_id or body.trace_id[:SHOWN_CHARACTERS] or None,
        hint=meaning.hint,
    )
    if isinstance(error, RateLimited):
        error.retry_after = _seconds(response.header("retry-after"))
    if isinstance(error, MessagePendingAudit):
        error.audit_id = body.audit_id
    return Failure(error, meaning)


def unreadable(method: str, path: str, response: Response, what: str) -> Failure:
    """Return the failure for an answer that has a good status but an unusable body; `what` is the reason."""
    error = ServerError(
        response.status,
        0,
        f"the answer cannot be used: {what}",
        method=method,
        path=path,
        trace_id=response.trace_id,
        hint=_UNREADABLE,
    )
    return Failure(error, ErrorRule(ServerError, RetryPolicy.BACKOFF, _UNREADABLE))


def words_if_no_json(data: bytes) -> str | None:
    """Return the first words of a body that is not JSON; None if it is JSON."""
    try:
        parse(data)
    except DecodeError:
        return _shown(data) or "it is empty"
    return None


def _body(data: bytes) -> _ErrorBody:
    if not data.lstrip().startswith(b"{"):  # a list of objects with codes is not an error
        return _NO_ERROR
    try:
        return _decode(data)
    except DecodeError:
        return _NO_ERROR


def _judge(family: Family, body: _ErrorBody, status: int) -> tuple[int, ErrorRule]:
    """Return the code and its rule. Prefer `err_code`, the newer one; use `code` if only that is known."""
    code = (
        body.code if is_known(family, body.code) and not is_known(family, body.err_code) else body.err_code or body.code
    )
    if body.audit_id and not code and status < 300:
        return code, PENDING
    return code, error_rule(family, code, status)


def _shown(data: bytes) -> str:
    """Return the words of a body that is not JSON, without mark-up."""
    if data.lstrip()[:1] in (b"{", b"[") and b'"' in data:  # a secret has no place in it that it is known by
        return f"{len(data)} bytes of broken JSON"
    # A tag ends before the next "<": else each of many would be searched to the end of the text.
    words = re.sub(r"<[^<>]*>", " ", data[:SHOWN_BYTES].decode("utf-8", "replace")).split()
    return " ".join(words)[:SHOWN_CHARACTERS]


def _seconds(header: str | None) -> float | None:
    """Return a Retry-After in seconds; the platform does not use its other form, a date."""
    return float(header) if header is not None and re.fullmatch(r"\d{1,9}(\.\d+)?", header.strip()) else None
