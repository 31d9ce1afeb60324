"""`Webhook`: pushes events to a bot's webhook address, as the platform does, with deliberate flaws.

Responsible for signing, the challenge, the deadline of acknowledgements and redelivery. A redirect is not followed: it
is an answer like any other. Does not decide which events are pushed: see `platform`.
Source: dev-prepare/event-emit/webhook.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import aiohttp

from ..webhook.signature import Key
from . import wire
from .state.journal import Journal

Flaw = Literal["bad_signature", "old_timestamp", "redeliver", "replay"]
"""What can be wrong with a push: not signed with the platform's key, signed an hour ago, delivered twice at the same
time, or sent again byte by byte after its acknowledgement.
"""

FLAWS: dict[str, Flaw] = {each: each for each in get_args(Flaw)}
STALE_SECONDS = 3600
KEPT = 2000

MAX_RUNNING = 10000
"""Deliveries that run at once, and flaws that wait for a push."""

ANSWER_LIMIT = 64 << 10
"""Bytes of an answer that are read."""

CONNECTION = 0
"""The connection number of webhook pushes in the journal; gateway connections are numbered from 1."""


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One request and its answer. `status` None: no answer within the deadline, or no connection.

    `acknowledged`: True if the platform counts the answer as "handled". `seconds`: time until the answer.
    """

    event_id: str
    attempt: int
    flaw: Flaw | None
    status: int | None
    answer: str
    acknowledged: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class _Event:
    id: str
    kind: str
    body: bytes


