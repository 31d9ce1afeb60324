"""Middleware: functions around the handlers of one event, and around each of them.

Responsible for the order in which the functions of a bot and of its routers are entered. Collaborators: `dispatcher`
runs each handler and reports what it raises; `handler_table` has the functions. An event without middleware never comes
here.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Protocol, TypeAlias

from ..dispatcher.delivery import RunHandler
from ..models.events import Event
from .context import Context

CallNext: TypeAlias = Callable[[], Awaitable[None]]
"""Runs what is inside: the next middleware, or the handlers.  Raises: what the first handler that failed raised."""
Middleware: TypeAlias = Callable[[Context[Event], CallNext], Awaitable[object]]
AroundHandler: TypeAlias = Callable[[Context[Event], str, CallNext], Awaitable[object]]
"""Called with the qualified name of the handler that `CallNext` runs."""


class Scope(Protocol):
    """A bot or a router, as far as its middleware is concerned."""

    @property
    def middleware(self) -> Sequence[Middleware]:
        """Its functions, the outermost first."""
        ...

    @property
    def around_handler(self) -> Sequence[AroundHandler]:
        """Those around each handler, the outermost first; of the bot only."""
        ...


class Scoped(Protocol):
    """A handler and the scopes that it is registered in, the outermost first."""

    @property
    def scopes(self) -> Sequence[Scope]:
        """The bot, then its routers from the outside to the inside."""
        ...

    @property
    def qualified_name(self) -> str:
        """The module and name of the handler."""
        ...


async def call_around(ctx: Context[Any], handlers: Sequence[Any], run: RunHandler, depth: int = 0) -> None:
    """Run the handlers in their order, within the middleware of their scopes from `depth` on.

    Handlers of one scope that follow each other are entered together. Each runs, also after one that failed.

    Raises: what the first handler that failed raised, and what a middleware raises.
    """
    failure: Exception | None = None
    for scope, group in groupby(handlers, key=partial(_scope_at, depth)):
        inside = tuple(group)
        try:
            if scope is None:
                for handler in inside:
                    error = await _run_one(ctx, handler, run)
                    failure = failure or error
            else:
                await _enter(ctx, scope.middleware, partial(call_around, ctx, inside, run, depth + 1))
        except Exception as error:  # noqa: BLE001 - the next scope has its turn first
            failure = failure or error
    if failure is not None:
        raise failure


def _scope_at(depth: int, handler: Scoped) -> Scope | None:
    return handler.scopes[depth] if depth < len(handler.scopes) else None


async def _run_one(ctx: Context[Any], handler: Scoped, run: RunHandler) -> Exception | None:
    """Run a handler within what is around each; return what it raised, or what a function around it raised."""
    functions = handler.scopes[0].around_handler
    if not functions:
        return await run(handler)
    failure: Exception | None = None

    async def inside() -> None:
        nonlocal failure
        failure = await run(handler)
        if failure is not None:
            raise failure

    call: CallNext = inside
    for function in reversed(functions):
        call = partial(_call, function, ctx, handler.qualified_name, call)
    try:
        await call()
    except Exception as raised:  # noqa: BLE001 - the next handler has its turn first
        return failure or raised
    return failure


async def _call(function: AroundHandler, ctx: Context[Any], name: str, call_next: CallNext) -> None:
    await function(ctx, name, call_next)


async def _enter(ctx: Context[Any], middleware: Sequence[Middleware], inside: CallNext) -> None:
    if not middleware:
        await inside()
        return
    await middleware[0](ctx, partial(_enter, ctx, middleware[1:], inside))
