"""Reply windows: how long a message or an event can be answered.

Responsible for the error that is raised here, before a call is made. Pure: times are arguments.
Collaborators: `models.targets` has the windows.
Source: server-inter/message/overview
"""

from ..errors import ReplyWindowExpired
from ..models.targets import REPLY_WINDOWS, Scene
from .codes import error_rule

EXPIRED = 40034005  # the platform's code for the same refusal


def seconds_left(scene: Scene, age: float) -> float:
    """Return for how many seconds an event of this `age` (seconds) can still be answered; 0 or less: not any more."""
    return REPLY_WINDOWS[scene] - age


def closed(scene: Scene) -> ReplyWindowExpired:
    """Return the error for an answer that is too late; nothing was sent."""
    minutes = REPLY_WINDOWS[scene] / 60
    return ReplyWindowExpired(
        400,
        EXPIRED,
        f"the {minutes:g} minutes in which this could be answered are over: nothing was sent",
        hint=error_rule("general", EXPIRED, 400).hint,
    )
