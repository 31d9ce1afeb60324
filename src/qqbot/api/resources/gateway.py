"""The address of the gateway, and how many sessions it allows."""

from msgspec import structs

from ...models.gateway import GatewayBot, GatewayUrl
from ..route import Route
from .base import Call, Resource

GET_GATEWAY = Route("get_gateway", "GET", "/gateway", GatewayUrl)
GET_GATEWAY_BOT = Route("get_gateway_bot", "GET", "/gateway/bot", GatewayBot)


class GatewayInfo(Resource):
    """The gateway's address. The platform allows two calls a minute: keep the answer.

    `fixed`: the address of a relay, which takes the place of the one in every answer; "" for none.
    """

    def __init__(self, call: Call, fixed: str = "") -> None:
        super().__init__(call)
        self._fixed = fixed

    async def url(self, *, timeout: float | None = None) -> GatewayUrl:
        """Return the gateway's address.

        Raises: AuthError, IPNotAllowed, RateLimited (`retry_after`, seconds).
        Source: openapi/wss/url_get
        """
        found = await self._call(GET_GATEWAY, timeout=timeout)
        return structs.replace(found, url=self._fixed) if self._fixed else found

    async def bot(self, *, timeout: float | None = None) -> GatewayBot:
        """Return the address, the recommended number of shards, and how many sessions can still be created.

        Raises: AuthError, IPNotAllowed, RateLimited (`retry_after`, seconds).
        Source: openapi/wss/shard_url_get
        """
        found = await self._call(GET_GATEWAY_BOT, timeout=timeout)
        return structs.replace(found, url=self._fixed) if self._fixed else found
