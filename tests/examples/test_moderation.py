"""The bot that moderates a guild: permissions, shared errors, JSON logs, health and metrics."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from qqbot.testing import Simulator
from tests.examples.loading import example_module
from tests.sockets import free_port

pytestmark = pytest.mark.qq(profile="private")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    monkeypatch.setenv("PORT", str(port))
    return port


@pytest.fixture
def main(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield example_module("moderation/main.py")
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mod"]:
        del sys.modules[name]


async def test_who_may_mute(qq: Simulator, main: Any) -> None:
    hall = qq.channel("大厅", guild="公会")
    alice, boss = hall.member("小明"), hall.member("会长", role="owner")
    qq.guild("公会").bot_is_admin = True
    async with qq.run(main.bot):
        assert (await alice.say("/禁言 @会长")).text == "没有权限"
        assert (await boss.say("/禁言 @小明")).text == "已禁言 小明"
        assert "用法：/禁言" in str((await boss.say("/禁言")).text)
        muted = [call for call in qq.calls if call["path"].endswith("/mute")]
        assert len(muted) == 1 and alice.openid in muted[0]["path"]
    assert qq.violations == []


async def test_unwanted_words(qq: Simulator, main: Any) -> None:
    hall = qq.channel("大厅", guild="公会")
    alice, boss = hall.member("小明"), hall.member("会长", role="owner")
    qq.guild("公会").bot_is_admin = True
    async with qq.run(main.bot):
        async with qq.expect_silence():
            assert (await alice.say("来赌博吧", mention=False)).outcome == "handled"
        methods = [(call["method"], call["path"].rpartition("/")[2]) for call in qq.calls[-2:]]
        assert methods[0][0] == "DELETE" and methods[1] == ("PATCH", "mute")
        assert (await alice.say("/加词 彩票")).text == "没有权限"
        assert (await boss.say("/加词 彩票")).text == "已加 彩票"
        assert not [call for call in qq.calls if call["method"] == "DELETE"][1:]
        await hall.member("小红").say("买彩票", mention=False)
        assert len([call for call in qq.calls if call["method"] == "DELETE"]) == 2
    assert qq.violations == []


async def test_errors_are_answered(qq: Simulator, main: Any) -> None:
    hall = qq.channel("大厅", guild="公会")
    boss, _ = hall.member("会长", role="owner"), hall.member("小明")
    async with qq.run(main.bot):
        with qq.expect_error(RuntimeError):
            crashed = await boss.say("/崩溃")
        assert (crashed.text, crashed.outcome) == ("内部错误", "failed")
        qq.guild("公会").bot_is_admin = False
        with qq.expect_error():
            assert (await boss.say("/禁言 @小明")).text == "我没有权限"


async def test_logs_health_and_metrics(qq: Simulator, main: Any, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    boss = qq.channel("大厅", guild="公会").member("会长", role="owner")
    main.infra.log_as_json()  # to the stream of this test
    async with qq.run(main.bot), ClientSession(f"http://127.0.0.1:{port}") as http:
        with qq.expect_error(RuntimeError):
            await boss.say("/崩溃")
        async with http.get("/health/readyz") as ready:
            assert ready.status == 200
        async with http.get("/metrics") as page:
            text = await page.text()
    (handled,) = [line for line in text.splitlines() if line.startswith("messaging_process_duration_seconds_count")]
    assert 'handler="mod.admin.crash"' in handled and 'error_type="RuntimeError"' in handled
    assert "qqbot_shard_events_total{" in text and "qqbot_loop_lag_seconds" in text
    entries = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (failure,) = [entry for entry in entries if "RuntimeError: 故意" in str(entry.get("exc_info"))]
    assert failure["handler"] == "mod.admin.crash"
    assert failure["event"] in ("MESSAGE_CREATE", "AT_MESSAGE_CREATE")
