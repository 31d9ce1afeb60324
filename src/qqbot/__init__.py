"""A typed asyncio SDK for QQ bots: OpenAPI client, websocket gateway, event handlers.

Responsible for the public names. A name that is neither listed here nor in the documentation of a public module may
change in any release. Collaborators: `models.events` keeps the list of the events.
"""

from typing import TYPE_CHECKING

from ._names import on_demand
from ._version import __version__
from .aio.log_fields import LogFields
from .api.caller import ResponseInfo
from .api.client import Api
from .api.exchange import Request
from .api.pacing.pacer import Pacing
from .api.pacing.quotas import ActiveQuotas, Rate
from .api.route import Route
from .api.token import TokenSource
from .bot.access import AccessRefused
from .bot.arguments import Mention
from .bot.bot import Bot
from .bot.context import Context
from .bot.cooldowns import Cooldown
from .bot.filters import button, command, interaction, meant_for_me, says
from .bot.middleware import CallNext
from .bot.permissions import Permission, members, permission, scenes, users
from .bot.router import Router
from .config import Credentials, Endpoints, GatewayConfig
from .dispatcher.dispatcher import HandlerRun
from .errors import (
    ApiError,
    AuthError,
    ConfigError,
    ConnectionFailed,
    ContentRejected,
    DecodeError,
    DuplicateMessage,
    FencedOut,
    GatewayError,
    GatewayHalted,
    Hint,
    Interrupted,
    IPNotAllowed,
    LeaseLost,
    LockLost,
    MediaError,
    MessagePendingAudit,
    NotFound,
    NoThread,
    PermissionMissing,
    QQBotError,
    QuotaExceeded,
    RateLimited,
    ReplyWindowExpired,
    ServerError,
    SignatureError,
    Timeout,
    TransportError,
    UsageError,
)
from .gateway.shard import ShardEvent
from .ingest.forwarder import EventSink
from .ingest.source import EventSource
from .models import events as _events
from .models.events import *  # noqa: F403 - the list of events has one home, its __all__
from .models.gateway import shard_of
from .models.ingest import Envelope, Fence
from .models.intents import Intents
from .models.interactions import (
    Authorization,
    ButtonClick,
    Feedback,
    MenuClick,
    ModelSwitch,
    OtherInteraction,
    Search,
    SearchLayout,
    SearchRecord,
    SearchResponse,
    SessionCleared,
    StoryStep,
)
from .models.keyboards import Button, ButtonModal, ButtonPermission, ButtonStyle, Keyboard
from .models.messages import MessageAttachment, MessageSendResult
from .models.outgoing.messages import ActionButton, Ark, Card, Embed, Markdown, Media, Outgoing, Text
from .models.permissions import Permissions
from .models.stats import BotStats, ShardStats
from .models.targets import ReplyTo, Scene, Target, Ticket
from .models.text import (
    ChannelLink,
    CommandEnter,
    CommandInput,
    EmojiTag,
    EveryoneMention,
    Face,
    UserMention,
    escape,
    faces_as_text,
    parse_command,
    parse_tags,
    strip_leading_mentions,
    strip_mentions,
    unescape,
)

if TYPE_CHECKING:
    from .redis.lock import RedisLock

__all__ = [
    "AccessRefused",
    "ActionButton",
    "ActiveQuotas",
    "Api",
    "ApiError",
    "Ark",
    "AuthError",
    "Authorization",
    "Bot",
    "BotStats",
    "Button",
    "ButtonClick",
    "ButtonModal",
    "ButtonPermission",
    "ButtonStyle",
    "CallNext",
    "Card",
    "ChannelLink",
    "CommandEnter",
    "CommandInput",
    "ConfigError",
    "ConnectionFailed",
    "ContentRejected",
    "Context",
    "Cooldown",
    "Credentials",
    "DecodeError",
    "DuplicateMessage",
    "Embed",
    "EmojiTag",
    "Endpoints",
    "Envelope",
    "EventSink",
    "EventSource",
    "EveryoneMention",
    "Face",
    "Feedback",
    "Fence",
    "FencedOut",
    "GatewayConfig",
    "GatewayError",
    "GatewayHalted",
    "HandlerRun",
    "Hint",
    "IPNotAllowed",
    "Intents",
    "Interrupted",
    "Keyboard",
    "LeaseLost",
    "LockLost",
    "LogFields",
    "Markdown",
    "Media",
    "MediaError",
    "Mention",
    "MenuClick",
    "MessageAttachment",
    "MessagePendingAudit",
    "MessageSendResult",
    "ModelSwitch",
    "NoThread",
    "NotFound",
    "OtherInteraction",
    "Outgoing",
    "Pacing",
    "Permission",
    "PermissionMissing",
    "Permissions",
    "QQBotError",
    "QuotaExceeded",
    "Rate",
    "RateLimited",
    "RedisLock",
    "ReplyTo",
    "ReplyWindowExpired",
    "Request",
    "ResponseInfo",
    "Route",
    "Router",
    "Scene",
    "Search",
    "SearchLayout",
    "SearchRecord",
    "SearchResponse",
    "ServerError",
    "SessionCleared",
    "ShardEvent",
    "ShardStats",
    "SignatureError",
    "StoryStep",
    "Target",
    "Text",
    "Ticket",
    "Timeout",
    "TokenSource",
    "TransportError",
    "UsageError",
    "UserMention",
    "__version__",
    "button",
    "command",
    "escape",
    "faces_as_text",
    "interaction",
    "meant_for_me",
    "members",
    "parse_command",
    "parse_tags",
    "permission",
    "says",
    "scenes",
    "shard_of",
    "strip_leading_mentions",
    "strip_mentions",
    "unescape",
    "users",
]
__all__ += _events.__all__

# Modules that import redis, which a bot without it does not load.
__getattr__ = on_demand(__name__, {"RedisLock": ".redis.lock"})
