"""One HTTP exchange: `Transport` is the seam, `AiohttpTransport` the real thing.

Owns sending bytes and what can go wrong with that. Knows nothing of tokens, codes and repeats.
"""

import ssl
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from ..errors import ConnectionFailed, Timeout, TransportError
from .exchange import Request, Response

CONNECT_TIMEOUT = 8.0  # seconds, for TCP and TLS; less than an attempt has, so that it is told apart


class Transport(Protocol):
    """Sends one request.

    Raises (`send`): Timeout or ConnectionFailed, with `maybe_sent` False where nothing can have been sent.
    """

    async def send(self, request: Request) -> Response:
        """Send the request and return the whole answer, whatever its status."""
        ...


class AiohttpTransport:
    """Sends over an aiohttp session that somebody else opens and closes.

    `proxy`: a URL; None leaves it to the session. `ssl_context`: None verifies with the system's authorities.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, proxy: str | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._session = session
        self._proxy = proxy
        self._ssl: ssl.SSLContext | bool = ssl_context or True

    async def send(self, request: Request) -> Response:
        """Send the request.  Raises: Timeout, ConnectionFailed."""
        answer = await self._exchange(request)
        if isinstance(answer, TransportError):
            # Raised out here, so that no context holds aiohttp's exception: some carry the request's headers.
            raise answer
        return answer

    async def _exchange(self, request: Request) -> Response | TransportError:
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body,
                headers=request.headers,
                proxy=self._proxy,
                ssl=self._ssl,
                timeout=aiohttp.ClientTimeout(total=request.timeout, sock_connect=CONNECT_TIMEOUT),
                allow_redirects=False,  # a redirect would carry the token elsewhere
            ) as response:
                return Response(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _translated(error, request)


def environment_proxy(url: str) -> str | None:
    """Return the HTTP proxy that the environment names for `url`.

    Asked once, since aiohttp's `trust_env` costs two trips to a thread for each request, and adds what ~/.netrc
    holds for the host.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxy = getproxies().get(parts.scheme)
    return proxy if proxy is not None and proxy.startswith(("http://", "https://")) else None


def _translated(error: Exception, request: Request) -> TransportError:
    where = f"{request.method} {request.path}"
    if isinstance(error, TimeoutError):
        unconnected = isinstance(error, aiohttp.ConnectionTimeoutError)
        what = "no connection in time" if unconnected else f"no answer within {request.timeout:.3g} s"
        failure: TransportError = Timeout(f"{where}: {what}")
        failure.maybe_sent = not unconnected
    else:
        failure = ConnectionFailed(f"{where}: {_cause(error)}")
        failure.maybe_sent = not isinstance(error, _BEFORE_SENDING)
    return failure


_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)


_NETWORK = "check the network, the proxy and QQBOT_API_BASE"
_PROXY = "check proxy= or the environment's proxy variables"
_TLS = "check the clock, and ssl_context= for a private certificate authority"


def _cause(error: Exception) -> str:
    """Return what happened in words that hold no header, user or password."""
    match error:
        case aiohttp.ClientSSLError():
            cause = f"TLS failed: {error}; {_TLS}"
        case aiohttp.ClientHttpProxyError():
            cause = f"the proxy refused with HTTP {error.status}; {_PROXY}"
        case aiohttp.ClientProxyConnectionError():
            cause = f"{error}; {_PROXY}"
        case aiohttp.ClientConnectorError():
            cause = f"{error}; {_NETWORK}"
        case aiohttp.InvalidURL():
            cause = "the address is not valid"
        case aiohttp.ClientResponseError():
            cause = f"the answer is not HTTP ({error.message or type(error).__name__})"
        case _:
            cause = f"the connection broke: {str(error) or type(error).__name__}"
    return cause
