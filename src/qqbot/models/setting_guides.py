"""Messages that lead administrators to the bot's settings."""

from .base import Body, require


class ChannelSettingGuideBody(Body, frozen=True, kw_only=True):
    """Shows the way to those that `content` mentions: "<@user_id><@user_id>".

    Raises: ConfigError when `content` is empty.
    Source: botgo openapi/v1/setting_guide.go, no page
    """

    content: str

    def __post_init__(self) -> None:
        require(content=self.content)


class GuildToSet(Body, frozen=True, kw_only=True):
    """The guild whose settings open."""

    guild_id: str

    def __post_init__(self) -> None:
        require(guild_id=self.guild_id)


class DMSSettingGuideBody(Body, frozen=True, kw_only=True):
    """Shows the way to the settings of a guild.

    Raises: ConfigError when it names none.
    Source: botgo openapi/v1/setting_guide.go, no page
    """

    setting_guide: GuildToSet
