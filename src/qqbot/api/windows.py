"""How long a message or an event can be answered.

Pure: times are arguments. Owns the refusal that is made here, before a call; the platform makes its own.
Source: server-inter/message/overview
"""

from ..errors import ReplyWindowExpired
from ..models.targets import REPLY_WINDOWS, Scene
from .codes import error_rule

EXPIRED = 40034005  # the platform's own number for it


def seconds_left(scene: Scene, age: float) -> float:
    """Return for how many seconds something `age` seconds old can still be answered; 0 or less: no more."""
    return REPLY_WINDOWS[scene] - age


def closed(scene: Scene) -> ReplyWindowExpired:
    """Return the error for an answer that comes too late; nothing was sent."""
    minutes = REPLY_WINDOWS[scene] / 60
    return ReplyWindowExpired(
        400,
        EXPIRED,
        f"the {minutes:g} minutes in which this could be answered are over: nothing was sent",
        hint=error_rule("general", EXPIRED, 400).hint,
    )
