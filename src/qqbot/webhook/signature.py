"""Ed25519 as the platform uses it: one key, made of the AppSecret, signs in both directions.

Responsible for keys, and for signatures over a timestamp and a body. Collaborators: `protocol` decides what may be
signed and what a signature allows. It needs the extra `webhook` (the package cryptography), and imports it when the
first key is made.

Source: dev-prepare/interface-framework/sign
"""

import re
from types import ModuleType
from typing import TYPE_CHECKING

from ..config import Secret, hidden
from ..errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES = 32
_SIGNATURE = re.compile(
    "[0-9a-f]{128}", re.ASCII
)  # in one spelling only, so that no other text passes for the same signature


class Key:
    """A key that signs and verifies, made of a `seed` of 32 bytes. Making one takes time: keep it.

    Raises: ConfigError if the extra is missing.
    """

    __slots__ = ("_private", "_public")

    def __init__(self, seed: bytes) -> None:
        private: Ed25519PrivateKey = _ed25519().Ed25519PrivateKey.from_private_bytes(seed)
        self._private, self._public = private, private.public_key()

    @classmethod
    def of(cls, secret: str | Secret) -> "Key":
        """Return the key of an AppSecret: its bytes, repeated, fill the seed.

        Raises: ConfigError for an empty secret, or if the extra is missing.
        """
        secret = hidden(secret)
        if not secret:
            raise ConfigError("an empty AppSecret makes no key: pass the bot's AppSecret. AppSecret 不能为空")
        _ed25519()  # before there is a seed, which a traceback might show
        return cls((secret.reveal().encode() * SEED_BYTES)[:SEED_BYTES])

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._public.public_bytes_raw()

    def sign(self, timestamp: str, body: bytes) -> str:
        """Return the signature of `timestamp` and `body` in lower-case hex."""
        return self._private.sign(timestamp.encode() + body).hex()

    def verify(self, timestamp: str, body: bytes, signature: str) -> bool:
        """True if `signature` (lower-case hex) is that of `timestamp` and `body`. It raises for no input."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra, here since `_private_key`

        if _SIGNATURE.fullmatch(signature) is None:
            return False
        try:
            self._public.verify(bytes.fromhex(signature), timestamp.encode(errors="surrogatepass") + body)
        except InvalidSignature:
            return False
        return True


def _ed25519() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "webhooks need the package cryptography: pip install 'aioqqbot[webhook]'. "
            "使用 webhook 需要安装 cryptography：pip install 'aioqqbot[webhook]'"
        ) from None
    return ed25519


def sign(secret: str | Secret, timestamp: str, body: bytes) -> str:
    """Return the signature of `timestamp` (unix seconds) and `body` in lower-case hex.

    It signs anything: do not sign what a stranger sent.

    Raises: ConfigError for an empty secret, or if the extra is missing.
    """
    secret = hidden(secret)
    return Key.of(secret).sign(timestamp, body)


def verify(secret: str | Secret, timestamp: str, body: bytes, signature: str) -> bool:
    """True if `signature` (lower-case hex) is that of `timestamp` and the raw `body`.

    Raises: ConfigError for an empty secret, or if the extra is missing.
    """
    secret = hidden(secret)
    return Key.of(secret).verify(timestamp, body, signature)


def public_key(secret: str | Secret) -> str:
    """Return the public key of the AppSecret in lower-case hex: it verifies, but cannot sign.

    Raises: ConfigError for an empty secret, or if the extra is missing.
    """
    secret = hidden(secret)
    return Key.of(secret).public.hex()
