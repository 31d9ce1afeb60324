"""Which HTTP proxy a request goes through.

Responsible for reading a proxy's address as people write it, and for the proxy that the environment names for a URL.
Collaborators: `client` and `webhook.client` ask for each URL, `network` describes what fails. It opens no socket.
"""

import logging
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..config import is_loopback, printable

log = logging.getLogger(__name__)

REMEMBERED = 256  # origins; uploads go to few hosts
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


def proxy_url(text: str, *, scheme: str = "http") -> str:
    """Return the URL of an HTTP proxy, without the blanks around it; `scheme` is that of a `host:port` without one.

    Raises: ValueError if it is none; its text does not contain the address, which may hold a password.
    """
    url = text.strip()
    if "://" not in url:
        url = f"{scheme}://{url.removeprefix('//')}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        kind = f"it is a {parts.scheme[:20]} proxy" if parts.scheme else "it has no scheme"
        raise ValueError(f"{kind}, and only http:// and https:// proxies are used")
    try:
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and printable(url)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "it is not an address such as http://user:password@host:port; special characters of a password are "
            "written as %XX"
        )
    return url


class EnvironmentProxies:
    """The HTTP proxies that the environment names, as `proxies(url)`; None: without a proxy.

    HTTPS_PROXY serves https and wss, HTTP_PROXY http and ws, ALL_PROXY the schemes that have none of their own;
    NO_PROXY exempts hosts, and a loopback host never has one. An address that cannot be used is logged once.

    aiohttp's `trust_env` uses a thread twice for each request, and adds the credentials of ~/.netrc for the host.
    """

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}  # by origin: reading the environment takes longer than a call of ours
        self._reported: set[str] = set()  # names of variables

    def __call__(self, url: str) -> str | None:
        """Return the proxy for `url`."""
        scheme, _, rest = url.partition("://")
        origin = f"{scheme}://{rest.partition('/')[0]}"
        if origin not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[origin] = self._look_up(origin)
        return self._known[origin]

    def _look_up(self, origin: str) -> str | None:
        parts = urlsplit(origin)
        proxies = getproxies()
        exempt = proxies.get("no", "").strip() == "*" or proxy_bypass(parts.netloc.rpartition("@")[2])
        if is_loopback(parts.hostname or "") or exempt:
            return None
        for name in (parts.scheme, _HTTP_SCHEMES.get(parts.scheme, parts.scheme), "all"):
            if (text := proxies.get(name, "")).strip():
                return self._usable(name, text)
        return None

    def _usable(self, name: str, text: str) -> str | None:
        try:
            return proxy_url(text)
        except ValueError as error:
            if name not in self._reported:
                self._reported.add(name)
                variable = f"{name.upper()}_PROXY"
                log.warning(
                    "the proxy of %s is not used, connections are made without it: %s. Name an HTTP proxy in %s, or "
                    "pass Bot(session=...), an aiohttp session with a connector for your proxy (aiohttp-socks has "
                    "one for SOCKS). 环境变量 %s 中的代理无法使用：请改用 http:// 代理，或通过 Bot(session=...) "
                    "传入支持 SOCKS 的会话",
                    variable,
                    error,
                    variable,
                    variable,
                )
            return None
