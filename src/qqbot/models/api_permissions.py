"""The interfaces that a guild allows the bot to use."""

from .base import Body, Model, require


class APIPermission(Model, frozen=True, kw_only=True):
    """An interface. `auth_status`: True if the guild granted it.

    Source: server-inter/channel/api_permissions/model
    """

    path: str
    method: str
    desc: str = ""
    auth_status: bool = False


class APIPermissionDemandIdentify(Model, frozen=True, kw_only=True):
    """Identifies an interface by path and method, as in the list of permissions.

    Source: server-inter/channel/api_permissions/model
    """

    path: str
    method: str


class APIPermissionDemand(Model, frozen=True, kw_only=True):
    """A link with which the guild's owner grants an interface.  Source: server-inter/channel/api_permissions/model"""

    guild_id: str = ""
    channel_id: str = ""
    api_identify: APIPermissionDemandIdentify | None = None
    title: str = ""
    desc: str = ""


class DemandBody(Body, frozen=True, kw_only=True):
    """Asks for an interface with a link in a channel; `desc` is the reason.

    Raises: ConfigError for an empty field.
    Source: server-inter/channel/api_permissions/post_api_permission_demand
    """

    channel_id: str
    api_identify: APIPermissionDemandIdentify
    desc: str

    def __post_init__(self) -> None:
        require(channel_id=self.channel_id, desc=self.desc)
        require(path=self.api_identify.path, method=self.api_identify.method)
