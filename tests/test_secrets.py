"""No secret and no token in any record, repr, error or traceback, whatever happens to a whole conversation."""

import asyncio
import logging
import pickle

import pytest

from qqbot import ApiError, Bot, Context, Credentials, GroupAtMessageCreate
from qqbot.config import GatewayConfig, Secret
from qqbot.testing import Simulator

FAST = GatewayConfig(pace=0.02, hello_timeout=0.5, ready_timeout=0.5, identify_window=0.2)


async def test_a_whole_conversation_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Simulator() as sim:
        bot = Bot(gateway=FAST)

        @bot.on
        async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
            await ctx.reply(ctx.text)

        async with sim.run(bot):
            alice = sim.group("test").member("Alice")
            await alice.say("@bot hello")
            tokens = {await bot.api.tokens.get()}
            sim.revoke_tokens()
            sim.faults.http("POST /v2/groups/*", 500)
            sim.push_message("group", user="Alice", text="fails once")
            sim.faults.close(4004)
            await sim.identified()
            await alice.say("@bot again")
            with pytest.raises(ApiError) as caught:
                await bot.api.groups.send_message("no such group", "x")
            tokens.add(await bot.api.tokens.get())
            shown = [repr(bot), repr(bot.api), repr(sim.credentials), repr(caught.value), str(caught.value)]
    formatter = logging.Formatter("%(name)s %(message)s")
    shown += [formatter.format(record) for record in caplog.records if record.name.startswith(("qqbot", "asyncio"))]
    text = "\n".join(shown)
    assert len(tokens) == 2
    assert "hello" in text, "bodies are shown at DEBUG"
    assert sim.secret not in text
    assert not [token for token in tokens if token in text]


def test_a_secret_does_not_show_itself() -> None:
    credentials = Credentials(1, "very-secret")
    assert "very-secret" not in f"{credentials!r} {credentials} {credentials.secret}"
    assert credentials.secret.reveal() == "very-secret"
    assert credentials.secret == Secret("very-secret")
    with pytest.raises(TypeError):
        pickle.dumps(credentials.secret)


async def test_a_refused_secret_is_not_named() -> None:
    async with Simulator() as sim:
        bot = Bot(Credentials(sim.app_id, "wrong-secret"), endpoints=sim.endpoints)
        with pytest.raises(ApiError) as caught:
            async with bot:
                await asyncio.wait_for(bot.wait(), 10)
    assert "wrong-secret" not in str(caught.value)
