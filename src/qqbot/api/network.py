"""How sockets reach the platform, and what went wrong.

Responsible for addresses as they are sent, for redirects that must not be followed, and for describing network errors
without secrets.
Collaborators: `api.transport` and `gateway.connection` open the sockets. It opens none.
"""

import asyncio
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ssl import SSLContext
from types import SimpleNamespace
from typing import TypedDict
from urllib.parse import quote

import aiohttp
from yarl import URL

from ..config import is_host


class ConnectOptions(TypedDict, total=False):
    """How sockets reach the platform. `proxy_for` names the HTTP proxy for a URL; None leaves it to the session."""

    proxy_for: Callable[[str], str | None]
    ssl_context: SSLContext | None


_NETWORK = "check the network, the proxy and the address (that of the platform: QQBOT_API_BASE)"
_PROXY = "check proxy= or the environment's proxy variables"
_TLS = "check the clock, and ssl_context= for a private certificate authority"


@contextmanager
def no_redirects(session: aiohttp.ClientSession) -> Generator[None]:
    """Let no websocket that the current task opens with `session` follow a redirect: `ws_connect` has no option for it.

    Raises: WSServerHandshakeError in place of the second request.
    """
    task = asyncio.current_task()

    async def refuse(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, redirect: aiohttp.TraceRequestRedirectParams
    ) -> None:
        if asyncio.current_task() is task:  # other tasks use the session meanwhile
            redirect.response.close()
            raise aiohttp.WSServerHandshakeError(
                redirect.response.request_info,
                (),
                status=redirect.response.status,
                message="a redirect, which is never followed",
            )

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    trace.freeze()
    session.trace_configs.append(trace)  # only for the moment: every request pays for a trace
    try:
        yield
    finally:
        session.trace_configs.remove(trace)


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
    if not mark or not host.isprintable() or not is_host(origin.raw_host):  # yarl leaves out line breaks in silence
        raise ValueError("it has no host")
    tail = _NOT_ALLOWED.sub(lambda found: quote(found[0], safe="", errors="surrogateescape"), rest[len(host) :])
    # The origin of a URL ends without a slash, or with it if yarl added one.
    return URL(str(origin).rstrip("/") + tail, encoded=True)


NETWORK_ERRORS = (OSError, aiohttp.ClientError, RuntimeError)
"""What aiohttp raises if a request fails; RuntimeError: no thread can be started, an executor or session is closed."""


def cause_of(error: OSError | aiohttp.ClientError | RuntimeError) -> str:
    """Return a description that contains no header, query, user or password."""
    if isinstance(error, RuntimeError):
        return (
            f"this process could not begin it ({error}): look at its limit of threads, and whether the session or an "
            "executor was closed. 进程无法发起连接：请检查线程数限制，以及会话或线程池是否已关闭"
        )
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
