"""Answers to interactions, on the simulator: with a code, with a body, and what is refused."""

import pytest

from qqbot import (
    ApiError,
    Bot,
    Context,
    InteractionCreate,
    Search,
    SearchLayout,
    SearchRecord,
    SearchResponse,
    interaction,
)
from qqbot.testing import Simulator


async def test_a_search_is_answered_with_a_body() -> None:
    async with Simulator() as sim:
        bot = Bot()

        @bot.on(InteractionCreate, when=interaction(Search))
        async def search(ctx: Context[InteractionCreate]) -> None:
            match ctx.event.detail:
                case Search(keyword):
                    record = SearchRecord(cover="", title=keyword, tips="", url="https://a.example")
                    layout = SearchLayout(title="Found", records=(record,))
                    await ctx.api.interactions.respond(ctx.event.id, SearchResponse(layouts=(layout,)))
                case _:
                    raise AssertionError("the predicate let something else through")

        async with sim.run(bot):
            reply = await sim.user("Alice").search("cats")
            assert reply.outcome == "handled"
            assert reply.answer is not None
            (layout,) = reply.answer["layouts"]
            assert (layout["Title"], layout["Records"][0]["title"]) == ("Found", "cats")


async def test_only_an_answer_with_a_body_names_the_bot_and_each_interaction_has_one() -> None:
    async with Simulator() as sim:
        headers: list[dict[str, str]] = []
        bot = Bot(on_request=[lambda request: headers.append(dict(request.headers))])
        ids: list[str] = []

        @bot.on
        async def note(ctx: Context[InteractionCreate]) -> None:
            ids.append(ctx.event.id)

        async with sim.run(bot):
            for _ in range(2):
                await sim.user("Alice").search("x")
            headers.clear()
            await bot.api.interactions.respond(ids[0], b'{"free": true}')
            await bot.api.interactions.ack(ids[1])
            assert [each.get("X-Callback-AppID") for each in headers] == [sim.app_id, None]
            with pytest.raises(ApiError) as caught:
                await bot.api.interactions.respond(ids[0], {})
            assert caught.value.code == 630001
            with pytest.raises(ApiError) as caught:
                await bot.api.interactions.respond("unknown", {})
            assert caught.value.code == 630003
