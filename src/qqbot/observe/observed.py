"""A bot as monitoring sees it: its public hooks, and the names that both systems use for what they report.

Responsible for the Protocols, and for the labels that have to be the same everywhere. Collaborators: `otel` and
`prometheus` register with the hooks; `bot.Bot` has them.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

from ..api.caller import ResponseHook, ResponseInfo
from ..dispatcher.running import HandlerListener
from ..gateway.shard import ShardEvent
from ..ingest.forwarder import EnvelopeHook, PublishListener
from ..models.stats import BotStats

SYSTEM = "qq"
"""The `messaging.system` of the semantic conventions."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The bounds of the histograms.  Source: OpenTelemetry semantic conventions, HTTP and messaging metrics"""

CallNext: TypeAlias = Callable[[], Awaitable[None]]


class EventContext(Protocol):
    """What middleware is called with, as far as it is reported."""

    def log_fields(self) -> dict[str, object]:
        """Return what log records carry about the event: its wire name, id, conversation, user, shard."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the envelope in which a broker delivered the event; empty if none did."""
        ...


class Observed(Protocol):
    """The hooks of a bot."""

    def middleware(self, function: Callable[[EventContext, CallNext], Awaitable[object]], /) -> object:
        """Call `function` around the handlers of each event."""
        ...

    def around_handler(self, function: Callable[[EventContext, str, CallNext], Awaitable[object]], /) -> object:
        """Call `function` around each handler."""
        ...

    def on_handled(self, callback: HandlerListener, /) -> object:
        """Call `callback` after each run of a handler."""
        ...

    def on_response(self, hook: ResponseHook, /) -> object:
        """Call `hook` after each exchange with the platform."""
        ...

    def on_shard_event(self, function: Callable[[ShardEvent], None], /) -> object:
        """Call `function` with what happens to the shards."""
        ...

    def on_envelope(self, hook: EnvelopeHook, /) -> object:
        """Call `hook` for each event that goes to the sink, to add headers to its envelope."""
        ...

    def on_published(self, callback: PublishListener, /) -> object:
        """Call `callback` after each call of the sink."""
        ...

    def stats(self) -> BotStats:
        """Return the figures of the bot.  Raises: ConfigError while it is not served."""
        ...


def error_type(error: object) -> str:
    """Return the value of `error.type` for an exception: its module and name."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def failure_of(info: ResponseInfo) -> str:
    """Return the value of `error.type` for an exchange: why there is no answer, else a status from 400 on, else ''."""
    if info.error is not None:
        return error_type(info.error)
    return str(info.status) if info.status >= 400 else ""
