"""The simulator's pushes, judged by a server that is none of ours: headers, acknowledgements, redelivery, flaws."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qqbot.simulator import webhook
from qqbot.testing import Simulator
from tests.webhook.hosts import by_aiohttp


@dataclass
class Endpoint:
    """Answers the calls one after another with `answers` (status, text), the last one forever."""

    answers: list[tuple[int, str]]
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    slow: float = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        await asyncio.sleep(self.slow)
        status, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text=text, content_type="application/json")


@asynccontextmanager
async def pushed(*answers: tuple[int, str]) -> AsyncIterator[tuple[Simulator, Endpoint]]:
    endpoint = Endpoint(list(answers))
    app = web.Application()
    app.router.add_post("/callback", endpoint.handle)
    async with by_aiohttp(app) as url, Simulator(webhook=f"{url}/callback") as sim:
        sim.webhook.pause = 0.01
        yield sim, endpoint


def verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    seed = (secret.encode() * 32)[:32]
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    try:
        key.verify(bytes.fromhex(headers["X-Signature-Ed25519"]), headers["X-Signature-Timestamp"].encode() + body)
    except InvalidSignature:
        return False
    return True


ACK = (200, '{"op":12,"d":0}')


async def test_a_push_is_signed_and_numbered_as_the_platform_does_it() -> None:
    async with pushed(ACK) as (sim, endpoint):
        event_id = sim.push_message("c2c", user="Alice", text="嗨")
        sim.push("FRIEND_DEL", {"openid": "U"})
        await sim.webhook.delivered()
        (headers, body), (_, second) = sorted(endpoint.calls, key=lambda call: json.loads(call[1])["s"])
        assert headers["User-Agent"] == "QQBot-Callback"
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Bot-Appid"] == sim.app_id
        assert abs(time.time() - int(headers["X-Signature-Timestamp"])) < 30
        assert verifies(sim.secret, headers, body)
        envelope = json.loads(body)
        assert (envelope["op"], envelope["s"], envelope["t"], envelope["id"]) == (0, 1, "C2C_MESSAGE_CREATE", event_id)
        assert envelope["d"]["content"] == "嗨"
        assert json.loads(second)["s"] == 2
        assert {frame["op"] for frame in sim.frames} == {0, 12}


@pytest.mark.parametrize(
    ("answers", "attempts"),
    [
        ([ACK], 1),
        ([(200, "")], 1),
        ([(200, '{"op":12,"d":1}'), ACK], 2),
        ([(200, '{"op":12,"d":2}'), ACK], 2),
        ([(500, "broken"), (302, ""), ACK], 3),
        ([(200, "<html>")], 1),
        ([(202, "")], 1),
        ([(204, "")], 1),
        ([(200, '{"d":{},"op":12}')], 1),
        ([(200, '{"op":12}')], 1),
        ([(200, '{"code":0}')], 1),
        ([(401, "")], 3),
    ],
)
async def test_what_is_not_acknowledged_is_delivered_again(answers: list[tuple[int, str]], attempts: int) -> None:
    async with pushed(*answers) as (sim, endpoint):
        sim.push_message("c2c", user="Alice", text="hello")
        await sim.webhook.delivered()
        assert len(endpoint.calls) == attempts
        assert len({body for _, body in endpoint.calls}) == 1
        assert [each.acknowledged for each in sim.webhook.deliveries] == [False] * (attempts - 1) + [
            sim.webhook.deliveries[-1].status in (200, 202, 204)
        ]


async def test_an_answer_that_takes_too_long_is_none() -> None:
    async with pushed(ACK) as (sim, endpoint):
        endpoint.slow, sim.webhook.ack_limit, sim.webhook.attempts = 1.0, 0.1, 2
        sim.push_message("c2c", user="Alice", text="hello")
        await sim.webhook.delivered()
        assert [each.status for each in sim.webhook.deliveries] == [None, None]


async def test_flaws() -> None:
    async with pushed(ACK) as (sim, endpoint):
        for number, flaw in enumerate(("bad_signature", "old_timestamp", "redeliver", "replay")):
            sim.webhook.flaw(flaw)
            sim.push_message("c2c", user="Alice", text=str(number))
            await sim.webhook.delivered()
        bad, old, first, again, played, replayed = endpoint.calls
        assert not verifies(sim.secret, *bad)
        assert verifies(sim.secret, *old)
        assert time.time() - int(old[0]["X-Signature-Timestamp"]) > 3000
        assert first[1] == again[1]
        assert played == replayed
        with pytest.raises(ValueError, match="one of the flaws"):
            sim.webhook.flaw("nonsense")


@pytest.mark.parametrize(("answer", "right"), [("right", True), ("wrong", False), ("no JSON", False)])
async def test_the_challenge(answer: str, right: bool) -> None:
    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        assert body["op"] == 13
        assert verifies(sim.secret, dict(request.headers), await request.read())
        seed = (sim.secret.encode() * 32)[:32]
        signed = (body["d"]["event_ts"] + body["d"]["plain_token"]).encode()
        signature = Ed25519PrivateKey.from_private_bytes(seed).sign(signed).hex()
        document = {"plain_token": body["d"]["plain_token"], "signature": signature if answer == "right" else "00"}
        return web.Response(text="<html>" if answer == "no JSON" else json.dumps(document))

    app = web.Application()
    app.router.add_post("/", handle)
    async with by_aiohttp(app) as url, Simulator(webhook=url) as sim:
        assert await sim.webhook.challenge() is right


async def test_without_an_address_nothing_is_pushed() -> None:
    async with Simulator() as sim:
        sim.push_message("c2c", user="Alice", text="hello")
        await sim.webhook.delivered()
        assert sim.webhook.deliveries == []
        with pytest.raises(ValueError, match="no webhook address"):
            await sim.webhook.challenge()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nothing_signed_follows_a_redirect_to_another_host(status: int) -> None:
    elsewhere = Endpoint([ACK])
    other = web.Application()
    other.router.add_route("*", "/callback", elsewhere.handle)
    async with by_aiohttp(other) as target:
        asked: list[str] = []

        async def redirect(request: web.Request) -> web.Response:
            asked.append(request.method)
            return web.Response(status=status, headers={"Location": f"{target}/callback"})

        app = web.Application()
        app.router.add_post("/callback", redirect)
        async with by_aiohttp(app) as url, Simulator(webhook=f"{url}/callback") as sim:
            sim.webhook.pause = 0.01
            sim.push_message("c2c", user="Alice", text="hi")
            await sim.webhook.delivered()
            assert not await sim.webhook.challenge()
            assert [(each.status, each.acknowledged) for each in sim.webhook.deliveries] == [(status, False)] * 3
    assert (asked, elsewhere.calls) == (["POST"] * 4, [])


async def test_of_a_large_answer_only_the_beginning_is_read() -> None:
    async with pushed((200, "x" * (4 << 20))) as (sim, _):
        sim.push_message("c2c", user="Alice", text="hi")
        await sim.webhook.delivered()
        (delivery,) = sim.webhook.deliveries
        assert len(delivery.answer) == webhook.ANSWER_LIMIT


async def test_deliveries_and_flaws_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MAX_RUNNING", 5)
    async with pushed(ACK) as (sim, endpoint):
        endpoint.slow = 0.2
        for number in range(20):
            sim.push("FRIEND_DEL", {"openid": str(number)})
        await sim.webhook.delivered()
        assert len(endpoint.calls) == 5
        assert [each.answer for each in sim.webhook.deliveries].count("not delivered: 5 deliveries are running") == 15
        sim.webhook.flaw("replay", 5)
        for times in (1, 10**12):
            with pytest.raises(ValueError, match="at most 5 flaws"):
                sim.webhook.flaw("replay", times)
