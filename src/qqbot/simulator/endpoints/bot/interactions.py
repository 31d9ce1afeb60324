"""Endpoint that acknowledges a button press, or answers an interaction with a custom body."""

from ...platform import Click, Platform
from ...wire import JsonObject, is_integer
from ...wire.refusal import Refusal
from ..call import EndpointCall

ACK_CODES = range(6)
CALLBACK_HEADER = "X-Callback-AppID"
"""Header with the app id, which marks the body as the answer itself."""


def ack_interaction(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/interactions_interaction_id.put; once for each id."""
    click = _pending_click(platform, call.params["interaction_id"])
    code = call.body.get("code")
    if not is_integer(code) or code not in ACK_CODES:
        raise Refusal(630001, "interaction: bad parameter, or acknowledged before")
    _acknowledge(platform, click, code)
    platform.exchanges.acknowledge(click.event_id, code)
    return {}


def respond(platform: Platform, interaction_id: str, app_id: str, answer: JsonObject) -> object:
    """Source: botgo openapi/v1/interaction.go; once for each id."""
    if app_id != platform.settings.app_id:
        raise Refusal(630003, "the appid does not own this interaction")
    click = _pending_click(platform, interaction_id)
    _acknowledge(platform, click, 0)
    platform.exchanges.respond(click.event_id, answer)
    return {}


def _pending_click(platform: Platform, interaction_id: str) -> Click:
    """Return a click without an answer.  Raises: Refusal 630003 for an unknown one, 630001 for an answered one."""
    click = platform.clicks.get(interaction_id)
    if click is None:
        raise Refusal(630003, "the appid does not own this interaction")
    if click.shown.ack is not None:
        raise Refusal(630001, "interaction: bad parameter, or acknowledged before")
    return click


def _acknowledge(platform: Platform, click: Click, code: int) -> None:
    click.shown.ack = code
    platform.world.changed(click.shown)
