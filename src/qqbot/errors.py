"""The exceptions of the SDK: what happened, where, and what to do about it.

::

    QQBotError
    ├── ConfigError                 wrong arguments, environment or handler
    ├── ApiError                    the platform answered with an error
    │   ├── AuthError               credentials or token refused
    │   ├── IPNotAllowed            the caller's IP is not on the bot's list
    │   ├── PermissionMissing       a right has to be applied for or granted
    │   ├── NotFound                no such object, or not visible to the bot
    │   ├── RateLimited             too fast: wait `retry_after` seconds
    │   ├── QuotaExceeded           a daily or monthly allowance is used up
    │   ├── ReplyWindowExpired      the message can no longer be replied to
    │   ├── DuplicateMessage        this msg_seq was already used
    │   ├── ContentRejected         text, URL, template or keyboard not accepted
    │   ├── MessagePendingAudit     accepted, but reviewed before it is shown
    │   ├── MediaError              a file could not be fetched, converted or stored
    │   └── ServerError             the platform failed
    ├── TransportError              no usable answer came back
    │   ├── Timeout                 the call took too long; a message may have been sent
    │   └── ConnectionFailed        no connection, or it broke
    │       └── NoThread            no thread could be started for it
    ├── GatewayError
    │   └── GatewayHalted           the platform forbids to continue
    ├── DecodeError                 an answer or frame does not fit its documented form
    ├── Interrupted                 the bot stopped before it had finished an event
    ├── LeaseLost                   another process owns this shard now
    ├── FencedOut                   a later owner of the shard has published events
    ├── LockLost                    a distributed lock expired or was taken
    ├── UsageError                  a message does not fit the arguments of its command
    └── SignatureError              a webhook call was not signed by the platform

Responsible for the classes and their texts. Collaborators: `api.codes` maps the codes of the platform to classes.
"""

from typing import NamedTuple

from ._visible import visible, visible_line


class Hint(NamedTuple):
    """What to do about an error, in the two languages of the SDK's users."""

    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}"


class QQBotError(Exception):
    """Base of every exception that the SDK raises on purpose."""


class ConfigError(QQBotError):
    """An argument, an environment variable or a handler is wrong; the message says how to correct it."""


class ApiError(QQBotError):
    """The platform answered a call with an error.

    `status`: the HTTP status; `code`: the number of the platform (0 if it sent none); `message`: its text;
    `trace_id`: what the support of Tencent asks for; `hint`: what to do.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        method: str = "",
        path: str = "",
        trace_id: str | None = None,
        hint: Hint | None = None,
    ) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.method = method
        self.path = path
        self.trace_id = trace_id
        self.hint = hint

    def __str__(self) -> str:
        where = " ".join(part for part in (self.method, self.path) if part)
        message = visible_line(self.message, 1000)
        lines = [
            f"{message or 'the platform refused the call'} (code {self.code}, HTTP {self.status})",
            f"  at   {visible_line(where) or 'unknown call'} (trace id {visible_line(self.trace_id or 'none')})",
        ]
        if self.hint is not None:
            lines += [f"  提示 {self.hint.zh}", f"  hint {self.hint.en}"]
        return "\n".join(lines)


class AuthError(ApiError):
    """The credentials or the access token were refused."""


class IPNotAllowed(ApiError):
    """The IP address of the caller is not on the list of the bot."""


class PermissionMissing(ApiError):
    """The bot lacks a permission, which has to be applied for or granted."""


class NotFound(ApiError):
    """The object does not exist, or the bot may not see it."""


class RateLimited(ApiError):
    """Calls came too fast. `retry_after`: seconds to wait, None if the platform did not say."""

    retry_after: float | None = None


class QuotaExceeded(ApiError):
    """An allowance (messages, schedules, uploads, ...) is used up until its renewal.

    `retry_after`: seconds until then, if `Bot(pacing=...)` knows them; the platform names none.
    """

    retry_after: float | None = None


class ReplyWindowExpired(ApiError):
    """The message or event can no longer be replied to; only an active message is possible."""


class DuplicateMessage(ApiError):
    """A message with this msg_id and msg_seq was accepted before."""


class ContentRejected(ApiError):
    """The platform does not accept the content as it stands."""


class MessagePendingAudit(ApiError):
    """The message was accepted and waits for review. `audit_id` names the review."""

    audit_id: str = ""


class MediaError(ApiError):
    """A file could not be fetched, converted or stored."""


class ServerError(ApiError):
    """The platform failed; the same call may succeed later."""


class TransportError(QQBotError):
    """No usable answer came back. `maybe_sent`: the platform may have received the call and acted on it."""

    maybe_sent: bool = True


class Timeout(TransportError):
    """The call took too long. A message that was being sent may have arrived."""


class ConnectionFailed(TransportError):
    """The platform could not be reached, or the connection broke."""


class NoThread(ConnectionFailed):
    """No thread could be started, so that no name was looked up and no file was opened; nothing was sent."""

    maybe_sent = False


class GatewayError(QQBotError):
    """The gateway connection failed, or a session could not continue."""


class GatewayHalted(GatewayError):
    """The platform forbids to continue: connecting again cannot help until a person changes something.

    `code`: the close code (None if there was none); `reason`: the text for it; `hint`: what to do.
    """

    def __init__(self, code: int | None, reason: str, hint: Hint | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        reason = visible(self.reason)
        head = f"the gateway closed with {self.code}: {reason}" if self.code else reason
        return head if self.hint is None else f"{head}\n  提示 {self.hint.zh}\n  hint {self.hint.en}"


class DecodeError(QQBotError):
    """An answer or a frame does not have the documented form."""


class Interrupted(QQBotError):
    """The bot stopped before it had finished an event, which has to be delivered again."""


class LeaseLost(QQBotError):
    """This process no longer owns the shard; another one may."""


class FencedOut(QQBotError):
    """A sink refused events: a later owner of their shard has published already, under `token` (0: unknown)."""

    def __init__(self, message: str, token: int = 0) -> None:
        super().__init__(message)
        self.token = token


class LockLost(QQBotError):
    """A distributed lock is no longer ours."""


class SignatureError(QQBotError):
    """A webhook call does not have the signature of the platform."""


class UsageError(QQBotError):
    """A message does not fit the arguments of its command.

    `problem` is what does not fit, in the two languages; `parameter` the one that it belongs to, None if none;
    `usage` the line that shows how the command is used.
    """

    def __init__(self, en: str, zh: str, parameter: str | None = None, *, usage: str = "") -> None:
        super().__init__(en)
        self.problem = Hint(zh, en)
        self.parameter = parameter
        self.usage = usage
