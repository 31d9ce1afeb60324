"""Frames as the platform writes them, made with the standard library's JSON."""

import base64
import hashlib
import json


def frame(op: int, d: object = None, *, s: int | None = None, t: str | None = None) -> bytes:
    body: dict[str, object] = {"op": op, "d": d}
    if s is not None:
        body["s"] = s
    if t is not None:
        body["t"] = t
    return json.dumps(body).encode()


def hello(interval: float = 45.0) -> bytes:
    return frame(10, {"heartbeat_interval": int(interval * 1000)})


def ready(session_id: str = "session", s: int | None = 1) -> bytes:
    user = {"id": "42", "username": "robot", "bot": True}
    return frame(0, {"version": 1, "session_id": session_id, "user": user, "shard": [0, 0]}, s=s, t="READY")


def resumed(s: int | None = None) -> bytes:
    return frame(0, "", s=s, t="RESUMED")


def dispatch(s: int | None, name: str = "GROUP_AT_MESSAGE_CREATE") -> bytes:
    return frame(0, {"id": f"m{s}", "content": "你好"}, s=s, t=name)


ACK = frame(11)
RECONNECT = frame(7)


def upgraded(request: bytes) -> bytes:
    """Return the answer to a handshake, for servers that are no websocket servers otherwise."""
    [key] = [line.split()[1] for line in request.splitlines() if line.lower().startswith(b"sec-websocket-key:")]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def in_websocket(data: bytes) -> bytes:
    """Return a text frame of the websocket with up to 125 bytes."""
    return bytes((0x81, len(data))) + data
