"""The QQ Bot platform on loopback: tokens, OpenAPI, gateway, and a page to chat with the bot.

It implements the wire protocol from its own copy of the protocol tables and shares no protocol code with the client,
so a mistake in one of them cannot hide in the other.
"""

from .faults.kinds import (
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
    Reorder,
    SentButNoResponse,
    StopAcks,
    SwallowIdentify,
    SwallowResume,
    TokenExpired,
    TruncateBody,
)
from .people import BotReply, Chat, ChatMember, Transcript
from .simulator import Simulator

__all__ = [
    "BotReply",
    "Chat",
    "ChatMember",
    "Close",
    "Drop",
    "Duplicate",
    "Fault",
    "HalfOpen",
    "Hang",
    "HtmlBody",
    "Http",
    "Latency",
    "NoHello",
    "Op7",
    "Op9",
    "Raw",
    "Reorder",
    "SentButNoResponse",
    "Simulator",
    "StopAcks",
    "SwallowIdentify",
    "SwallowResume",
    "TokenExpired",
    "Transcript",
    "TruncateBody",
]
