"""The permissions of members and roles in a channel. See `roles` for the roles themselves."""

from enum import IntFlag

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, Model, require_some


class Permissions(IntFlag):
    """The permission bits in a channel.  Source: server-inter/channel/role-group/channel_permissions/model"""

    VIEW = 1 << 0
    MANAGE = 1 << 1
    SPEAK = 1 << 2
    LIVE = 1 << 3


class ChannelPermissions(Model, frozen=True, kw_only=True):
    """The permissions of a member (`user_id`) or a role (`role_id`) in a channel.

    Source: server-inter/channel/role-group/channel_permissions/model
    """

    channel_id: str = ""
    user_id: str = ""
    role_id: str = ""
    permissions: Permissions = Permissions(0)


class ModifyPermissionsBody(Body, frozen=True, kw_only=True):
    """Adds and removes permissions, each as the decimal number of its bits; a bit in both is removed.

    Raises: ConfigError if it has neither.
    Source: server-inter/channel/role-group/channel_permissions/put_channel_permissions
    """

    add: str | UnsetType = UNSET
    remove: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        require_some(self)


def permissions_body(add: Permissions | None, remove: Permissions | None) -> ModifyPermissionsBody:
    """Return the body that adds `add` and removes `remove`.

    Raises: ConfigError if both are None, or contain MANAGE, which cannot be changed.
    """
    if Permissions.MANAGE in (add or Permissions(0)) | (remove or Permissions(0)):
        raise ConfigError("Permissions.MANAGE cannot be given or taken in a channel: use the role of channel admin")
    return ModifyPermissionsBody(add=_bits(add), remove=_bits(remove))


def _bits(permissions: Permissions | None) -> str | UnsetType:
    return UNSET if permissions is None else str(int(permissions))
