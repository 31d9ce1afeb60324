"""The table of handlers: which function takes which events, and which intents that needs.

Owns registration and look-up. Running the handlers is the dispatcher's, what they are called with the context's.
"""

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast, overload

from msgspec import Struct

from ..dispatcher.dispatcher import HandlerMatch
from ..errors import ConfigError
from ..models.events import ALIASES, EVENTS, Event, MessageEvent, UnknownEvent, decoder_of
from ..models.intents import Intents
from .context import Context

E = TypeVar("E", bound=Event)
E2 = TypeVar("E2", bound=Event)
E3 = TypeVar("E3", bound=Event)
Function = Callable[[Context[Any]], Awaitable[object]]
F = TypeVar("F", bound=Function)
ErrorFunction = Callable[[Context[Event], Exception], Awaitable[object]]
G = TypeVar("G", bound=ErrorFunction)
When = Callable[[E], bool]

REMEMBERED_NAMES = 1024


class Registration(Struct, frozen=True, eq=False):
    """One handler: `function` takes `events` (classes or wire names) for which `when` holds."""

    function: Function
    events: tuple[type[Event] | str, ...]
    when: When[Any] | None
    intent: Intents
    name: str

    def could_take(self, name: str, kind: type[Event]) -> bool:
        """Whether the handler asked for events of this wire name, whose class is `kind`."""
        name = ALIASES.get(name, name)
        return any(
            name == ALIASES.get(wanted, wanted) if isinstance(wanted, str) else issubclass(kind, wanted)
            for wanted in self.events
        )

    def takes(self, event: Event) -> bool:
        """Whether the event is of a kind that this handler asked for."""
        return any(
            _wire_name(event) == kind if isinstance(kind, str) else isinstance(event, kind) for kind in self.events
        )


class Router:
    """A set of handlers; `include` composes routers."""

    def __init__(self) -> None:
        self._registrations: list[Registration] = []
        self._error_functions: list[ErrorFunction] = []
        self._matches: dict[object, tuple[Registration, ...]] = {}
        self.matches: dict[str, HandlerMatch] = {}
        self._expected: set[type[Event]] = set()

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

        `Event` takes everything that arrives and asks for no intent; `UnknownEvent` what no class exists for.
        `when` is a predicate of the event; `intent` the bits that a wire name without a class needs.

        Raises: ConfigError for what is no event, a function that is not async, or the same function twice.
        """
        if len(events) == 1 and not isinstance(events[0], type | str) and callable(events[0]):
            function = cast("Function", events[0])
            self._register(function, _events_of(function), None, 0)
            return function

        def decorate(function: F) -> F:
            self._register(function, events, when, intent)
            return function

        return decorate

    def on_error(self, function: G) -> G:
        """Register the decorated `async def (ctx, error)`: it hears of every exception that a handler raised.

        Raises: ConfigError when the function is not async.
        """
        _check_async(function)
        self._error_functions.append(function)
        return function

    def include(self, router: "Router") -> None:
        """Take over all handlers of `router`, after one's own.

        Raises: ConfigError when a function is registered for one event already.
        """
        for registration in router._registrations:
            self._add(registration)
        self._error_functions += router._error_functions
        self._expected |= router._expected

    @property
    def intents(self) -> Intents:
        """What the registered handlers need."""
        wanted = Intents(0)
        for registration in self._registrations:
            wanted |= registration.intent
        return wanted | Intents.of(*self._expected)

    def expect(self, *events: type[Event]) -> None:
        """Ask for the intents of events that no handler takes, but some wait for with `ctx.wait_for`.

        Raises: ConfigError for what is no event class.
        """
        for event in events:
            _check_event(event, "expect()")
        self._expected.update(events)

    def expected(self, name: str) -> bool:
        """Whether an event of this wire name was announced by `expect`."""
        return bool(self._expected) and issubclass(
            EVENTS.get(ALIASES.get(name, name), UnknownEvent), tuple(self._expected)
        )

    def handlers_for(self, intent: Intents) -> list[str]:
        """Return the names of the handlers that ask for any bit of `intent`."""
        return [found.name for found in self._registrations if found.intent & intent]

    def match_for(self, name: str) -> HandlerMatch:
        """Return how events of this wire name are decoded, and the handlers that could take them."""
        kind = EVENTS.get(ALIASES.get(name, name), UnknownEvent)
        handlers = tuple(found for found in self._registrations if found.could_take(name, kind))
        match = HandlerMatch(decoder_of(name), handlers, issubclass(kind, MessageEvent))
        if len(self.matches) < REMEMBERED_NAMES:  # names come from outside: do not remember without end
            self.matches[name] = match
        return match

    def match(self, event: Event) -> Sequence[Registration]:
        """Return the handlers for events of this kind, in order of registration; their predicates are not asked."""
        key = event.name if isinstance(event, UnknownEvent) else type(event)
        found = self._matches.get(key)
        if found is None:
            found = tuple(registration for registration in self._registrations if registration.takes(event))
            if len(self._matches) < REMEMBERED_NAMES:
                self._matches[key] = found
        return found

    def _register(self, function: Function, events: Sequence[object], when: When[Any] | None, intent: int) -> None:
        name = _check_async(function)
        kinds = tuple(_check_event(event, name) for event in events)
        if not kinds:
            raise ConfigError(f"@bot.on() above {name} names no event: write @bot.on(GroupAtMessageCreate) or @bot.on")
        needed = Intents(intent)
        for kind in kinds:
            needed |= Intents.of(kind)
        self._add(Registration(function, kinds, when, needed, name))

    def _add(self, new: Registration) -> None:
        for known in self._registrations:
            if known.function is new.function and (twice := set(known.events) & set(new.events)):
                label = ", ".join(sorted(kind if isinstance(kind, str) else kind.__name__ for kind in twice))
                raise ConfigError(f"{new.name} is registered twice for {label}; remove one of the two")
        self._registrations.append(new)
        self._matches.clear()
        self.matches.clear()


def _wire_name(event: Event) -> str:
    return event.name if isinstance(event, UnknownEvent) else type(event).wire_name


def _check_async(function: object) -> str:
    name = getattr(function, "__qualname__", None) or repr(function)
    call = getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__ is a handler too
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)):
        if not callable(function):
            raise ConfigError(f"a handler must be an `async def` function, not {function!r}")
        raise ConfigError(f"{name} must be an `async def` function: it is awaited in the event loop")
    return name


def _check_event(event: object, function: str) -> type[Event] | str:
    if isinstance(event, str) and event:
        return event
    if isinstance(event, type) and issubclass(event, Event):
        return event
    raise ConfigError(
        f"{function} is registered for {event!r}, which is no event: use a class such as GroupAtMessageCreate, "
        "or a wire name such as 'GROUP_AT_MESSAGE_CREATE'"
    )


def _events_of(function: Callable[..., object]) -> tuple[object, ...]:
    """Return the event classes that the annotation of the first parameter names."""
    name = _check_async(function)
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
