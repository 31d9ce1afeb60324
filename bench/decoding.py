"""One group message, from the bytes of its frame to its event, beside plain msgspec on the same bytes.

The floor decodes in two stages as well, an envelope with a raw payload and then the payload, into Structs that
name the same fields and do nothing else.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from bench.payloads import HANDLED, frame
from bench.report import Row, Target
from bench.rounds import Effort
from bench.timing import compare
from qqbot.models.events import GroupAtMessageCreate, decoder_of
from qqbot.models.frames import decode_frame

FRAME = frame(42, 0)
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
_plans = {HANDLED: decoder_of(HANDLED)}  # as the router keeps them


def plain() -> object:
    """Decode with msgspec alone."""
    return _message(_envelope(FRAME).d)


def plain_into_the_event() -> object:
    """Decode with msgspec alone into the package's own event: what its fields and checks cost."""
    return _event(_envelope(FRAME).d)


def package() -> object:
    """Decode as the gateway and the dispatcher do."""
    dispatch = decode_frame(FRAME)
    assert dispatch.t is not None
    return _plans[dispatch.t](dispatch.d)


def functions() -> dict[str, Callable[[], object]]:
    """Return what is compared, the floor first.  Raises: AssertionError where they do not do the same."""
    event, message = package(), plain()
    assert isinstance(event, GroupAtMessageCreate)
    assert isinstance(message, GroupMessage)
    assert (event.id, event.content, event.timestamp) == (message.id, message.content, message.timestamp)
    return {"plain msgspec": plain, "plain msgspec into the event": plain_into_the_event, "qqbot": package}


async def run(effort: Effort) -> list[Row]:
    """Measure one message, decoded in three ways."""
    floor, *others = compare(functions(), rounds=effort.rounds_of(101), calls=effort.amount(2000))
    targets = {"qqbot": Target(1.2)}
    return [
        Row(
            f"decoding with {other.name}",
            "CPU us",
            other.microseconds,
            floor.microseconds,
            other.ratio,
            targets.get(other.name),
        )
        for other in others
    ]
