"""Endpoints of the image library. The page draws its images as long as the file store keeps their bytes."""

import secrets

from ...platform import Platform
from ...state.files import LIBRARY
from ...wire import JsonObject, is_integer, text_of
from ...wire.refusal import Refusal
from ..call import EndpointCall, page_of
from ..schema import BAD_BODY

_MAX_IMAGES = 100
_MAX_BYTES = 10 << 20
_TTL = 7_776_000
_CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}


def prepare_media_image(platform: Platform, call: EndpointCall) -> object:
    """Source: qq-botpy-sdk botpy/api.py."""
    _check_capacity(platform)
    size = call.body.get("file_size")
    if not is_integer(size) or size <= 0:
        raise Refusal(BAD_BODY, "request body wrong: file_size is 0")
    if size > _MAX_BYTES:
        raise Refusal(40035002, "the image is larger than 10 MB")
    extension = text_of(call.body, "file_name").rpartition(".")[2].lower()
    content_type = text_of(call.body, "content_type")
    if _CONTENT_TYPES.get(extension) != content_type:
        raise Refusal(BAD_BODY, "request body wrong: content_type does not fit the extension")
    upload_id, url = platform.media.uploads.reserve(size, content_type, platform.http_base)
    platform.bot_state.uploads[upload_id] = call.body
    return {"upload_id": upload_id, "presigned_url": url, "expires_in": 4 * 3600}


def complete_media_image(platform: Platform, call: EndpointCall) -> object:
    """Source: qqbotsdk-py 1.0.0; compares the md5 with that of the stored bytes."""
    _check_capacity(platform)
    upload_id = text_of(call.body, "upload_id")
    announced = platform.bot_state.uploads.get(upload_id)
    md5 = platform.media.uploads.stored(upload_id)
    if announced is None or not md5:
        raise Refusal(40093001, "upload failed: the bytes are missing")
    if md5 != text_of(call.body, "md5"):
        raise Refusal(40035003, "md5 differs from that of the stored bytes")
    del platform.bot_state.uploads[upload_id]
    image_id, key, now = secrets.token_hex(8), secrets.token_urlsafe(24), int(platform.clock.date().timestamp())
    name, content_type = text_of(announced, "file_name"), text_of(announced, "content_type")
    data = platform.media.uploads.end_reserved(upload_id)
    preview = platform.files.store(data, name=name, content_type=content_type, key=key) if data else ""
    record: JsonObject = {
        "image_id": image_id,
        "url": f"{LIBRARY}{key}",
        "file_name": name,
        "preview_url": preview,
        "created_at": now,
        "expires_at": now + _TTL,
    }
    platform.bot_state.images[image_id] = record
    return {"image_id": image_id, "url": record["url"], "ttl": _TTL, "preview_url": preview}


def list_media_images(platform: Platform, call: EndpointCall) -> object:
    """Source: qq-botpy-sdk 2.2.1; newest first."""
    images = list(platform.bot_state.images.values())[::-1]
    page, cursor = page_of(call, images, 20, 20)
    return {"images": page, "next_cursor": cursor, "total": len(images)}


def delete_media_image(platform: Platform, call: EndpointCall) -> object:
    """Source: qqbotsdk-py 1.0.0; messages that were sent keep the image."""
    if platform.bot_state.images.pop(call.params["image_id"], None) is None:
        raise Refusal(40035008, "image not found")
    return {}


def _check_capacity(platform: Platform) -> None:
    if len(platform.bot_state.images) >= _MAX_IMAGES:
        raise Refusal(40035007, f"the image library is full ({_MAX_IMAGES})")
