"""Frames as the platform writes them, made with the standard library's JSON."""

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
