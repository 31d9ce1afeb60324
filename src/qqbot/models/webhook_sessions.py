"""Sessions of an earlier gateway over HTTP. Experimental: seen in one source only."""

from ..errors import ConfigError
from .base import Body, Model
from .users import Account


class WebhookSessionBody(Body, frozen=True, kw_only=True):
    """Opens a session for `shards` (index, count), which sends the events to an address.

    Raises: ConfigError for an index out of range, or an invalid URL.
    Source: botgo dto/http_gateway.go
    """

    intents: int
    shards: tuple[int, int]
    callback_url: str

    def __post_init__(self) -> None:
        index, count = self.shards
        if not 0 <= index < count:
            raise ConfigError(f"shards is (index, count) with 0 <= index < count, not {self.shards}")
        if not self.callback_url.startswith(("https://", "http://")):
            raise ConfigError(f"callback_url must be an http(s) URL, not {self.callback_url!r}")


class HTTPReady(Model, frozen=True, kw_only=True):
    """A session that was opened.  Source: botgo dto/http_gateway.go"""

    version: int = 0
    session_id: str = ""
    bot: Account = Account()
    shard: tuple[int, ...] = ()


class HTTPSession(Model, frozen=True, kw_only=True):
    """A session and its state.  Source: botgo dto/http_gateway.go"""

    app_id: int = 0
    session_id: str = ""
    callback_url: str = ""
    env: str = ""
    intents: int = 0
    last_heartbeat_time: str = ""
    state: str = ""
    shards: tuple[int, ...] = ()
