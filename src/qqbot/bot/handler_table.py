"""`HandlerTable`: which function takes which events, and which intents that needs.

Responsible for the registrations of a bot or a router, for looking them up by event, and for reporting what a handler
raised. Collaborators: `router` (the decorators that fill it), `dispatcher` (runs the handlers; this is its `Handlers`),
`context` (what a handler is called with). It runs no handler.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from .._visible import visible_line
from ..config import did_you_mean
from ..dispatcher.delivery import Around, HandlerMatch, Selection
from ..dispatcher.shares import BETWEEN
from ..errors import ConfigError, LeaseLost, UsageError
from ..models.events import ALIASES, EVENTS, Event, InteractionCreate, MessageEvent, UnknownEvent, decoder_of, user_of
from ..models.intents import Intents
from .access import UNRESTRICTED, Access, AccessRule, Order, RefusedFunction, refuse, refused_by
from .clicks import ClickWatch
from .commands import Command, CommandIndex, answer_usage
from .context import Context, Delivered
from .cooldowns import Cooldown, Cooldowns
from .middleware import AroundHandler, Middleware, call_around

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Function = Callable[[Context[Any]], Awaitable[object]]
ErrorFunction = Callable[[Context[Event], Exception], Awaitable[object]]
When = Callable[[E], bool]
UsageFunction = Callable[[Context[MessageEvent], UsageError], Awaitable[object]]
Failed = Callable[[str, str, Exception], None]
"""Called with the event id, the name of the handler and what it raised."""
MakeContext = Callable[[Delivered, Event], Context[Event]]

REMEMBERED_NAMES = 1024


async def _unbound(_: Context[Any]) -> None:
    raise ConfigError("only the handlers of a bot or router are called")


class Registration(Struct, frozen=True, eq=False):
    """One handler: `declared` takes `events` (classes or wire names) if `when` holds for them.

    `function` is what is awaited: `declared`, with what is checked and read before it. `scopes` are the bot and its
    routers, the outermost first.
    """

    declared: Callable[..., Awaitable[object]]
    events: tuple[type[Event] | str, ...]
    when: When[Any] | None
    intent: Intents
    name: str
    command: Command | None = None
    rules: tuple[AccessRule, ...] = ()
    cooldown: Cooldown | None = None
    order: Order | UnsetType = UNSET
    scopes: "tuple[HandlerTable, ...]" = ()
    function: Function = _unbound

    @property
    def qualified_name(self) -> str:
        """The module and the name of `declared`: a label that no other handler has."""
        module = getattr(self.declared, "__module__", None)
        return f"{module}.{self.name}" if module else self.name

    def within(self, scope: "HandlerTable") -> "Registration":
        """Return it as a handler of `scope`, with the access and the prefix of that bot or router."""
        command = self.command
        if command is not None and scope.prefix:
            command = replace(command, prefix=(*scope.prefix, *command.prefix))
        rules = self.rules if scope.rule is None else (scope.rule, *self.rules)
        inner = replace(
            self,
            when=_both(scope.when, self.when),
            command=command,
            rules=rules,
            order=scope.order if self.order is UNSET else self.order,
            scopes=(scope, *self.scopes),
        )
        return replace(inner, function=inner._bound())

    def _bound(self) -> Function:
        """Return what is awaited with the context; `declared` itself if nothing comes before it."""
        if self.command is not None:
            return partial(_run_command, self, self.command)
        if self.rules or self.cooldown is not None:
            return partial(_run_checked, self, self.declared)
        return self.declared

    def overlaps(self, *events: type[Event] | str) -> bool:
        """True if an event of one of these classes may be of a kind that the handler takes."""
        return any(
            issubclass(one, other) or issubclass(other, one)
            for one in self.events
            for other in events
            if isinstance(one, type) and isinstance(other, type)
        )

    @property
    def sees_all(self) -> bool:
        """True if the handler gets messages that a command takes, too: it is registered for `Event`."""
        return Event in self.events

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


async def _run_checked(handler: Registration, function: Function, ctx: Context[Any]) -> None:
    """Run `function` if the rules of `handler` let it run; answer and report a refusal."""
    bot = handler.scopes[0]
    label = handler.name if handler.command is None else handler.command.label
    refused = await refused_by(handler.rules, handler.cooldown, ctx, bot.cooldowns, label)
    if refused is None:
        await function(ctx)
    else:
        functions = [function for scope in handler.scopes for function in scope.refused_functions]
        await refuse(ctx, *refused, functions)


async def _run_command(handler: Registration, command: Command, ctx: Context[Any]) -> None:
    """Run a command: its rules, its arguments, its function."""

    async def call(ctx: Context[Any]) -> None:
        line = command.line_of(ctx.text) or ""
        try:
            arguments = command.signature.bind(line, ctx.event, ctx.bot.user_id)
        except UsageError as error:
            error.usage = command.usage
            await _usage_function(handler.scopes, command)(ctx, error)
            return
        await handler.declared(ctx, *arguments)

    await _run_checked(handler, call, ctx)


def _usage_function(scopes: "Sequence[HandlerTable]", command: Command) -> UsageFunction:
    """Return what answers wrong arguments: the function of the innermost router that has one."""
    for scope in reversed(scopes):
        if scope.usage_function is not None:
            return scope.usage_function
    return partial(answer_usage, command=command)


def _both(first: When[Any] | None, second: When[Any] | None) -> When[Any] | None:
    if first is None or second is None:
        return first or second
    return lambda event: first(event) and second(event)


class HandlerTable:
    """The handlers of a bot or a router, in order of registration, with those of the routers that it includes.

    `prefix`, `when`, `rule` and `order` are for all of them.
    """

    def __init__(
        self, *, prefix: Sequence[str] = (), when: When[Any] | None = None, rule: AccessRule | None = None
    ) -> None:
        self.prefix = prefix
        self.when = when
        self.rule = rule
        self.order: Order | UnsetType = UNSET
        """The order of the handlers that have none of their own."""
        self.middleware: list[Middleware] = []
        """Called around the handlers of one event, the first outermost."""
        self.around_handler: list[AroundHandler] = []
        """Called around each handler of the bot, the first outermost; those of a router have no effect."""
        self.refused_functions: list[RefusedFunction] = []
        """Called when a handler of this table was refused."""
        self.usage_function: UsageFunction | None = None
        """Answers messages that do not fit the arguments of a command; None: as the router or bot above does."""
        self.clicks = ClickWatch()
        """Sees to the acknowledgement of clicks."""
        self.cooldowns = Cooldowns()
        """Counts the uses of commands."""
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

    def register(  # noqa: PLR0917
        self,
        function: Callable[..., Awaitable[object]],
        events: Sequence[object],
        when: When[Any] | None,
        intent: int | None,
        access: Access = UNRESTRICTED,
        command: Command | None = None,
    ) -> None:
        """Add a handler; `intent`: further bits that it needs, None: it asks for none, and takes what others ask for.

        Raises: ConfigError for what is no event, a function that is not async, or the same function twice.
        """
        name = check_async(function)
        check_when(when, name)
        kinds = tuple(check_event(event, name) for event in events)
        if not kinds:
            raise ConfigError(
                f"@bot.on() above {name} names no event: write @bot.on(GroupMessageEvent) or @bot.on. "
                "请在 @bot.on() 中写明事件"
            )
        needed = Intents(intent or 0)
        for kind in () if intent is None else kinds:
            needed |= Intents.of(kind)
        rules = () if access.rule is None else (access.rule,)
        order = check_order(access.order, name)
        self._add([Registration(function, kinds, when, needed, name, command, rules, access.cooldown, order)])

    def add_middleware(self, function: Middleware) -> None:
        """Call `function` around the handlers of each event.  Raises: ConfigError when it is not async."""
        check_async(function)
        self.middleware.append(function)
        for table in self._all_above():
            table.matches.clear()

    def add_around_handler(self, function: AroundHandler) -> None:
        """Call `function` around each handler.  Raises: ConfigError when it is not async."""
        check_async(function)
        self.around_handler.append(function)
        self.matches.clear()

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
        """Add handlers to this table and to all that include it, each with the scopes that it has there."""
        added: dict[HandlerTable, list[Registration]] = {}
        todo = [(self, new)]
        while todo:
            table, inner = todo.pop()
            if table in added:  # a router may be included by two others that one bot includes
                continue
            added[table] = [registration.within(table) for registration in inner]
            todo += [(above, added[table]) for above in table._included_in]
        for table, registrations in added.items():
            # Before anything changes: a refused registration must not be left in some of them.
            for registration in registrations:
                table._check_new(registration)
        for table, registrations in added.items():
            table._registrations += registrations
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
            plain = known.command is None and new.command is None  # a function may be more than one command
            if plain and known.declared is new.declared and (twice := set(known.events) & set(new.events)):
                label = ", ".join(sorted(kind if isinstance(kind, str) else kind.__name__ for kind in twice))
                raise ConfigError(
                    f"{new.name} is registered twice for {label}; remove one of the two. 处理函数重复注册"
                )
            if known.command is None or new.command is None or not known.overlaps(*new.events):
                continue
            if both := set(known.command.calls()) & set(new.command.calls()):
                raise ConfigError(
                    f"the command /{' '.join(min(both))} is registered twice, by {known.name} and by {new.name}: "
                    "give one of them another name. 命令重名，请给其中一个改名"
                )

    # Looking up

    @property
    def intents(self) -> Intents:
        """The intents that the handlers and the expected events need."""
        wanted = Intents(0)
        for registration in self._registrations:
            wanted |= registration.intent
        return wanted | Intents.of(*self._expected)

    def doubts(self) -> list[str]:
        """Return a sentence for each thing that is probably not meant: no handler at all, an unknown wire name."""
        if not self._registrations:
            return ["the bot has no handler, so it answers nothing: use @bot.on or @bot.command. 没有注册任何处理函数"]
        named = {name: found for found in self._registrations for name in found.events if isinstance(name, str)}
        return [
            f"{found.name} is for the event {name!r}, which is in no table of this version{did_you_mean(name, EVENTS)}"
            for name, found in named.items()
            if ALIASES.get(name, name) not in EVENTS
        ]

    def expected(self, name: str) -> bool:
        """True if an event of this wire name was announced by `expect`."""
        return bool(self._expected) and issubclass(
            EVENTS.get(ALIASES.get(name, name), UnknownEvent), tuple(self._expected)
        )

    @property
    def registrations(self) -> Sequence[Registration]:
        """The handlers, in order of registration."""
        return self._registrations

    def handlers_for(self, intent: Intents) -> list[str]:
        """Return the names of the handlers that ask for any bit of `intent`."""
        return [found.name for found in self._registrations if found.intent & intent]

    def match_for(self, name: str) -> HandlerMatch:
        """Return how events of this wire name are decoded, and the handlers that could take them."""
        kind = EVENTS.get(ALIASES.get(name, name), UnknownEvent)
        handlers = tuple(found for found in self._registrations if found.could_take(name, kind))
        is_message = issubclass(kind, MessageEvent)
        commands = [(found.command, found) for found in handlers if found.command is not None]
        index = CommandIndex(commands) if is_message and commands else None
        match = HandlerMatch(
            decoder_of(name),
            handlers,
            is_message,
            select=None if index is None else _selection(handlers, index),
            order=_order(handlers, index),
            around=self._around(kind, handlers),
        )
        if len(self.matches) < REMEMBERED_NAMES:  # names come from outside: do not remember without end
            self.matches[name] = match
        return match

    def _around(self, kind: type[Event], handlers: Sequence[Registration]) -> Around | None:
        if issubclass(kind, InteractionCreate):
            return self.clicks.around
        scoped = any(scope.middleware for found in handlers for scope in found.scopes)
        return call_around if scoped or self.around_handler else None

    def commands_for(self, event: Event) -> list[Registration]:
        """Return the commands for events of this kind, in order of registration."""
        return [found for found in self.match(event) if found.command is not None]

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
        names = (found.qualified_name for found in self.match(ctx.event) if found.name == handler)
        fields = ctx.log_fields(next(names, handler))
        event = visible_line(ctx.event_id or "(no id)")
        if isinstance(error, LeaseLost):  # no fault of the handler
            log.warning("%s was cut short for %.200s: %s", handler, event, error, extra=fields)
        else:
            log.error("%s failed for %.200s", handler, event, exc_info=error, extra=fields)
        for callback in tuple(self.failed):
            try:
                callback(ctx.event_id or "", handler, error)
            except Exception:
                log.exception("an on_failed callback failed itself", extra=fields)
        for function in self._error_functions:
            try:
                await function(ctx, error)
            except Exception:
                log.exception("an on_error function failed itself", extra=fields)


def _not_served(_: Delivered, __: Event) -> Context[Event]:
    raise ConfigError("only the handlers of a bot that is served are called")


def _selection(handlers: Sequence[Registration], index: CommandIndex[Registration]) -> Callable[[Any], Selection]:
    """Return what tells the handlers of a message: of the command that it calls, or else those that are no commands."""
    commands = [found for found in handlers if found.command is not None]
    # Its predicate is asked here: the dispatcher need not ask again.
    asked = {found: replace(found, when=None) for found in commands}
    chosen = {
        found: Selection(
            tuple(asked.get(each, each) for each in handlers if each is found or each.sees_all), taken=True
        )
        for found in commands
    }
    others = Selection(tuple(found for found in handlers if found.command is None), taken=False)

    def select(event: MessageEvent) -> Selection:
        for found in index.find(event):
            try:
                if found.when is None or found.when(event):
                    return chosen[found]
            except Exception:  # noqa: BLE001 - the dispatcher asks again, and reports what it raises
                return Selection((found,), taken=True)
        return others

    return select


def _order(handlers: Sequence[Registration], index: CommandIndex[Registration] | None) -> Callable[[Event], str] | None:
    """Return what tells the ordering key of an event; None if that is its conversation for all of `handlers`."""
    if all(found.order in (UNSET, "conversation") for found in handlers):
        return None
    others = [found for found in handlers if found.command is None]
    seeing_all = [found for found in others if found.sees_all]

    def key_of(event: Event) -> str:
        possible: list[Registration] = []  # only names are matched here: predicates of the user are not asked
        for found in index.find(event) if index is not None and isinstance(event, MessageEvent) else ():
            possible.append(found)
            if found.when is None:
                return _key(event, [*seeing_all, *possible])
        return _key(event, [*others, *possible])

    return key_of


def _key(event: Event, handlers: Sequence[Registration]) -> str:
    """Return the key of the strictest order of `handlers`: by conversation, by user, none."""
    orders = {found.order for found in handlers}
    if not orders or not orders <= {"user", None}:
        return event.ordering_key
    if "user" not in orders:
        return ""
    user = user_of(event)
    return f"{event.ordering_key}{BETWEEN}{user}" if event.ordering_key and user else event.ordering_key


def check_order(order: object, name: str) -> Order | UnsetType:
    """Return `order`.  Raises: ConfigError for what is no order."""
    if order not in (UNSET, "conversation", "user", None):
        raise ConfigError(f'order= of {name} is "conversation", "user" or None, not {order!r}. order= 写错了')
    return order


def _wire_name(event: Event) -> str:
    return event.name if isinstance(event, UnknownEvent) else type(event).wire_name


def check_async(function: object) -> str:
    """Return the name of a handler.  Raises: ConfigError when it is not async."""
    name = getattr(function, "__qualname__", None) or repr(function)
    call = getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__ is a handler too
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)):
        if not callable(function):
            raise ConfigError(f"a handler must be an `async def` function, not {function!r}. 处理函数必须是 async def")
        raise ConfigError(
            f"{name} must be an `async def` function: it is awaited in the event loop. {name} 必须是 async def"
        )
    return name


def check_when(when: object, name: str) -> None:
    """Check the predicate of a handler.  Raises: ConfigError if it is asynchronous: it would always be true."""
    call = getattr(when, "__call__", None)  # noqa: B004 - an object with an async __call__ is no predicate either
    if inspect.iscoroutinefunction(when) or inspect.iscoroutinefunction(call):
        raise ConfigError(
            f"when= of {name} is asynchronous: use allow= for what has to be awaited. "
            f"{name} 的 when= 不能是 async 函数，请改用 allow="
        )
    if when is not None and not callable(when):
        raise ConfigError(f"when= of {name} is a function of the event, not {when!r}. when= 应为接收事件的函数")


def check_event(event: object, function: str) -> type[Event] | str:
    """Return `event` if it is an event class or a wire name.  Raises: ConfigError."""
    if isinstance(event, str) and event:
        return event
    if isinstance(event, type) and issubclass(event, Event):
        return event
    raise ConfigError(
        f"{function} is registered for {event!r}, which is no event: use a class such as GroupMessageEvent, "
        "or a wire name such as 'GROUP_AT_MESSAGE_CREATE'. 请写事件类或事件名"
    )
