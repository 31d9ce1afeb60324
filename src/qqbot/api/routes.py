"""The endpoints of the platform as data: one `Route` each, and `ROUTES` by name.

A name is that of the endpoint tables. Owns paths and what comes back; who sends is `caller`, how the
arguments become bodies is the resources'.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, TypeVar, cast, get_origin
from urllib.parse import quote, urlencode

from ..codec import decoder
from ..errors import ConfigError, DecodeError
from ..models.base import Model
from ..models.gateway import GatewayBot, GatewayUrl
from ..models.guilds import DMS, Guild
from ..models.media import MediaUploadResult
from ..models.members import GroupBotState, GroupInfo, GroupMember, GroupMembersPage
from ..models.messages import Message, MessageSendResult
from ..models.users import User
from .codes import Family

T_co = TypeVar("T_co", covariant=True)

Repeat = Literal["by_method", "always", "numbered"]
"""When a call may be sent twice: all methods but POST, always, or only with a msg_seq."""

Query = Mapping[str, str | int | bool | None]
"""Query parameters; None is left out, a bool is written true or false."""

UPLOAD_TIMEOUT = 120.0  # seconds: the platform fetches the file before it answers

_PATH = re.compile(r"(?:/|https?://[^/?#@\\]+/)[!-~]*")
_PLACEHOLDER = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Route(Generic[T_co]):
    """One endpoint: `path` with {placeholders}, below the API's base or (for another host) a whole URL.

    `answer` is the type that the body decodes into, a function of the body, or `bytes` for the body as it is.
    `timeout` (seconds) replaces the client's where an endpoint needs longer.

    Raises: ConfigError when `path` is neither absolute nor a URL, or holds blanks or control characters.
    """

    name: str
    method: str
    path: str
    answer: type[T_co] | Callable[[bytes], T_co]
    repeat: Repeat = "by_method"
    family: Family = "general"
    timeout: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ConfigError(f"Route {self.name!r}: the path {self.path!r} must start with / or be an http(s) URL")

    @cached_property
    def decode(self) -> Callable[[bytes], T_co]:
        """Turns the body of an answer into `T_co`."""
        if self.answer is bytes:
            return cast("Callable[[bytes], T_co]", bytes)  # of bytes, bytes() is the same object
        if isinstance(self.answer, type) or get_origin(self.answer) is not None:
            return decoder(cast("type[T_co]", self.answer))
        return self.answer

    @cached_property
    def repeatable(self) -> bool | None:
        """Whether the call may be sent twice; None where its body decides."""
        if self.repeat == "numbered":
            return None
        return self.repeat == "always" or self.method != "POST"

    @cached_property
    def _parts(self) -> list[str]:
        return _PLACEHOLDER.split(self.path)

    def build(self, ids: tuple[str, ...], query: Query | None = None) -> tuple[str, str]:
        """Return the path with `ids` filled in, and the same with the query.

        Raises: ConfigError for a missing or surplus id, and for one that is empty, '.' or '..'.
        """
        parts = self._parts
        if len(ids) != len(parts) - 1:
            raise ConfigError(f"{self.name} takes {len(parts) - 1} ids ({self.path}), not {len(ids)}")
        path = parts[0]
        for value, rest in zip(ids, parts[1:], strict=True):
            path += self._quoted(value) + rest
        given = {key: _word(value) for key, value in query.items() if value is not None} if query else None
        if not given:
            return path, path
        return path, f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"

    def _quoted(self, value: str) -> str:
        if value in ("", ".", ".."):
            raise ConfigError(f"{self.name}: {value!r} is no id; take it from the event or an earlier answer")
        try:
            return value if value.isascii() and value.isalnum() else quote(value, safe="")
        except (UnicodeEncodeError, TypeError, AttributeError):
            raise ConfigError(f"{self.name}: the id {value!r} is not a str of valid Unicode") from None


def _word(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _GuildList(Model, frozen=True, kw_only=True):
    guilds: tuple[Guild, ...]


class _WrappedMessage(Model, frozen=True, kw_only=True):
    message: Message


class _UrlLink(Model, frozen=True, kw_only=True):
    url: str


class _WrappedUrlLink(Model, frozen=True, kw_only=True):
    data: _UrlLink


_guild_array = decoder(list[Guild])
_guild_list = decoder(_GuildList)
_message = decoder(Message)
_wrapped_message = decoder(_WrappedMessage)
_url_link = decoder(_WrappedUrlLink)


def nothing(_: bytes) -> None:
    """Take any body where the answer says nothing."""


def _guilds(data: bytes) -> list[Guild]:
    """The page's table has an object, its sample and the service a bare array."""
    return _guild_array(data) if data.lstrip().startswith(b"[") else list(_guild_list(data).guilds)


