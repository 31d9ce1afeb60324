"""What was shown of each streamed message so far. The endpoint is in `streams`."""

from dataclasses import dataclass

from .world import MessageRecord


@dataclass(slots=True)
class Stream:
    """One message in the making. `index` is that of the next fragment."""

    message: MessageRecord
    seq: object
    shown: str = ""
    index: int = 0
    ended: bool = False


class StreamStates:
    """The streams of one bot, by the id of their message."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
