"""Channels of guilds: what they are, and what makes or changes one.

Messages in channels are in `messages`.
"""

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, Id, Model, OpenIntEnum, require, require_some
from .permissions import Permissions


class ChannelType(OpenIntEnum):
    """What a channel is for.  Source: server-inter/channel/manage/channel/model"""

    TEXT = 0
    VOICE = 2
    CATEGORY = 4
    LIVE = 10005
    APPLICATION = 10006
    FORUM = 10007


class ChannelSubType(OpenIntEnum):
    """What a text channel is for.  Source: server-inter/channel/manage/channel/model"""

    CHAT = 0
    NOTICE = 1
    GUIDE = 2
    TEAM_GAME = 3


class PrivateType(OpenIntEnum):
    """Who sees a channel.  Source: server-inter/channel/manage/channel/model"""

    PUBLIC = 0
    ADMINS = 1
    ADMINS_AND_NAMED = 2


class SpeakPermission(OpenIntEnum):
    """Who may write in a channel.  Source: server-inter/channel/manage/channel/model"""

    INVALID = 0
    EVERYBODY = 1
    ADMINS_AND_NAMED = 2


class Channel(Model, frozen=True, kw_only=True):
    """A channel of a guild; in events only part of it. `op_user_id`, who changed it, comes in events alone.

    `application_id` names the application of an application channel.

    Source: server-inter/channel/manage/channel/model
    """

    id: Id
    guild_id: str = ""
    name: str = ""
    type: ChannelType = ChannelType.TEXT
    sub_type: ChannelSubType = ChannelSubType.CHAT
    position: int = 0
    parent_id: str = ""
    owner_id: str = ""
    private_type: PrivateType = PrivateType.PUBLIC
    speak_permission: SpeakPermission = SpeakPermission.INVALID
    application_id: str = ""
    permissions: Permissions = Permissions(0)
    private_user_ids: tuple[str, ...] = ()
    op_user_id: str = ""


class CreateChannelBody(Body, frozen=True, kw_only=True):
    """Makes a channel. `private_user_ids` may see it, where `private_type` says so.

    Raises: ConfigError for an empty name, and a category whose `position` is below 2.
    Source: autogen/api/guilds_guild_id_channels.post
    """

    name: str
    type: ChannelType
    sub_type: ChannelSubType | UnsetType = UNSET
    position: int | UnsetType = UNSET
    parent_id: str | UnsetType = UNSET
    private_type: PrivateType | UnsetType = UNSET
    private_user_ids: tuple[str, ...] | UnsetType = UNSET
    speak_permission: SpeakPermission | UnsetType = UNSET
    application_id: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(name=self.name)
        if self.type is ChannelType.CATEGORY and isinstance(self.position, int) and self.position < 2:
            raise ConfigError(f"a category's position is 2 or more, not {self.position}")


class ModifyChannelBody(Body, frozen=True, kw_only=True):
    """Changes what it names and leaves the rest.

    Raises: ConfigError when it names nothing, or an empty name.
    Source: autogen/api/channels_channel_id.patch
    """

    name: str | UnsetType = UNSET
    position: int | UnsetType = UNSET
    parent_id: str | UnsetType = UNSET
    private_type: PrivateType | UnsetType = UNSET
    speak_permission: SpeakPermission | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(name=self.name)
        require_some(self)
