"""Messages that are pinned in channels."""

from ...models.pins import PinsMessage
from ..route import Route, nothing
from .base import Resource

LIST_PINS = Route("list_pins", "GET", "/channels/{channel_id}/pins", PinsMessage)
ADD_PIN = Route("add_pin", "PUT", "/channels/{channel_id}/pins/{message_id}", PinsMessage)
DELETE_PIN = Route("delete_pin", "DELETE", "/channels/{channel_id}/pins/{message_id}", nothing)


ALL = "all"
"""In the place of a message id: all that are pinned."""


class Pins(Resource):
    """Pinned messages of channels. To change any, the bot has to be an administrator."""

    async def of_channel(self, channel_id: str, *, timeout: float | None = None) -> PinsMessage:
        """Return the ids of the pinned messages.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/pins/get_pins_message
        """
        return await self._call(LIST_PINS, channel_id, timeout=timeout)

    async def add(self, channel_id: str, message_id: str, *, timeout: float | None = None) -> PinsMessage:
        """Pin a text message and return all that are pinned; a channel has 20 at most.

        Raises: PermissionMissing, NotFound, QuotaExceeded, ContentRejected when it is no text.
        Source: server-inter/channel/content/pins/put_pins_message
        """
        return await self._call(ADD_PIN, channel_id, message_id, timeout=timeout)

    async def delete(self, channel_id: str, message_id: str = ALL, *, timeout: float | None = None) -> None:
        """Take a pin away; without `message_id` all of the channel.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/pins/delete_pins_message
        """
        await self._call(DELETE_PIN, channel_id, message_id, timeout=timeout)
