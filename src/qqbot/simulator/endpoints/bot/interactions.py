"""The endpoint that acknowledges a button press, or answers an interaction with a body of one's own."""

from ...platform import Platform
from ...wire import JsonObject, is_integer
from ...wire.refusal import Refusal
from ..call import EndpointCall

ACK_CODES = range(6)
CALLBACK_HEADER = "X-Callback-AppID"
"""Says that the body is the answer itself, and whose it is."""


def ack_interaction(platform: Platform, call: EndpointCall) -> object:
    """Source: autogen/api/interactions_interaction_id.put; once for each id."""
    click = platform.clicks.get(call.params["interaction_id"])
    code = call.body.get("code")
    if click is None:
        raise Refusal(630003, "the appid does not own this interaction")
    if click.shown.ack is not None or not is_integer(code) or code not in ACK_CODES:
        raise Refusal(630001, "interaction: bad parameter, or acknowledged before")
    click.shown.ack = code
    platform.world.changed(click.shown)
    platform.exchanges.acknowledge(click.event_id, code)
    return {}


def respond(platform: Platform, interaction_id: str, app_id: str, answer: JsonObject) -> object:
    """Source: botgo openapi/v1/interaction.go; once for each id."""
    click = platform.clicks.get(interaction_id)
    if click is None or app_id != platform.settings.app_id:
        raise Refusal(630003, "the appid does not own this interaction")
    if click.shown.ack is not None:
        raise Refusal(630001, "interaction: bad parameter, or acknowledged before")
    click.shown.ack = 0
    platform.world.changed(click.shown)
    platform.exchanges.respond(click.event_id, answer)
    return {}
