"""The bot that counts points, in every kind of group."""

from pathlib import Path
from typing import Any

import pytest

from qqbot import UserMention
from qqbot.testing import Simulator
from tests.examples.loading import example_module

GROUPS: list[dict[str, bool]] = [{}, {"all_messages": True}, {"all_messages": True, "mention_tag": True}]

pytestmark = pytest.mark.parametrize("kind", GROUPS, ids=["mentions", "tag cut", "tag kept"])


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("DATABASE", str(tmp_path / "points.db"))
    return example_module("points.py")


async def test_signing_in(qq: Simulator, points: Any, kind: dict[str, bool]) -> None:
    group = qq.group("测试群", **kind)
    alice, boss = group.member("小明"), group.member("老板", role="owner")
    async with qq.run(points.bot):
        signed = await alice.say("/签到")
        assert signed.markdown == "**签到成功 +10，积分 10**"
        assert signed.keyboard is not None
        rows = signed.keyboard["content"]["rows"]
        assert [button["render_data"]["label"] for button in rows[0]["buttons"]] == ["签到", "排行", "积分"]
        assert (await alice.say("/签到")).text == "太快了，5 秒后再试"
        assert (await signed.click("签到")).text == "今天已签到，积分 10"
        clicked = await signed.click("签到", by=boss)
        assert (clicked.ack, clicked.text) == (0, "签到成功 +10，积分 10")
        ranked = await signed.click("排行")
        assert (ranked.ack, ranked.text) == (0, f"1. 小明 10\n2. {boss.openid[:6]} 10")
    assert qq.violations == []


async def test_points_and_ranking(qq: Simulator, points: Any, kind: dict[str, bool]) -> None:
    group = qq.group("测试群", **kind)
    alice, boss = group.member("小明"), group.member("老板", role="owner")
    async with qq.run(points.bot):
        assert (await boss.say("/排行")).text == "还没有人签到"
        await alice.say("/签到")
        assert (await alice.say("/积分")).text == f"{UserMention(alice.openid)} 积分 10"
        for words in ("/积分 @小明", "/积分 @小明 ", "/积分@小明"):
            assert (await boss.say(words)).text == f"{UserMention(alice.openid)} 积分 10"
        assert (await alice.say("/积分 @老板")).text == f"{UserMention(boss.openid)} 积分 0"
        for words in ("/排行 10", "/排行10", "/排行 １０", "/排行"):
            assert (await boss.say(words)).text == "1. 小明 10"
        for words in ("/排行 abc", "/排行 0", "/排行 51", "/排行 1 2", '/排行 "', "/排行 😀"):
            assert "用法：/排行 [人数]" in str((await boss.say(words)).text)
    assert qq.violations == []


async def test_only_admins_clear(qq: Simulator, points: Any, kind: dict[str, bool]) -> None:
    group = qq.group("测试群", **kind)
    alice, boss = group.member("小明"), group.member("老板", role="owner")
    async with qq.run(points.bot):
        await alice.say("/签到")
        assert (await alice.say("/清空")).text == "只有管理员可以用"
        question = await boss.say("/清空")
        assert (question.markdown, question.outcome) == ("确定清空？", "waiting")
        with pytest.raises(ValueError, match="not among those who may press"):
            await question.click("确定", by=alice)
        assert (await question.click("取消")).text == "已取消"
        assert (await boss.say("/排行")).text == "1. 小明 10"
        assert (await (await boss.say("/清空")).click("确定")).text == "已清空"
        assert (await boss.say("/排行")).text == "还没有人签到"
    assert qq.violations == []


async def test_a_new_name(qq: Simulator, points: Any, kind: dict[str, bool]) -> None:
    group = qq.group("测试群", **kind)
    alice, bob = group.member("小明"), group.member("小红")
    async with qq.run(points.bot):
        await alice.say("/签到")
        question = await alice.say("/改名")
        assert (question.text, question.outcome) == ("你想叫什么？", "waiting")
        assert (await bob.say("红红")).outcome == "unwanted"
        if kind:
            assert (await alice.say("等等", mention=False)).outcome == "unwanted"
        assert (await alice.say("@bot 明明")).outcome == "consumed"
        assert group.messages[-1].text == "好的，明明"
        assert (await bob.say("/排行")).text == "1. 明明 10"
    assert qq.violations == []


@pytest.mark.parametrize(("command", "answer"), [("/改名", "超时"), ("/清空", "超时，已取消")])
async def test_no_answer(qq: Simulator, points: Any, kind: dict[str, bool], command: str, answer: str) -> None:
    group = qq.group("测试群", **kind)
    async with qq.run(points.bot):
        await group.member("老板", role="owner").say(command)
        await qq.clock.advance(minutes=2)
        assert group.messages[-1].text == answer


async def test_the_daily_message_goes_to_each_group(qq: Simulator, points: Any, kind: dict[str, bool]) -> None:
    first, second, other = qq.group("一", **kind), qq.group("二", **kind), qq.group("三", **kind)
    async with qq.run(points.bot):
        await first.member("a").say("/签到")
        await second.member("b").say("/签到")
        await other.member("c").say("/积分")
        await points.daily()
        assert [group.messages[-1].text for group in (first, second)] == ["早上好，记得 /签到"] * 2
        assert len(other.messages) == 1


async def test_points_outlive_the_process(qq: Simulator, points: Any, kind: dict[str, bool]) -> None:
    alice = qq.group("测试群", **kind).member("小明")
    for _ in range(2):
        async with qq.run(points.bot):
            await alice.say("/签到")
            assert "积分 10" in str((await alice.say("/积分")).text)
