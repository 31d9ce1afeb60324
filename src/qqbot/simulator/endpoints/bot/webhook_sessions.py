"""Endpoints of sessions of an earlier gateway over HTTP; they are stored, but receive no events."""

import secrets

from ...platform import Platform
from ...wire import text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..schema import BAD_BODY


def create_webhook_session(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo openapi/v1/webhook.go."""
    session_id = secrets.token_hex(16)
    platform.bot_state.webhook_sessions[session_id] = {
        "app_id": int(platform.settings.app_id),
        "session_id": session_id,
        "callback_url": text_of(call.body, "callback_url"),
        "env": "sandbox",
        "intents": call.body["intents"],
        "last_heartbeat_time": platform.clock.timestamp(),
        "state": "active",
        "shards": call.body["shards"],
    }
    user = platform.bot_user()
    bot = {"id": user["id"], "username": user["username"]}
    return {"version": 1, "session_id": session_id, "bot": bot, "shard": call.body["shards"]}


def check_webhook_sessions(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo openapi/v1/webhook.go."""
    if call.query.get("action") != "check":
        raise Refusal(BAD_BODY, "action must be check")
    return list_webhook_sessions(platform, call)


def list_webhook_sessions(platform: Platform, _: EndpointCall) -> object:
    """Source: botgo openapi/v1/webhook.go."""
    return list(platform.bot_state.webhook_sessions.values())


def delete_webhook_session(platform: Platform, call: EndpointCall) -> object:
    """Source: botgo openapi/v1/webhook.go."""
    if platform.bot_state.webhook_sessions.pop(call.params["session_id"], None) is None:
        raise Refusal(404, "there is no such session", status=404)
    return None
