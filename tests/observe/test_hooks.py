"""The hooks that monitoring is made of: around each handler, after each exchange."""

import asyncio

import pytest

from qqbot import Api, ApiError, Bot, C2CMessageCreate, CallNext, ConfigError, Context, Credentials, Event, ResponseInfo
from qqbot.api.exchange import Request, Response
from qqbot.testing import Simulator


class Own(Exception):
    pass


def bot_with(around: object, ran: list[str]) -> Bot:
    bot = Bot()
    bot.around_handler(around)  # type: ignore[arg-type]

    @bot.on
    async def first(ctx: Context[C2CMessageCreate]) -> None:
        ran.append("first")
        if ctx.text == "bad":
            raise ValueError("bad")

    @bot.on
    async def second(ctx: Context[C2CMessageCreate]) -> None:
        ran.append("second")

    return bot


async def test_it_is_around_each_handler_and_inside_the_middleware(qq: Simulator) -> None:
    ran: list[str] = []

    async def around(ctx: Context[Event], name: str, call_next: CallNext) -> None:
        ran.append(f"in {name.rpartition('.')[2]}")
        try:
            await call_next()
        except ValueError:
            ran.append("failed")
            raise
        finally:
            ran.append("out")

    bot = bot_with(around, ran)

    @bot.middleware
    async def outside(ctx: Context[Event], call_next: CallNext) -> None:
        ran.append("outside")
        await call_next()

    async with qq.run(bot):
        await qq.user("小明").say("good")
        assert ran == ["outside", "in first", "first", "out", "in second", "second", "out"]
        ran.clear()
        with qq.expect_error(ValueError):
            assert (await qq.user("小明").say("bad")).outcome == "failed"
    assert ran == ["outside", "in first", "first", "failed", "out", "in second", "second", "out"]


async def test_what_it_raises_is_the_events_failure_and_the_next_handler_runs(qq: Simulator) -> None:
    ran: list[str] = []
    errors: list[Exception] = []

    async def around(ctx: Context[Event], name: str, call_next: CallNext) -> None:
        if name.endswith("first"):
            raise Own
        await call_next()

    bot = bot_with(around, ran)

    @bot.on_error
    async def keep(ctx: Context[Event], error: Exception) -> None:
        errors.append(error)

    async with qq.run(bot):
        with qq.expect_error(Own):
            assert (await qq.user("小明").say("good")).outcome == "failed"
    assert ran == ["second"]
    assert [type(error) for error in errors] == [Own]


async def test_a_failure_that_it_swallows_still_reaches_the_middleware(qq: Simulator) -> None:
    ran: list[str] = []

    async def around(ctx: Context[Event], name: str, call_next: CallNext) -> None:
        try:
            await call_next()
        except ValueError:
            ran.append("swallowed")

    bot = bot_with(around, ran)

    @bot.middleware
    async def outside(ctx: Context[Event], call_next: CallNext) -> None:
        try:
            await call_next()
        except ValueError:
            ran.append("outside")

    async with qq.run(bot):
        with qq.expect_error(ValueError):
            assert (await qq.user("小明").say("bad")).outcome == "failed"
    assert ran == ["first", "swallowed", "second", "outside"]


async def test_one_that_is_added_while_the_bot_is_served_counts(qq: Simulator) -> None:
    names: list[str] = []
    bot = Bot()

    @bot.on
    async def answer(ctx: Context[C2CMessageCreate]) -> None: ...

    async def around(ctx: Context[Event], name: str, call_next: CallNext) -> None:
        names.append(name)
        await call_next()

    async with qq.run(bot):
        await qq.user("小明").say("one")
        bot.around_handler(around)
        await qq.user("小明").say("two")
    assert names == [f"{__name__}.{answer.__qualname__}"]


def test_it_has_to_be_async() -> None:
    with pytest.raises(ConfigError, match="async def"):
        Bot().around_handler(lambda ctx, name, call_next: asyncio.sleep(0))


async def test_a_response_hook_cannot_change_what_a_transport_of_the_users_answers() -> None:
    class Dictionary:
        async def send(self, request: Request) -> Response:
            return Response(400, {"x-tps-trace-id": "theirs"}, b'{"code": 1, "message": "no"}')

    class Tokens:
        async def get(self) -> str:
            return "token"

        def invalidate(self, token: str) -> None: ...

    def change(info: ResponseInfo) -> None:
        info.headers["x-tps-trace-id"] = "mine"  # type: ignore[index]

    async with Api(Credentials("1", "s"), transport=Dictionary(), token=Tokens(), on_response=[change]) as api:
        with pytest.raises(ApiError) as caught:
            await api.users.me()
    assert caught.value.trace_id == "theirs"
