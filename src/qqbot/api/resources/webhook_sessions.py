"""Sessions of an earlier gateway over HTTP. Experimental: seen in one source only."""

from ...models.codec import decoder
from ...models.webhook_sessions import HTTPReady, HTTPSession, WebhookSessionBody
from ..route import Route, nothing
from .base import Resource

CREATE_WEBHOOK_SESSION = Route("create_webhook_session", "POST", "/gateway/webhook/sessions", HTTPReady)
CHECK_WEBHOOK_SESSIONS = Route(
    "check_webhook_sessions", "PATCH", "/gateway/webhook/sessions", decoder(list[HTTPSession])
)
LIST_WEBHOOK_SESSIONS = Route("list_webhook_sessions", "GET", "/gateway/webhook/sessions", decoder(list[HTTPSession]))
DELETE_WEBHOOK_SESSION = Route("delete_webhook_session", "DELETE", "/gateway/webhook/sessions/{session_id}", nothing)


class WebhookSessions(Resource):
    """Sessions of that gateway. Deprecated: the address of a webhook is now set in the management console."""

    async def create(
        self, callback_url: str, *, intents: int, shard: tuple[int, int] = (0, 1), timeout: float | None = None
    ) -> HTTPReady:
        """Open a session that sends a shard's events to an address. Deprecated: the console's webhook replaces it.

        Experimental: seen in one source only.

        Raises: PermissionMissing; ConfigError for an index out of range, or an invalid URL.
        Source: botgo openapi/v1/webhook.go
        """
        body = WebhookSessionBody(intents=intents, shards=shard, callback_url=callback_url)
        return await self._call(CREATE_WEBHOOK_SESSION, body=body, timeout=timeout)

    async def check(self, *, timeout: float | None = None) -> list[HTTPSession]:
        """Resume inactive sessions, and return all of them. Deprecated: the console's webhook replaces it.

        Experimental: seen in one source only.

        Raises: PermissionMissing.
        Source: botgo openapi/v1/webhook.go
        """
        return await self._call(CHECK_WEBHOOK_SESSIONS, query={"action": "check"}, timeout=timeout)

    async def all(self, *, timeout: float | None = None) -> list[HTTPSession]:
        """Return the sessions. Deprecated: the console's webhook replaces it.

        Experimental: seen in one source only.

        Raises: PermissionMissing.
        Source: botgo openapi/v1/webhook.go
        """
        return await self._call(LIST_WEBHOOK_SESSIONS, timeout=timeout)

    async def delete(self, session_id: str, *, timeout: float | None = None) -> None:
        """Close a session. Deprecated: the console's webhook replaces it.

        Experimental: seen in one source only.

        Raises: NotFound, PermissionMissing.
        Source: botgo openapi/v1/webhook.go
        """
        await self._call(DELETE_WEBHOOK_SESSION, session_id, timeout=timeout)