class Webhook:
    """Pushes events to one bot over HTTP. Pushes nothing while `url` is None.

    `ack_limit`: seconds that an acknowledgement may take. An event that was not acknowledged is delivered again, up to
    `attempts` times in total, `pause` seconds apart.
    """

    def __init__(self, app_id: str, secret: str, journal: Journal, url: str | None = None) -> None:
        self.url = url
        self.ack_limit = 5.0
        self.attempts = 3
        self.pause = 1.0
        self._app_id = app_id
        self._secret = secret
        self._journal = journal
        self._seq = 0  # `s` of the last push; webhooks have one sequence, without shards
        self._flaws: deque[Flaw] = deque()  # one per coming push, in order
        self._deliveries: deque[WebhookDelivery] = deque(maxlen=KEPT)
        self._running: set[asyncio.Task[None]] = set()  # the loop alone keeps only weak references to tasks
        self._session: aiohttp.ClientSession | None = None  # made at the first push: it needs a running loop

    @property
    def deliveries(self) -> list[WebhookDelivery]:
        """The last requests, in the order of their answers."""
        return list(self._deliveries)

    def flaw(self, kind: Flaw | str, times: int = 1) -> None:
        """Put a flaw into the next pushes. A flawed push is not redelivered.

        Raises: ValueError if the flaw is unknown, `times` is less than 1, or 10000 flaws wait for a push.
        """
        known = FLAWS.get(kind)
        if known is None or times < 1:
            raise ValueError(f"a push has one of the flaws {', '.join(FLAWS)}, once or more")
        if len(self._flaws) + times > MAX_RUNNING:
            raise ValueError(f"at most {MAX_RUNNING} flaws wait for a push")
        flaws: list[Flaw] = [known for _ in range(times)]
        self._flaws.extend(flaws)

    def prepare(self) -> None:
        """Make the signing key.  Raises: ConfigError if the extra `webhook` is not installed."""
        _ = self._key

    async def challenge(self) -> bool:
        """Send the challenge of the developer console; return True if the answer is right."""
        token, moment = secrets.token_urlsafe(16), str(int(time.time()))
        body = wire.dump({"op": 13, "d": {"plain_token": token, "event_ts": moment}}).encode()
        # Signed as any other call: several SDKs verify before they look at the op.
        status, answer = await self._post(body, self._signed(body, None))
        expected = {"plain_token": token, "signature": self._key.sign(moment, token.encode())}
        try:
            return status == 200 and wire.parse_object(answer) == expected
        except ValueError:
            return False

    def push(self, kind: str, event_id: str, body: str) -> int:
        """Start to deliver an event; return the number of addresses, 0 or 1."""
        if self.url is None:
            return 0
        self._seq += 1
        text = f'{{"id":{wire.dump(event_id)},"op":0,"s":{self._seq},"t":{wire.dump(kind)},"d":{body}}}'
        flaw = self._flaws.popleft() if self._flaws else None
        if len(self._running) >= MAX_RUNNING:
            why = f"not delivered: {MAX_RUNNING} deliveries are running"
            self._deliveries.append(WebhookDelivery(event_id, 0, flaw, None, why, acknowledged=False, seconds=0.0))
            return 0
        self._spawn(self._deliver(_Event(event_id, kind, text.encode()), flaw))
        return 1

    async def delivered(self) -> None:
        """Return when no delivery is running."""
        while self._running:
            await asyncio.wait(self._running)

    async def stop(self) -> None:
        """Cancel all running deliveries."""
        for task in tuple(self._running):
            task.cancel()
        try:
            await asyncio.gather(*self._running, return_exceptions=True)
        finally:
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    def _spawn(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(delivery)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    @cached_property
    def _key(self) -> Key:
        return Key.of(self._secret)

    async def _deliver(self, event: _Event, flaw: Flaw | None) -> None:
        headers = self._signed(event.body, flaw)
        match flaw:
            case "bad_signature" | "old_timestamp":
                await self._attempt(event, headers, 1, flaw)
            case "redeliver":
                await asyncio.gather(*(self._attempt(event, headers, number, flaw) for number in (1, 2)))
            case "replay":
                for number in (1, 2):
                    await self._attempt(event, headers, number, flaw)
            case None:
                await self._deliver_until_acknowledged(event)

    async def _deliver_until_acknowledged(self, event: _Event) -> None:
        for number in range(1, self.attempts + 1):
            if await self._attempt(event, self._signed(event.body, None), number, None):
                return
            await asyncio.sleep(self.pause)

    def _signed(self, body: bytes, flaw: Flaw | None) -> dict[str, str]:
        moment = str(int(time.time()) - (STALE_SECONDS if flaw == "old_timestamp" else 0))
        key = Key.of("somebody else's secret") if flaw == "bad_signature" else self._key
        return {"X-Signature-Timestamp": moment, "X-Signature-Ed25519": key.sign(moment, body)}

    async def _attempt(self, event: _Event, headers: dict[str, str], number: int, flaw: Flaw | None) -> bool:
        self._journal.frame("to_bot", CONNECTION, None, 0, event.body.decode(), t=event.kind)
        started = time.monotonic()
        status, answer = await self._post(event.body, headers)
        self._journal.frame("from_bot", CONNECTION, None, 12, answer)
        acknowledged = status is not None and 200 <= status < 300 and _is_acknowledgement(answer)
        seconds = time.monotonic() - started
        self._deliveries.append(WebhookDelivery(event.id, number, flaw, status, answer, acknowledged, seconds))
        return acknowledged

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int | None, str]:
        """Send one request; return the status (None without an answer in time) and the text of the answer."""
        if self.url is None:
            raise ValueError("there is no webhook address: use Simulator(webhook=URL), or set sim.webhook.url")
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        fields = {
            "User-Agent": "QQBot-Callback",
            "Content-Type": "application/json",
            "X-Bot-Appid": self._app_id,
            **headers,
        }
        limit = aiohttp.ClientTimeout(total=self.ack_limit)
        try:
            # No redirect is followed: what is signed goes to the address that was asked for, and no other.
            async with self._session.post(
                self.url, data=body, headers=fields, timeout=limit, allow_redirects=False
            ) as response:
                return response.status, await _text(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            return None, f"{type(error).__name__}: {error}"


async def _text(response: aiohttp.ClientResponse) -> str:
    """Return the beginning of an answer as text."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) >= ANSWER_LIMIT:
            break
    return data[:ANSWER_LIMIT].decode(errors="replace")


def _is_acknowledgement(answer: str) -> bool:
    """True if the body of a 2xx answer means "handled": any but op 12 with a number other than 0."""
    try:
        document = wire.parse_object(answer)
    except ValueError:
        return True
    refused = document.get("d")
    return document.get("op") != 12 or not wire.is_number(refused) or refused == 0
