"""What tests of bots need: a local QQ Bot platform."""

from .contracts import SessionManagerContract
from .simulator import Member, Place, Reply, Simulator, Transcript

__all__ = ["Member", "Place", "Reply", "SessionManagerContract", "Simulator", "Transcript"]
