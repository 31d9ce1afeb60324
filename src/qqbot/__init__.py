"""A typed asyncio SDK for QQ bots: OpenAPI client, websocket gateway, event handlers.

Owns the public names; what is not listed here or in a public module's documentation may change.
"""

from .api.caller import ResponseInfo
from .api.client import Api
from .api.exchange import Request
from .api.routes import Route
from .bot import Bot
from .config import Credentials, Endpoints, GatewayConfig
from .context import Context
from .errors import (
    ApiError,
    AuthError,
    ConfigError,
    ConnectionFailed,
    ContentRejected,
    DecodeError,
    DuplicateMessage,
    GatewayError,
    GatewayHalted,
    Hint,
    IPNotAllowed,
    LeaseLost,
    LockLost,
    MediaError,
    MessagePendingAudit,
    NotFound,
    PermissionMissing,
    QQBotError,
    QuotaExceeded,
    RateLimited,
    ReplyWindowExpired,
    ServerError,
    SignatureError,
    Timeout,
    TransportError,
)
from .models import events as _events
from .models.events import *  # noqa: F403 - the list of events has one home, its __all__
from .models.intents import Intents
from .models.keyboards import Button, Keyboard
from .models.messages import MessageAttachment, MessageSendResult
from .models.outgoing import Markdown, Media, Outgoing, Text
from .models.targets import ReplyTo, Scene, Target
from .ports import ShardEvent, TokenSource
from .router import Router

__all__ = [
    "Api",
    "ApiError",
    "AuthError",
    "Bot",
    "Button",
    "ConfigError",
    "ConnectionFailed",
    "ContentRejected",
    "Context",
    "Credentials",
    "DecodeError",
    "DuplicateMessage",
    "Endpoints",
    "GatewayConfig",
    "GatewayError",
    "GatewayHalted",
    "Hint",
    "IPNotAllowed",
    "Intents",
    "Keyboard",
    "LeaseLost",
    "LockLost",
    "Markdown",
    "Media",
    "MediaError",
    "MessageAttachment",
    "MessagePendingAudit",
    "MessageSendResult",
    "NotFound",
    "Outgoing",
    "PermissionMissing",
    "QQBotError",
    "QuotaExceeded",
    "RateLimited",
    "ReplyTo",
    "ReplyWindowExpired",
    "Request",
    "ResponseInfo",
    "Route",
    "Router",
    "Scene",
    "ServerError",
    "ShardEvent",
    "SignatureError",
    "Target",
    "Text",
    "Timeout",
    "TokenSource",
    "TransportError",
]
__all__ += _events.__all__
