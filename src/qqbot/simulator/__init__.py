"""The QQ Bot platform on loopback: tokens, OpenAPI, gateway, and a page to chat with the bot.

It speaks the wire protocol from its own copy of the protocol tables and shares no code with the client, so that
a mistake cannot pass on both sides.
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
