"""Messages in guild channels."""

from ...models.messages import Message
from ...models.outgoing import Markdown, guild_body
from ...models.outgoing import Message as Sent
from ...models.targets import ReplyTo
from .. import routes
from .base import Resource


class Channels(Resource):
    """Guild channels. The bot has to be connected to the gateway to send."""

    async def send_message(
        self, channel_id: str, message: Sent, *, reply_to: ReplyTo | None = None, timeout: float | None = None
    ) -> Message:
        """Send `message` to a channel; a reply when `reply_to` names a message or an event. Sent at most once.

        Raises: ContentRejected, RateLimited (`retry_after`, seconds), QuotaExceeded, ReplyWindowExpired,
        PermissionMissing, MessagePendingAudit (`audit_id`), Timeout (the message may have been sent).
        Source: server-inter/channel/message/send
        """
        body = guild_body(message, reply_to)
        return await self._call(routes.SEND_CHANNEL_MESSAGE, channel_id, body=body, timeout=timeout)

    async def message(self, channel_id: str, message_id: str, *, timeout: float | None = None) -> Message:
        """Return one message.

        Raises: PermissionMissing, NotFound.
        Source: botgo openapi/v1/message.go, no page
        """
        return await self._call(routes.GET_CHANNEL_MESSAGE, channel_id, message_id, timeout=timeout)

    async def messages(
        self,
        channel_id: str,
        *,
        around: str | None = None,
        before: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> list[Message]:
        """Return messages around, before or after a message id, at most `limit` (20 at most).

        Raises: PermissionMissing: the platform seems to have closed this to most bots.
        Source: botgo openapi/v1/message.go, no page
        """
        query = {"around": around, "before": before, "after": after, "limit": limit}
        return await self._call(routes.LIST_CHANNEL_MESSAGES, channel_id, query=query, timeout=timeout)

    async def modify_message(
        self, channel_id: str, message_id: str, message: Markdown, *, timeout: float | None = None
    ) -> Message:
        """Replace markdown and buttons of one of the bot's own messages that has buttons.

        Raises: ContentRejected when the old or the new one has no keyboard, PermissionMissing, NotFound.
        Source: botgo openapi/v1/message.go, no page
        """
        body = guild_body(message)
        return await self._call(routes.MODIFY_CHANNEL_MESSAGE, channel_id, message_id, body=body, timeout=timeout)

    async def delete_message(
        self, channel_id: str, message_id: str, *, hidetip: bool = False, timeout: float | None = None
    ) -> None:
        """Recall a message, with `hidetip` without the grey notice.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/message/send-receive/reset
        """
        query = {"hidetip": hidetip or None}
        await self._call(routes.DELETE_CHANNEL_MESSAGE, channel_id, message_id, query=query, timeout=timeout)
