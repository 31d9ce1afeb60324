"""`Findings`: what `qqbot doctor` has found.

Responsible for the checks by name, in the order in which a fault explains those after it, and for the order in which
they are shown. It checks and prints nothing.
"""

from typing import Literal

from msgspec import Struct

from .._visible import visible_line
from ..errors import Hint

Status = Literal["fault", "warning", "ok", "skipped"]

RANKS: dict[Status, int] = {"fault": 0, "warning": 1, "ok": 2, "skipped": 3}
LONGEST_TEXT = 400

CHECKS = {
    "configuration": "AppID, AppSecret, QQBOT_* variables",
    "proxy": "the proxy for each host",
    "dns": "the addresses of each host",
    "ipv6": "whether they answer by IPv6",
    "connection": "TCP and TLS to each host, one request without a token",
    "egress": "the address of this machine",
    "clock": "our clock and the platform's",
    "token": "one access token",
    "address": "whether the platform accepts our address",
    "gateway": "/gateway/bot: one of two calls a minute",
    "budget": "how many sessions can still be created",
    "processes": "other processes of this bot on this machine",
    "websocket": "one connection up to HELLO, without a session",
    "intents": "what the handlers need",
    "redis": "the server that processes share",
    "eviction": "its maxmemory-policy",
    "etcd": "the etcd that processes share, in place of Redis",
}
"""The checks, with what each looks at."""


class CheckResult(Struct, frozen=True):
    """The result of one check: what was found, and what to do about it."""

    check: str
    status: Status
    text: str
    hint: Hint | None = None

    @property
    def rank(self) -> tuple[int, int]:
        """Its place among all: faults first, and the one first that may explain the others."""
        return RANKS[self.status], [*CHECKS].index(self.check)


class CheckFailed(Exception):
    """A check found a fault; what depends on it cannot be checked."""


class Findings:
    """Collects findings."""

    def __init__(self) -> None:
        self._all: list[CheckResult] = []

    def ok(self, check: str, text: str) -> None:
        """Add that all is well."""
        self._add(check, "ok", text)

    def skipped(self, check: str, text: str) -> None:
        """Add why something was not checked."""
        self._add(check, "skipped", text)

    def warning(self, check: str, text: str, *, zh: str, en: str) -> None:
        """Add what may be a fault."""
        self._add(check, "warning", text, Hint(zh, en))

    def fault(self, check: str, text: str, *, zh: str, en: str) -> CheckFailed:
        """Add a fault; return what its check raises if others depend on it."""
        self._add(check, "fault", text, Hint(zh, en))
        return CheckFailed(check)

    def _add(self, check: str, status: Status, text: str, hint: Hint | None = None) -> None:
        self._all.append(CheckResult(check, status, visible_line(text, LONGEST_TEXT), hint))

    def has(self, check: str) -> bool:
        """True if there is a finding of this check."""
        return any(each.check == check for each in self._all)

    def texts(self, check: str) -> list[str]:
        """Return the texts of this check."""
        return [each.text for each in self._all if each.check == check]

    def ranked(self) -> list[CheckResult]:
        """Return all findings, faults first; of equal ones, in order of the checks."""
        return sorted(self._all, key=lambda each: each.rank)
