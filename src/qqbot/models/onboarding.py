"""Passing a bot's credentials to a tool by QR code, on the developers' portal.

It has no cryptography: a tool needs AES-256-GCM of its own to decrypt the secret.
"""

import base64
import binascii
from urllib.parse import urlencode

from ..errors import ConfigError
from .base import Body, Model, OpenIntEnum, require

KEY_BYTES = 32
PORTAL = "https://q.qq.com"
"""The base of the portal's addresses."""


class BindStatus(OpenIntEnum):
    """The state of a task.  Source: qqbot-agent-sdk onboard.py"""

    NONE = 0
    PENDING = 1
    COMPLETED = 2
    EXPIRED = 3


class BindTaskBody(Body, frozen=True, kw_only=True):
    """Starts a task. `key`: base64 of 32 random bytes; the portal encrypts the secret with it.

    Raises: ConfigError for an invalid `key`.
    Source: qqbot-agent-sdk onboard.py
    """

    key: str

    def __post_init__(self) -> None:
        try:
            size = len(base64.b64decode(self.key, validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if size != KEY_BYTES:
            raise ConfigError("the key of a bind task must be base64 of 32 random bytes (it is not shown here)")


class BindTask(Model, frozen=True, kw_only=True):
    """A task whose QR code is not scanned yet.  Source: qqbot-agent-sdk onboard.py"""

    task_id: str = ""

    def url(self, source: str = "", *, portal: str = PORTAL) -> str:
        """Return the address for the QR code; `source` shows the user which tool asks."""
        query = urlencode({"task_id": self.task_id, "source": source, "_wv": "2"})
        return f"{portal}/qqbot/openclaw/connect.html?{query}"


class BindPollBody(Body, frozen=True, kw_only=True):
    """Asks for the state of a task.  Source: qqbot-agent-sdk onboard.py"""

    task_id: str

    def __post_init__(self) -> None:
        require(task_id=self.task_id)


class BindResult(Model, frozen=True, kw_only=True):
    """The state of a task; if it is COMPLETED, also the bot, and the user who scanned the code.

    `bot_encrypt_secret` is base64 of 12 bytes of nonce, the AppSecret in AES-256-GCM by the task's key, 16 of tag.

    Source: qqbot-agent-sdk onboard.py
    """

    status: BindStatus = BindStatus.NONE
    bot_appid: str = ""
    bot_encrypt_secret: str = ""
    user_openid: str = ""


class BindTaskAnswer(Model, frozen=True, kw_only=True):
    """The portal's answer to a new task; `retcode` 0 is success."""

    retcode: int
    msg: str = ""
    data: BindTask = BindTask()


class BindResultAnswer(Model, frozen=True, kw_only=True):
    """The portal's answer to a poll; `retcode` 0 is success."""

    retcode: int
    msg: str = ""
    data: BindResult = BindResult()
