"""The shop: a FastAPI application that serves its bot by webhook."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from qqbot.testing import Simulator
from tests.examples.loading import example_module
from tests.served import is_served

GROUPS: list[dict[str, bool]] = [{}, {"all_messages": True}, {"all_messages": True, "mention_tag": True}]
ALLOWED = {"Authorization": "Bearer letmein"}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("DATABASE", str(tmp_path / "shop.db"))
    monkeypatch.setenv("PUSH_TOKEN", "letmein")
    return example_module("shop.py")


@pytest.fixture
async def http(qq: Simulator, shop: Any) -> AsyncIterator[ClientSession]:
    async with qq.run_asgi(shop.app, shop.bot, path="/qq/") as url, ClientSession(url) as http:
        yield http
    assert not is_served(shop.bot)


async def test_a_push_to_a_user(qq: Simulator, http: ClientSession) -> None:
    alice = qq.user("小明")
    answer = await alice.say("/订阅")
    assert answer.text == f"已订阅，你的编号 {alice.openid}"
    async with http.get("/subs") as got:
        assert await got.json() == [alice.openid]
    async with http.post(f"/push/{alice.openid}", json={"text": "快递"}, headers=ALLOWED) as pushed:
        assert pushed.status == 200
        assert (await pushed.json())["id"] == alice.messages[-1].id
    assert alice.messages[-1].text == "快递"
    assert qq.violations == []


@pytest.mark.parametrize("kind", GROUPS, ids=["mentions", "tag cut", "tag kept"])
async def test_a_push_to_a_group(qq: Simulator, http: ClientSession, kind: dict[str, bool]) -> None:
    group = qq.group("测试群", **kind)
    alice = group.member("小明")
    assert (await alice.say("/订阅")).text == f"已订阅，你的编号 {alice.openid}"
    async with http.post(f"/push/{alice.openid}", json={"text": "快递"}, headers=ALLOWED) as pushed:
        assert pushed.status == 200
    assert group.messages[-1].text == "快递"


async def test_what_is_refused(qq: Simulator, http: ClientSession) -> None:
    alice = qq.user("小明")
    await alice.say("/订阅")

    async def push(name: str, **options: Any) -> int:
        async with http.post(f"/push/{name}", **{"json": {"text": "快递"}, "headers": ALLOWED, **options}) as pushed:
            return pushed.status

    assert await push(alice.openid, headers={}) == 401
    assert await push(alice.openid, headers={"Authorization": "Bearer wrong"}) == 401
    assert await push("nobody") == 404
    assert await push(alice.openid, json={"words": "快递"}) == 422
    assert await push(alice.openid, json={"text": "www.not-registered.com"}) == 502
    statuses = [await push(alice.openid) for _ in range(21)]
    assert statuses == [200] * 20 + [429], "20 active messages a minute go to a user"
    assert len(alice.messages) == 21


async def test_health(qq: Simulator, http: ClientSession) -> None:
    async with http.get("/healthz") as got:
        assert await got.json() == {"inflight": 0}


async def test_no_push_without_a_token(qq: Simulator, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUSH_TOKEN")
    shop = example_module("shop.py")
    async with qq.run_asgi(shop.app, shop.bot, path="/qq/") as url, ClientSession(url) as http:
        for token in ("", "Bearer ", "Bearer None"):
            async with http.post("/push/x", json={"text": "快递"}, headers={"Authorization": token}) as pushed:
                assert pushed.status == 401
