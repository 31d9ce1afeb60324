"""The environment's proxy, and errors in words without secrets."""

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from qqbot.api.network import cause_of
from qqbot.api.proxies import REMEMBERED, EnvironmentProxies

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


@pytest.mark.parametrize(
    "url", ["https://api.example/x", "wss://gateway.example", "http://api.example", "ws://a.example:1"]
)
def test_all_proxy_serves_what_has_no_proxy_of_its_own(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    assert EnvironmentProxies()(url) == PROXY
    monkeypatch.setenv("no_proxy", "a.example,.example")
    assert EnvironmentProxies()(url) is None


def test_a_proxy_of_its_own_comes_before_all_proxy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:7891")
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("wss_proxy", "http://sockets.example:1")
    assert EnvironmentProxies()("https://api.example/") == PROXY
    assert EnvironmentProxies()("wss://api.example/") == "http://sockets.example:1"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("proxy.example:8080", "http://proxy.example:8080"),
        ("  proxy.example:8080 \n", "http://proxy.example:8080"),
        ("//proxy.example", "http://proxy.example"),
        ("joe:word@proxy.example:1", "http://joe:word@proxy.example:1"),
        (" https://[::1]:1 ", "https://[::1]:1"),
        ("HTTP://proxy.example:1/", "HTTP://proxy.example:1/"),
        ("   ", None),
    ],
)
def test_a_proxy_as_people_write_it(monkeypatch: pytest.MonkeyPatch, written: str, meant: str | None) -> None:
    monkeypatch.setenv("https_proxy", written)
    assert EnvironmentProxies()("https://api.example/") == meant


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://joe:hidden@proxy.example:1080",
        "http://joe:hid/den@proxy.example:1",
        "http://a b:1",
        "http://h:port",
        "http://",
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, proxy: str
) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    proxies = EnvironmentProxies()
    for url in ("https://api.example/", "wss://gateway.example/", "https://other.example/"):
        assert proxies(url) is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for words in ("ALL_PROXY", "without it", "session=", "代理无法使用"):
        assert words in record.getMessage()
    assert "hid" not in record.getMessage()


@pytest.mark.parametrize("exempt", [" * ", "a.example, api.example ,b.example"])
def test_blanks_in_no_proxy(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", exempt)
    assert EnvironmentProxies()("https://api.example/") is None


def test_many_hosts_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    proxies = EnvironmentProxies()
    for number in range(REMEMBERED + 10):
        assert proxies(f"https://host-{number}.example/path?{number}") == PROXY
    assert len(proxies._known) <= REMEMBERED


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
