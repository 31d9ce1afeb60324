"""`RedisTokenStore`: one access token for all processes of a bot, sealed so that the store cannot read it.

Responsible for the keys and the seal. Collaborators: `api.token` decides when a token is fetched. The client secret
never enters the store: every process has it already, and dumps, replicas and MONITOR expose a store. The key of the
seal is derived from the secret, so that a token can neither be read nor replaced without it.
"""

import asyncio
import base64
import logging
import os
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ..api.token import SharedToken
from ..config import Credentials
from ..errors import ConfigError
from .circuit_breaker import CircuitBreaker
from .connection import Client, Script, hash_tag, repeated
from .lock import RELEASE

log = logging.getLogger(__name__)

T = TypeVar("T")

LOCK_SECONDS = 10.0  # as long as one request for a token may take
KEY_BYTES, NONCE_BYTES = 32, 12
PURPOSE = b"qqbot-token-v1"

MOST_BYTES = 16_384  # of a sealed token: what is longer was written by another program

# KEYS[1]  the sealed token
# ARGV[1]  bytes that it has at most
# returns  it and its remaining milliseconds; false and -2 if there is none, or none that can be a token
#
# One script, because a token that is replaced between two commands would get the lifetime of its successor.
LOAD = Script("""
local sealed = redis.pcall('GET', KEYS[1])
if type(sealed) == 'table' and not string.find(sealed.err, 'WRONGTYPE') then return sealed end
if type(sealed) ~= 'string' or #sealed > tonumber(ARGV[1]) then return {false, -2} end
return {sealed, redis.call('PTTL', KEYS[1])}
""")

# KEYS[1]  the right to fetch a token: the owner's name, for ARGV[2]
# ARGV[1]  owner
# ARGV[2]  milliseconds
# returns  1; 0 if another owner has it
#
# A key of another type was written by another program: it holds no process up.
CLAIM = Script("""
local owner = redis.pcall('GET', KEYS[1])
if type(owner) == 'table' and not string.find(owner.err, 'WRONGTYPE') then return owner end
if type(owner) == 'string' and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")


class Seal:
    """Authenticated encryption under a key that only holders of the client secret can derive.

    Raises: ConfigError without the package cryptography.
    """

    def __init__(self, credentials: Credentials) -> None:
        try:
            # An extra, which a process that shares no token does not need.
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
        """Return the text; None if it was not sealed, or with another secret, or for another key of the store."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra, there since `__init__`

        try:
            data = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], shard_id.encode()).decode()
        except (ValueError, InvalidTag):
            return None


class RedisTokenStore:
    """`TokenStore` in Redis or Valkey. While the store is down each process fetches a token of its own.

    Raises: ConfigError without the package cryptography, or for a cluster name that cannot be used.
    """

    def __init__(self, client: Client, credentials: Credentials, *, cluster: str) -> None:
        self._client = client
        self._seal = Seal(credentials)
        self._key = f"qqbot:{hash_tag(credentials.app_id, cluster)}:token"
        self._circuit_breaker = CircuitBreaker("each process fetches its own access token")
        self._warned = False  # once is enough: only a restart with another secret mends it

    async def load(self) -> SharedToken | None:
        """Return the token in the store; None if there is none that can be used."""
        sealed, milliseconds = await self._ask(
            lambda: LOAD.run(self._client, [self._key], [MOST_BYTES]), instead=(None, -2)
        )
        if sealed is None or milliseconds <= 0:
            return None
        value = self._seal.open(sealed, self._key)
        if value is None:
            self._warn_of_other_secret()
            return None
        return SharedToken(value, milliseconds / 1000)

    async def save(self, token: SharedToken) -> None:
        """Store a token for the other processes."""
        milliseconds = int(token.seconds * 1000)
        if milliseconds > 0:
            sealed = self._seal.close(token.value, self._key)
            await self._ask(lambda: self._set(sealed, milliseconds), instead=None)

    async def _set(self, sealed: str, milliseconds: int) -> None:
        await self._client.set(self._key, sealed, px=milliseconds)

    @asynccontextmanager
    async def refreshing(self) -> AsyncGenerator[bool]:
        """Hold the right to fetch a token; False: another process has it, and saves its token."""
        owner = uuid.uuid4().hex
        keys, arguments = [f"{self._key}:lock"], [owner, int(LOCK_SECONDS * 1000)]
        ours = 1  # until the answer comes: a cancelled request may have been granted
        try:
            ours = await self._ask(lambda: CLAIM.run(self._client, keys, arguments), instead=1)
            yield bool(ours)
        finally:
            if ours:
                await self._give_back(keys, owner)

    async def _give_back(self, keys: list[str], owner: str) -> None:
        async def release() -> int:
            return await self._ask(lambda: RELEASE.run(self._client, keys, [owner]), instead=0)

        try:
            await release()
        except asyncio.CancelledError:  # perhaps before the request was sent
            await release()
            raise

    async def _ask(self, command: Callable[[], Awaitable[T]], *, instead: T) -> T:
        return await self._circuit_breaker.ask(lambda: repeated(self._client, command), instead)

    def _warn_of_other_secret(self) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "the shared access token at %s was not sealed with this bot's secret: it is not used. Do all "
                "processes have the same AppSecret? 各进程的 AppSecret 不一致？",
                self._key,
            )
