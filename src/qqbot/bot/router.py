"""`Router`, and the decorators that a bot and a router share.

Responsible for how handlers are registered. Collaborators: `handler_table` (holds and finds them). It knows nothing of
how events arrive, or of a bot that is served.
"""

import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, TypeVar, cast, overload

from msgspec import UNSET, UnsetType

from ..errors import ConfigError
from ..models.events import Event, MessageEvent
from ..models.intents import Intents
from .access import Access, AccessRule, Order, RefusedFunction
from .arguments import signature_of
from .commands import Command, check_names
from .context import Context
from .cooldowns import Cooldown
from .handler_table import (
    ErrorFunction,
    Function,
    HandlerTable,
    UsageFunction,
    When,
    check_async,
    check_order,
    check_when,
)
from .middleware import Middleware
from .permissions import Permission, Predicate, as_permission

E = TypeVar("E", bound=Event)
E2 = TypeVar("E2", bound=Event)
E3 = TypeVar("E3", bound=Event)
F = TypeVar("F", bound=Function)
G = TypeVar("G", bound=ErrorFunction)
C = TypeVar("C", bound=Callable[Concatenate[Any, ...], Awaitable[object]])
M = TypeVar("M", bound=Middleware)
R = TypeVar("R", bound=RefusedFunction)
U = TypeVar("U", bound=UsageFunction)
Allow = Permission | Predicate


class HandlerDecorators:
    """The base of `Bot` and `Router`: registers handlers and commands, and composes routers."""

    def __init__(self, table: HandlerTable | None = None) -> None:
        self._handlers = table or HandlerTable()

    @overload
    def on(self, function: F, /) -> F: ...
    @overload
    def on(
        self,
        event: type[E],
        /,
        *,
        when: When[E] | None = None,
        allow: Allow | None = None,
        refuse: str | None = None,
        cooldown: Cooldown | None = None,
        asks: bool = False,
        order: Order | UnsetType = UNSET,
    ) -> Callable[[Callable[[Context[E]], Awaitable[object]]], Callable[[Context[E]], Awaitable[object]]]: ...
    @overload
    def on(
        self,
        event: type[E],
        event2: type[E2],
        /,
        *,
        when: When[E | E2] | None = None,
        allow: Allow | None = None,
        refuse: str | None = None,
        cooldown: Cooldown | None = None,
        asks: bool = False,
        order: Order | UnsetType = UNSET,
    ) -> Callable[[Callable[[Context[E | E2]], Awaitable[object]]], Callable[[Context[E | E2]], Awaitable[object]]]: ...
    @overload
    def on(
        self,
        event: type[E],
        event2: type[E2],
        event3: type[E3],
        /,
        *,
        when: When[E | E2 | E3] | None = None,
        allow: Allow | None = None,
        refuse: str | None = None,
        cooldown: Cooldown | None = None,
    ) -> Callable[
        [Callable[[Context[E | E2 | E3]], Awaitable[object]]], Callable[[Context[E | E2 | E3]], Awaitable[object]]
    ]: ...
    @overload
    def on(
        self,
        name: str,
        /,
        *,
        intent: int = 0,
        when: When[Event] | None = None,
        allow: Allow | None = None,
        refuse: str | None = None,
        cooldown: Cooldown | None = None,
        asks: bool = False,
        order: Order | UnsetType = UNSET,
    ) -> Callable[[Callable[[Context[Any]], Awaitable[object]]], Callable[[Context[Any]], Awaitable[object]]]: ...

    def on(
        self,
        *events: Any,
        when: When[Any] | None = None,
        intent: int = 0,
        allow: Allow | None = None,
        refuse: str | None = None,
        cooldown: Cooldown | None = None,
        asks: bool = False,
        order: Order | UnsetType = UNSET,
    ) -> Any:
        """Register the decorated `async def` for events: classes, a base class, a wire name, or, bare, by annotation.

        `Event` takes everything that arrives and asks for no intent; `UnknownEvent` takes events that have no class.
        `when` is a predicate of the event, `allow` one of the context, plain or async, or a `Permission`: the handler
        takes an event only if `when` holds, and runs only if `allow` does; `refuse` is the answer if not. `intent`: the
        bits that a wire name without a class needs. `asks`: the handler asks users with `ctx.ask`, `ctx.confirm` or
        `ctx.pages`, so the bot asks for the intent of clicks. `order`: an event waits for those of its "conversation",
        the default, for those of its "user" in the conversation, or, with None, for no other; an event that several
        handlers could take has the strictest order of theirs.

        Raises: ConfigError for what is no event, a function that is not async, or the same function twice.
        """
        if len(events) == 1 and not isinstance(events[0], type | str) and callable(events[0]):
            function = cast("Function", events[0])
            _check_parameters(function)
            self._handlers.register(function, _events_of(function), None, 0)
            return function
        access = _access(allow, refuse, cooldown, order)

        def decorate(function: F) -> F:
            _check_parameters(function)
            self._handlers.register(function, events, when, intent | _clicks(asks), access)
            return function

        return decorate

    def command(
        self,
        name: str,
        /,
        *aliases: str,
        summary: str = "",
        when: When[Any] | None = None,
        allow: Allow | None = None,
        refuse: str | None = None,
        cooldown: Cooldown | None = None,
        asks: bool = False,
        order: Order | UnsetType = UNSET,
    ) -> Callable[[C], C]:
        """Register the decorated `async def` for messages that start with "/name", after any mentions.

        The annotation of its first parameter names the messages: `Context[MessageEvent]`, `Context[GroupMessageEvent]`;
        the further parameters are its arguments. The first command that matches takes the message: no other handler
        gets it, but those of `Event`. Wrong arguments are answered with the usage, in Chinese or English. `summary` is
        for `help` and `sync_panels`. `when`: the command takes only such messages; `allow`, `refuse`, `cooldown`: who
        may use it, and how often; a refusal without `refuse` is silent. `asks` and `order` as for `on`.

        Raises: ConfigError for a name that is no word or is taken, or a parameter that no message can fill.
        """
        names = check_names((name, *aliases))
        access = _access(allow, refuse, cooldown, order)

        def decorate(function: C) -> C:
            events = _events_of(function)
            for event in events:
                if not (isinstance(event, type) and issubclass(event, MessageEvent)):
                    raise ConfigError(
                        f"the command /{names[0]} takes {event!r}, which is no message: annotate its first parameter, "
                        f"such as ctx: Context[MessageEvent]. 命令 /{names[0]} 的第一个参数应标注为消息事件"
                    )
            signature = signature_of(function, f"/{names[0]}")
            only_admins = access.rule is not None and access.rule.allow.only_admins
            command = Command(names, summary, signature, only_admins=only_admins)
            self._handlers.register(function, events, when, _clicks(asks), access, command)
            return function

        return decorate

    def middleware(self, function: M) -> M:
        """Call the decorated `async def (ctx, call_next)` around the handlers of each event that any handler takes.

        `await call_next()` runs what is inside and raises what a handler raised; without it no handler runs. What the
        function raises is a failure of the event. Functions are entered in order of registration; those of a router
        are around its own handlers.

        Raises: ConfigError when the function is not async.
        """
        self._handlers.add_middleware(function)
        return function

    def on_refused(self, function: R) -> R:
        """Call the decorated `async def (ctx, refusal)` when `allow` or a cooldown has kept a handler from running.

        Raises: ConfigError when the function is not async.
        """
        check_async(function)
        self._handlers.refused_functions.append(function)
        return function

    def on_usage_error(self, function: U) -> U:
        """Answer wrong arguments by the decorated `async def (ctx, error)` in place of the usage.

        `error` is a `UsageError`. A router's function is for its own commands.

        Raises: ConfigError when the function is not async.
        """
        check_async(function)
        self._handlers.usage_function = function
        return function

    def on_error(self, function: G) -> G:
        """Register the decorated `async def (ctx, error)`: it is called with every exception that a handler raised.

        Raises: ConfigError when the function is not async.
        """
        self._handlers.add_error_function(function)
        return function

    def include(self, *routers: "HandlerDecorators") -> None:
        """Add all handlers of routers after those that are here; what is registered on them later is added as well.

        Raises: ConfigError when a function is registered for one event already.
        """
        for router in routers:
            self._handlers.include(router._handlers)

    @property
    def intents(self) -> Intents:
        """The intents that the registered handlers need."""
        return self._handlers.intents

    def expect(self, *events: type[Event]) -> None:
        """Ask for the intents of events that no handler takes, but some wait for with `ctx.wait_for`.

        Raises: ConfigError for what is no event class.
        """
        self._handlers.expect(events)


