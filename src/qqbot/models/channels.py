"""Channels of guilds, and the bodies that create or change them. See `messages` for messages in channels."""

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, Id, Model, OpenIntEnum, require, require_some
from .permissions import Permissions


class ChannelType(OpenIntEnum):
    """The kind of a channel.  Source: server-inter/channel/manage/channel/model"""

    TEXT = 0
    VOICE = 2
    CATEGORY = 4
    LIVE = 10005
    APPLICATION = 10006
    FORUM = 10007


class ChannelSubType(OpenIntEnum):
    """The purpose of a text channel.  Source: server-inter/channel/manage/channel/model"""

    CHAT = 0
    NOTICE = 1
    GUIDE = 2
    TEAM_GAME = 3


class PrivateType(OpenIntEnum):
    """The users who see a channel.  Source: server-inter/channel/manage/channel/model"""

    PUBLIC = 0
    ADMINS = 1
    ADMINS_AND_NAMED = 2


class SpeakPermission(OpenIntEnum):
    """The members who may write in a channel.  Source: server-inter/channel/manage/channel/model"""

    INVALID = 0
    EVERYBODY = 1
    ADMINS_AND_NAMED = 2


class Channel(Model, frozen=True, kw_only=True):
    """A channel of a guild; events have only part of it. Only events have `op_user_id`, the user who changed it.

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
    """Creates a channel. `private_user_ids` may see it, depending on `private_type`.

    Raises: ConfigError for an empty name, or a category with a `position` below 2.
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
    """Changes the given fields and leaves the others unchanged.

    Raises: ConfigError if no field is given, or for an empty name.
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
