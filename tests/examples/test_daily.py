"""The daily message of several processes: one of them sends it."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from qqbot.testing import Simulator
from tests.examples.loading import example_module
from tests.redis.servers import default_engine, started
from tests.waiting import until

GROUPS: dict[str, dict[str, bool]] = {
    "mentions": {},
    "tag cut": {"all_messages": True},
    "tag kept": {"all_messages": True, "mention_tag": True},
}


async def test_one_of_two_sends_and_the_other_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with started(default_engine()) as store, Simulator() as sim, AsyncExitStack() as second_runs:
        monkeypatch.setenv("QQBOT_REDIS_URL", store.url)
        monkeypatch.setenv("LOCK_TTL", "2")
        alice = sim.user("Alice")
        groups = [sim.group(name, **kind) for name, kind in GROUPS.items()]
        sent: list[str] = []
        first, second = (sending(name, sent) for name in ("first", "second"))
        monkeypatch.delenv("QQBOT_REDIS_URL")  # the bots share no shards here
        async with sim.run(first.bot):
            assert (await alice.say("/subscribe")).text == "Until tomorrow! 明天见"
            await alice.say("/订阅")
            for group in groups:
                assert (await group.member("Bob").say("/订阅")).text == "Until tomorrow! 明天见"
            await until(lambda: len(sent) >= 1, 20)
            await second_runs.enter_async_context(
                second.bot.serve(connect=False, credentials=sim.credentials, endpoints=sim.endpoints)
            )
            await until(lambda: len(sent) >= 4, 20)
            assert set(sent) == {"first"}
        for place in (alice, *groups):
            morning = [message.text for message in place.messages if message.text == "Good morning! 早上好"]
            assert len(morning) >= 3, place
        assert len(alice.messages) <= 2 + len(sent) + 1, "a subscriber gets it once"
        already = len(sent)
        await until(lambda: len(sent) >= already + 2, 20)
        assert sent[-2:] == ["second"] * 2


def sending(name: str, sent: list[str]) -> Any:
    """Load the example; it sends twice a second, and its name is added to `sent`."""
    example = example_module("daily.py")
    example.EVERY = {"trigger": "interval", "seconds": 0.5}
    send = example.send_daily

    async def send_daily() -> None:
        await send()
        sent.append(name)

    example.send_daily = send_daily
    return example
