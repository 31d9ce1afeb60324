"""The recipes of docs/recipes.md do what they say, on the simulator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from qqbot.testing import Simulator
from tests.cli.program import environment
from tests.markdown import ROOT, blocks
from tests.redis.servers import default_engine, started
from tests.sockets import free_port
from tests.webhook.hosts import by_uvicorn

PAGE = ROOT / "docs" / "recipes.md"


def recipe(heading: str) -> SimpleNamespace:
    """Run the Python block below a heading, and return its names."""
    line = PAGE.read_text("utf-8").splitlines().index(f"## {heading}")
    block = next(block for block in blocks(PAGE) if block.language == "python" and block.line > line)
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(block.text, heading, "exec", dont_inherit=True), names)
    return SimpleNamespace(names=names, **{name: names[name] for name in names if not name.startswith("__")})


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


LLM = "Answers of a language model"


async def endless(_: object) -> AsyncIterator[str]:
    for number in range(100_000):
        yield f"word{number} "
        await asyncio.sleep(0.02)


async def test_an_answer_of_a_language_model_knows_what_was_said(qq: Simulator) -> None:
    names = recipe(LLM)
    alice, bob = qq.user("Alice"), qq.user("Bob")
    async with qq.run(names.bot):
        assert str((await alice.say("tea")).markdown).strip() == "This is message 1: tea"
        assert str((await alice.say("more")).markdown).strip() == "This is message 3: more"
        assert str((await bob.say("hello")).markdown).strip() == "This is message 1: hello"
        await alice.say("/new")
        assert str((await alice.say("again")).markdown).strip() == "This is message 1: again"


@pytest.mark.parametrize("all_messages", [False, True])
async def test_an_answer_in_a_group_can_be_stopped_by_its_user(qq: Simulator, all_messages: bool) -> None:
    names = recipe(LLM)
    names.names["model"] = endless
    group = qq.group("test", all_messages=all_messages)
    alice, bob = group.member("Alice"), group.member("Bob")
    async with qq.run(names.bot):
        answer = asyncio.create_task(alice.say("tell me"))
        await asyncio.sleep(0.3)
        names.names["model"] = recipe(LLM).model
        assert str((await bob.say("tea")).markdown).strip() == "This is message 1: tea", "Alice's holds up nobody"
        await bob.say("停")
        await asyncio.sleep(0.2)
        assert not answer.done() or not any("word" in str(message.markdown) for message in group.messages)
        stopped = await alice.say("停")
        await answer
        texts = [str(message.text or message.markdown) for message in group.messages]
    assert stopped.outcome == "consumed"
    assert sum("word0" in text for text in texts) == 1, "what was written until then was sent"
    assert texts.count("Stopped. 已停止") == 1


async def test_an_answer_in_private_ends_where_it_was_stopped(qq: Simulator) -> None:
    names = recipe(LLM)
    names.names["model"] = endless
    alice = qq.user("Alice")
    async with qq.run(names.bot):
        answer = asyncio.create_task(alice.say("tell me"))
        await sent(lambda: len(alice.messages), 1)
        await alice.say("stop")
        await answer
        assert [message.text for message in alice.messages][-1] == "Stopped. 已停止"
        assert str(alice.messages[0].markdown).startswith("word0")


def test_the_history_is_bounded() -> None:
    names = recipe(LLM)
    for number in range(3000):
        for _ in range(30):
            names.history.of(str(number)).append({})
    assert len(names.history._of) == 1000
    assert {len(messages) for messages in names.history._of.values()} == {20}


@pytest.mark.parametrize("all_messages", [False, True])
async def test_a_database(qq: Simulator, all_messages: bool) -> None:
    alice = qq.group("test", all_messages=all_messages).member("Alice")
    for coins in (10, 20):
        bot = recipe("A database").bot  # of another process
        async with qq.run(bot):
            assert (await alice.say("/work")).text == f"{coins} coins 金币"
    names = recipe("A database")
    async with qq.run(names.bot):
        await names.purse.add("entry", "U", 10)
        await names.purse.add("entry", "U", 10)
        assert await names.purse.coins("U") == 10, "handled twice, it counts once"
        assert (await qq.user("Bob").say("/打工")).text == "10 coins 金币"


async def test_jobs_run_in_one_process_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    async with started(default_engine()) as store, Simulator() as qq:
        group = qq.group("test")
        monkeypatch.setenv("QQBOT_REDIS_URL", store.url)
        monkeypatch.setenv("QQBOT_SHARDS", "1")
        monkeypatch.setenv("REPORT_GROUPS", group.id)
        processes = [recipe("Jobs") for _ in range(2)]
        for process in processes:
            process.names["JOB"] = {"trigger": "interval", "seconds": 0.2}
        serving = {"credentials": qq.credentials, "endpoints": qq.endpoints, "connect": False}
        async with processes[1].bot.serve(**serving):
            async with processes[0].bot.serve(**serving):
                await sent(lambda: len(group.messages), 3)
            before = len(group.messages)
            await sent(lambda: len(group.messages), before + 2)
        assert {message.text for message in group.messages} == {"Good morning! 早上好"}


async def sent(count: Callable[[], int], wanted: int) -> None:
    async with asyncio.timeout(20):
        while count() < wanted:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("all_messages", [False, True])
async def test_state_that_outlives_the_process(qq: Simulator, all_messages: bool) -> None:
    group = qq.group("test", all_messages=all_messages)
    alice = group.member("Alice")
    first = recipe("State that outlives the process")
    async with qq.run(first.bot):
        assert (await alice.say("/remind 0.02 drink tea")).text == "I will remind you. 好的"
        assert "minutes" in str((await alice.say("/remind soon tea")).text)
    await asyncio.sleep(1.2)
    second = recipe("State that outlives the process")
    second.names["POLL"] = 0.05
    async with qq.run(second.bot):
        await sent(lambda: [message.text for message in group.messages].count("drink tea"), 1)
        await asyncio.sleep(0.3)
        assert [message.text for message in group.messages].count("drink tea") == 1
        assert await second.query("SELECT * FROM reminders") == []


@pytest.mark.qq(limits="all")
async def test_fastapi_with_pushes(qq: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with qq:
        for name, value in environment(qq, PUSH_KEY="key").items():
            monkeypatch.setenv(name, value)
        app = recipe("FastAPI with pushes")
        async with by_uvicorn(app.app) as url, aiohttp.ClientSession() as session:
            await app.bot.ready()
            target = "{}"

            async def push(text: str, key: str = "key") -> aiohttp.ClientResponse:
                headers = {"Authorization": f"Bearer {key}"}
                async with session.post(
                    f"{url}/pushes", json={"target": target, "text": text}, headers=headers
                ) as response:
                    await response.read()
                    return response

            assert (await push("x", "wrong")).status == 403
            assert (await push("x")).status == 422
            dms = qq.dms("Alice")
            target = str((await dms.say("/target")).text)
            assert (await push("one")).status == 200
            assert dms.messages[-1].text == "one"
            assert (await push("see www.not-registered.com")).status == 502
            assert (await push("two")).status == 200
            refused = await push("three")
            assert refused.status == 429 and int(refused.headers["Retry-After"]) > 80_000
            assert (await push("")).status == 422


async def test_docker_and_compose(qq: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("HEALTH_PORT", str(port))
    bot = recipe("Docker and compose").bot
    async with qq.run(bot), aiohttp.ClientSession() as session:
        await bot.ready()
        async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == 200
        assert (await qq.group("test").member("Alice").say("hi")).text == "hi"
