"""`Faults`: the rules for deliberate faults: what goes wrong, at which moment, how often.

Responsible for the rules and their counts; runs with the same seed draw the same numbers.
Collaborators: `kinds` (the faults); the gateway and `endpoints.rest` ask at each moment which fault strikes.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random

from .kinds import (
    CALL,
    GATEWAY_MOMENTS,
    Close,
    Drop,
    Fault,
    HalfOpen,
    Http,
    Latency,
    NoHello,
    Op7,
    Op9,
    Raw,
    SentButNoResponse,
    StopAcks,
    SwallowIdentify,
    SwallowResume,
)

Shard = tuple[int, int]

STRIKES_KEPT = 5000
MAX_RULES = 1000

_CALL_PATTERN = re.compile(r"([A-Z]+|\*) [/*]\S*")


@dataclass(frozen=True, slots=True)
class Trigger:
    """The moments that a rule applies to: a moment of connections, or calls; `pattern` of the event type or the call.

    Patterns are those of `fnmatch`: `*` matches any characters, including `/`.
    """

    moment: str
    pattern: str = "*"

    @classmethod
    def parse(cls, on: str) -> "Trigger":
        """Read `IDENTIFY`, `DISPATCH`, `DISPATCH GROUP_*`, `POST /v2/groups/*`.  Raises: ValueError."""
        word, _, rest = on.partition(" ")
        if _CALL_PATTERN.fullmatch(on):
            return cls(CALL, on)
        if word == "DISPATCH" and " " not in rest:
            return cls(word, rest or "*")
        if on in GATEWAY_MOMENTS:
            return cls(on)
        moments = ", ".join(GATEWAY_MOMENTS)
        raise ValueError(
            f"on={on!r} is not a moment: use one of {moments}, DISPATCH TYPE, or a call, POST /v2/groups/*"
        )

    def matches(self, moment: str, detail: str) -> bool:
        """True if the rule applies to this moment."""
        return moment == self.moment and fnmatchcase(detail, self.pattern)


@dataclass(slots=True, eq=False)
class Rule:
    """From the `nth` matching moment on, `do` strikes `times` of them (0: all), each with this `chance`.

    `shard`: the index of the only shard that it applies to. `seen` counts the moments that matched, `struck` those
    that the fault struck.
    """

    on: str
    do: Fault
    nth: int = 1
    times: int = 1
    chance: float = 1.0
    shard: int | None = None
    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)
    trigger: Trigger = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.trigger = Trigger.parse(self.on)
        self._check()

    def _check(self) -> None:
        if not self.do.fits(self.trigger.moment):
            fitting = ", ".join(name for name in (*GATEWAY_MOMENTS, CALL) if self.do.fits(name)) or "nothing"
            raise ValueError(f"{self.do} cannot happen on {self.on!r}, only on: {fitting}")
        if self.shard is not None and self.trigger.moment in (CALL, "connected"):
            raise ValueError(f"on={self.on!r} is before any shard is known: leave shard out")
        if self.nth < 1 or self.times < 0:
            raise ValueError(f"nth={self.nth} must be 1 or more, times={self.times} 0 (always) or more")
        if not 0 < self.chance <= 1:
            raise ValueError(f"chance={self.chance} must be greater than 0, at most 1")

    @property
    def over(self) -> bool:
        """True if it has struck `times` moments."""
        return 0 < self.times <= self.struck

    def matches(self, moment: str, detail: str, shard: Shard | None) -> bool:
        """True if the rule applies to this moment of this shard."""
        if not self.trigger.matches(moment, detail):
            return False
        return self.shard is None or (shard is not None and shard[0] == self.shard)


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that has struck: on which connection (by its number, 0: a call), at which moment."""

    connection: int
    moment: str
    detail: str
    fault: Fault


StrikeNow = Callable[[Fault, int | None], None]
"""Strikes the live connections, or those of one shard, with a fault.  Raises: ValueError if there are none."""

SetLimit = Callable[[int | None, int | None, int | None, int | None, int | None], None]
"""Sets total, remaining, reset_after (milliseconds), max_concurrency and shards; None keeps the old value."""


