"""The kit for tests of bots: a local QQ Bot platform, its faults, the contracts of session managers and brokers.

Responsible for the public names. Each is imported at its first use, because the pytest plugin is loaded in every test
run where the package is installed.
"""

from typing import TYPE_CHECKING

from .._names import on_demand

if TYPE_CHECKING:
    from ..simulator import (
        BotReply,
        Chat,
        ChatMember,
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
        Simulator,
        StopAcks,
        SwallowIdentify,
        SwallowResume,
        TokenExpired,
        Transcript,
        TruncateBody,
    )
    from .contracts import SessionManagerContract
    from .event_contracts import EventSinkContract, EventSourceContract

__all__ = [
    "BotReply",
    "Chat",
    "ChatMember",
    "Close",
    "Drop",
    "Duplicate",
    "EventSinkContract",
    "EventSourceContract",
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
    "SessionManagerContract",
    "Simulator",
    "StopAcks",
    "SwallowIdentify",
    "SwallowResume",
    "TokenExpired",
    "Transcript",
    "TruncateBody",
]

__getattr__ = on_demand(
    __name__,
    dict.fromkeys(__all__, "..simulator")
    | {"SessionManagerContract": ".contracts"}
    | dict.fromkeys(("EventSinkContract", "EventSourceContract"), ".event_contracts"),
    renamed={"Member": "ChatMember", "Place": "Chat", "Reply": "BotReply"},
)
