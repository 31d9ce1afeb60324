"""Events over HTTPS callbacks: signatures, the protocol, and its forms for aiohttp, ASGI and functions.

Owns the public names; a bot's own methods (`webhook`, `asgi`, `handle_webhook`) need none of them.
"""

from collections.abc import Mapping
from typing import Unpack

from .app import WebhookApp, WebhookBot
from .client import Trial, TrialAnswer, simulate_search
from .handler import WebhookOptions
from .protocol import Receipt, Reply, WebhookProtocol
from .signature import Key, public_key, sign, verify

__all__ = [
    "WebhookApp",
    "Key",
    "Receipt",
    "Reply",
    "Trial",
    "TrialAnswer",
    "WebhookOptions",
    "WebhookProtocol",
    "application",
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
