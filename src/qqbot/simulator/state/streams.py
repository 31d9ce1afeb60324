"""Streamed messages in progress.

Responsible for the state only. Collaborators: `endpoints.c2c.streams` checks the fragments and changes it.
"""

from dataclasses import dataclass

from .bounded import forget_oldest
from .world import MessageRecord

MAX_STREAMS = 1024


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
        self.streams: dict[str, Stream] = {}

    def begin(self, message: MessageRecord, seq: object) -> Stream:
        """Return a new stream; the oldest of more than `MAX_STREAMS` are forgotten."""
        stream = self.streams[message.id] = Stream(message, seq)
        forget_oldest(self.streams, MAX_STREAMS)
        return stream
