"""What the end of a connection means: close code -> `CloseRule`, as data.

Responsible for the table, its reasons, and the hints for the cases in which a person has to act. Collaborators:
`protocol` (follows the rules), the command `explain` (shows them). It does not count failures, draw jitter or keep the
session.
"""

from enum import Enum, auto

from msgspec import Struct

from ..errors import Hint

WEBSOCKET_DOCS = "dev-prepare/error-trace/websocket"


class Action(Enum):
    """What to do after a connection has ended."""

    RESUME = auto()
    IDENTIFY = auto()
    STOP = auto()
    RESHARD = auto()


class ReconnectDelay(Enum):
    """How the delay before the next connection follows from `CloseRule.delay`."""

    FIXED = auto()  # as it is
    SPREAD = auto()  # anything from 0 to it
    GROWING = auto()  # doubled with each failure in a row, plus jitter
    FULL_JITTER = auto()  # anything from 0 to the doubled one


class CloseRule(Struct, frozen=True, kw_only=True):
    """What one way to lose a connection asks for.

    `reason`: for logs and errors. `delay`: seconds, shaped by `growth`. `refresh`: do not use the same token again.
    `spares_resume`: keep a session that was being resumed. `limit`: that many of one `family` in a row stop the bot
    (0: never). `routine`: nothing went wrong. `hint`: what a person can do if the bot stops.
    """

    action: Action
    reason: str
    delay: float = 0.0
    growth: ReconnectDelay = ReconnectDelay.FIXED
    refresh: bool = False
    spares_resume: bool = False
    limit: int = 0
    family: str = ""
    routine: bool = False
    hint: Hint | None = None
    source: str = WEBSOCKET_DOCS


RECONNECT = CloseRule(
    action=Action.RESUME,
    reason="the platform asked for a new connection (op 7)",
    delay=1,
    growth=ReconnectDelay.SPREAD,
    routine=True,
    source="dev-prepare/event-emit/websocket",
)
INVALID_RESUMABLE = CloseRule(
    action=Action.RESUME,
    reason="invalid session, may be resumed (op 9, d true)",
    delay=3,
    source="dev-prepare/event-emit/websocket",
)
INVALID_SESSION = CloseRule(
    action=Action.IDENTIFY,
    reason="invalid session (op 9)",
    delay=3,
    growth=ReconnectDelay.GROWING,
    refresh=True,
    source="dev-prepare/event-emit/websocket",
)
ASKED = CloseRule(
    action=Action.RESUME,
    reason="the program asked for a new connection",
    routine=True,
    source="bot.reconnect",
)
RENEWAL = CloseRule(
    action=Action.IDENTIFY,
    reason="the session is old and silent: it may have been forgotten",
    routine=True,
    source="field reports",
)
LOST = CloseRule(
    action=Action.RESUME,
    reason="the connection was lost",
    delay=1,
    growth=ReconnectDelay.FULL_JITTER,
    source="RFC 6455; field reports",
)
UNUSABLE_READY = CloseRule(
    action=Action.IDENTIFY,
    reason="the platform answered with a READY that has no usable session_id",
    delay=5,
    growth=ReconnectDelay.GROWING,
    source="field reports",
)
BROKEN_SEQUENCE = CloseRule(
    action=Action.IDENTIFY,
    reason="the session is broken: for long its events had no new `s`, so that all passed for duplicates",
    delay=3,
    growth=ReconnectDelay.GROWING,
    source="field reports",
)


def _again(reason: str, delay: float, growth: ReconnectDelay = ReconnectDelay.FIXED) -> CloseRule:
    return CloseRule(action=Action.IDENTIFY, reason=reason, delay=delay, growth=growth)


def _stop(reason: str, zh: str, en: str) -> CloseRule:
    return CloseRule(action=Action.STOP, reason=reason, hint=Hint(zh, en))


def _our_fault(reason: str) -> CloseRule:
    return CloseRule(
        action=Action.IDENTIFY,
        reason=reason,
        delay=5,
        limit=2,
        family="our fault",
        hint=Hint(
            "平台不接受 SDK 发出的数据：请升级 qqbot；若仍出现，请报告",
            "the platform does not accept what the SDK sent: upgrade qqbot; if that does not help, report it",
        ),
    )


