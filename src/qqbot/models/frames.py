"""The envelope of every gateway payload, and the payloads that the SDK sends.

Responsible for the wire form. `gateway.protocol` decides when to send which payload.
"""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Raw, Struct

from ..errors import DecodeError
from .base import Model
from .codec import decoder, encode, strict
from .gateway import ReadyUser


class Op(IntEnum):
    """The kind of a payload.  Source: dev-prepare/event-emit/websocket"""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    RESUME = 6
    RECONNECT = 7
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11
    HTTP_CALLBACK_ACK = 12
    CALLBACK_VALIDATION = 13


SYSTEM_EVENTS = ("READY", "RESUMED")
"""Dispatches about the session itself."""


class Frame(Struct, frozen=True, gc=False):
    """One payload. `d` stays undecoded; `s`, `t` and `id` are set on dispatches only."""

    op: int
    d: Raw = Raw(b"null")
    s: int | None = None
    t: str | None = None
    id: str | None = None


class Hello(Model, frozen=True, kw_only=True):
    """The first frame of a connection. `heartbeat_interval` is in milliseconds."""

    heartbeat_interval: float


SessionId = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"\S")]
"""The id of a session; every state that is saved contains it, so its length is bounded."""


class ReadyBody(Model, frozen=True, kw_only=True):
    """The part of READY that a session needs; the other fields must not make it fail.

    Its shard is never read: the platform's own sample shows [0, 0].
    """

    session_id: SessionId
    user: Raw = Raw(b"null")


decode_frame = strict(Frame)
decode_hello = decoder(Hello)
decode_ready = decoder(ReadyBody)
_decode_user = decoder(ReadyUser)


def ready_user(body: ReadyBody) -> ReadyUser | None:
    """Return the bot's user; None if READY has none in a readable form."""
    try:
        return _decode_user(body.user)
    except DecodeError:
        return None


class _SecretPayload(bytes):
    """A payload that holds the access token: a traceback may show the variables of its frames."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes with a token>"


def identify(token: str, intents: int, shard: tuple[int, int]) -> bytes:
    """Return an IDENTIFY for `shard` (index, count)."""
    body = {"token": f"QQBot {token}", "intents": intents, "shard": shard, "properties": {"$browser": "qqbot"}}
    return _SecretPayload(encode({"op": Op.IDENTIFY, "d": body}))


def resume(token: str, session_id: str, seq: int) -> bytes:
    """Return a RESUME that asks for everything after `seq`."""
    body = {"token": f"QQBot {token}", "session_id": session_id, "seq": seq}
    return _SecretPayload(encode({"op": Op.RESUME, "d": body}))


def heartbeat(seq: int | None) -> bytes:
    """Return a heartbeat with the last seq received."""
    return encode({"op": Op.HEARTBEAT, "d": seq})
