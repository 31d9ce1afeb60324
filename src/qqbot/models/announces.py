"""Announcements of a guild: a message, or recommended channels."""

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, Model, OpenIntEnum, require

MOST_CHANNELS = 3


class AnnouncesType(OpenIntEnum):
    """The audience of an announcement.  Source: server-inter/channel/content/announces/model"""

    MEMBER = 0
    WELCOME = 1


class RecommendChannel(Model, frozen=True, kw_only=True):
    """A recommended channel, and the reason.  Source: server-inter/channel/content/announces/model"""

    channel_id: str
    introduce: str


class Announces(Model, frozen=True, kw_only=True):
    """An announcement; if it recommends channels, its `message_id` is "".

    Source: server-inter/channel/content/announces/model
    """

    guild_id: str = ""
    channel_id: str = ""
    message_id: str = ""
    announces_type: AnnouncesType = AnnouncesType.MEMBER
    recommend_channels: tuple[RecommendChannel, ...] = ()


class GuildAnnouncesBody(Body, frozen=True, kw_only=True):
    """Announces a message, or recommends channels; each replaces the other.

    Raises: ConfigError if it does neither or both, has an empty id, or more than 3 channels.
    Source: server-inter/channel/content/announces/post_guild_announces
    """

    message_id: str | UnsetType = UNSET
    channel_id: str | UnsetType = UNSET
    announces_type: AnnouncesType | UnsetType = UNSET
    recommend_channels: tuple[RecommendChannel, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(message_id=self.message_id, channel_id=self.channel_id)
        message = (self.message_id is not UNSET, self.channel_id is not UNSET)
        if message != ((self.recommend_channels is UNSET),) * 2:
            raise ConfigError("an announcement is a message (message_id and channel_id) or recommend_channels")
        if self.recommend_channels is not UNSET:
            _check_recommended(self.recommend_channels)


def _check_recommended(channels: tuple[RecommendChannel, ...]) -> None:
    if not 1 <= len(channels) <= MOST_CHANNELS:
        raise ConfigError(f"a guild recommends 1 to {MOST_CHANNELS} channels, not {len(channels)}")
    for channel in channels:
        require(channel_id=channel.channel_id, introduce=channel.introduce)


class ChannelAnnouncesBody(Body, frozen=True, kw_only=True):
    """Announces a message in its channel.

    Raises: ConfigError for an empty id.
    Source: server-inter/channel/content/announces/post_channel_announces
    """

    message_id: str

    def __post_init__(self) -> None:
        require(message_id=self.message_id)
