"""`WebhookClient`: calls a webhook address as the platform does, to try a deployment or a bot under development.

Responsible for signing and sending such calls. Collaborators: `qqbot webhook` judges the answers. It judges none.
"""

import time
import uuid
from types import TracebackType
from typing import Self

import aiohttp
from msgspec import Struct

from ..api.network import NETWORK_ERRORS, cause_of, exact
from ..api.proxies import EnvironmentProxies
from ..config import Credentials
from ..errors import ConfigError, ConnectionFailed, Timeout
from ..models.codec import encode
from ..models.frames import Op
from ..models.interactions import CHAT_SEARCH, InteractionType
from .signature import Key

TIMEOUT = 10.0
ANSWER_BYTES = 64 * 1024  # that are read of an answer


class WebhookAnswer(Struct, frozen=True):
    """The answer to a call. `seconds`: until it was complete."""

    status: int
    text: str
    seconds: float


class WebhookClient:
    """Makes calls to `url`, signed by the AppSecret of `credentials`; an async context manager.

    `timeout`: seconds for each call.

    Raises: ConfigError for what is no http(s) URL, or if the extra `webhook` is missing.
    """

    def __init__(self, url: str, credentials: Credentials, *, timeout: float = TIMEOUT) -> None:
        try:
            usable = exact(url).scheme in ("http", "https")
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError(f"{url!r:.200} is no http:// or https:// URL")
        self._url = url
        self._app_id = credentials.app_id
        self._timeout = timeout
        self._proxy_for = EnvironmentProxies()
        self.key = Key.of(credentials.secret)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, body: bytes, *, key: Key | None = None, age: float = 0.0) -> WebhookAnswer:
        """Send `body`, signed `age` seconds ago by `key`, by default the key of `credentials`.

        Raises: ConnectionFailed, Timeout.
        """
        timestamp = str(int(time.time() - age))
        signature = (key or self.key).sign(timestamp, body)
        return await self.post(body, {"X-Signature-Timestamp": timestamp, "X-Signature-Ed25519": signature})

    async def post(self, body: bytes, headers: dict[str, str]) -> WebhookAnswer:
        """Send `body` with `headers`, unsigned if they hold no signature.

        Raises: ConnectionFailed, Timeout; ConfigError if the address is not a URL.
        """
        fields = {
            "User-Agent": "QQBot-Callback",
            "Content-Type": "application/json",
            "X-Bot-Appid": self._app_id,
            **headers,
        }
        proxy, began = self._proxy_for(self._url), time.monotonic()
        try:
            async with self._session.post(
                self._url, data=body, headers=fields, proxy=proxy, allow_redirects=False
            ) as response:
                text = await _start(response.content)
                return WebhookAnswer(response.status, text, time.monotonic() - began)
        except TimeoutError:
            raise Timeout(f"{self._url} did not answer within {self._timeout:g} s") from None
        except aiohttp.InvalidURL:
            raise ConfigError(f"{self._url!r} is not a valid URL") from None
        except NETWORK_ERRORS as error:
            cause = cause_of(error)
        # Raised outside of the except block, because some of aiohttp's errors hold the proxy's password.
        raise ConnectionFailed(f"{self._url} cannot be reached: {cause}")


async def _start(content: aiohttp.StreamReader) -> str:
    """Return the text of an answer, of a longer one the first `ANSWER_BYTES`."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES:
            break
    return body[:ANSWER_BYTES].decode(errors="replace")


def envelope(kind: str, data: object, *, event_id: str | None = None) -> bytes:
    """Return an event as the platform pushes it; `event_id` None: a new one."""
    name = event_id or f"{kind}:{uuid.uuid4()}"
    return encode({"op": Op.DISPATCH, "id": name, "s": 1, "t": kind, "d": data})


async def simulate_search(
    url: str, credentials: Credentials, keyword: str, *, enveloped: bool = True, timeout: float = TIMEOUT
) -> WebhookAnswer:
    """Send a signed search to a webhook address and return its answer. Experimental.

    `enveloped`: as an event with op and type, else the bare interaction. `timeout` in seconds.

    Raises: ConfigError for what is no http(s) URL, ConnectionFailed, Timeout.
    Source: botgo interaction/search
    """
    interaction = {
        "id": str(uuid.uuid4()),
        "application_id": credentials.app_id,
        "type": InteractionType.COMMAND,
        "version": 1,
        "data": {"name": "search", "type": CHAT_SEARCH, "resolved": {"keyword": keyword}},
    }
    async with WebhookClient(url, credentials, timeout=timeout) as trial:
        body = envelope("INTERACTION_CREATE", interaction) if enveloped else encode(interaction)
        return await trial.send(body)
