"""Bodies of endpoints that only one source mentions; a documented endpoint does the same."""

from ..errors import ConfigError
from .base import UNSET, Body, UnsetType, require


class InputNotifyBody(Body, frozen=True, kw_only=True):
    """Shows that the bot is typing, for 1 to 60 seconds.

    Raises: ConfigError for an empty id, and for seconds out of range.
    Source: @alemonjs/qq-bot
    """

    msg_id: str | UnsetType = UNSET
    input_second: int | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(msg_id=self.msg_id)
        if self.input_second is not UNSET and not 1 <= self.input_second <= 60:
            raise ConfigError(f"input_second is 1 to 60 seconds, not {self.input_second}")


class CompleteUploadBody(Body, frozen=True, kw_only=True):
    """Completes an upload in parts.

    Raises: ConfigError for an empty id.
    Source: @alemonjs/qq-bot
    """

    upload_id: str

    def __post_init__(self) -> None:
        require(upload_id=self.upload_id)
