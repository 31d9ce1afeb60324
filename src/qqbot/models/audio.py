"""Audio in voice channels: what a bot plays, and members who enter or leave."""

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, Id, Model, OpenIntEnum


class AudioStatus(OpenIntEnum):
    """What to do with the audio.  Source: server-inter/channel/content/audio/model"""

    START = 0
    PAUSE = 1
    RESUME = 2
    STOP = 3


class AudioControl(Body, frozen=True, kw_only=True):
    """Starts, pauses, resumes or stops audio; only a start has a URL and a text.

    Raises: ConfigError for a start without a URL, and for a URL or a text without a start.
    Source: server-inter/channel/content/audio/model
    """

    status: AudioStatus
    audio_url: str | UnsetType = UNSET
    text: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        starts = self.status is AudioStatus.START
        if starts and not self.audio_url:
            raise ConfigError("AudioStatus.START needs an audio_url")
        if not starts and not self.audio_url is self.text is UNSET:
            raise ConfigError("only a start (AudioStatus.START) takes an audio_url and a text")


class AudioAction(Model, frozen=True, kw_only=True):
    """Audio began or ended, or the bot switched its microphone on or off.

    Source: server-inter/channel/content/audio/model
    """

    guild_id: str = ""
    channel_id: Id
    audio_url: str = ""
    text: str = ""


class AudioLiveChannelType(OpenIntEnum):
    """The kind of channel that a member entered or left."""

    AUDIO = 2
    LIVE = 5


class AudioLiveMember(Model, frozen=True, kw_only=True):
    """A member entered or left an audio, video or live channel.

    Source: server-inter/channel/role/audio_or_live_channel_member
    """

    guild_id: str = ""
    channel_id: Id
    channel_type: AudioLiveChannelType | None = None
    user_id: Id
