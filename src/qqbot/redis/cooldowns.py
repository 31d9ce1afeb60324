"""`RedisCooldowns`: uses of commands, counted for all processes of a bot.

Responsible for the keys, their expiry and the script. Collaborators: `bot.cooldowns` declares the limits, and counts in
the process while the store is down. The clock is that of the store.
"""

from .circuit_breaker import CircuitBreaker
from .connection import Client, Script, hash_tag

# KEYS[1]  the moments of the uses, milliseconds, oldest first
# ARGV[1]  how many uses are allowed
# ARGV[2]  in how many milliseconds
# returns  0 if the use was counted, else the milliseconds until there is room for one
USE = Script("""
if redis.call('TYPE', KEYS[1]).ok ~= 'list' then redis.call('DEL', KEYS[1]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = redis.call('LINDEX', KEYS[1], 0)
while oldest and (tonumber(oldest) or 0) <= now - tonumber(ARGV[2]) do
    redis.call('LPOP', KEYS[1])
    oldest = redis.call('LINDEX', KEYS[1], 0)
end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[1]) then
    return tonumber(oldest) + tonumber(ARGV[2]) - now
end
redis.call('RPUSH', KEYS[1], now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 0
""")


class RedisCooldowns:
    """Counts the uses of commands in Redis or Valkey."""

    def __init__(self, client: Client, *, app_id: str, cluster: str) -> None:
        self._client = client
        self._prefix = f"qqbot:{hash_tag(app_id, cluster)}:c:"
        self._circuit_breaker = CircuitBreaker("each process counts the uses of commands by itself")

    async def use(self, key: str, times: int, per: float, now: float) -> float | None:  # noqa: ARG002 - the store's clock
        """Count a use and return 0, or the seconds until there is room for one; None while the store is down."""
        milliseconds: int = await self._circuit_breaker.ask(
            lambda: USE.run(self._client, [self._prefix + key], [times, max(1, round(per * 1000))]), -1
        )
        return None if milliseconds < 0 else milliseconds / 1000
