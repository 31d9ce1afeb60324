"""Bodies as the log may show them: what is secret is masked by the structure of the body, not by its text.

Responsible for the names of fields that hold secrets, and for what signs an address. Collaborators: `caller` logs what
this returns, `exchange` masks the messages of errors. It shows nothing of a body that it cannot read: there, a secret
has no place that it is known by.
"""

import re
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

from .._visible import visible_line
from ..config import Secret
from ..errors import DecodeError
from ..models.codec import encode, parse

MASK = "***"
LONGEST_BODY = 2000  # characters
LONGEST_TEXT = 500  # of one string in it
DEEPEST = 20
BIND_KEY_CHARACTERS = 44

_SECRET_NAMES = {"presignedurl", "uploadurl", "ticket", "cookie", "authorization", "password", "passwd"}
_SECRET_ENDINGS = ("token", "secret", "signature", "apikey")
"""Of a name in lower case without its separators: clientSecret, access_token, X-Signature-Ed25519 (see below)."""

_ADDRESS = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s\"'<>()\\]+")


def masked(body: bytes, secrets: Sequence[Secret]) -> str:
    """Return a body of JSON as one line that holds no secret; of any other body, only its size.

    `secrets`: values that are masked wherever they stand.
    """
    if not body:
        return ""
    try:
        document = parse(body)
    except (DecodeError, RecursionError):
        return f"({len(body)} bytes that are not JSON)"
    return visible_line(encode(_masked(document, secrets, DEEPEST)).decode(), LONGEST_BODY)


def masked_text(text: str, secrets: Sequence[Secret]) -> str:
    """Return a text without the secrets, and without the query, user and password of the addresses in it."""
    return _ADDRESS.sub(lambda found: _address(found[0]), without_secrets(text, secrets))


def without_secrets(text: str, secrets: Sequence[Secret]) -> str:
    """Return a text without the secrets; addresses in it stay as they are."""
    for secret in secrets:
        if secret:
            text = text.replace(secret.reveal(), MASK)
    return text


def _masked(value: object, secrets: Sequence[Secret], deepest: int) -> object:
    if deepest == 0 and isinstance(value, dict | list):
        return "..."
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {
            masked_text(name, secrets)[:LONGEST_TEXT]: MASK
            if each and _is_secret(name, each)
            else _masked(each, secrets, deepest - 1)
            for name, each in fields.items()
        }
    if isinstance(value, list):
        return [_masked(each, secrets, deepest - 1) for each in cast("list[object]", value)]
    return _masked_string(value, secrets, deepest) if isinstance(value, str) else value


def _masked_string(text: str, secrets: Sequence[Secret], deepest: int) -> object:
    """Return a string without secrets; JSON in it is read as well, because some texts quote a request."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            inner = parse(text.encode())
        except (DecodeError, RecursionError, UnicodeEncodeError):
            pass
        else:
            return encode(_masked(inner, secrets, deepest - 1)).decode()[:LONGEST_TEXT]
    return masked_text(text, secrets)[:LONGEST_TEXT]


def _is_secret(name: str, value: object) -> bool:
    plain = re.sub("[^a-z]", "", name.lower()).removesuffix("ed")  # Ed25519
    if plain == "key":  # of a bind task, which decrypts the AppSecret: base64 of 32 bytes. Other keys are no secrets
        return isinstance(value, str) and len(value) == BIND_KEY_CHARACTERS
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS)


def _address(address: str) -> str:
    """Return an address without its user, password, query and fragment: any of them may sign it."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return MASK
    _, user, host = parts.netloc.rpartition("@")
    hidden = {"query": MASK if parts.query else "", "fragment": MASK if parts.fragment else ""}
    return parts._replace(netloc=f"{MASK}@{host}" if user else host, **hidden).geturl()
