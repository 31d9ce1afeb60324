"""How sockets reach the platform, and what went wrong.

Responsible for the proxy that the environment names, for addresses as they are sent, and for describing network errors
without secrets.
Collaborators: `api.transport` and `gateway.connection` open the sockets. It opens none.
"""

import re
from collections.abc import Callable
from ssl import SSLContext
from typing import TypedDict
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from ..config import is_loopback


class ConnectOptions(TypedDict, total=False):
    """How sockets reach the platform. `proxy_for` names the HTTP proxy for a URL; None leaves it to the session."""

    proxy_for: Callable[[str], str | None]
    ssl_context: SSLContext | None


_HTTP_SCHEMES = {"ws": "http", "wss": "https"}

_NETWORK = "check the network, the proxy and QQBOT_API_BASE"
_PROXY = "check proxy= or the environment's proxy variables"
_TLS = "check the clock, and ssl_context= for a private certificate authority"


def environment_proxy(url: str) -> str | None:
    """Return the HTTP proxy that the environment names for `url`, never one for a loopback host.

    aiohttp's `trust_env` uses a thread twice for each request, and adds the credentials of ~/.netrc for the host.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    proxy = getproxies().get(_HTTP_SCHEMES.get(parts.scheme, parts.scheme))
    return proxy if proxy is not None and proxy.startswith(("http://", "https://")) else None


_NOT_ALLOWED = re.compile(r"%(?![0-9A-Fa-f]{2})|[^!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
"""What RFC 3986 allows nowhere in a URL."""


def exact(address: str) -> URL:
    """Return an http(s) address that goes out byte for byte, since it may be signed.

    Only characters that no URL may have are quoted; a host is in lower case and in ASCII.

    Raises: ValueError if it is not an address.
    """
    scheme, mark, rest = address.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    origin = URL(f"{scheme}{mark}{host}")
    if not mark or not origin.raw_host:
        raise ValueError("it has no host")
    tail = _NOT_ALLOWED.sub(lambda found: quote(found[0], safe="", errors="surrogateescape"), rest[len(host) :])
    # The origin of a URL ends without a slash, or with it if yarl added one.
    return URL(str(origin).rstrip("/") + tail, encoded=True)


def cause_of(error: OSError | aiohttp.ClientError) -> str:
    """Return a description that contains no header, query, user or password."""
    match error:
        case TimeoutError():
            cause = f"no connection in time; {_NETWORK}"
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
        case aiohttp.WSServerHandshakeError():
            cause = f"no websocket was opened (HTTP {error.status}, {error.message}); {_NETWORK}"
        case aiohttp.ClientResponseError():
            cause = f"the answer is not HTTP ({error.message or type(error).__name__})"
        case _:
            cause = f"the connection broke: {str(error) or type(error).__name__}"
    return cause