class Router(HandlerDecorators):
    """A set of handlers for `include`.

    `prefix` comes before the names of its commands: "/mod ban" with the prefix "mod". `when` and `allow` are for all of
    its handlers, besides their own; `refuse` is the answer if `allow` does not hold. `order` is that of the
    handlers which have none of their own.

    Raises: ConfigError for a prefix that is no word, or an asynchronous `when`.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        when: When[Any] | None = None,
        allow: Allow | None = None,
        refuse: str | None = None,
        order: Order | UnsetType = UNSET,
    ) -> None:
        check_when(when, "Router(when=...)")
        words = check_names(prefix.split()) if prefix else ()
        super().__init__(HandlerTable(prefix=words, when=when, rule=_access(allow, refuse, None).rule))
        self._handlers.order = check_order(order, "Router(...)")


def _clicks(asks: bool) -> int:
    return int(Intents.INTERACTION) if asks else 0


def _access(
    allow: Allow | None, refuse: str | None, cooldown: Cooldown | None, order: Order | UnsetType = UNSET
) -> Access:
    if allow is None:
        if refuse is not None:
            raise ConfigError(
                "refuse= answers what allow= does not allow: give allow= as well. refuse= 需要和 allow= 一起使用"
            )
        return Access(None, cooldown, order)
    return Access(AccessRule(as_permission(allow), refuse), cooldown, order)


def _check_parameters(function: Callable[..., object]) -> None:
    """Raises: ConfigError for a handler with a parameter that nothing fills."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # it is written in C, say
    try:
        signature.bind(None)
    except TypeError as error:
        name = getattr(function, "__qualname__", repr(function))
        raise ConfigError(
            f"{name} is called with the context alone, but does not fit: {error}. Arguments of a message are for "
            f"@bot.command. 处理函数 {name} 只接收 ctx 一个参数；需要命令参数请用 @bot.command"
        ) from None


def _events_of(function: Callable[..., object]) -> tuple[object, ...]:
    """Return the event classes that the annotation of the first parameter names."""
    name = check_async(function)
    advice = f"annotate {name}(ctx: Context[GroupMessageEvent]), or write @bot.on(GroupMessageEvent)"
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the annotations of {name} cannot be read ({error}): {advice}. 无法读取 {name} 的类型注解"
        ) from None
    first = next(iter(inspect.signature(function).parameters), None)
    annotation = hints.get(first or "")
    if typing.get_origin(annotation) is not Context:
        raise ConfigError(f"@bot.on cannot tell which event {name} takes: {advice}. 无法得知 {name} 处理哪个事件")
    (argument,) = typing.get_args(annotation)
    if typing.get_origin(argument) in (typing.Union, types.UnionType):
        return typing.get_args(argument)
    return (argument,)
