"""One group message, from the bytes of its frame to its event, beside plain msgspec on the same bytes.

The floor decodes in two stages as well, an envelope with a raw payload and then the payload, into Structs that
name the same fields and do nothing else.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from qqbot.gateway.frames import decode_frame
from qqbot.models.events import GroupAtMessageCreate, decode_event

FRAME = msgspec.json.encode(
    {
        "op": 0,
        "s": 42,
        "t": "GROUP_AT_MESSAGE_CREATE",
        "id": "GROUP_AT_MESSAGE_CREATE:c9f778fe6adf9d1d1dbe395bf744a33a",
        "d": {
            "id": "ROBOT1.0_.b6nx.CVryAO0nR58RXuU6SC.m5f-3wcQ6DW8sWbLr0.oVYTcSZ7IsNGCYpJnNUcO",
            "content": " 明天北京的天气怎么样？要不要带伞，谢谢 /weather 北京",
            "timestamp": "2026-03-01T09:48:47+08:00",
            "author": {
                "id": "E4F4AEA33253A2797FB897C50B81D7ED",
                "member_openid": "E4F4AEA33253A2797FB897C50B81D7ED",
                "username": "小明",
                "bot": False,
                "member_role": "member",
            },
            "group_id": "C9F778FE6ADF9D1D1DBE395BF744A33A",
            "group_openid": "C9F778FE6ADF9D1D1DBE395BF744A33A",
            "message_type": 0,
            "message_scene": {"source": "default", "ext": ["msg_idx=REFIDX_CJ/7YhA=="]},
        },
    }
)
"""About 0.7 kB, as the platform sends it."""


class Author(Struct, frozen=True, kw_only=True):
    """Who wrote."""

    id: str
    member_openid: str
    username: str
    bot: bool
    member_role: str


class Scene(Struct, frozen=True, kw_only=True):
    """Where it was written."""

    source: str
    ext: tuple[str, ...]


class GroupMessage(Struct, frozen=True, kw_only=True):
    """The payload, no more than the fields of `FRAME`."""

    id: str
    content: str
    timestamp: datetime
    author: Author
    group_id: str
    group_openid: str
    message_type: int
    message_scene: Scene


class Envelope(Struct, frozen=True, kw_only=True):
    """The frame, its payload undecoded."""

    op: int
    s: int
    t: str
    id: str
    d: Raw


_envelope = msgspec.json.Decoder(Envelope).decode
_message = msgspec.json.Decoder(GroupMessage).decode
_event = msgspec.json.Decoder(GroupAtMessageCreate).decode


def plain() -> object:
    """Decode with msgspec alone."""
    return _message(_envelope(FRAME).d)


def plain_into_the_event() -> object:
    """Decode with msgspec alone into the package's own event: what its fields and checks cost."""
    return _event(_envelope(FRAME).d)


def package() -> object:
    """Decode as the gateway and the dispatcher do."""
    frame = decode_frame(FRAME)
    assert frame.t is not None
    return decode_event(frame.t, frame.d)


def functions() -> dict[str, Callable[[], object]]:
    """Return what is compared, the floor first.  Raises: AssertionError where they do not do the same."""
    event, message = package(), plain()
    assert isinstance(event, GroupAtMessageCreate)
    assert isinstance(message, GroupMessage)
    assert (event.id, event.content, event.timestamp) == (message.id, message.content, message.timestamp)
    return {"plain msgspec": plain, "plain msgspec into the event": plain_into_the_event, "qqbot": package}
