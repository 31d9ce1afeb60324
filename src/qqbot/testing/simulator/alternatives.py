"""Endpoints that one source alone knows, where a documented one does the same."""

from .calls import Call
from .platform import Platform
from .sending import find_user
from .wire import text_of


def send_c2c_input_notify_alt(platform: Platform, call: Call) -> object:
    """Source: @alemonjs/qq-bot."""
    find_user(platform, call)
    return None


def complete_c2c_upload_alt(platform: Platform, call: Call) -> object:
    """Source: @alemonjs/qq-bot."""
    chat = find_user(platform, call)
    return platform.media.upload(chat.scene, {"file_type": 4, "upload_id": text_of(call.body, "upload_id")})
