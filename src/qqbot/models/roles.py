"""Roles of guilds, and the bodies that create, change and assign them."""

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, Id, Model, require, require_some
from .users import Member

EVERYONE, ADMIN, OWNER, CHANNEL_ADMIN = "1", "2", "4", "5"
"""The ids of the roles that each guild has."""

_LARGEST_COLOR = 0xFFFFFFFF


class Role(Model, frozen=True, kw_only=True):
    """A role. `color`: ARGB; `hoist`: True if its members are listed separately; `number`: how many members have it.

    Source: server-inter/channel/role/member/role_model
    """

    id: Id
    name: str = ""
    color: int = 0
    hoist: bool = False
    number: int = 0
    member_limit: int = 0


class GuildRoles(Model, frozen=True, kw_only=True):
    """The roles of a guild. `role_num_limit`: the maximum number of roles.

    Source: server-inter/channel/role-group/get_guild_roles
    """

    guild_id: str = ""
    roles: tuple[Role, ...] = ()
    role_num_limit: int = 0


class CreateRoleResult(Model, frozen=True, kw_only=True):
    """A role that was created.  Source: server-inter/channel/role-group/post_guild_role"""

    role_id: Id
    role: Role | None = None
    guild_id: str = ""


class ModifyRoleResult(Model, frozen=True, kw_only=True):
    """A role that was changed.  Source: server-inter/channel/role-group/patch_guild_role"""

    role_id: Id
    role: Role | None = None
    guild_id: str = ""


class RoleMembersPage(Model, frozen=True, kw_only=True):
    """Members with a role; `next` is the `start_index` of the next page, "0" ends the list.

    Source: server-inter/channel/role/member/get_role_members
    """

    data: tuple[Member, ...] = ()
    next: str = ""


class RoleBody(Body, frozen=True, kw_only=True):
    """Creates a role, or changes the given fields of one. `color`: ARGB; `hoist`: 0 or 1.

    Raises: ConfigError if no field is given, for an empty name, or a number out of range.
    Source: server-inter/channel/role-group/post_guild_role
    """

    name: str | UnsetType = UNSET
    color: int | UnsetType = UNSET
    hoist: int | UnsetType = UNSET

    def __post_init__(self) -> None:
        require(name=self.name)
        require_some(self)
        if isinstance(self.color, int) and not 0 <= self.color <= _LARGEST_COLOR:
            raise ConfigError(f"a color must be ARGB, 0 to 0xFFFFFFFF, not {self.color}")


class ChannelOfRole(Body, frozen=True, kw_only=True):
    """The channel of a channel admin."""

    id: str


class MemberRoleBody(Body, frozen=True, kw_only=True):
    """Names the channel for the role of channel admin; empty for other roles.

    Source: server-inter/channel/role-group/put_guild_member_role
    """

    channel: ChannelOfRole | UnsetType = UNSET


def member_role_body(role_id: str, channel_id: str | None) -> MemberRoleBody | None:
    """Return the body that adds or removes a role; None if no body is needed.

    Raises: ConfigError for the role of channel admin without a channel, or another role with one.
    """
    if (role_id == CHANNEL_ADMIN) != bool(channel_id):
        raise ConfigError(f"role {CHANNEL_ADMIN} (channel admin) needs a channel_id, and no other role takes one")
    return MemberRoleBody(channel=ChannelOfRole(id=channel_id)) if channel_id else None
