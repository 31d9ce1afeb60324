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

from ..errors import ConfigError, DecodeError
from ..models.announces import Announces
from ..models.api_permissions import APIPermission, APIPermissionDemand
from ..models.base import Id, Model
from ..models.channels import Channel
from ..models.codec import decoder
from ..models.forums import ForumTask, Thread, ThreadsPage
from ..models.gateway import GatewayBot, GatewayUrl
from ..models.group_members import BatchRemoveResult, GroupBlacklistPage, GroupMembersLegacyPage
from ..models.group_mutes import GroupMuteSetting
from ..models.guilds import DMS, Guild, MessageSetting
from ..models.join_requests import JoinRequestPage
from ..models.media import MediaUploadResult, UploadPrepareResult
from ..models.media_images import MediaImageCompleteResult, MediaImageList, MediaImagePrepareResult
from ..models.members import GroupBotState, GroupInfo, GroupMember, GroupMembersPage
from ..models.menus import MenuResult
from ..models.messages import Message, MessageSendResult
from ..models.onboarding import BindResultAnswer, BindTaskAnswer
from ..models.panels import PanelPage, PanelRecord
from ..models.permissions import ChannelPermissions
from ..models.pins import PinsMessage
from ..models.reactions import ReactionUsersPage
from ..models.roles import CreateRoleResult, GuildRoles, ModifyRoleResult, RoleMembersPage
from ..models.schedules import Schedule
from ..models.strategies import JoinApprovalStrategy, JoinApprovalStrategyPage, StrategyState, WhitelistState
from ..models.streams import StreamMessageResult
from ..models.users import Member, User
from ..models.webhook_sessions import HTTPReady, HTTPSession
from .codes import Family

T_co = TypeVar("T_co", covariant=True)

Repeat = Literal["by_method", "always", "never", "numbered"]
"""When a call may be sent twice: all methods but POST, always, never, or only with a msg_seq."""

Query = Mapping[str, str | int | bool | None]
"""Query parameters; None is left out, a bool is written true or false."""

UPLOAD_TIMEOUT = 120.0  # seconds: the platform fetches the file before it answers

_PATH = re.compile(r"(?:/|https?://[^/?#@\\]+/)[!-~]*")
_PLACEHOLDER = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Route(Generic[T_co]):
    """One endpoint: `path` with {placeholders}, below the API's base or (for another host) a whole URL.

    `answer` is the type that the body decodes into, a function of the body, or `bytes` for the body as it is.
    `timeout` (seconds) replaces the client's where an endpoint needs longer. `sends`: people get a message by it.

    Raises: ConfigError when `path` is neither absolute nor a URL, or holds blanks or control characters.
    """

    name: str
    method: str
    path: str
    answer: type[T_co] | Callable[[bytes], T_co]
    repeat: Repeat = "by_method"
    family: Family = "general"
    timeout: float | None = field(default=None, kw_only=True)
    sends: bool = field(default=False, kw_only=True)

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
        return self.repeat == "always" or (self.repeat == "by_method" and self.method != "POST")

    @cached_property
    def _template(self) -> str:
        return _PLACEHOLDER.sub("%s", self.path.replace("%", "%%"))

    @cached_property
    def _size(self) -> int:
        return len(_PLACEHOLDER.findall(self.path))

    def build(self, ids: tuple[str, ...], query: Query | None = None) -> tuple[str, str]:
        """Return the path with `ids` filled in, and the same with the query.

        Raises: ConfigError for a missing or surplus id, and for one that is empty, '.' or '..'.
        """
        if len(ids) != self._size:
            raise ConfigError(f"{self.name} takes {self._size} ids ({self.path}), not {len(ids)}")
        path = self._template % tuple(map(self._quoted, ids))
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


class _OnlineNums(Model, frozen=True, kw_only=True):
    online_nums: int = 0


class _UserIds(Model, frozen=True, kw_only=True):
    user_ids: tuple[str, ...] = ()


class _ApiPermissions(Model, frozen=True, kw_only=True):
    apis: tuple[APIPermission, ...] = ()


class _WrappedThread(Model, frozen=True, kw_only=True):
    thread: Thread


class _FailedOpenids(Model, frozen=True, kw_only=True):
    fail_openids: tuple[str, ...] = ()


class _Version(Model, frozen=True, kw_only=True):
    version: int


class _PanelId(Model, frozen=True, kw_only=True):
    panel_id: Id


class _UrlLink(Model, frozen=True, kw_only=True):
    url: str


class _WrappedUrlLink(Model, frozen=True, kw_only=True):
    data: _UrlLink


