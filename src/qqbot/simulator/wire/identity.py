"""Ids of the platform in their documented forms: openids, guild ids, message, event, session and trace ids.

Responsible for forms only, without state. Openids depend only on the bot and the name: they are equal in each run.
"""

import hashlib
import secrets
import uuid


def openid(app_id: str, *path: str) -> str:
    """Return 32 upper-case hexadecimal characters for one person or group as this bot sees it."""
    return hashlib.sha256("/".join((app_id, *path)).encode()).hexdigest()[:32].upper()


def snowflake(*path: str) -> str:
    """Return a decimal uint64, the form of guild, channel and guild user ids."""
    return str(int.from_bytes(hashlib.sha256("/".join(path).encode()).digest()[:8]) >> 1)


def event_id(kind: str) -> str:
    """Return the id of an event envelope."""
    return f"{kind}:{uuid.uuid4()}"


def message_id() -> str:
    """Return the id of a group or C2C message."""
    return f"ROBOT1.0_{secrets.token_urlsafe(36)}!"


def guild_message_id() -> str:
    """Return the id of a guild message."""
    return f"08{secrets.token_hex(16)}"


def reference_index() -> str:
    """Return the reference index for quotes of a group or C2C message."""
    return f"REFIDX_{secrets.token_urlsafe(30)}=="


def trace_id() -> str:
    """Return the trace id of one call."""
    return secrets.token_hex(16)
