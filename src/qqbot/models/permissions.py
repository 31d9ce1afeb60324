"""What members and roles may do in a channel.

Owns the bits; who belongs to a role is in `roles`.
"""

from enum import IntFlag

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from .base import Body, Model, require_some


class Permissions(IntFlag):
    """The bits of rights in a channel.  Source: server-inter/channel/role-group/channel_permissions/model"""

    VIEW = 1 << 0
    MANAGE = 1 << 1
    SPEAK = 1 << 2
    LIVE = 1 << 3


class ChannelPermissions(Model, frozen=True, kw_only=True):
    """The rights of a member (`user_id`) or a role (`role_id`) in a channel.

    Source: server-inter/channel/role-group/channel_permissions/model
    """

    channel_id: str = ""
    user_id: str = ""
    role_id: str = ""
    permissions: Permissions = Permissions(0)


class ModifyPermissionsBody(Body, frozen=True, kw_only=True):
    """Gives and takes rights, each as the decimal number of its bits; a bit in both is taken.

    Raises: ConfigError when nothing is given or taken.
    Source: server-inter/channel/role-group/channel_permissions/put_channel_permissions
    """

    add: str | UnsetType = UNSET
    remove: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        require_some(self)


def permissions_body(add: Permissions | None, remove: Permissions | None) -> ModifyPermissionsBody:
    """Return the body that gives `add` and takes `remove`.

    Raises: ConfigError when both are None, or hold MANAGE, which cannot be changed.
    """
    if Permissions.MANAGE in (add or Permissions(0)) | (remove or Permissions(0)):
        raise ConfigError("Permissions.MANAGE cannot be given or taken in a channel: use the role of channel admin")
    return ModifyPermissionsBody(add=_bits(add), remove=_bits(remove))


def _bits(permissions: Permissions | None) -> str | UnsetType:
    return UNSET if permissions is None else str(int(permissions))
