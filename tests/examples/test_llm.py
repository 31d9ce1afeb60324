"""The bot that answers with a language model: streams, 停, history, pictures and files."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from qqbot.testing import Simulator
from tests.examples.loading import example_module

GROUPS: list[dict[str, bool]] = [{}, {"all_messages": True}, {"all_messages": True, "mention_tag": True}]
WORDS = "".join(f"词{number} " for number in range(30))


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("DELAY", "0.01")
    monkeypatch.setenv("INBOX", str(tmp_path))
    return example_module("llm.py")


def asker(qq: Simulator, kind: dict[str, bool] | None, name: str = "小明") -> Any:
    """A user in private, or a member of such a group."""
    return qq.user(name) if kind is None else qq.group("测试群", **kind).member(name)


in_every_scene = pytest.mark.parametrize("kind", [None, *GROUPS], ids=["c2c", "mentions", "tag cut", "tag kept"])


@in_every_scene
async def test_an_answer_with_its_history(qq: Simulator, llm: Any, kind: dict[str, bool] | None) -> None:
    alice = asker(qq, kind)
    async with qq.run(llm.bot):
        first = await alice.say("你好")
        assert [message.markdown for message in first.messages] == [f"你说的是“你好”，这是第 1 条。{WORDS}"]
        second = await alice.say("第二问")
        assert str(second.markdown).startswith("你说的是“第二问”，这是第 3 条。")
        assert [role for role, _ in llm.history[alice.openid]] == ["user", "assistant"] * 2
    assert qq.violations == []


@in_every_scene
@pytest.mark.parametrize("word", ["停", "/停", "Stop"])
async def test_stop_ends_an_answer(qq: Simulator, llm: Any, kind: dict[str, bool] | None, word: str) -> None:
    llm.DELAY = 0.2
    alice = asker(qq, kind)
    async with qq.run(llm.bot):
        asking = asyncio.create_task(alice.say("你好"))
        async with asyncio.timeout(10):
            while not llm.history[alice.openid]:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
        await alice.say(word)
        await asking
        assert asyncio.get_running_loop().time() - began < 2, "30 words take 6 seconds"
        texts = [message.text or message.markdown for message in (await asking).messages]
        said = llm.history[alice.openid][-1][1]
        assert said.startswith("你说的是“你好”，这是第 1 条。词0 ") and not said.endswith("词29 ")
        assert any(str(text).strip() == said.strip() for text in texts)
        assert qq.state()["messages"][-1]["text"] == "已停止"
        assert (await alice.say(word)).text == "没有在回答"
    assert qq.violations == []


async def test_an_answer_holds_up_nobody_else(qq: Simulator, llm: Any) -> None:
    llm.DELAY = 0.2
    alice, bob = asker(qq, {}), asker(qq, {}, "小红")
    async with qq.run(llm.bot):
        asking = asyncio.create_task(alice.say("你好"))
        async with asyncio.timeout(10):
            while not llm.history[alice.openid]:
                await asyncio.sleep(0.02)
        assert (await bob.say("停")).text == "没有在回答"
        assert (await bob.say("/画 hello")).text == "画好了"
        assert not asking.done()
        await alice.say("停")
        await asking


@in_every_scene
async def test_pictures_and_files(qq: Simulator, llm: Any, kind: dict[str, bool] | None, tmp_path: Path) -> None:
    alice = asker(qq, kind)
    async with qq.run(llm.bot):
        picture = await alice.say("/画 hello")
        assert picture.text == "画好了"
        assert picture.media is not None and picture.media["kind"] == "image"
        names = [message.media["name"] for message in (await alice.say("/报告")).messages if message.media is not None]
        assert names == ["季度报告（终稿）.txt", "另一份 报告.pdf"]
        for name, data in {"猫.png": b"\x89PNG\r\n", "语音.wav": b"RIFF....WAVE", "中文 名.docx": b"hello"}.items():
            kept = await alice.upload(data, name=name)
            assert f"{name} {len(data)} 字节" in str(kept.text)
            assert (tmp_path / f"0-{name}").read_bytes() == data
    assert qq.violations == []


async def test_a_file_that_is_too_large(qq: Simulator, llm: Any, tmp_path: Path) -> None:
    async with qq.run(llm.bot):
        refused = await qq.user("小明").upload(b"\x89PNG\r\n" + bytes(5_000_000), name="猫.png")
        assert str(refused.text).startswith("取不到: ")
        assert not (tmp_path / "0-猫.png").exists()
