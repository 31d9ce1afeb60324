"""Faults on purpose: what the platform does wrong, to whom, and how often.

Owns the rules and their counting; the gateway and the OpenAPI front ask for them where they bite.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

Bite = Literal[
    "no_hello",
    "swallow_identify",
    "swallow_resume",
    "close_on_identify",
    "close_on_resume",
    "op9_on_identify",
    "close",
    "op7",
    "op9",
    "drop",
    "stop_acks",
    "raw",
]

ON_CONNECTED: frozenset[Bite] = frozenset({"close", "op7", "op9", "drop", "stop_acks", "raw"})
"""Faults of a connection that is READY or RESUMED; the others bite on the way there."""

KINDS: frozenset[str] = frozenset(get_args(Bite))


@dataclass(slots=True)
class Fault:
    """One rule of the gateway. `left`: how often it still bites, None for ever; `shard`: an index, None for any."""

    kind: Bite
    shard: int | None = None
    left: int | None = 1
    code: int | None = None
    reason: str = ""
    resumable: bool = False
    data: str = ""

    def matches(self, shard: tuple[int, int] | None) -> bool:
        """Whether it bites a connection of this shard."""
        return self.shard is None or (shard is not None and shard[0] == self.shard)


@dataclass(slots=True)
class HttpFault:
    """One rule of the OpenAPI. `status` None: only the delay (seconds), or the missing answer."""

    route: str
    status: int | None = None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    left: int | None = 1
    delay: float = 0.0
    sent_but_no_response: bool = False


SetLimit = Callable[[int | None, int | None, int | None, int | None, int | None], None]
"""Takes total, remaining, reset_after (milliseconds), max_concurrency and shards; None keeps what was."""


class Faults:
    """The faults of one simulator. A new rule counts from now; `times=0` means until `clear()`."""

    def __init__(self, strike: Callable[[Fault], None], limit: SetLimit) -> None:
        self._strike = strike
        self._limit = limit
        self._rules: list[Fault] = []
        self._http: list[HttpFault] = []

    # On connections that are READY or RESUMED, now; with `times` again on the next ones

    def close(self, code: int, reason: str = "", *, shard: int | None = None, times: int = 1) -> None:
        """Close with `code`. The session ends where the platform's table says that it cannot be resumed."""
        self.add(Fault("close", shard, times or None, code, reason))

    def op7(self, *, shard: int | None = None, times: int = 1) -> None:
        """Ask for a new connection, and leave the old one open."""
        self.add(Fault("op7", shard, times or None))

    def op9(
        self, *, resumable: bool = False, close: int | None = None, shard: int | None = None, times: int = 1
    ) -> None:
        """Declare the session invalid; close with a code after it, or leave the connection open."""
        self.add(Fault("op9", shard, times or None, close, resumable=resumable))

    def drop(self, *, shard: int | None = None, times: int = 1) -> None:
        """Reset the TCP connection."""
        self.add(Fault("drop", shard, times or None))

    def stop_acks(self, *, shard: int | None = None, times: int = 1) -> None:
        """Acknowledge no more heartbeats of this connection."""
        self.add(Fault("stop_acks", shard, times or None))

    def raw(self, data: str, *, shard: int | None = None, times: int = 1) -> None:
        """Send any text as a frame."""
        self.add(Fault("raw", shard, times or None, data=data))

    # On the way there

    def no_hello(self, *, times: int = 1) -> None:
        """Say nothing on the next connection."""
        self.add(Fault("no_hello", None, times or None))

    def swallow_identify(self, *, shard: int | None = None, times: int = 1) -> None:
        """Never answer the next IDENTIFY."""
        self.add(Fault("swallow_identify", shard, times or None))

    def swallow_resume(self, *, shard: int | None = None, times: int = 1) -> None:
        """Never answer the next RESUME."""
        self.add(Fault("swallow_resume", shard, times or None))

    def close_on_identify(self, code: int, *, shard: int | None = None, times: int = 1) -> None:
        """Answer the next IDENTIFY with a close code."""
        self.add(Fault("close_on_identify", shard, times or None, code))

    def close_on_resume(self, code: int, *, shard: int | None = None, times: int = 1) -> None:
        """Answer the next RESUME with a close code."""
        self.add(Fault("close_on_resume", shard, times or None, code))

    def op9_on_identify(self, *, close: int | None = None, shard: int | None = None, times: int = 1) -> None:
        """Answer the next IDENTIFY with op 9 (d false); close with a code after it, or leave it open."""
        self.add(Fault("op9_on_identify", shard, times or None, close))

    def session_start_limit(
        self,
        *,
        total: int | None = None,
        remaining: int | None = None,
        reset_after: int | None = None,
        max_concurrency: int | None = None,
        shards: int | None = None,
    ) -> None:
        """Set what /gateway/bot says and the gateway enforces; `reset_after` in milliseconds, as on the wire."""
        self._limit(total, remaining, reset_after, max_concurrency, shards)

    def http(
        self,
        route: str,
        status: int | None = None,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        delay: float = 0.0,
        sent_but_no_response: bool = False,
    ) -> None:
        """Answer calls that match `route` ("POST /v2/groups/*") with `status` and `body` (JSON, or text as it is).

        Without a status the call is served, after `delay` seconds; `sent_but_no_response` serves it and cuts the
        connection before the answer.
        """
        rule = HttpFault(route, status, body, headers or {}, times or None, delay, sent_but_no_response)
        self._http.append(rule)

    def clear(self) -> None:
        """End all faults; a changed session_start_limit stays."""
        self._rules.clear()
        self._http.clear()

    # What those that are bitten ask

    def add(self, fault: Fault) -> None:
        """Add a rule of the gateway; one on connections strikes at once.

        Raises: ValueError when it should strike now and no connection of that shard is ready.
        """
        if fault.kind in ON_CONNECTED:
            self._strike(fault)
        if fault.left != 0:
            self._rules.append(fault)

    def take(self, kind: Bite, shard: tuple[int, int] | None) -> Fault | None:
        """Return the rule that bites now, counted."""
        for rule in self._rules:
            if rule.kind == kind and rule.matches(shard):
                self._count(rule)
                return rule
        return None

    def take_connected(self, shard: tuple[int, int] | None) -> list[Fault]:
        """Return the rules that bite a connection that has just become READY or RESUMED, counted."""
        rules = [rule for rule in self._rules if rule.kind in ON_CONNECTED and rule.matches(shard)]
        for rule in rules:
            self._count(rule)
        return rules

    def take_http(self, method: str, path: str) -> HttpFault | None:
        """Return the rule that bites this call, counted."""
        for rule in self._http:
            if fnmatchcase(f"{method} {path}", rule.route):
                if rule.left is not None:
                    rule.left -= 1
                    if not rule.left:
                        self._http.remove(rule)
                return rule
        return None

    def _count(self, rule: Fault) -> None:
        if rule.left is not None:
            rule.left -= 1
            if not rule.left:
                self._rules.remove(rule)