def _one_message(data: bytes) -> Message:
    """Some answers wrap the message in an object."""
    try:
        return _wrapped_message(data).message
    except DecodeError:
        return _message(data)


def _share_url(data: bytes) -> str:
    return _url_link(data).data.url


GET_GATEWAY = Route("get_gateway", "GET", "/gateway", GatewayUrl)
GET_GATEWAY_BOT = Route("get_gateway_bot", "GET", "/gateway/bot", GatewayBot)

GET_ME = Route("get_me", "GET", "/users/@me", User)
LIST_MY_GUILDS = Route("list_my_guilds", "GET", "/users/@me/guilds", _guilds)
GENERATE_URL_LINK = Route(
    "generate_url_link", "POST", "/v2/generate_url_link", _share_url, repeat="always", family="share_link"
)

SEND_GROUP_MESSAGE = Route(
    "send_group_message", "POST", "/v2/groups/{group_openid}/messages", MessageSendResult, repeat="numbered"
)
DELETE_GROUP_MESSAGE = Route(
    "delete_group_message", "DELETE", "/v2/groups/{group_openid}/messages/{message_id}", nothing
)
UPLOAD_GROUP_MEDIA = Route(
    "upload_group_media",
    "POST",
    "/v2/groups/{group_openid}/files",
    MediaUploadResult,
    repeat="always",
    timeout=UPLOAD_TIMEOUT,
)
GET_GROUP_INFO = Route("get_group_info", "GET", "/v2/groups/{group_openid}/info", GroupInfo)
GET_GROUP_BOT_STATE = Route("get_group_bot_state", "GET", "/v2/groups/{group_openid}/bot_state", GroupBotState)
LIST_GROUP_MEMBERS = Route("list_group_members", "GET", "/v2/groups/{group_openid}/members", GroupMembersPage)
GET_GROUP_MEMBER = Route("get_group_member", "GET", "/v2/groups/{group_openid}/members/{member_openid}", GroupMember)

SEND_C2C_MESSAGE = Route(
    "send_c2c_message", "POST", "/v2/users/{user_openid}/messages", MessageSendResult, repeat="numbered"
)
DELETE_C2C_MESSAGE = Route("delete_c2c_message", "DELETE", "/v2/users/{user_openid}/messages/{message_id}", nothing)
UPLOAD_C2C_MEDIA = Route(
    "upload_c2c_media",
    "POST",
    "/v2/users/{user_openid}/files",
    MediaUploadResult,
    repeat="always",
    timeout=UPLOAD_TIMEOUT,
)

SEND_CHANNEL_MESSAGE = Route("send_channel_message", "POST", "/channels/{channel_id}/messages", Message)
GET_CHANNEL_MESSAGE = Route("get_channel_message", "GET", "/channels/{channel_id}/messages/{message_id}", _one_message)
LIST_CHANNEL_MESSAGES = Route("list_channel_messages", "GET", "/channels/{channel_id}/messages", decoder(list[Message]))
MODIFY_CHANNEL_MESSAGE = Route(
    "modify_channel_message", "PATCH", "/channels/{channel_id}/messages/{message_id}", Message
)
DELETE_CHANNEL_MESSAGE = Route(
    "delete_channel_message", "DELETE", "/channels/{channel_id}/messages/{message_id}", nothing
)

CREATE_DMS = Route("create_dms", "POST", "/users/@me/dms", DMS, repeat="always")
SEND_DMS = Route("send_dms", "POST", "/dms/{guild_id}/messages", Message)
DELETE_DMS = Route("delete_dms", "DELETE", "/dms/{guild_id}/messages/{message_id}", nothing)

ACK_INTERACTION = Route("ack_interaction", "PUT", "/interactions/{interaction_id}", nothing)

_constants = cast("list[Route[object]]", [value for value in tuple(globals().values()) if isinstance(value, Route)])
ROUTES: Mapping[str, Route[object]] = {route.name: route for route in _constants}
