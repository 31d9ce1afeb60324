"""A random mix of faults of all kinds, which a bot has to survive.

Responsible for the choice of faults. What they break recovers by itself; none of them stops a correct bot.
"""

from collections import Counter

from .kinds import (
    Close,
    Drop,
    Duplicate,
    Fault,
    HtmlBody,
    Http,
    Latency,
    Op7,
    Op9,
    Reorder,
    SentButNoResponse,
    StopAcks,
    TruncateBody,
)
from .rules import Faults

_ON_EVENTS = "DISPATCH"
_ON_SENDS = "POST /*/messages"

MIX: tuple[tuple[str, Fault], ...] = (
    (_ON_EVENTS, Drop()),
    (_ON_EVENTS, Close(4009, "chaos")),
    (_ON_EVENTS, Op7()),
    (_ON_EVENTS, Op9(resumable=True)),
    (_ON_EVENTS, Duplicate()),
    (_ON_EVENTS, Reorder(2)),
    (_ON_EVENTS, Latency(0.5)),
    ("HEARTBEAT", StopAcks()),
    ("RESUME", Close(4009, "chaos")),
    (_ON_SENDS, Http(500)),
    (_ON_SENDS, Http(429, retry_after=1)),
    (_ON_SENDS, HtmlBody(502)),
    (_ON_SENDS, Latency(1.0)),
    (_ON_SENDS, TruncateBody()),
    (_ON_SENDS, SentButNoResponse()),
)
"""Pairs of a moment and the fault that strikes it."""


def unleash(faults: Faults, chance: float) -> None:
    """Strike each of these moments with about this chance, until the faults are cleared."""
    faults_on = Counter(on for on, _ in MIX)
    for on, fault in MIX:
        faults.add(on, fault, times=0, chance=chance / faults_on[on])
