"""`RedisTokenStore`: one access token for all processes of a bot, sealed so that the store cannot read it.

Owns the keys and the seal. When a token is fetched is `api.token`'s. The client secret never enters the store: every
process has it already, and a store is read by dumps, replicas and whoever may run MONITOR. The key of the seal is
derived from it, so that nobody without the secret can read a token or put one there.
"""

import base64
import logging
import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio.lock import Lock
from redis.exceptions import LockNotOwnedError

from ..api.token import SharedToken
from ..config import Credentials
from ..errors import ConfigError
from .circuit_breaker import CircuitBreaker
from .connection import Client, hash_tag

log = logging.getLogger(__name__)

LOCK_SECONDS = 10.0  # as long as one request for a token may take
KEY_BYTES, NONCE_BYTES = 32, 12
PURPOSE = b"qqbot-token-v1"

# KEYS[1]  the sealed token
# returns  it and the milliseconds for which it is still there; false and -2 when there is none
#
# One script, because a token that is replaced between two commands would get the life of its successor.
LOAD = """
return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}
"""


class Seal:
    """Authenticated encryption under a key that only holders of the client secret can derive.

    Raises: ConfigError without the package cryptography.
    """

    def __init__(self, credentials: Credentials) -> None:
        try:
            # An extra: whoever shares no token does without it.
            from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415
            from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415
        except ImportError:
            raise ConfigError(
                "sharing an access token needs the package cryptography: pip install 'aioqqbot[crypto]'. "
                "共享 access token 需要安装 cryptography：pip install 'aioqqbot[crypto]'"
            ) from None
        kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=credentials.app_id.encode(), info=PURPOSE)
        self._cipher = ChaCha20Poly1305(kdf.derive(credentials.secret.reveal().encode()))

    def close(self, text: str, shard_id: str) -> str:
        """Seal `text` for the key `shard_id` of the store, and for no other."""
        nonce = os.urandom(NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), shard_id.encode())).decode()

    def open(self, sealed: str | bytes, shard_id: str) -> str | None:
        """Return what was sealed; None for what was not, or by somebody else, or for another place."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra, there since `__init__`

        try:
            data = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], shard_id.encode()).decode()
        except (ValueError, InvalidTag):
            return None


class RedisTokenStore:
    """`TokenStore` in Redis or Valkey. While the store is away each process fetches a token of its own.

    Raises: ConfigError without the package cryptography, or for a cluster name that cannot be used.
    """

    def __init__(self, client: Client, credentials: Credentials, *, cluster: str) -> None:
        self._client = client
        self._seal = Seal(credentials)
        self._key = f"qqbot:{hash_tag(credentials.app_id, cluster)}:token"
        self._load: Any = client.register_script(LOAD)
        self._circuit_breaker = CircuitBreaker("each process fetches its own access token")
        self._complained = False

    async def load(self) -> SharedToken | None:
        """Return what is there now."""
        sealed, milliseconds = await self._circuit_breaker.ask(lambda: self._load(keys=[self._key]), (None, -2))
        if sealed is None or milliseconds <= 0:
            return None
        value = self._seal.open(sealed, self._key)
        if value is None:
            self._complain()
            return None
        return SharedToken(value, milliseconds / 1000)

    async def save(self, token: SharedToken) -> None:
        """Put a token there for the others."""
        milliseconds = int(token.seconds * 1000)
        if milliseconds > 0:
            sealed = self._seal.close(token.value, self._key)
            await self._circuit_breaker.ask(lambda: self._set(sealed, milliseconds), None)

    async def _set(self, sealed: str, milliseconds: int) -> None:
        await self._client.set(self._key, sealed, px=milliseconds)

    @asynccontextmanager
    async def refreshing(self) -> AsyncGenerator[bool]:
        """Hold the right to fetch a token; False: another process has it, and saves what it gets."""
        lock = Lock(self._client, f"{self._key}:lock", timeout=LOCK_SECONDS, thread_local=False)
        owner = uuid.uuid4().hex.encode()
        ours = True  # also where we are cut short: the answer may be on its way
        try:
            ours = await self._circuit_breaker.ask(lambda: lock.acquire(blocking=False, token=owner), True)
            yield ours
        finally:
            if ours:
                await self._circuit_breaker.ask(lambda: self._give_back(lock, owner), None)

    async def _give_back(self, lock: Lock, owner: bytes) -> None:
        try:
            await lock.do_release(owner)
        except LockNotOwnedError:
            log.debug("fetching the access token took longer than its lock")

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            log.warning(
                "the shared access token at %s was not sealed with this bot's secret: it is not used. Do all "
                "processes have the same AppSecret? 各进程的 AppSecret 不一致？",
                self._key,
            )
