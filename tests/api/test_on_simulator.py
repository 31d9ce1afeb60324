"""The client against the simulated platform, which shares no table with it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from qqbot import Api, Credentials, Media, ReplyTo, Scene, Target
from qqbot.errors import AuthError, ConnectionFailed, DuplicateMessage, NotFound, ReplyWindowExpired
from qqbot.testing import Simulator


@pytest.fixture
async def sim() -> AsyncGenerator[Simulator]:
    async with Simulator(shards=3) as simulator:
        yield simulator
    assert simulator.violations == []


@pytest.fixture
async def api(sim: Simulator) -> AsyncGenerator[Api]:
    async with Api(sim.credentials, endpoints=sim.endpoints, clock=sim.clock.now) as opened:
        yield opened


def messages(sim: Simulator) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", sim.state()["messages"])


def ask(sim: Simulator) -> tuple[str, ReplyTo]:
    """Have Alice write to the group "test"; return its openid and what a reply names."""
    sim.push_message("group", text="hello")
    message = messages(sim)[-1]
    return message["conversation"], ReplyTo(msg_id=message["id"])


async def test_the_bot_and_the_gateway(api: Api) -> None:
    assert (await api.users.me()).bot
    assert (await api.gateway.bot()).shards == 3
    assert (await api.users.share_link("from-a-test")).startswith("https://")


async def test_refused_credentials(sim: Simulator) -> None:
    async with Api(Credentials(sim.app_id, "wrong"), endpoints=sim.endpoints) as api:
        with pytest.raises(AuthError, match="AppSecret"):
            await api.users.me()


async def test_tokens_that_end_at_once_cost_one_token_request(sim: Simulator, api: Api) -> None:
    await api.users.me()
    sim.revoke_tokens()
    await asyncio.gather(*(api.users.me() for _ in range(100)))
    assert len([call for call in sim.calls if "getAppAccessToken" in call["path"]]) == 2


async def test_replies_in_a_group_until_the_window_closes(sim: Simulator, api: Api) -> None:
    group, reply_to = ask(sim)
    for _ in range(2):
        assert (await api.groups.send_message(group, "answer", reply_to=reply_to)).id
    await sim.clock.advance(minutes=6)
    with pytest.raises(ReplyWindowExpired):
        await api.groups.send_message(group, "late", reply_to=reply_to)
    assert [message["text"] for message in messages(sim)] == ["hello", "answer", "answer"]


async def test_a_reply_whose_answer_was_lost_is_sent_once(sim: Simulator, api: Api) -> None:
    group, reply_to = ask(sim)
    sim.faults.http("POST /v2/groups/*", sent_but_no_response=True)
    assert (await api.groups.send_message(group, "once", reply_to=reply_to)).id == ""
    assert [message["text"] for message in messages(sim)] == ["hello", "once"]


async def test_an_active_message_whose_answer_was_lost_is_not_repeated(sim: Simulator, api: Api) -> None:
    group, _ = ask(sim)
    sim.faults.http("POST /v2/groups/*", sent_but_no_response=True)
    with pytest.raises(ConnectionFailed, match="may have been sent"):
        await api.groups.send_message(group, "once")
    assert [message["text"] for message in messages(sim)] == ["hello", "once"]


async def test_a_msg_seq_used_twice(sim: Simulator, api: Api) -> None:
    group, reply_to = ask(sim)
    numbered = ReplyTo(msg_id=reply_to.msg_id, msg_seq=7)
    await api.groups.send_message(group, "one", reply_to=numbered)
    with pytest.raises(DuplicateMessage):
        await api.groups.send_message(group, "two", reply_to=numbered)


async def test_media_by_url_in_group_and_c2c(sim: Simulator, api: Api) -> None:
    group, _ = ask(sim)
    user = sim.user("Alice").openid
    picture = Media.image("https://example.com/cat.png", "a cat")
    await api.groups.send_message(group, picture)
    await api.send(Target(Scene.C2C, user), picture)
    assert [message["media"]["url"] for message in messages(sim)[1:]] == [picture.url] * 2


async def test_recall(sim: Simulator, api: Api) -> None:
    group, _ = ask(sim)
    sent = await api.groups.send_message(group, "oops")
    await api.groups.recall(group, sent.id)


async def test_a_group_without_the_bot(api: Api) -> None:
    with pytest.raises(NotFound) as caught:
        await api.groups.send_message("somewhere-else", "hello")
    assert caught.value.trace_id
