"""`HandlerTable`: which function takes which events, and which intents that needs.

Responsible for the registrations of a bot or a router, for looking them up by event, and for reporting what a handler
raised. Collaborators: `router` (the decorators that fill it), `dispatcher` (runs the handlers; this is its `Handlers`),
`context` (what a handler is called with). It runs no handler.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

from msgspec import Struct

from .._visible import visible_line
from ..dispatcher.dispatcher import HandlerMatch
from ..errors import ConfigError
from ..models.events import ALIASES, EVENTS, Event, MessageEvent, UnknownEvent, decoder_of
from ..models.intents import Intents
from .context import Context, Delivered

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Function = Callable[[Context[Any]], Awaitable[object]]
ErrorFunction = Callable[[Context[Event], Exception], Awaitable[object]]
When = Callable[[E], bool]
Failed = Callable[[str, str, Exception], None]
"""Called with the event id, the name of the handler and what it raised."""
MakeContext = Callable[[Delivered, Event], Context[Event]]

REMEMBERED_NAMES = 1024


class Registration(Struct, frozen=True, eq=False):
    """One handler: `function` takes `events` (classes or wire names) if `when` holds for them."""

    function: Function
    events: tuple[type[Event] | str, ...]
    when: When[Any] | None
    intent: Intents
    name: str

    def could_take(self, name: str, kind: type[Event]) -> bool:
        """True if the handler asked for events of this wire name; their class is `kind`."""
        name = ALIASES.get(name, name)
        return any(
            name == ALIASES.get(wanted, wanted) if isinstance(wanted, str) else issubclass(kind, wanted)
            for wanted in self.events
        )

    def takes(self, event: Event) -> bool:
        """True if the event is of a kind that this handler asked for."""
        return any(
            _wire_name(event) == kind if isinstance(kind, str) else isinstance(event, kind) for kind in self.events
        )


class HandlerTable:
    """The handlers of a bot or a router, in order of registration, with those of the routers that it includes."""

    def __init__(self) -> None:
        self.context: MakeContext = _not_served
        """Makes what the handlers of one event are called with; set when the bot is served, since it holds its API."""
        self.matches: dict[str, HandlerMatch] = {}
        """The matches that were asked for, by wire name; emptied when a handler is added."""
        self.failed: list[Failed] = []
        """Called with what each handler raises, before the `on_error` functions."""
        self._registrations: list[Registration] = []
        self._error_functions: list[ErrorFunction] = []
        self._expected: set[type[Event]] = set()  # the events that only a `ctx.wait_for` takes
        self._by_kind: dict[object, tuple[Registration, ...]] = {}  # what `match` found; emptied with `matches`
        self._included_in: list[HandlerTable] = []  # they get what is registered here later, too

    # Filling it

    def register(self, function: Function, events: Sequence[object], when: When[Any] | None, intent: int) -> None:
        """Add a handler.

        Raises: ConfigError for what is no event, a function that is not async, or the same function twice.
        """
        name = check_async(function)
        kinds = tuple(check_event(event, name) for event in events)
        if not kinds:
            raise ConfigError(f"@bot.on() above {name} names no event: write @bot.on(GroupAtMessageCreate) or @bot.on")
        needed = Intents(intent)
        for kind in kinds:
            needed |= Intents.of(kind)
        self._add([Registration(function, kinds, when, needed, name)])

    def add_error_function(self, function: ErrorFunction) -> None:
        """Call `function` when a handler has raised.  Raises: ConfigError when it is not async."""
        check_async(function)
        for table in self._all_above():
            table._error_functions.append(function)

    def expect(self, events: Sequence[type[Event]]) -> None:
        """Ask for the intents of `events`.  Raises: ConfigError for what is no event class."""
        for event in events:
            check_event(event, "expect()")
        for table in self._all_above():
            table._expected.update(events)

    def include(self, other: "HandlerTable") -> None:
        """Add what `other` holds after what is here, and what is registered there later.

        Raises: ConfigError when a function is registered for one event already.
        """
        self._add(other._registrations)
        for table in self._all_above():
            table._error_functions += other._error_functions
            table._expected |= other._expected
        other._included_in.append(self)

    def _add(self, new: Sequence[Registration]) -> None:
        tables = list(self._all_above())
        for table in tables:  # before anything changes: a refused registration must not be left in some of them
            for registration in new:
                table._check_new(registration)
        for table in tables:
            table._registrations += new
            table._by_kind.clear()
            table.matches.clear()

    def _all_above(self) -> "Iterator[HandlerTable]":
        """Yield this table and all that include it, each once."""
        found: dict[HandlerTable, None] = {self: None}
        todo = [self]
        while todo:
            table = todo.pop()
            yield table
            # Each once: a router may be included by two others that one bot includes.
            new = [above for above in dict.fromkeys(table._included_in) if above not in found]
            found.update(dict.fromkeys(new))
            todo += new

    def _check_new(self, new: Registration) -> None:
        for known in self._registrations:
            if known.function is new.function and (twice := set(known.events) & set(new.events)):
                label = ", ".join(sorted(kind if isinstance(kind, str) else kind.__name__ for kind in twice))
                raise ConfigError(f"{new.name} is registered twice for {label}; remove one of the two")

    # Looking up

    @property
    def intents(self) -> Intents:
        """The intents that the handlers and the expected events need."""
        wanted = Intents(0)
        for registration in self._registrations:
            wanted |= registration.intent
        return wanted | Intents.of(*self._expected)

    def expected(self, name: str) -> bool:
        """True if an event of this wire name was announced by `expect`."""
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
        found = self._by_kind.get(key)
        if found is None:
            found = tuple(registration for registration in self._registrations if registration.takes(event))
            if len(self._by_kind) < REMEMBERED_NAMES:  # the same: an unknown event is remembered by its name
                self._by_kind[key] = found
        return found

    async def report(self, context: object, error: Exception, handler: str) -> None:
        """Log a handler's exception, call `failed` and the `on_error` functions; never raise."""
        ctx = cast("Context[Event]", context)
        log.error("%s failed for %.200s", handler, visible_line(ctx.event_id or "(no id)"), exc_info=error)
        for callback in tuple(self.failed):
            try:
                callback(ctx.event_id or "", handler, error)
            except Exception:
                log.exception("an on_failed callback failed itself")
        for function in self._error_functions:
            try:
                await function(ctx, error)
            except Exception:
                log.exception("an on_error function failed itself")


def _not_served(_: Delivered, __: Event) -> Context[Event]:
    raise ConfigError("only the handlers of a bot that is served are called")


def _wire_name(event: Event) -> str:
    return event.name if isinstance(event, UnknownEvent) else type(event).wire_name


def check_async(function: object) -> str:
    """Return the name of a handler.  Raises: ConfigError when it is not async."""
    name = getattr(function, "__qualname__", None) or repr(function)
    call = getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__ is a handler too
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)):
        if not callable(function):
            raise ConfigError(f"a handler must be an `async def` function, not {function!r}")
        raise ConfigError(f"{name} must be an `async def` function: it is awaited in the event loop")
    return name


def check_event(event: object, function: str) -> type[Event] | str:
    """Return `event` if it is an event class or a wire name.  Raises: ConfigError."""
    if isinstance(event, str) and event:
        return event
    if isinstance(event, type) and issubclass(event, Event):
        return event
    raise ConfigError(
        f"{function} is registered for {event!r}, which is no event: use a class such as GroupAtMessageCreate, "
        "or a wire name such as 'GROUP_AT_MESSAGE_CREATE'"
    )