_guild_array = decoder(list[Guild])
_guild_list = decoder(_GuildList)
_message = decoder(Message)
_wrapped_message = decoder(_WrappedMessage)
_url_link = decoder(_WrappedUrlLink)
_failed_openids = decoder(_FailedOpenids)
_version = decoder(_Version)
_panel_id = decoder(_PanelId)
_online_nums = decoder(_OnlineNums)
_user_ids = decoder(_UserIds)
_api_permissions = decoder(_ApiPermissions)
_wrapped_thread = decoder(_WrappedThread)
_schedule_array = decoder(list[Schedule])


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


def _online(data: bytes) -> int:
    return _online_nums(data).online_nums


def _muted(data: bytes) -> list[str]:
    return list(_user_ids(data).user_ids)


def _granted(data: bytes) -> list[APIPermission]:
    return list(_api_permissions(data).apis)


def _thread(data: bytes) -> Thread:
    return _wrapped_thread(data).thread


def _schedules(data: bytes) -> list[Schedule]:
    """Where there is none the answer may be null."""
    return [] if data.strip() == b"null" else _schedule_array(data)


def _failures(data: bytes) -> tuple[str, ...]:
    return _failed_openids(data).fail_openids


def _new_version(data: bytes) -> int:
    return _version(data).version


def _new_panel(data: bytes) -> str:
    return _panel_id(data).panel_id


GET_GATEWAY = Route("get_gateway", "GET", "/gateway", GatewayUrl)
GET_GATEWAY_BOT = Route("get_gateway_bot", "GET", "/gateway/bot", GatewayBot)

GET_ME = Route("get_me", "GET", "/users/@me", User)
LIST_MY_GUILDS = Route("list_my_guilds", "GET", "/users/@me/guilds", _guilds)
GENERATE_URL_LINK = Route(
    "generate_url_link", "POST", "/v2/generate_url_link", _share_url, repeat="always", family="share_link"
)

