"""Streamed messages in progress.

Responsible for the state only. Collaborators: `endpoints.c2c.streams` checks the fragments and changes it.
"""

from dataclasses import dataclass

from .bounded import Bounded
from .world import MessageRecord

_KEPT = 1000


@dataclass(slots=True)
class Stream:
    """One streamed message. `shown`: text so far; `seq`: msg_seq of all fragments; `index`: the next fragment."""

    message: MessageRecord
    seq: object
    shown: str = ""
    index: int = 0
    ended: bool = False


class StreamStates:
    """Streams of one bot, by message id."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = Bounded(_KEPT)
