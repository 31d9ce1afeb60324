"""Clicks on buttons and menu entries."""

from ...models.codec import encode
from ...models.interactions import AckBody
from ..route import Route, nothing
from .base import Call, Resource

ACK_INTERACTION = Route("ack_interaction", "PUT", "/interactions/{interaction_id}", nothing)


REMEMBERED = 1_024
CALLBACK_HEADER = "X-Callback-AppID"


class Interactions(Resource):
    """Interactions of users with the bot's messages."""

    def __init__(self, call: Call, app_id: str) -> None:
        super().__init__(call)
        self._app_id = app_id
        self._answered: dict[str, None] = {}  # the last clicks that were answered, the oldest first

    def was_answered(self, interaction_id: str) -> bool:
        """True if this client has answered the interaction; the last 1 024 are remembered."""
        return interaction_id in self._answered

    async def ack(self, interaction_id: str, code: int = 0, *, timeout: float | None = None) -> None:
        """Acknowledge an interaction (`id` of the event), once and within 5 s: otherwise the user sees a failure.

        `code`: 0 ok, 1 failed, 2 too often, 3 repeated, 4 no permission, 5 administrators only.

        Raises: ApiError if it is already acknowledged or too old.
        Source: autogen/api/interactions_interaction_id.put
        """
        await self._put(interaction_id, encode(AckBody(code=code)), timeout=timeout)

    async def respond(self, interaction_id: str, body: object, *, timeout: float | None = None) -> None:
        """Answer an interaction with a body instead of a code, such as a `SearchResponse`. Experimental.

        `body` is a Struct or a value that JSON can express; bytes are sent unchanged.

        Raises: ApiError if it is already answered or too old.
        Source: botgo openapi/v1/interaction.go
        """
        content = body if isinstance(body, bytes) else encode(body)
        await self._put(interaction_id, content, headers={CALLBACK_HEADER: self._app_id}, timeout=timeout)

    async def _put(
        self,
        interaction_id: str,
        content: bytes,
        *,
        headers: dict[str, str] | None = None,
        timeout: float | None,
    ) -> None:
        await self._call(ACK_INTERACTION, interaction_id, body=content, headers=headers, timeout=timeout)
        self._answered[interaction_id] = None
        if len(self._answered) > REMEMBERED:
            del self._answered[next(iter(self._answered))]
