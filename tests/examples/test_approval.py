"""An approval: a member asks, an administrator decides."""

import pytest

from qqbot import UserMention
from qqbot.cli.loading import load_bot
from qqbot.testing import Simulator
from tests.examples.loading import EXAMPLES, example_module

GROUPS: list[dict[str, bool]] = [{}, {"all_messages": True}, {"all_messages": True, "mention_tag": True}]


@pytest.mark.parametrize("kind", GROUPS, ids=["mentions", "tag cut", "tag kept"])
async def test_an_administrator_decides(qq: Simulator, kind: dict[str, bool]) -> None:
    group = qq.group("test", **kind)
    alice, boss = group.member("Alice"), group.member("Boss", role="owner")
    who = UserMention(alice.openid)
    async with qq.run(load_bot(str(EXAMPLES / "approval.py"))):
        assert "用法：/leave days reason" in str((await alice.say("/请假 a wedding")).text)
        question = await alice.say("/leave 3 a wedding")
        assert str(question.markdown).startswith(f"{who}: 3 days off, a wedding.")
        with pytest.raises(ValueError, match="only admins"):
            await question.click("同意 yes")
        agreed = await question.click("同意 yes", by=boss)
        assert (agreed.ack, agreed.text) == (0, f"{who} Have a good time! 已批准")
        refused = await (await alice.say("/leave 30 rest")).click("拒绝 no", by=boss)
        assert refused.text == f"{who} Not this time. 未批准"
    assert qq.violations == []


async def test_no_decision(qq: Simulator) -> None:
    group = qq.group("test")
    async with qq.run(example_module("approval.py").bot):
        await group.member("Alice").say("/leave 3 a wedding")
        await qq.clock.advance(seconds=241)
        assert "No administrator has decided" in str(group.messages[-1].text)
    assert qq.violations == []
