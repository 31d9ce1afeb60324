"""The pages of codes: what each error code and each close code means, and what the package does about it.

Responsible for reading the tables of `api.codes` and `gateway.close_codes`, and the meanings in the simulator's data.
Collaborators: `chinese.toml` has the meanings in Chinese.
"""

import json
from collections.abc import Iterator
from typing import Any

from qqbot.api.codes import ErrorRule, Family, RetryPolicy, explain
from qqbot.gateway.close_codes import CLOSE_CODES, Action, CloseRule, ReconnectDelay, close_rule
from tests.markdown import ROOT

from .words import Both, code, heading, pick, read, table

NAME = "codes.md"
TITLE = Both("Codes", "错误码与关闭码")

DATA = json.loads((ROOT / "src" / "qqbot" / "simulator" / "wire" / "data" / "codes.json").read_text("utf-8"))
CHINESE = read("chinese.toml")

INTRODUCTION = Both(
    """What the platform answers, and what the package does about it. `qqbot explain CODE` shows the same without a
network; [Errors](../errors.md) has the classes. This page is written by `nox -s reference`.""",
    """平台返回的码，以及这个包怎样处理。`qqbot explain CODE` 离线显示同样的内容；错误类见[错误](../errors.md)。
本页由 `nox -s reference` 生成。""",
)

FAMILIES: dict[Family, Both] = {
    "general": Both("Errors of the API", "接口错误码"),
    "token": Both("Errors of the token endpoint", "获取 access_token 的错误码"),
    "share_link": Both("Errors of `generate_url_link`", "`generate_url_link` 的错误码"),
}

ANCHORS: dict[Family, str] = {
    "general": "errors-of-the-api",
    "token": "errors-of-the-token-endpoint",
    "share_link": "errors-of-generate_url_link",
}

RETRIES = {
    RetryPolicy.NO: Both("no", "否"),
    RetryPolicy.ONCE: Both("once", "一次"),
    RetryPolicy.BACKOFF: Both("yes, with a growing delay", "是，间隔递增"),
    RetryPolicy.UNEXPLAINED: Both("reads only", "仅读取"),
    RetryPolicy.QUOTA: Both("no: when the allowance is renewed", "否，等额度恢复"),
    RetryPolicy.TOKEN: Both("once, with a new token", "一次，换新的 access_token"),
    RetryPolicy.SEQ: Both("no: it was accepted before", "否，之前已经接收"),
    RetryPolicy.ACTIVE: Both("no: only as an active message", "否，只能改发主动消息"),
    RetryPolicy.ACCEPTED: Both("no: the result comes as an event", "否，结果以事件到达"),
}

RETRIED = Both(
    """"Retried" is what the package does by itself; which calls it may repeat, and how often, is in
[What is repeated for you](../errors.md#what-is-repeated-for-you).""",
    """“重试”是这个包自己做的；哪些调用可以重试、最多几次，见[自动重试](../errors.md#what-is-repeated-for-you)。""",
)

UNDOCUMENTED = Both("seen, not documented", "实际见过，没有文档")

ACTIONS = {
    Action.RESUME: Both("resumes the session", "恢复连接（RESUME）"),
    Action.IDENTIFY: Both("begins a new session", "重新鉴权（IDENTIFY）"),
    Action.STOP: Both("the bot stops", "机器人停止"),
    Action.RESHARD: Both("asks for the number of shards again", "重新查询分片数"),
}


def page(language: str) -> str:
    """Return the page in one language."""
    parts = [f"# {pick(language, TITLE)}", pick(language, INTRODUCTION), pick(language, RETRIED)]
    for family, title in FAMILIES.items():
        parts += [heading(language, 2, title, ANCHORS[family]), _errors(language, family)]
    parts += [
        heading(language, 2, Both("Close codes of the gateway", "网关关闭码"), "close-codes-of-the-gateway"),
        pick(language, CLOSES),
        _closes(language),
    ]
    return "\n\n".join(parts) + "\n"


