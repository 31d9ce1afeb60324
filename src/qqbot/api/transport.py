"""One HTTP exchange: the protocol `Transport`, and `AiohttpTransport`, which implements it.

Responsible for sending a request and for turning network errors into `Timeout` and `ConnectionFailed`.
Collaborators: `network` describes the errors. It knows no tokens, error codes or repeats.
"""

import ssl
from collections.abc import Callable
from typing import Protocol

import aiohttp
from yarl import URL

from ..errors import ConnectionFailed, Timeout, TransportError
from .exchange import Request, Response
from .network import NETWORK_ERRORS, cause_of

MAX_ANSWER_BYTES = 8 * 1024 * 1024  # of one answer, after it is inflated; the platform's largest have some 100 kB
CONNECT_TIMEOUT = 8.0  # seconds for TCP and TLS; shorter than an attempt, so that nothing was sent for certain


class Transport(Protocol):
    """Sends one request.

    Raises (`send`): Timeout or ConnectionFailed, with `maybe_sent` False if certainly nothing was sent.
    """

    async def send(self, request: Request) -> Response:
        """Send the request and return the whole answer, with any status."""
        ...


class AiohttpTransport:
    """Sends with an aiohttp session, which the caller opens and closes.

    `proxy_for` names the proxy for a URL; None uses the default of the session. `ssl_context`: None verifies with the
    system's authorities.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        proxy_for: Callable[[str], str | None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._session = session
        self._proxy_for = proxy_for
        self._ssl: ssl.SSLContext | bool = ssl_context or True

    async def send(self, request: Request) -> Response:
        """Send the request.  Raises: Timeout, ConnectionFailed, also for an answer of more than `MAX_ANSWER_BYTES`."""
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body,
                headers=request.headers,
                proxy=self._proxy_for(request.url) if self._proxy_for else None,
                ssl=self._ssl,
                timeout=aiohttp.ClientTimeout(total=request.timeout, sock_connect=CONNECT_TIMEOUT),
                allow_redirects=False,  # a redirect would carry the token elsewhere
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():  # aiohttp inflates one chunk at a time
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise _too_large(request)
                return Response(response.status, response.headers, bytes(body))
        except NETWORK_ERRORS as error:
            failure = _translated(error, request)
        # Raised outside of the except block, so that the error has no aiohttp exception as its context: some of them
        # carry the request's headers, with the token.
        raise failure


def _too_large(request: Request) -> ConnectionFailed:
    return ConnectionFailed(
        f"{request.method} {request.path}: the answer has more than {MAX_ANSWER_BYTES} bytes, the rest was not read; "
        "is it the platform that answers? Check the proxy and QQBOT_API_BASE. 回答过大，请检查代理和 QQBOT_API_BASE"
    )


def _translated(error: OSError | aiohttp.ClientError | RuntimeError, request: Request) -> TransportError:
    where = f"{request.method} {request.path}"
    if isinstance(error, TimeoutError):
        unconnected = isinstance(error, aiohttp.ConnectionTimeoutError)
        what = cause_of(error) if unconnected else f"no answer within {request.timeout:.3g} s"
        failure: TransportError = Timeout(f"{where}: {what}")
        failure.maybe_sent = not unconnected
    else:
        failure = ConnectionFailed(f"{where}: {cause_of(error)}")
        failure.maybe_sent = not isinstance(error, _BEFORE_SENDING)
    return failure


_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)