_OTHER_49XX = CloseRule(
    action=Action.IDENTIFY,
    reason="refused for a reason that is not documented",
    delay=5,
    growth=ReconnectDelay.GROWING,
    limit=5,
    family="other 49xx",
    hint=Hint(
        "平台反复拒绝连接：请在 q.qq.com 检查机器人状态和 IP 白名单",
        "the platform refuses the connection again and again: check the bot's state and its IP list at q.qq.com",
    ),
)
_UNKNOWN_40XX = _again("unknown error", 5, ReconnectDelay.GROWING)
_INTERNAL_ERROR = _again("internal error of the platform", 3, ReconnectDelay.GROWING)

CLOSE_CODES: dict[int, CloseRule] = {
    1009: CloseRule(
        action=Action.RESUME,
        reason="a frame was larger than GatewayConfig(max_frame_bytes=...)",
        delay=1,
        source="RFC 6455",
    ),
    4000: _UNKNOWN_40XX,
    4001: _our_fault("invalid opcode"),
    4002: _our_fault("invalid payload"),
    4003: _again("payload before IDENTIFY", 1),
    4004: CloseRule(
        action=Action.IDENTIFY,
        reason="the access token was refused",
        delay=1,
        refresh=True,
        spares_resume=True,
        limit=5,
        family="token",
        hint=Hint(
            "新的 access token 连续被拒绝：请在 q.qq.com 检查 AppID 和 AppSecret，确认机器人没有被停用",
            "fresh access tokens are refused too: check AppID and AppSecret at q.qq.com, and that the bot is enabled",
        ),
        source="field reports",
    ),
    4005: _again("already identified", 1),
    4006: _again("invalid session id", 1),
    4007: _again("invalid seq", 1),
    4008: CloseRule(action=Action.RESUME, reason="payloads were sent too fast", delay=60),
    4009: CloseRule(
        action=Action.RESUME,
        reason="the connection's time is over",
        delay=1,
        growth=ReconnectDelay.SPREAD,
        routine=True,
    ),
    4010: _stop(
        "invalid shard",
        "分片编号或总数无效：请检查 Bot(shards=...) 或 QQBOT_SHARDS",
        "the shard's index or count is not valid: check Bot(shards=...) or QQBOT_SHARDS",
    ),
    4011: CloseRule(action=Action.RESHARD, reason="too many guilds for this number of shards", delay=5),
    4012: _stop("invalid version", "网关版本无效：请升级 qqbot", "the gateway version is not valid: upgrade qqbot"),
    4013: _stop(
        "invalid intents",
        "intents 数值无效：请检查 Bot(intents=...) 和自定义事件的 intent 位",
        "the intents value is not valid: check Bot(intents=...) and the intent bits of your own events",
    ),
    4014: _stop(
        "intents that this bot has no permission for",
        "机器人没有所请求的 intents 权限：请在 q.qq.com 申请，或去掉相应的处理函数",
        "the bot may not ask for these intents: apply for them at q.qq.com, or remove the handlers that need them",
    ),
    **dict.fromkeys(range(4900, 4914), _INTERNAL_ERROR),
    4902: _again("the resume was refused (reset by resume)", 3, ReconnectDelay.GROWING),
    4903: CloseRule(
        action=Action.IDENTIFY,
        reason="the platform could not create the session",
        delay=5,
        growth=ReconnectDelay.GROWING,
        refresh=True,
        limit=5,
        family="create session",
        hint=Hint(
            "平台一再无法创建会话：请在 q.qq.com 检查 IP 白名单和机器人权限",
            "the session cannot be created: check the bot's IP list and rights at q.qq.com",
        ),
        source="field reports",
    ),
    4914: _stop(
        "the bot is taken down, only the sandbox is open to it",
        "机器人已下架，只能连接沙箱环境：请在 q.qq.com 检查机器人状态，或改用沙箱地址",
        "the bot is offline at the platform: check its state at q.qq.com, or use the sandbox address",
    ),
    4915: _stop(
        "the bot is banned",
        "机器人已被封禁：请在 q.qq.com 申请解封",
        "the bot is banned: ask for it to be lifted at q.qq.com",
    ),
}


def close_rule(code: int | None) -> CloseRule:
    """Return the rule for the end of a connection with `code` (None: without one); unknown codes have a rule too."""
    if code is None:
        return LOST
    known = CLOSE_CODES.get(code)
    if known is not None:
        return known
    if 4900 <= code <= 4999:
        return _OTHER_49XX
    return _UNKNOWN_40XX if 4000 <= code <= 4899 else LOST
