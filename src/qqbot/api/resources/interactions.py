"""Clicks on buttons and menu entries."""

from ...models.interactions import AckBody
from .. import routes
from .base import Resource


class Interactions(Resource):
    """Interactions of users with the bot's messages."""

    async def ack(self, interaction_id: str, code: int = 0, *, timeout: float | None = None) -> None:
        """Acknowledge an interaction: once, within 5 s, or the user sees it fail. `interaction_id`: the event's `id`.

        `code`: 0 ok, 1 failed, 2 too often, 3 repeated, 4 no permission, 5 administrators only.

        Raises: ApiError when it was acknowledged before or is too old.
        Source: autogen/api/interactions_interaction_id.put
        """
        await self._call(routes.ACK_INTERACTION, interaction_id, body=AckBody(code=code), timeout=timeout)