SEND_GROUP_MESSAGE = Route(
    "send_group_message", "POST", "/v2/groups/{group_openid}/messages", MessageSendResult, repeat="numbered", sends=True
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
PREPARE_GROUP_UPLOAD = Route(
    "prepare_group_upload", "POST", "/v2/groups/{group_openid}/upload_prepare", UploadPrepareResult, repeat="always"
)
FINISH_GROUP_UPLOAD_PART = Route(
    "finish_group_upload_part", "POST", "/v2/groups/{group_openid}/upload_part_finish", nothing, repeat="always"
)
GET_GROUP_INFO = Route("get_group_info", "GET", "/v2/groups/{group_openid}/info", GroupInfo)
GET_GROUP_BOT_STATE = Route("get_group_bot_state", "GET", "/v2/groups/{group_openid}/bot_state", GroupBotState)
LIST_GROUP_MEMBERS = Route("list_group_members", "GET", "/v2/groups/{group_openid}/members", GroupMembersPage)
GET_GROUP_MEMBER = Route("get_group_member", "GET", "/v2/groups/{group_openid}/members/{member_openid}", GroupMember)

SEND_C2C_MESSAGE = Route(
    "send_c2c_message", "POST", "/v2/users/{user_openid}/messages", MessageSendResult, repeat="numbered", sends=True
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

PREPARE_C2C_UPLOAD = Route(
    "prepare_c2c_upload", "POST", "/v2/users/{user_openid}/upload_prepare", UploadPrepareResult, repeat="always"
)
FINISH_C2C_UPLOAD_PART = Route(
    "finish_c2c_upload_part", "POST", "/v2/users/{user_openid}/upload_part_finish", nothing, repeat="always"
)
SEND_C2C_STREAM_MESSAGE = Route(
    "send_c2c_stream_message", "POST", "/v2/users/{user_openid}/stream_messages", StreamMessageResult, sends=True
)

SEND_CHANNEL_MESSAGE = Route("send_channel_message", "POST", "/channels/{channel_id}/messages", Message, sends=True)
GET_CHANNEL_MESSAGE = Route("get_channel_message", "GET", "/channels/{channel_id}/messages/{message_id}", _one_message)
LIST_CHANNEL_MESSAGES = Route("list_channel_messages", "GET", "/channels/{channel_id}/messages", decoder(list[Message]))
MODIFY_CHANNEL_MESSAGE = Route(
    "modify_channel_message", "PATCH", "/channels/{channel_id}/messages/{message_id}", Message
)
DELETE_CHANNEL_MESSAGE = Route(
    "delete_channel_message", "DELETE", "/channels/{channel_id}/messages/{message_id}", nothing
)

SEND_CHANNEL_SETTING_GUIDE = Route(
    "send_channel_setting_guide", "POST", "/channels/{channel_id}/settingguide", Message, sends=True
)

CREATE_DMS = Route("create_dms", "POST", "/users/@me/dms", DMS, repeat="always")
SEND_DMS = Route("send_dms", "POST", "/dms/{guild_id}/messages", Message, sends=True)
DELETE_DMS = Route("delete_dms", "DELETE", "/dms/{guild_id}/messages/{message_id}", nothing)

SEND_DMS_SETTING_GUIDE = Route("send_dms_setting_guide", "POST", "/dms/{guild_id}/settingguide", Message, sends=True)

GET_GUILD = Route("get_guild", "GET", "/guilds/{guild_id}", Guild)
GET_MESSAGE_SETTING = Route("get_message_setting", "GET", "/guilds/{guild_id}/message/setting", MessageSetting)

LIST_CHANNELS = Route("list_channels", "GET", "/guilds/{guild_id}/channels", decoder(list[Channel]))
GET_CHANNEL = Route("get_channel", "GET", "/channels/{channel_id}", Channel)
CREATE_CHANNEL = Route("create_channel", "POST", "/guilds/{guild_id}/channels", Channel)
MODIFY_CHANNEL = Route("modify_channel", "PATCH", "/channels/{channel_id}", Channel)
DELETE_CHANNEL = Route("delete_channel", "DELETE", "/channels/{channel_id}", nothing)
LIST_VOICE_MEMBERS = Route("list_voice_members", "GET", "/channels/{channel_id}/voice/members", decoder(list[Member]))
GET_CHANNEL_ONLINE_NUMS = Route("get_channel_online_nums", "GET", "/channels/{channel_id}/online_nums", _online)

LIST_GUILD_MEMBERS = Route("list_guild_members", "GET", "/guilds/{guild_id}/members", decoder(list[Member]))
LIST_GUILD_ROLE_MEMBERS = Route(
    "list_guild_role_members", "GET", "/guilds/{guild_id}/roles/{role_id}/members", RoleMembersPage
)
GET_GUILD_MEMBER = Route("get_guild_member", "GET", "/guilds/{guild_id}/members/{user_id}", Member)
DELETE_GUILD_MEMBER = Route("delete_guild_member", "DELETE", "/guilds/{guild_id}/members/{user_id}", nothing)

LIST_GUILD_ROLES = Route("list_guild_roles", "GET", "/guilds/{guild_id}/roles", GuildRoles)
CREATE_GUILD_ROLE = Route("create_guild_role", "POST", "/guilds/{guild_id}/roles", CreateRoleResult)
MODIFY_GUILD_ROLE = Route("modify_guild_role", "PATCH", "/guilds/{guild_id}/roles/{role_id}", ModifyRoleResult)
DELETE_GUILD_ROLE = Route("delete_guild_role", "DELETE", "/guilds/{guild_id}/roles/{role_id}", nothing)
ADD_GUILD_MEMBER_ROLE = Route(
    "add_guild_member_role", "PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", nothing
)
REMOVE_GUILD_MEMBER_ROLE = Route(
    "remove_guild_member_role", "DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", nothing
)

GET_CHANNEL_PERMISSIONS = Route(
    "get_channel_permissions", "GET", "/channels/{channel_id}/members/{user_id}/permissions", ChannelPermissions
)
MODIFY_CHANNEL_PERMISSIONS = Route(
    "modify_channel_permissions", "PUT", "/channels/{channel_id}/members/{user_id}/permissions", nothing
)
GET_CHANNEL_ROLE_PERMISSIONS = Route(
    "get_channel_role_permissions", "GET", "/channels/{channel_id}/roles/{role_id}/permissions", ChannelPermissions
)
MODIFY_CHANNEL_ROLE_PERMISSIONS = Route(
    "modify_channel_role_permissions", "PUT", "/channels/{channel_id}/roles/{role_id}/permissions", nothing
)

CREATE_GUILD_ANNOUNCES = Route(
    "create_guild_announces", "POST", "/guilds/{guild_id}/announces", Announces, repeat="always"
)
DELETE_GUILD_ANNOUNCES = Route("delete_guild_announces", "DELETE", "/guilds/{guild_id}/announces/{message_id}", nothing)
CREATE_CHANNEL_ANNOUNCES = Route(
    "create_channel_announces", "POST", "/channels/{channel_id}/announces", Announces, repeat="always"
)
DELETE_CHANNEL_ANNOUNCES = Route(
    "delete_channel_announces", "DELETE", "/channels/{channel_id}/announces/{message_id}", nothing
)

LIST_PINS = Route("list_pins", "GET", "/channels/{channel_id}/pins", PinsMessage)
ADD_PIN = Route("add_pin", "PUT", "/channels/{channel_id}/pins/{message_id}", PinsMessage)
DELETE_PIN = Route("delete_pin", "DELETE", "/channels/{channel_id}/pins/{message_id}", nothing)

LIST_SCHEDULES = Route("list_schedules", "GET", "/channels/{channel_id}/schedules", _schedules)
GET_SCHEDULE = Route("get_schedule", "GET", "/channels/{channel_id}/schedules/{schedule_id}", Schedule)
CREATE_SCHEDULE = Route("create_schedule", "POST", "/channels/{channel_id}/schedules", Schedule)
MODIFY_SCHEDULE = Route("modify_schedule", "PATCH", "/channels/{channel_id}/schedules/{schedule_id}", Schedule)
DELETE_SCHEDULE = Route("delete_schedule", "DELETE", "/channels/{channel_id}/schedules/{schedule_id}", nothing)

MUTE_GUILD = Route("mute_guild", "PATCH", "/guilds/{guild_id}/mute", nothing)
MUTE_GUILD_MEMBERS = Route("mute_guild_members", "PATCH", "/guilds/{guild_id}/mute", _muted)
MUTE_GUILD_MEMBER = Route("mute_guild_member", "PATCH", "/guilds/{guild_id}/members/{user_id}/mute", nothing)

CONTROL_AUDIO = Route("control_audio", "POST", "/channels/{channel_id}/audio", nothing)
MIC_ON = Route("mic_on", "PUT", "/channels/{channel_id}/mic", nothing)
MIC_OFF = Route("mic_off", "DELETE", "/channels/{channel_id}/mic", nothing)

ADD_REACTION = Route(
    "add_reaction", "PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{type}/{id}", nothing
)
DELETE_REACTION = Route(
    "delete_reaction", "DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{type}/{id}", nothing
)
LIST_REACTION_USERS = Route(
    "list_reaction_users",
    "GET",
    "/channels/{channel_id}/messages/{message_id}/reactions/{type}/{id}",
    ReactionUsersPage,
)

LIST_API_PERMISSIONS = Route("list_api_permissions", "GET", "/guilds/{guild_id}/api_permission", _granted)
DEMAND_API_PERMISSION = Route(
    "demand_api_permission", "POST", "/guilds/{guild_id}/api_permission/demand", APIPermissionDemand
)

LIST_THREADS = Route("list_threads", "GET", "/channels/{channel_id}/threads", ThreadsPage)
GET_THREAD = Route("get_thread", "GET", "/channels/{channel_id}/threads/{thread_id}", _thread)
CREATE_THREAD = Route("create_thread", "PUT", "/channels/{channel_id}/threads", ForumTask, repeat="never")
DELETE_THREAD = Route("delete_thread", "DELETE", "/channels/{channel_id}/threads/{thread_id}", nothing)
CREATE_THREAD_COMMENT = Route(
    "create_thread_comment", "POST", "/channels/{channel_id}/threads/{thread_id}/comment", ForumTask
)

ACK_INTERACTION = Route("ack_interaction", "PUT", "/interactions/{interaction_id}", nothing)

LIST_GROUP_MEMBERS_LEGACY = Route(
    "list_group_members_legacy",
    "POST",
    "/v2/groups/{group_openid}/members",
    GroupMembersLegacyPage,
    repeat="always",
)
BATCH_REMOVE_GROUP_MEMBERS = Route(
    "batch_remove_group_members", "POST", "/v2/groups/{group_openid}/batch_remove_members", BatchRemoveResult
)
LIST_GROUP_BLACKLIST = Route(
    "list_group_blacklist", "GET", "/v2/groups/{group_openid}/member_blacklist", GroupBlacklistPage
)
MODIFY_GROUP_BLACKLIST = Route(
    "modify_group_blacklist", "POST", "/v2/groups/{group_openid}/member_blacklist", _failures
)
GET_GROUP_MUTE_SETTING = Route(
    "get_group_mute_setting", "GET", "/v2/groups/{group_openid}/restrict_chat_setting", GroupMuteSetting
)
SET_GROUP_MEMBER_MUTE = Route(
    "set_group_member_mute", "POST", "/v2/groups/{group_openid}/restrict_chat_setting", nothing
)
LIST_GROUP_JOIN_REQUESTS = Route(
    "list_group_join_requests", "GET", "/v2/groups/{group_openid}/join_request_list", JoinRequestPage
)
HANDLE_GROUP_JOIN_REQUEST = Route(
    "handle_group_join_request", "POST", "/v2/groups/{group_openid}/approval_join_request/{member_openid}", nothing
)
LIST_JOIN_APPROVAL_STRATEGIES = Route(
    "list_join_approval_strategies", "GET", "/v2/groups/join_approval_strategy", JoinApprovalStrategyPage
)
CREATE_JOIN_APPROVAL_STRATEGY = Route(
    "create_join_approval_strategy", "POST", "/v2/groups/join_approval_strategy", JoinApprovalStrategy
)
MODIFY_JOIN_APPROVAL_STRATEGY = Route(
    "modify_join_approval_strategy", "PATCH", "/v2/groups/join_approval_strategy/{strategy_id}", StrategyState
)
DELETE_JOIN_APPROVAL_STRATEGY = Route(
    "delete_join_approval_strategy", "DELETE", "/v2/groups/join_approval_strategy/{strategy_id}", nothing
)
EXECUTE_JOIN_APPROVAL_STRATEGY = Route(
    "execute_join_approval_strategy", "POST", "/v2/groups/join_approval_strategy/{strategy_id}/execute", nothing
)
MODIFY_JOIN_APPROVAL_WHITELIST = Route(
    "modify_join_approval_whitelist",
    "POST",
    "/v2/groups/join_approval_strategy/{strategy_id}/whitelist_users",
    WhitelistState,
)

GET_MENU = Route("get_menu", "GET", "/v2/menu", MenuResult)
UPDATE_MENU = Route("update_menu", "PUT", "/v2/menu", _new_version)
LIST_PANELS = Route("list_panels", "GET", "/v2/panels", PanelPage)
CREATE_PANEL = Route("create_panel", "POST", "/v2/panels", _new_panel)
GET_PANEL = Route("get_panel", "GET", "/v2/panels/{panel_id}", PanelRecord)
UPDATE_PANEL = Route("update_panel", "PUT", "/v2/panels/{panel_id}", _new_version)
DELETE_PANEL = Route("delete_panel", "DELETE", "/v2/panels/{panel_id}", nothing)
UPDATE_PANEL_TARGET = Route("update_panel_target", "PUT", "/v2/panels/{panel_id}/target", nothing)

PREPARE_MEDIA_IMAGE = Route("prepare_media_image", "POST", "/v2/media-images/prepare", MediaImagePrepareResult)
COMPLETE_MEDIA_IMAGE = Route("complete_media_image", "POST", "/v2/media-images/complete", MediaImageCompleteResult)
LIST_MEDIA_IMAGES = Route("list_media_images", "GET", "/v2/media-images", MediaImageList)
DELETE_MEDIA_IMAGE = Route("delete_media_image", "DELETE", "/v2/media-images/{image_id}/delete", nothing)

CREATE_WEBHOOK_SESSION = Route("create_webhook_session", "POST", "/gateway/webhook/sessions", HTTPReady)
CHECK_WEBHOOK_SESSIONS = Route(
    "check_webhook_sessions", "PATCH", "/gateway/webhook/sessions", decoder(list[HTTPSession])
)
LIST_WEBHOOK_SESSIONS = Route("list_webhook_sessions", "GET", "/gateway/webhook/sessions", decoder(list[HTTPSession]))
DELETE_WEBHOOK_SESSION = Route("delete_webhook_session", "DELETE", "/gateway/webhook/sessions/{session_id}", nothing)

CREATE_BIND_TASK = Route("create_bind_task", "POST", "https://q.qq.com/lite/create_bind_task", BindTaskAnswer)
POLL_BIND_RESULT = Route(
    "poll_bind_result", "POST", "https://q.qq.com/lite/poll_bind_result", BindResultAnswer, repeat="always"
)

SEND_C2C_INPUT_NOTIFY_ALT = Route(
    "send_c2c_input_notify_alt", "POST", "/v2/users/{user_openid}/input_notify", nothing, repeat="always"
)
COMPLETE_C2C_UPLOAD_ALT = Route(
    "complete_c2c_upload_alt", "POST", "/v2/users/{user_openid}/complete_upload", MediaUploadResult
)

_constants = cast("list[Route[object]]", [value for value in tuple(globals().values()) if isinstance(value, Route)])
ROUTES: Mapping[str, Route[object]] = {route.name: route for route in _constants}
