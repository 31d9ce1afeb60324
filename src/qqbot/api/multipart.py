"""multipart/form-data bodies: the fields of a body, and the bytes of a file.

Responsible for the encoding; pure. The platform reads every field that is not text as JSON.
Source: server-inter/channel/message/send
"""

import secrets
from collections.abc import Mapping
from typing import cast

from ..models.base import Body
from ..models.codec import encode, parse


class Form:
    """An encoded form with the fields of `body` and one file."""

    def __init__(self, body: Body, name: str, data: bytes, filename: str) -> None:
        self.body = body
        boundary = f"qqbot-{secrets.token_hex(16)}"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        fields = cast("Mapping[str, object]", parse(encode(body)))
        parts = [_head(boundary, key) + _text(value) for key, value in fields.items()]
        parts.append(_head(boundary, name, filename) + data)
        self.content = b"".join((*(part + b"\r\n" for part in parts), f"--{boundary}--\r\n".encode()))


def _head(boundary: str, name: str, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"'
    kind = ""
    if filename is not None:
        quoted = filename.replace("\\", "_").replace('"', "_").replace("\r", "_").replace("\n", "_")
        disposition += f'; filename="{quoted}"'
        kind = "Content-Type: application/octet-stream\r\n"
    return f"--{boundary}\r\nContent-Disposition: {disposition}\r\n{kind}\r\n".encode()


def _text(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else encode(value)
