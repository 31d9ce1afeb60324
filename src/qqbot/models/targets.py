"""Where a message goes and what it answers.

Owns the addresses only; the paths behind them are in `api.routes`.
"""

from enum import StrEnum

from msgspec import Struct

from ..errors import ConfigError


class Scene(StrEnum):
    """The four kinds of conversation."""

    GROUP = "group"
    C2C = "c2c"
    CHANNEL = "channel"
    DMS = "dms"


class Target(Struct, frozen=True):
    """A conversation. `id`: a group_openid, user_openid, channel id, or the guild id of a private chat.

    Raises: ConfigError when `id` is empty.
    """

    scene: Scene
    id: str

    def __post_init__(self) -> None:
        if not self.id:
            raise ConfigError(f"a target in the scene {self.scene.value!r} needs an id, not ''")


class ReplyTo(Struct, frozen=True):
    """What a message answers: a message (`msg_id`) or an event (`event_id`, the id of its envelope).

    `msg_seq` tells the answers to one message apart; the API client numbers them when it is None.

    Raises: ConfigError unless exactly one of `msg_id` and `event_id` is given.
    Source: server-inter/message/send-receive/send
    """

    msg_id: str | None = None
    event_id: str | None = None
    msg_seq: int | None = None

    def __post_init__(self) -> None:
        if bool(self.msg_id) == bool(self.event_id):
            raise ConfigError("ReplyTo needs exactly one of msg_id and event_id, and it must not be empty")
