"""What goes wrong, how often: rules for the simulator, drawn from its seed.

`GENTLE` leaves every session alive, so that each event has to arrive; `ROUGH` ends sessions too, as two RESUMEs in a
row do that are answered with a close code. What makes a bot stop when it comes five times in a row is let loose a few
times only. Events never overtake each other: the platform numbers them upwards within a connection.
"""

from collections.abc import Sequence
from itertools import chain

from qqbot.testing import (
    Close,
    Drop,
    Duplicate,
    Fault,
    HalfOpen,
    Hang,
    HtmlBody,
    Http,
    Latency,
    NoHello,
    Op7,
    Op9,
    Raw,
    SentButNoResponse,
    Simulator,
    StopAcks,
    SwallowIdentify,
    SwallowResume,
    TokenExpired,
    TruncateBody,
)

SENDS = "POST */messages"
TOKEN = "POST /app/getAppAccessToken"

Rules = tuple[tuple[str, Fault, float], ...]

GENTLE: Rules = (
    ("DISPATCH", Drop(), 0.002),
    ("DISPATCH", Close(4009), 0.002),
    ("DISPATCH", Close(1001), 0.0005),
    ("DISPATCH", Op7(), 0.001),
    ("DISPATCH", Op9(resumable=True), 0.0005),
    ("DISPATCH", HalfOpen(), 0.0005),
    ("DISPATCH", StopAcks(), 0.0005),
    ("DISPATCH", Duplicate(), 0.02),
    ("DISPATCH", Latency(0.05), 0.01),
    ("DISPATCH", Latency(0.02, Drop()), 0.001),
    ("DISPATCH", Raw("{not json"), 0.002),
    ("DISPATCH", Raw('{"op":77}'), 0.002),
    ("HEARTBEAT", StopAcks(), 0.01),
    ("HEARTBEAT", HalfOpen(), 0.01),
    ("HEARTBEAT", Drop(), 0.01),
    ("HEARTBEAT", Latency(0.2), 0.05),
    ("HEARTBEAT", Close(4008), 0.003),
    ("connected", NoHello(), 0.03),
    ("connected", Drop(), 0.05),
    ("connected", Latency(0.3), 0.1),
    ("RESUME", Latency(0.3), 0.1),
    ("RESUME", Drop(), 0.05),
    ("RESUMED", Drop(), 0.05),
    ("live", Latency(0.1, Op7()), 0.03),
    ("IDENTIFY", Latency(0.3), 0.1),
    ("IDENTIFY", Drop(), 0.05),
    (SENDS, Http(500), 0.01),
    (SENDS, Http(429, retry_after=0.2), 0.01),
    (SENDS, HtmlBody(502), 0.01),
    (SENDS, Drop(), 0.01),
    (SENDS, SentButNoResponse(), 0.02),
    (SENDS, TruncateBody(), 0.01),
    (SENDS, Latency(0.2), 0.02),
    (SENDS, Hang(), 0.0005),
    (TOKEN, Http(500), 0.2),
    (TOKEN, Drop(), 0.2),
    ("GET /gateway/bot", HtmlBody(502), 0.2),
)
"""Moment, fault, and its chance at each such moment."""

ROUGH: Rules = (
    ("DISPATCH", Op9(), 0.0003),
    ("DISPATCH", Close(4006), 0.0003),
    ("HEARTBEAT", Close(4902), 0.005),
    ("RESUME", SwallowResume(), 0.03),
    ("RESUME", Close(4009), 0.05),
    ("RESUMED", Close(4009), 0.05),
    ("RESUME", Close(4902), 0.05),
    ("RESUME", Op9(close=4007), 0.03),
    ("IDENTIFY", SwallowIdentify(), 0.03),
    ("IDENTIFY", Op9(), 0.05),
    ("IDENTIFY", Close(4900), 0.05),
    ("READY", Drop(), 0.05),
)

SELDOM: Rules = (
    (SENDS, TokenExpired(), 0.002),
    ("RESUME", TokenExpired(), 0.1),
    ("IDENTIFY", Close(4903), 0.2),
    ("IDENTIFY", Close(4924), 0.2),
)
"""Each of these once at most in a run."""


def begin(sim: Simulator, storms: Sequence[Rules]) -> None:
    """Let these rules apply until the faults are cleared."""
    for on, do, chance in chain(*storms):
        sim.faults.add(on, do, chance=chance, times=0)


def once(sim: Simulator, rules: Rules) -> None:
    """Let each of these strike at most one moment."""
    for on, do, chance in rules:
        sim.faults.add(on, do, chance=chance, times=1)
