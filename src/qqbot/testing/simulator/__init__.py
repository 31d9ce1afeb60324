"""The QQ Bot platform on loopback: tokens, OpenAPI, gateway, and a page to chat with the bot.

It speaks the wire protocol from its own copy of the protocol tables and shares no code with the client, so that
a mistake cannot pass on both sides.
"""

from .people import Member, Place, Reply, Transcript
from .simulator import Simulator

__all__ = ["Member", "Place", "Reply", "Simulator", "Transcript"]
