"""Undocumented endpoints, each from a single source, that do the same as a documented one."""

from ..platform import Platform
from ..wire import text_of
from .call import EndpointCall
from .lookups import find_user


def send_c2c_input_notify_alt(platform: Platform, call: EndpointCall) -> object:
    """Source: @alemonjs/qq-bot."""
    find_user(platform, call)
    return None


def complete_c2c_upload_alt(platform: Platform, call: EndpointCall) -> object:
    """Source: @alemonjs/qq-bot."""
    chat = find_user(platform, call)
    return platform.media.upload(chat.scene, {"upload_id": text_of(call.body, "upload_id")})
