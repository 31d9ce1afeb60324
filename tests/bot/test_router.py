"""The table of handlers: registration, look-up, intents, and the errors for what cannot be registered."""

import functools
from typing import Any

import pytest

from qqbot import (
    AtMessageCreate,
    Bot,
    C2CMessageCreate,
    ConfigError,
    Context,
    DirectMessageCreate,
    Event,
    GroupAtMessageCreate,
    Intents,
    MessageCreate,
    MessageEvent,
    Router,
    UnknownEvent,
)
from qqbot.bot.handler_table import HandlerTable
from qqbot.models.events import decode_event
from qqbot.testing import Simulator

GROUP = b'{"id":"m","group_openid":"G","content":"x","author":{"member_openid":"U"}}'


async def handle(ctx: Context[Any]) -> None: ...


def table(router: Bot | Router) -> HandlerTable:
    return router._handlers


def names(router: Router, name: str, data: bytes = GROUP) -> list[str]:
    return [one.name for one in table(router).match(decode_event(name, data))]


def test_a_bare_decorator_reads_the_annotation() -> None:
    router = Router()

    @router.on
    async def one(ctx: Context[GroupAtMessageCreate]) -> None: ...

    @router.on
    async def several(ctx: Context[GroupAtMessageCreate | C2CMessageCreate]) -> None: ...

    assert [name.rpartition(".")[2] for name in names(router, "GROUP_AT_MESSAGE_CREATE")] == ["one", "several"]
    assert table(router).match_for("C2C_MESSAGE_CREATE").handlers
    assert not table(router).match_for("DIRECT_MESSAGE_CREATE").handlers


def test_handlers_run_in_order_of_registration() -> None:
    router, inner = Router(), Router()

    @inner.on(MessageEvent)
    async def third(ctx: Context[MessageEvent]) -> None: ...

    @router.on(Event)
    async def first(ctx: Context[Event]) -> None: ...

    @router.on(GroupAtMessageCreate)
    async def second(ctx: Context[GroupAtMessageCreate]) -> None: ...

    router.include(inner)
    found = [name.rpartition(".")[2] for name in names(router, "GROUP_AT_MESSAGE_CREATE")]
    assert found == ["first", "second", "third"]


def test_a_wire_name_takes_events_without_a_class() -> None:
    router = Router()
    router.on("BRAND_NEW", intent=1 << 22)(handle)
    assert table(router).match_for("BRAND_NEW").handlers
    assert not table(router).match_for("OTHER").handlers
    assert names(router, "BRAND_NEW", b"{}") == ["handle"]
    assert router.intents == 1 << 22


def test_a_wire_name_takes_events_with_a_class_too() -> None:
    router = Router()
    router.on("GROUP_AT_MESSAGE_CREATE")(handle)
    assert names(router, "GROUP_AT_MESSAGE_CREATE") == ["handle"]
    assert router.intents == Intents.GROUP_AND_C2C_EVENT


def test_unknown_event_takes_what_has_no_class_and_what_does_not_fit() -> None:
    router = Router()
    router.on(UnknownEvent)(handle)
    assert table(router).match_for("BRAND_NEW").handlers
    assert not table(router).match_for("GROUP_AT_MESSAGE_CREATE").handlers
    router.on(GroupAtMessageCreate)(handle)
    assert names(router, "GROUP_AT_MESSAGE_CREATE", b"[]") == ["handle"]
    assert router.intents == Intents.GROUP_AND_C2C_EVENT


def test_a_tap_wants_everything_and_asks_for_nothing() -> None:
    router = Router()
    router.on(Event)(handle)
    assert table(router).match_for("BRAND_NEW").handlers
    assert table(router).match_for("READY").handlers
    assert router.intents == 0


def test_an_alias_reaches_the_handler_of_the_event() -> None:
    router = Router()
    router.on("GROUP_MEMBER_REMOVE")(handle)
    assert table(router).match_for("GROUP_MEMBER_QUIT").handlers


def test_intents_are_what_the_handlers_need() -> None:
    router = Router()
    router.on(AtMessageCreate, DirectMessageCreate)(handle)
    assert router.intents == Intents.PUBLIC_GUILD_MESSAGES | Intents.DIRECT_MESSAGE
    router.on(MessageEvent)(handle)
    assert not router.intents & Intents.GUILD_MESSAGES
    router.on(MessageCreate)(handle)
    assert router.intents & Intents.GUILD_MESSAGES
    assert table(router).handlers_for(Intents.GUILD_MESSAGES) == ["handle"]


def test_a_handler_registered_later_is_found() -> None:
    router = Router()
    assert not table(router).match_for("C2C_MESSAGE_CREATE").handlers
    router.on(C2CMessageCreate)(handle)
    assert table(router).match_for("C2C_MESSAGE_CREATE").handlers


