"""Events over HTTPS callbacks: signatures, the protocol, and its forms for aiohttp, ASGI and functions.

Responsible for the public names; the methods of a bot (`webhook`, `asgi`, `handle_webhook`) need none of them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack

from .._names import on_demand
from .app import WebhookApp, WebhookBot
from .client import WebhookAnswer, WebhookClient, simulate_search
from .handler import WebhookOptions
from .protocol import Receipt, WebhookProtocol, WebhookReply
from .signature import Key, public_key, sign, verify

if TYPE_CHECKING:
    from .aiohttp import listening

__all__ = [
    "Key",
    "Receipt",
    "WebhookAnswer",
    "WebhookApp",
    "WebhookClient",
    "WebhookOptions",
    "WebhookProtocol",
    "WebhookReply",
    "application",
    "listening",
    "public_key",
    "sign",
    "simulate_search",
    "verify",
]


def application(bots: Mapping[str, WebhookBot], **options: Unpack[WebhookOptions]) -> WebhookApp:
    """Return one webhook address for several bots, by their AppIDs.

    Raises: ConfigError for options that cannot be right.
    """
    return WebhookApp(bots, **options)


__getattr__ = on_demand(
    __name__,
    {"listening": ".aiohttp"},  # the server side of aiohttp is slow to import
    renamed={
        "Application": "WebhookApp",
        "Reply": "WebhookReply",
        "Trial": "WebhookClient",
        "TrialAnswer": "WebhookAnswer",
    },
)
