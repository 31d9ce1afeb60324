"""Endpoints of audio in voice channels."""

from ...platform import Platform
from ...state.guild import ChannelState
from ...wire import is_integer, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall
from ..lookups import find_channel
from .channels import VOICE

_START, _STOP = 0, 3
_EVENTS = {_START: "AUDIO_START", _STOP: "AUDIO_FINISH"}


def _state(platform: Platform, call: EndpointCall) -> ChannelState:
    state = platform.guild_states.channel(find_channel(platform, call))
    if state.fields.get("type") != VOICE:
        raise Refusal(50001, "not a voice channel")
    return state


def control_audio(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/audio/audio_control; fires AUDIO_START and AUDIO_FINISH."""
    state = _state(platform, call)
    status = call.body.get("status")
    if not is_integer(status) or not _START <= status <= _STOP or (status == _START and not call.body.get("audio_url")):
        raise Refusal(12002, "request body wrong: status or audio_url")
    if status == _START:
        state.audio = {name: text_of(call.body, name) for name in ("audio_url", "text")}
    if (kind := _EVENTS.get(status)) is not None:
        _push(platform, call, kind, state)
    return {}


def mic_on(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/audio/put_mic; fires AUDIO_ON_MIC."""
    _push(platform, call, "AUDIO_ON_MIC", _state(platform, call))
    return {}


def mic_off(platform: Platform, call: EndpointCall) -> object:
    """Source: server-inter/channel/content/audio/delete_mic; fires AUDIO_OFF_MIC."""
    _push(platform, call, "AUDIO_OFF_MIC", _state(platform, call))
    return {}


def _push(platform: Platform, call: EndpointCall, kind: str, state: ChannelState) -> None:
    channel = find_channel(platform, call)
    platform.push(kind, {"guild_id": channel.guild_id, "channel_id": channel.id, **state.audio})