class Faults:
    """The faults of one simulator.

    If several rules are due at one moment, the oldest strikes. `times=0` means until `clear()`. `counts`: how often
    each kind has struck; `strikes`: the last ones.
    """

    def __init__(self, strike: StrikeNow, limit: SetLimit, random: Random) -> None:
        self.counts: Counter[str] = Counter()
        self.strikes: deque[Strike] = deque(maxlen=STRIKES_KEPT)
        self._strike = strike
        self._limit = limit
        self._random = random
        self._rules: list[tuple[Rule, Random]] = []
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a rule is added, removed or strikes."""
        self._listeners.append(listener)

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that can still strike, oldest first."""
        return tuple(rule for rule, _ in self._rules)

    def add(
        self, on: str, do: Fault, *, nth: int = 1, times: int = 1, chance: float = 1.0, shard: int | None = None
    ) -> Rule:
        """Strike the `nth` moment from now that matches `on`, and those after it, `times` in total.

        `on`: a moment of a connection (connected, IDENTIFY, RESUME, READY, RESUMED, live, HEARTBEAT, DISPATCH),
        `DISPATCH GROUP_*` for the events of a type, or calls, `POST /v2/groups/*`. `chance` is drawn for each
        of these moments, from the simulator's seed.

        Raises: ValueError if `on` is not a moment, the fault cannot happen there, or there are 1000 rules already.
        """
        rule = Rule(on, do, nth, times, chance, shard)
        # Each rule has its own generator: what it draws must not depend on the moments of other rules.
        self._keep(rule, Random(self._random.getrandbits(64)))
        self._notify()
        return rule

    def _keep(self, rule: Rule, random: Random) -> None:
        if len(self._rules) >= MAX_RULES:
            raise ValueError(f"there are {MAX_RULES} rules already: end them with clear() first")
        self._rules.append((rule, random))

    def strike(self, do: Fault, *, shard: int | None = None, times: int = 1) -> None:
        """Strike the live connections now; with `times` also those that become live next.

        Raises: ValueError if no connection of that shard is live.
        """
        if isinstance(do, Latency):
            raise ValueError(f"{do} delays a moment: name the moment, on=...")  # noqa: TRY004 - it has the right type
        rule = Rule("live", do, times=times, shard=shard)
        self._strike(do, shard)
        rule.struck += 1
        if not rule.over:
            self._keep(rule, self._random)
        self._notify()

    # Strike live connections now; with `times` also the next ones

    def close(self, code: int, reason: str = "", *, shard: int | None = None, times: int = 1) -> None:
        """Close with `code`. The session ends if the platform's table says that it cannot be resumed."""
        self.strike(Close(code, reason), shard=shard, times=times)

    def op7(self, *, shard: int | None = None, times: int = 1) -> None:
        """Request a reconnect, and leave the old connection open."""
        self.strike(Op7(), shard=shard, times=times)

    def op9(
        self, *, resumable: bool = False, close: int | None = None, shard: int | None = None, times: int = 1
    ) -> None:
        """Declare the session invalid; then close with a code, or leave the connection open."""
        self.strike(Op9(resumable, close), shard=shard, times=times)

    def drop(self, *, shard: int | None = None, times: int = 1) -> None:
        """Reset the TCP connection."""
        self.strike(Drop(), shard=shard, times=times)

    def half_open(self, *, shard: int | None = None, times: int = 1) -> None:
        """Stop sending and reading, and leave the socket open."""
        self.strike(HalfOpen(), shard=shard, times=times)

    def stop_acks(self, *, shard: int | None = None, times: int = 1) -> None:
        """Stop acknowledging the heartbeats of this connection."""
        self.strike(StopAcks(), shard=shard, times=times)

    def raw(self, data: str, *, shard: int | None = None, times: int = 1) -> None:
        """Send any text as a frame."""
        self.strike(Raw(data), shard=shard, times=times)

    # Strike while a connection is opened

    def no_hello(self, *, times: int = 1) -> None:
        """Send nothing on the next connection."""
        self.add("connected", NoHello(), times=times)

    def swallow_identify(self, *, shard: int | None = None, times: int = 1) -> None:
        """Never answer the next IDENTIFY."""
        self.add("IDENTIFY", SwallowIdentify(), shard=shard, times=times)

    def swallow_resume(self, *, shard: int | None = None, times: int = 1) -> None:
        """Never answer the next RESUME."""
        self.add("RESUME", SwallowResume(), shard=shard, times=times)

    def close_on_identify(self, code: int, *, shard: int | None = None, times: int = 1) -> None:
        """Answer the next IDENTIFY with a close code."""
        self.add("IDENTIFY", Close(code), shard=shard, times=times)

    def close_on_resume(self, code: int, *, shard: int | None = None, times: int = 1) -> None:
        """Answer the next RESUME with a close code."""
        self.add("RESUME", Close(code), shard=shard, times=times)

    def op9_on_identify(self, *, close: int | None = None, shard: int | None = None, times: int = 1) -> None:
        """Answer the next IDENTIFY with op 9 (d false); then close with a code, or leave the connection open."""
        self.add("IDENTIFY", Op9(close=close), shard=shard, times=times)

    def session_start_limit(
        self,
        *,
        total: int | None = None,
        remaining: int | None = None,
        reset_after: int | None = None,
        max_concurrency: int | None = None,
        shards: int | None = None,
    ) -> None:
        """Set what /gateway/bot answers and the gateway enforces; `reset_after` in milliseconds, as on the wire."""
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
        if sent_but_no_response and status is not None:
            raise ValueError("a call without a response has no status: pass status or sent_but_no_response, not both")
        do: Fault | None = SentButNoResponse() if sent_but_no_response else None
        if status is not None:
            do = Http(status, body=body, headers=dict(headers or {}))
        self.add(route, Latency(delay, do) if delay or do is None else do, times=times)

    def clear(self) -> None:
        """End all faults; a changed session_start_limit stays."""
        self._rules.clear()
        self._notify()

    # Asked at each moment

    async def at(self, moment: str, detail: str = "", shard: Shard | None = None, connection: int = 0) -> Fault | None:
        """Return the fault that strikes this moment, and count it; a latency is awaited here."""
        fault = self._take(moment, detail, shard) if self._rules else None
        while fault is not None:
            self.record(Strike(connection, moment, detail, fault))
            if not isinstance(fault, Latency):
                return fault
            await asyncio.sleep(fault.seconds)
            fault = fault.then
        return None

    def record(self, strike: Strike) -> None:
        """Count a fault that strikes."""
        self.counts[strike.fault.kind()] += 1
        self.strikes.append(strike)

    def _take(self, moment: str, detail: str, shard: Shard | None) -> Fault | None:
        found: Rule | None = None
        for rule, random in self._rules:
            if not rule.matches(moment, detail, shard):
                continue
            rule.seen += 1
            due = rule.seen >= rule.nth and (rule.chance == 1 or random.random() < rule.chance)
            if due and found is None:
                found = rule
        if found is None:
            return None
        found.struck += 1
        self._rules = [pair for pair in self._rules if not pair[0].over]
        self._notify()
        return found.do