CLOSES = Both(
    """What a shard does when the gateway closes its connection. A code that is not listed is a lost connection;
one from 4000 to 4899 as 4000; one from 4900 to 4999 begins a new session, and five of them in a row stop the bot.""",
    """网关关闭连接时，分片怎样处理。表里没有的码按连接断开处理；
4000 到 4899 按 4000 处理；4900 到 4999 重新鉴权，连续 5 次则停止。""",
)


def _errors(language: str, family: Family) -> str:
    head = Both("code | meaning | error | retried | what to do", "错误码 | 含义 | 错误类 | 重试 | 怎么办")
    rows = [
        [
            str(number),
            pick(language, meaning(family, number)),
            code(rule.error.__name__),
            pick(language, RETRIES[rule.retry]),
            pick(language, rule.hint),
        ]
        for number, rule in rules(family)
    ]
    return table(pick(language, head).split(" | "), rows)


def rules(family: Family) -> Iterator[tuple[int, ErrorRule]]:
    """Yield each code of a family with its rule, in the order of the numbers."""
    known = {row["code"] for row in (*DATA["api_errors"], *DATA["token"]["errors"])} | SEEN
    for number in sorted(known):
        if rule := explain(number).get(family):
            yield number, rule


SEEN = {100002, 40034001, 40034102}
"""Codes with a rule that the platform documents nowhere."""


def meaning(family: Family, number: int) -> Both:
    """Return what the platform documents about a code."""
    rows: list[Any] = [*(DATA["token"]["errors"] if family == "token" else ()), *DATA["api_errors"]]
    text = next((row["meaning"] for row in rows if row["code"] == number), None)
    return UNDOCUMENTED if text is None else Both(text, CHINESE["code_words"][text])


def _closes(language: str) -> str:
    head = Both(
        "code | meaning | what the shard does | delay | what to do", "关闭码 | 含义 | 分片怎样处理 | 间隔 | 怎么办"
    )
    rows = [
        [
            str(row["code"]),
            _close_meaning(language, row),
            pick(language, _action(rule)),
            pick(language, _delay(rule)),
            "" if rule.hint is None else pick(language, rule.hint),
        ]
        for row, rule in closes()
    ]
    return table(pick(language, head).split(" | "), rows)


def closes() -> Iterator[tuple[dict[str, Any], CloseRule]]:
    """Yield each close code that a gateway sends, with its rule."""
    listed = [row for row in DATA["close_codes"] if row["status"] != "sdk-internal"]
    missing = set(CLOSE_CODES) - {row["code"] for row in listed}
    assert not missing, f"close codes without a meaning: {missing}"
    for row in listed:
        yield row, close_rule(row["code"])


def _close_meaning(language: str, row: dict[str, Any]) -> str:
    if language == "en":
        return str(row["meaning"])
    words = CHINESE["close_codes"]
    return str(words["4900" if 4900 <= row["code"] <= 4913 and str(row["code"]) not in words else str(row["code"])])


def _action(rule: CloseRule) -> Both:
    action = ACTIONS[rule.action]
    if not rule.limit:
        return action
    return Both(f"{action.en}; the bot stops after {rule.limit} in a row", f"{action.zh}；连续 {rule.limit} 次则停止")


def _delay(rule: CloseRule) -> Both:
    if rule.action is Action.STOP:
        return Both("", "")
    number = f"{rule.delay:g}"
    match rule.growth:
        case ReconnectDelay.SPREAD:
            return Both(f"up to {number} s", f"{number} 秒以内")
        case ReconnectDelay.GROWING:
            return Both(f"{number} s, doubled each time", f"{number} 秒，逐次加倍")
        case ReconnectDelay.FULL_JITTER:
            return Both(f"up to {number} s, doubled each time", f"{number} 秒以内，逐次加倍")
        case ReconnectDelay.FIXED:
            return Both(f"{number} s", f"{number} 秒")
