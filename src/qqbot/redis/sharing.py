"""What the processes of one bot share through a store besides its shards: the access token, the ids of events, the
uses of commands, the active messages.

Responsible for opening and closing them. It works without shards as well, for processes that only handle webhook calls.
Collaborators: `token_store`, `seen_ids`, `cooldowns`, `pacing`.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

from ..aio.background import background, repeat
from ..config import Credentials, Secret
from ..errors import ConfigError
from .connection import Client, opened
from .cooldowns import RedisCooldowns
from .pacing import RedisPacing
from .seen_ids import RedisSeenIds
from .token_store import RedisTokenStore

log = logging.getLogger(__name__)


class Shared(NamedTuple):
    """What the processes of one bot share besides its shards; None for what they do not share."""

    tokens: RedisTokenStore | None = None
    seen: RedisSeenIds | None = None
    cooldowns: RedisCooldowns | None = None
    pacing: RedisPacing | None = None


@asynccontextmanager
async def sharing(store: Client | str | Secret, credentials: Credentials, *, cluster: str) -> AsyncGenerator[Shared]:
    """Share through `store`, a URL or a client, with all processes of the same bot and `cluster`.

    Raises: ConfigError for a URL or a cluster name that cannot be used.
    """
    opening = opened(store)
    del store  # a URL holds a password, and a traceback may show the variables of its frames
    async with opening as client:
        seen = RedisSeenIds(client, app_id=credentials.app_id, cluster=cluster)
        cooldowns = RedisCooldowns(client, app_id=credentials.app_id, cluster=cluster)
        pacing = RedisPacing(client, app_id=credentials.app_id, cluster=cluster)
        async with background(repeat(seen.keep_up), name="qqbot ids of finished events"):
            yield Shared(_tokens(client, credentials, cluster), seen, cooldowns, pacing)


def _tokens(client: Client, credentials: Credentials, cluster: str) -> RedisTokenStore | None:
    try:
        return RedisTokenStore(client, credentials, cluster=cluster)
    except ConfigError as error:
        log.info("each process fetches its own access token: %s", error)
        return None
