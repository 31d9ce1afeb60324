"""Messages that are pinned in channels."""

from ...models.pins import PinsMessage
from ..route import Route, nothing
from .base import Resource

LIST_PINS = Route("list_pins", "GET", "/channels/{channel_id}/pins", PinsMessage)
ADD_PIN = Route("add_pin", "PUT", "/channels/{channel_id}/pins/{message_id}", PinsMessage)
DELETE_PIN = Route("delete_pin", "DELETE", "/channels/{channel_id}/pins/{message_id}", nothing)


ALL = "all"
"""Stands for every pinned message, in place of a message id."""


class Pins(Resource):
    """Pinned messages of channels. The bot must be an administrator to change them."""

    async def of_channel(self, channel_id: str, *, timeout: float | None = None) -> PinsMessage:
        """Return the ids of the pinned messages.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/pins/get_pins_message
        """
        return await self._call(LIST_PINS, channel_id, timeout=timeout)

    async def add(self, channel_id: str, message_id: str, *, timeout: float | None = None) -> PinsMessage:
        """Pin a text message and return all pinned messages, at most 20 in a channel.

        Raises: PermissionMissing, NotFound, QuotaExceeded, ContentRejected if it is not text.
        Source: server-inter/channel/content/pins/put_pins_message
        """
        return await self._call(ADD_PIN, channel_id, message_id, timeout=timeout)

    async def delete(self, channel_id: str, message_id: str = ALL, *, timeout: float | None = None) -> None:
        """Unpin a message; without `message_id` all messages of the channel.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/pins/delete_pins_message
        """
        await self._call(DELETE_PIN, channel_id, message_id, timeout=timeout)
