"""The environment's proxy, and errors in words without secrets."""

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from qqbot.api.network import cause_of
from qqbot.api.proxies import EnvironmentProxies

PROXY = "http://proxy.example:8080"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


def test_the_proxy_of_the_scheme_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EnvironmentProxies()("https://api.example/") is None
    monkeypatch.setenv("https_proxy", PROXY)
    assert EnvironmentProxies()("https://api.example/") == PROXY
    assert EnvironmentProxies()("wss://gateway.example/?a=1") == PROXY
    assert EnvironmentProxies()("http://api.example/") is None
    assert EnvironmentProxies()("ws://gateway.example/") is None
    monkeypatch.setenv("http_proxy", "https://other.example")
    assert EnvironmentProxies()("ws://gateway.example/") == "https://other.example"


def test_a_proxy_that_is_not_http_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy.example:1080")
    assert EnvironmentProxies()("https://api.example/") is None


@pytest.mark.parametrize(
    "exempt", ["api.internal", ".internal", "internal", "api.internal:8443", "other,api.internal", "*"]
)
def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", exempt)
    assert EnvironmentProxies()("https://api.internal:8443/path") is None
    assert EnvironmentProxies()("wss://api.internal:8443/path") is None
    if exempt != "*":
        assert EnvironmentProxies()("https://api.example/") == PROXY


@pytest.mark.parametrize("host", ["localhost", "bot.localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_a_loopback_host_has_no_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, PROXY)
    for scheme in ("http", "https", "ws", "wss"):
        assert EnvironmentProxies()(f"{scheme}://{host}:8080/path") is None


@pytest.mark.parametrize("kind", [aiohttp.WSServerHandshakeError, aiohttp.ClientHttpProxyError])
def test_a_refusal_is_told_without_its_address(kind: type[aiohttp.ClientResponseError]) -> None:
    url = URL("http://user:hidden@host/?token=hidden")
    headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict({"Authorization": "hidden"}))
    error = kind(aiohttp.RequestInfo(url, "GET", headers, url), (), status=407, message="no")
    assert "hidden" in str(error)
    assert "407" in cause_of(error)
    assert "hidden" not in cause_of(error)
