"""What tests of bots need: a local QQ Bot platform, and what can go wrong with it.

Nothing is imported before it is used: the pytest plugin is loaded in every test run where the package is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..simulator import (
        Close,
        Drop,
        Duplicate,
        Fault,
        HalfOpen,
        Hang,
        HtmlBody,
        Http,
        Latency,
        Member,
        NoHello,
        Op7,
        Op9,
        Place,
        Raw,
        Reorder,
        Reply,
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

__all__ = [
    "Close",
    "Drop",
    "Duplicate",
    "Fault",
    "HalfOpen",
    "Hang",
    "HtmlBody",
    "Http",
    "Latency",
    "Member",
    "NoHello",
    "Op7",
    "Op9",
    "Place",
    "Raw",
    "Reorder",
    "Reply",
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


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = ".contracts" if name == "SessionManagerContract" else "..simulator"
    return getattr(import_module(module, __name__), name)
