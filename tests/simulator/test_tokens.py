import json

import pytest

from qqbot.testing import Simulator
from tests.simulator.bare import BareBot


async def ask(bot: BareBot, **options: object) -> dict[str, object]:
    async with bot.http.post(bot.sim.token_url, **options) as response:
        assert response.status == 200, "a failure is HTTP 200 too"
        return await response.json()


async def test_the_same_token_until_60_s_before_expiry(sim: Simulator, bot: BareBot) -> None:
    await sim.clock.advance(seconds=7100)
    again = await bot.fetch_token()
    assert again["access_token"] == bot.token
    assert isinstance(again["expires_in"], str)
    assert 95 <= int(again["expires_in"]) <= 100


async def test_a_new_token_in_the_last_60_s_and_the_old_one_stays_valid(sim: Simulator, bot: BareBot) -> None:
    await sim.clock.advance(seconds=7150)
    fresh = await bot.fetch_token()
    assert fresh["access_token"] != bot.token
    assert int(fresh["expires_in"]) >= 7199
    assert (await bot.call("GET", "/users/@me"))[0] == 200
    await sim.clock.advance(seconds=60)
    assert await bot.refused("GET", "/users/@me") == (401, 11244)
    bot.token = fresh["access_token"]
    assert (await bot.call("GET", "/users/@me"))[0] == 200


async def test_revoked(sim: Simulator, bot: BareBot) -> None:
    sim.revoke_tokens()
    assert await bot.refused("GET", "/users/@me") == (401, 11244)
    assert (await bot.fetch_token())["access_token"] != bot.token


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"appId": 102000001, "clientSecret": "x"}, 100016),
        ({"appId": True, "clientSecret": "x"}, 100002),
        ({"appId": "102000001"}, 100002),
        ({"appId": "102000001", "clientSecret": "wrong"}, 100016),
        ({"appId": "1", "clientSecret": "wrong"}, 100016),
        ([], 100002),
    ],
)
async def test_refused(bot: BareBot, body: object, code: int) -> None:
    answer = await ask(bot, json=body)
    assert answer["code"] == code
    assert "access_token" not in answer


async def test_no_json(bot: BareBot) -> None:
    assert (await ask(bot, data=b"{", headers={"Content-Type": "application/json"}))["code"] == 100002
    assert (await ask(bot, data={"appId": "1", "clientSecret": "x"}))["code"] == 100002


async def test_neither_the_content_type_nor_the_type_of_the_app_id_matters(sim: Simulator, bot: BareBot) -> None:
    data = json.dumps({"appId": int(sim.app_id), "clientSecret": sim.secret})
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/octet-stream"}):
        assert (await ask(bot, data=data.encode(), headers=headers))["access_token"] == bot.token


async def test_the_journal_contains_neither_secret_nor_token(sim: Simulator, bot: BareBot) -> None:
    socket = await bot.connect_ready()
    await socket.resume("x", 1)
    await socket.close_code()
    seen = repr(sim.calls) + repr(sim.frames)
    assert "IDENTIFY" not in seen
    assert '"QQBot ***"' in seen
    assert sim.secret not in seen
    assert bot.token not in seen


@pytest.mark.parametrize(
    ("header", "code"), [({}, 11241), ({"Authorization": "Bot 1.2"}, 11243), ({"Authorization": "QQBot nope"}, 11244)]
)
async def test_authorization(bot: BareBot, header: dict[str, str], code: int) -> None:
    async with bot.http.get(bot.sim.api_base + "/users/@me", headers=header) as response:
        assert (response.status, (await response.json())["code"]) == (401, code)