def test_outside_names_are_not_remembered_without_end() -> None:
    router = Router()
    for number in range(5000):
        table(router).match_for(f"NAME_{number}")
    assert len(table(router).matches) <= 1024


def test_the_same_function_twice_for_one_event() -> None:
    router = Router()
    router.on(C2CMessageCreate)(handle)
    router.on(GroupAtMessageCreate)(handle)
    with pytest.raises(ConfigError, match="handle is registered twice for C2CMessageCreate"):
        router.on(C2CMessageCreate, AtMessageCreate)(handle)


def plain(ctx: Any) -> None: ...


async def unannotated(ctx: Any) -> None: ...


async def misspelt(ctx: "Context[GroupAtMesageCreate]") -> None: ...  # type: ignore[name-defined]  # noqa: F821


async def no_event(ctx: Context[int]) -> None: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (plain, "async def"),
        (unannotated, "which event"),
        (misspelt, "GroupAtMesageCreate"),
        (no_event, "no event"),
    ],
)
def test_a_handler_that_cannot_be_registered_says_what_to_write(function: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Router().on(function)


def test_a_registration_without_an_event() -> None:
    with pytest.raises(ConfigError, match="names no event"):
        Router().on()(handle)


def test_a_registration_for_what_is_no_event() -> None:
    with pytest.raises(ConfigError, match="no event"):
        Router().on(dict)(handle)  # type: ignore[type-var]


def test_a_bare_callable_object_is_a_handler() -> None:
    class Greeter:
        async def __call__(self, ctx: Context[C2CMessageCreate]) -> None: ...

    router = Router()
    router.on(C2CMessageCreate)(Greeter())
    with pytest.raises(ConfigError, match=r"which event|cannot be read"):
        router.on(functools.partial(handle))
    assert table(router).match_for("C2C_MESSAGE_CREATE").handlers


def test_partials_and_methods_are_handlers() -> None:
    class Owner:
        async def method(self, ctx: Context[C2CMessageCreate]) -> None: ...

    router = Router()
    router.on(C2CMessageCreate)(functools.partial(handle))
    router.on(Owner().method)
    assert len(table(router).match(decode_event("C2C_MESSAGE_CREATE", GROUP.replace(b"member", b"user")))) == 2


def test_what_is_registered_after_include_takes_effect() -> None:
    bot, outer, inner = Bot(), Router(), Router()
    bot.include(outer)
    outer.include(inner)
    assert not table(bot).match_for("C2C_MESSAGE_CREATE").handlers
    inner.on(C2CMessageCreate)(handle)
    inner.expect(GroupAtMessageCreate)
    for one in (inner, outer, bot):
        assert [found.name for found in table(one).match_for("C2C_MESSAGE_CREATE").handlers] == ["handle"]
        assert table(one).expected("GROUP_AT_MESSAGE_CREATE")
        assert one.intents == Intents.GROUP_AND_C2C_EVENT


def test_a_router_that_is_included_on_two_ways_adds_its_later_handlers_once() -> None:
    bot, left, right, shared = Router(), Router(), Router(), Router()
    for one in (left, right):
        one.include(shared)
        bot.include(one)
    bot.include(shared)
    shared.on(C2CMessageCreate)(handle)
    assert len(table(bot).match_for("C2C_MESSAGE_CREATE").handlers) == 1


def test_a_later_handler_that_is_refused_is_added_nowhere() -> None:
    bot, router = Router(), Router()
    bot.on(C2CMessageCreate)(handle)
    bot.include(router)
    with pytest.raises(ConfigError, match="twice"):
        router.on(C2CMessageCreate)(handle)
    assert not table(router).match_for("C2C_MESSAGE_CREATE").handlers
    assert len(table(bot).match_for("C2C_MESSAGE_CREATE").handlers) == 1


async def test_a_handler_and_an_error_function_that_come_later_are_called() -> None:
    bot, router = Bot(), Router()
    bot.include(router)
    seen: list[object] = []

    async with Simulator() as sim:

        @router.on(GroupAtMessageCreate)
        async def fail(ctx: Context[GroupAtMessageCreate]) -> None:
            raise ValueError(ctx.text)

        @router.on_error
        async def keep(ctx: Context[Event], error: Exception) -> None:
            seen.append(str(error))

        async with sim.run(bot):
            await sim.group("test").member("Alice").say("@bot hi")

            @router.on(GroupAtMessageCreate)
            async def answer(ctx: Context[GroupAtMessageCreate]) -> None:
                await ctx.reply("while it is served")

            assert (await sim.group("test").member("Alice").say("@bot ho")).text == "while it is served"
    assert seen == ["hi", "ho"]
