"""What tests of bots need: a local QQ Bot platform."""

from .simulator import Member, Reply, Simulator

__all__ = ["Member", "Reply", "Simulator"]
