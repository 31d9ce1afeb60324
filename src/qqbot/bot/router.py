"""`Router`, and the decorators that a bot and a router share.

Responsible for how handlers are registered. Collaborators: `handler_table` (holds and finds them). It knows nothing of
how events arrive, or of a bot that is served.
"""

import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast, overload

from ..errors import ConfigError
from ..models.events import Event
from ..models.intents import Intents
from .context import Context
from .handler_table import ErrorFunction, Function, HandlerTable, When, check_async

E = TypeVar("E", bound=Event)
E2 = TypeVar("E2", bound=Event)
E3 = TypeVar("E3", bound=Event)
F = TypeVar("F", bound=Function)
G = TypeVar("G", bound=ErrorFunction)


class HandlerDecorators:
    """The base of `Bot` and `Router`: registers handlers, and composes routers."""

    def __init__(self) -> None:
        self._handlers = HandlerTable()

    @overload
    def on(self, function: F, /) -> F: ...
    @overload
    def on(
        self, event: type[E], /, *, when: When[E] | None = None
    ) -> Callable[[Callable[[Context[E]], Awaitable[object]]], Callable[[Context[E]], Awaitable[object]]]: ...
    @overload
    def on(
        self, event: type[E], event2: type[E2], /, *, when: When[E | E2] | None = None
    ) -> Callable[[Callable[[Context[E | E2]], Awaitable[object]]], Callable[[Context[E | E2]], Awaitable[object]]]: ...
    @overload
    def on(
        self, event: type[E], event2: type[E2], event3: type[E3], /, *, when: When[E | E2 | E3] | None = None
    ) -> Callable[
        [Callable[[Context[E | E2 | E3]], Awaitable[object]]], Callable[[Context[E | E2 | E3]], Awaitable[object]]
    ]: ...
    @overload
    def on(
        self, name: str, /, *, intent: int = 0, when: When[Event] | None = None
    ) -> Callable[[Callable[[Context[Any]], Awaitable[object]]], Callable[[Context[Any]], Awaitable[object]]]: ...

    def on(self, *events: Any, when: When[Any] | None = None, intent: int = 0) -> Any:
        """Register the decorated `async def` for events: classes, a base class, a wire name, or, bare, by annotation.

        `Event` takes everything that arrives and asks for no intent; `UnknownEvent` takes events that have no class.
        `when` is a predicate of the event; `intent` the bits that a wire name without a class needs.

        Raises: ConfigError for what is no event, a function that is not async, or the same function twice.
        """
        if len(events) == 1 and not isinstance(events[0], type | str) and callable(events[0]):
            function = cast("Function", events[0])
            self._handlers.register(function, _events_of(function), None, 0)
            return function

        def decorate(function: F) -> F:
            self._handlers.register(function, events, when, intent)
            return function

        return decorate

    def on_error(self, function: G) -> G:
        """Register the decorated `async def (ctx, error)`: it is called with every exception that a handler raised.

        Raises: ConfigError when the function is not async.
        """
        self._handlers.add_error_function(function)
        return function

    def include(self, router: "HandlerDecorators") -> None:
        """Add all handlers of `router` after those that are here; what is registered on it later is added as well.

        Raises: ConfigError when a function is registered for one event already.
        """
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
    """A set of handlers for `include`."""


def _events_of(function: Callable[..., object]) -> tuple[object, ...]:
    """Return the event classes that the annotation of the first parameter names."""
    name = check_async(function)
    advice = f"annotate {name}(ctx: Context[GroupAtMessageCreate]), or write @bot.on(GroupAtMessageCreate)"
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError) as error:
        raise ConfigError(f"the annotations of {name} cannot be read ({error}): {advice}") from None
    first = next(iter(inspect.signature(function).parameters), None)
    annotation = hints.get(first or "")
    if typing.get_origin(annotation) is not Context:
        raise ConfigError(f"@bot.on cannot tell which event {name} takes: {advice}")
    (argument,) = typing.get_args(annotation)
    if typing.get_origin(argument) in (typing.Union, types.UnionType):
        return typing.get_args(argument)
    return (argument,)
