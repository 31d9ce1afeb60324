"""The simulator's events, pushed to a webhook in another process, and what is said about that.

Owns waiting for the address to answer the challenge; pushing is the simulator's.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..simulator import Simulator

SECONDS_BETWEEN_TRIES = 1.0


@asynccontextmanager
async def pushing(simulator: "Simulator", url: str) -> AsyncGenerator[None]:
    """Push events to `url` while the body runs.

    Raises: ConfigError for what is no URL, or where the extra `webhook` is missing.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"--webhook {url!r} is no http:// or https:// URL. 请给出完整的回调地址")
    simulator.webhook.url = url
    simulator.webhook.prepare()
    telling = asyncio.create_task(_tell_when_it_answers(simulator, url))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell_when_it_answers(simulator: "Simulator", url: str) -> None:
    """Try the challenge until the address answers it, as the console does once."""
    waiting = False
    while not await simulator.webhook.challenge():
        if not waiting:
            waiting = True
            print(
                f"{url} does not answer the challenge yet: start the bot with the lines above. 请用以上变量启动机器人",
                file=sys.stderr,
                flush=True,
            )
        await asyncio.sleep(SECONDS_BETWEEN_TRIES)
    print(f"{url} has answered the challenge: events go there. 回调地址验证通过", file=sys.stderr, flush=True)
