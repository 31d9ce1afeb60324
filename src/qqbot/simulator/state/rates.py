"""Rate limits of the calls, as the protocol tables define them.

Responsible for one token bucket per endpoint, in business time. The calls for the gateway URL have their own limit, see
`endpoints.bot.accounts`.
"""

from ..wire.refusal import TooManyCalls
from ..wire.tables import Endpoint
from .budget import CallLimit
from .clock import Clock
from .profiles import Limits


class RateState:
    """Calls of one bot; a bucket is created with the first call of its endpoint."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._enforced = limits
        self._limits: dict[str, CallLimit] = {}

    def take(self, endpoint: Endpoint) -> None:
        """Count one call.  Raises: TooManyCalls."""
        if endpoint.per_minute and self._enforced != "none":
            per_minute = burst = endpoint.per_minute
        elif endpoint.per_second and self._enforced == "all":
            per_minute, burst = 60 * endpoint.per_second, endpoint.per_second
        else:
            return
        limit = self._limits.get(endpoint.name)
        if limit is None:
            limit = self._limits[endpoint.name] = CallLimit(self._clock, per_minute=per_minute, burst=burst)
        if wait := limit.take():
            raise TooManyCalls(f"{endpoint.name}: too many requests", wait)
