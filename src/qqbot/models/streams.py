"""Streamed messages of C2C: text that appears while it is written.

Responsible for the wire forms; `api.streams` has the pace and the life of a stream.
Source: autogen/api/v2_users_user_openid_stream_messages.post
"""

from enum import IntEnum
from typing import Literal

from msgspec import UNSET, UnsetType

from .base import Aware, Body, Model
from .messages import MessageExtInfo


class StreamState(IntEnum):
    """The state of a streamed message after a fragment."""

    GENERATING = 1
    FINISHED = 10


class StreamMessageBody(Body, frozen=True, kw_only=True):
    """One fragment of a streamed message.

    `input_mode` append adds `content_raw` to the shown text; replace sends the whole text, which begins with the shown
    text. `index` counts the fragments from 0. `stream_msg_id` is the id from the answer to the first fragment, and
    absent in the first; `msg_seq` is the same in all.
    """

    input_mode: Literal["append", "replace"] | UnsetType = UNSET
    input_state: StreamState | UnsetType = UNSET
    index: int | UnsetType = UNSET
    content_type: Literal["text", "markdown"] | UnsetType = UNSET
    content_raw: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    msg_id: str | UnsetType = UNSET
    stream_msg_id: str | UnsetType = UNSET
    msg_seq: int | UnsetType = UNSET
    is_wakeup: bool | UnsetType = UNSET


class StreamMessageResult(Model, frozen=True, kw_only=True):
    """The answer to a fragment. `remain_msg_len`: characters that still fit, None if the platform sent none."""

    id: str
    timestamp: Aware | None = None
    ext_info: MessageExtInfo = MessageExtInfo()
    remain_msg_len: int | None = None
