"""Reply windows: for how long a message or an event can be answered.

Responsible for the refusal that is made here before a call, so that a late answer costs none; the platform refuses on
its own. Pure: `now` is an argument.

Source: server-inter/message/overview
"""

from ..errors import ReplyWindowExpired
from ..models.targets import REPLY_WINDOWS, ReplyTo, Scene
from .codes import error_rule

EXPIRED = 40034005  # the platform's code for the same refusal


def check_window(reply_to: ReplyTo, scene: Scene, now: float) -> None:
    """Check that the window of `reply_to` is open at `now`.  Raises: ReplyWindowExpired."""
    if reply_to.expires_at is None or now < reply_to.expires_at:
        return
    minutes = REPLY_WINDOWS[scene] / 60
    raise ReplyWindowExpired(
        400,
        EXPIRED,
        f"the {minutes:g} minutes in which this could be answered are over: nothing was sent",
        hint=error_rule("general", EXPIRED, 400).hint,
    )
