"""What the platform sends in the benchmarks: one group message of 0.7 kB with Chinese text, and its frames.

Owns bytes; who sends and who receives them is elsewhere.
"""

from msgspec.json import encode

GROUPS = 50
"""Conversations that the messages are spread over."""

HANDLED = "GROUP_AT_MESSAGE_CREATE"
UNWANTED = "GROUP_MESSAGE_CREATE"

GROUP = "C9F778FE6ADF9D1D1DBE395BF744A33A"
"""A conversation to send to."""

TEXT = " 明天北京的天气怎么样？要不要带伞，谢谢 /weather 北京"


def frame(seq: int, number: int, name: str = HANDLED, text: str = TEXT) -> bytes:
    """Return the dispatch `seq` of a session; `number` tells its message from all others."""
    group = f"C9F778FE6ADF9D1D1DBE395BF7{number % GROUPS:06X}"
    message = {
        "id": f"ROBOT1.0_.b6nx.CVryAO0nR58RXuU6SC.m5f-3wcQ6DW8sWbLr0.oVYTcSZ7I{number:012d}",
        "content": text,
        "timestamp": "2026-03-01T09:48:47+08:00",
        "author": {
            "id": "E4F4AEA33253A2797FB897C50B81D7ED",
            "member_openid": "E4F4AEA33253A2797FB897C50B81D7ED",
            "username": "小明",
            "bot": False,
            "member_role": "member",
        },
        "group_id": group,
        "group_openid": group,
        "message_type": 0,
        "message_scene": {"source": "default", "ext": ["msg_idx=REFIDX_CJ/7YhA=="]},
    }
    return encode({"op": 0, "s": seq, "t": name, "id": f"{name}:c9f778fe6adf9d1d1dbe{number:012d}", "d": message})


def on_the_wire(data: bytes) -> bytes:
    """Return `data` (126 bytes to 64 kB) as one websocket text frame of a server."""
    return b"\x81\x7e" + len(data).to_bytes(2) + data
