"""How this machine reaches a host of the platform: proxy, name, connection, own address, and the date there.

Responsible for one request without a token, and for the part that broke if there is no answer. Collaborators: `Api`
(its session and its choice of a proxy), `findings`. It knows no bot.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp

from ..aio.threads import Threads
from ..api.caller import USER_AGENT
from ..api.client import Api
from ..api.exchange import TRACE_HEADER
from ..api.network import NETWORK_ERRORS, cause_of
from ..api.proxies import proxy_url
from ..api.resolver import lookup
from ..config import is_loopback
from ..errors import NoThread
from .findings import CheckFailed, Findings
from .neighbours import Address

STEP_SECONDS = 10.0  # for each look-up, connection and answer
IPV6_SECONDS = 3.0
MOST_CLOCK_ERROR = 60.0  # seconds; signatures of webhook calls and deadlines of replies go by the clock
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
PROXIES = ("http", "https", "ws", "wss", "all")


class Way(NamedTuple):
    """How a host is reached: the addresses that are connected to, and whether they are those of a proxy."""

    addresses: Sequence[Address]
    proxied: bool


class Reachability:
    """Checks the way to hosts, each once."""

    def __init__(self, api: Api, findings: Findings, threads: Threads) -> None:
        self._api = api
        self._findings = findings
        self._threads = threads
        self._ways: dict[tuple[str, int, str | None], Way] = {}

    def check_variables(self) -> None:
        """Check that the proxies of the environment can be used."""
        for name, text in getproxies().items():
            if name in PROXIES and text.strip():
                try:
                    proxy_url(text)
                except ValueError as error:
                    self._findings.warning(
                        "proxy",
                        f"{name.upper()}_PROXY is not used: {error}",
                        zh="请改用 http:// 代理，或清除该变量",
                        en="name an HTTP proxy there, or unset it",
                    )

    async def check(self, url: str) -> Way:
        """Check the way to the host of `url`, for http(s) with a request.  Raises: CheckFailed."""
        parts, proxy = urlsplit(url), self._proxy(url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        key = host, port, proxy
        if key not in self._ways:
            self._findings.ok("proxy", f"{host}: {'none' if proxy is None else _shown(proxy)}")
            target = urlsplit(proxy or url)
            name, port = target.hostname or "", target.port or PORTS[target.scheme]
            addresses = await self._resolve(name, port, of_proxy=proxy is not None)
            if parts.scheme.startswith("http"):
                await self._request(url, host, proxy)
            self._check_egress(host, addresses, proxied=proxy is not None)
            self._ways[key] = Way(addresses, proxy is not None)
        return self._ways[key]

    def _proxy(self, url: str) -> str | None:
        proxy_for = self._api.connect_options.get("proxy_for")
        return proxy_for(url) if proxy_for else None

    async def _resolve(self, name: str, port: int, *, of_proxy: bool) -> list[Address]:
        try:
            async with asyncio.timeout(STEP_SECONDS):
                rows = await self._threads.run(partial(lookup, name, port, socket.AF_UNSPEC))
        except (OSError, ValueError, NoThread) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            raise self._findings.fault(
                "dns",
                f"{name} has no address: {why}",
                zh=f"无法解析域名：请检查网络、DNS 服务器和{'代理地址' if of_proxy else '平台地址'}",
                en=f"check the network, the DNS server, and the address of the {'proxy' if of_proxy else 'platform'}",
            ) from None
        addresses = [(row["host"], port) for row in rows]
        six = [address for address in addresses if ":" in address[0]]
        if six and len(six) < len(addresses) and not is_loopback(name):
            await self._check_ipv6(name, *six[0])
        self._findings.ok("dns", f"{name}: {len(addresses) - len(six)} IPv4 and {len(six)} IPv6 addresses")
        return addresses

    async def _check_ipv6(self, name: str, address: str, port: int) -> None:
        try:
            async with asyncio.timeout(IPV6_SECONDS):
                _, writer = await asyncio.open_connection(address, port)
        except OSError as error:
            self._findings.warning(
                "ipv6",
                f"{name} has the IPv6 address {address}, which does not answer ({str(error) or 'in time'})",
                zh="IPv6 不通，连接会变慢：请修复或关闭本机的 IPv6",
                en="connections may be slow: mend IPv6 on this machine, or turn it off",
            )
            return
        self._findings.ok("ipv6", f"{name}: {address} answers")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _request(self, url: str, host: str, proxy: str | None) -> None:
        """Make one request without a token: it proves connection, TLS and proxy, and its answer has a date."""
        now, began = time.time(), time.monotonic()
        try:
            async with self._api.session.get(
                url,
                proxy=proxy,
                ssl=self._api.connect_options.get("ssl_context") or True,
                headers={"User-Agent": USER_AGENT},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=STEP_SECONDS),
            ) as response:
                await response.read()
                status, headers = response.status, response.headers
        except NETWORK_ERRORS as error:
            failure = error
        else:
            seconds = time.monotonic() - began
            # By plain HTTP, a refusal of the proxy is an answer like others.
            plain = proxy is not None and url.startswith("http:")
            if plain and status >= HTTPStatus.BAD_REQUEST and TRACE_HEADER not in headers:
                raise self._refused(f"{host}: the proxy answered HTTP {status}", proxy or "")
            self._findings.ok("connection", f"{host}: HTTP {status} after {1000 * seconds:.0f} ms")
            self._check_clock(headers.get("Date", ""), now + seconds / 2)
            return
        raise self._broken(failure, host, proxy)

    def _broken(self, error: OSError | aiohttp.ClientError | RuntimeError, host: str, proxy: str | None) -> CheckFailed:
        """Add the fault of the part that broke."""
        text = f"{host}: {cause_of(error)}"
        if isinstance(error, (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError)):
            return self._refused(text, proxy or "")
        if isinstance(error, aiohttp.ClientSSLError):
            return self._findings.fault(
                "connection",
                f"{text}; the clock shows {time.strftime('%Y-%m-%d %H:%M:%S %z')}",
                zh="TLS 失败：请检查本机时钟、CA 证书，以及是否有中间设备拦截 HTTPS",
                en="check the clock, the certificate authorities, and whether a device in between opens HTTPS",
            )
        return self._findings.fault(
            "connection",
            text,
            zh="无法连接：请检查网络、防火墙和出站规则",
            en="check the network, the firewall and the rules for outgoing connections",
        )

    def _refused(self, text: str, proxy: str) -> CheckFailed:
        return self._findings.fault(
            "proxy",
            f"{text}; it is {_shown(proxy)}",
            zh="代理拒绝连接：请检查代理是否在运行、用户名和密码，或用 NO_PROXY 排除该主机",
            en="see that the proxy runs and knows user and password, or exempt the host in NO_PROXY",
        )

    def _check_clock(self, date: str, now: float) -> None:
        """Compare our clock with the date of an answer, which has whole seconds; the first answer decides."""
        try:
            ahead = now - parsedate_to_datetime(date).timestamp() - 0.5
        except (ValueError, TypeError):
            return
        if self._findings.has("clock"):
            return
        shown = f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the platform"
        if abs(ahead) <= MOST_CLOCK_ERROR:
            self._findings.ok("clock", shown)
            return
        self._findings.fault(
            "clock",
            shown,
            zh="本机时钟不准：请开启时间同步（NTP，如 timedatectl set-ntp true）",
            en="synchronise the clock by NTP, such as `timedatectl set-ntp true`",
        )

    def _check_egress(self, host: str, addresses: Sequence[Address], *, proxied: bool) -> None:
        own = _own_address(addresses)
        if proxied:
            shown = f"{own} to the proxy; the platform sees the address of the proxy"
        elif own and ipaddress.ip_address(own).is_private and not is_loopback(own):
            shown = f"{own}, which is private: the platform sees the public address of the router"
        else:
            shown = own or "unknown"
        self._findings.ok("egress", f"{host}: {shown}")


def _own_address(addresses: Sequence[Address]) -> str:
    """Return the address of this machine towards the first of `addresses` that it has a route to; sends nothing."""
    for host, port in addresses:
        with contextlib.suppress(OSError):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((host, port))
                own: str = probe.getsockname()[0]
                return own.partition("%")[0]
    return ""


def _shown(proxy: str) -> str:
    return re.sub("//[^/]*@", "//***@", proxy)
