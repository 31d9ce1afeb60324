"""Messages with a link to the bot's settings, for administrators."""

from .base import Body, require


class ChannelSettingGuideBody(Body, frozen=True, kw_only=True):
    """Sends the link to the users that `content` mentions: "<@user_id><@user_id>".

    Raises: ConfigError if `content` is empty.
    Source: botgo openapi/v1/setting_guide.go, no page
    """

    content: str

    def __post_init__(self) -> None:
        require(content=self.content)


class GuildToSet(Body, frozen=True, kw_only=True):
    """The guild of the settings."""

    guild_id: str

    def __post_init__(self) -> None:
        require(guild_id=self.guild_id)


class DMSSettingGuideBody(Body, frozen=True, kw_only=True):
    """Sends the link to the settings of a guild.

    Raises: ConfigError if it names no guild.
    Source: botgo openapi/v1/setting_guide.go, no page
    """

    setting_guide: GuildToSet
