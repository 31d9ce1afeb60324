"""`RedisPacing`: active messages, counted for all processes of a bot.

Responsible for the keys, their expiry and the scripts. Collaborators: `api.pacing.quotas` has the numbers and the same
counts for one process, which `api.pacing.pacer` uses while the store is down. The clock is that of the store.
"""

from collections.abc import Sequence

from ..api.pacing.quotas import PARTS, Usage, Use
from .circuit_breaker import CircuitBreaker
from .connection import Client, Script, hash_tag

# KEYS[1..n]   a hash for each use: messages by the number of the part of the period
# KEYS[n+1..]  pauses, each with the platform's code
# ARGV         for each use: how many messages are allowed, in how many milliseconds
# returns      {0, now} if the message was counted, else {index, the milliseconds until there is room, code}
USE = Script(f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local uses = #ARGV / 2
local full, longest, code = 0, 0, '0'
for i = uses + 1, #KEYS do
    local left = redis.call('PTTL', KEYS[i])
    if left > longest then
        full, longest, code = i, left, redis.call('GET', KEYS[i])
    end
end
for i = 1, uses do
    local times, per = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local used, ends = 0, nil
    local parts = redis.call('HGETALL', KEYS[i])
    for j = 1, #parts, 2 do
        local last = (tonumber(parts[j]) + 1) * per / {PARTS} + per
        if last <= now then
            redis.call('HDEL', KEYS[i], parts[j])
        elseif tonumber(parts[j + 1]) > 0 then
            used = used + tonumber(parts[j + 1])
            if not ends or last < ends then
                ends = last
            end
        end
    end
    if used >= times and ends - now > longest then
        full, longest, code = i, ends - now, '0'
    end
end
if full > 0 then
    return {{full, math.ceil(longest), tonumber(code)}}
end
for i = 1, uses do
    local per = tonumber(ARGV[2 * i])
    redis.call('HINCRBY', KEYS[i], string.format('%d', math.floor(now * {PARTS} / per)), 1)
    redis.call('PEXPIRE', KEYS[i], string.format('%d', math.ceil(per + per / {PARTS})))
end
return {{0, now, 0}}
""")

# KEYS     as above, without pauses
# ARGV[1]  when the message was counted, in milliseconds
# ARGV     then for each use the milliseconds of its period
RELEASE = Script(f"""
for i = 1, #KEYS do
    local part = string.format('%d', math.floor(tonumber(ARGV[1]) * {PARTS} / tonumber(ARGV[i + 1])))
    if tonumber(redis.call('HGET', KEYS[i], part) or '0') > 0 then
        redis.call('HINCRBY', KEYS[i], part, -1)
    end
end
return 1
""")


class RedisPacing:
    """Counts active messages in Redis or Valkey."""

    def __init__(self, client: Client, *, app_id: str, cluster: str) -> None:
        self._client = client
        self._prefix = f"qqbot:{hash_tag(app_id, cluster)}:q:"
        self._circuit_breaker = CircuitBreaker("each process counts its active messages by itself")

    async def use(self, uses: Sequence[Use], pauses: Sequence[str]) -> Usage | None:
        """Count a message in each of `uses`, or return what is full or paused; None while the store is down."""
        keys = [self._prefix + key for key in (*(use.key for use in uses), *pauses)]
        arguments = [value for use in uses for value in (use.rate.times, _milliseconds(use.rate.per))]
        nothing: list[int] = []
        answer = await self._circuit_breaker.ask(lambda: USE.run(self._client, keys, arguments), nothing)
        if not answer:
            return None
        full, milliseconds, code = answer
        return Usage(full - 1 if full else None, milliseconds / 1000, code)

    async def release(self, uses: Sequence[Use], moment: float) -> None:
        """Remove a message that was counted at `moment`; while the store is down, it stays counted."""
        keys = [self._prefix + use.key for use in uses]
        arguments = [_milliseconds(moment), *(_milliseconds(use.rate.per) for use in uses)]
        await self._circuit_breaker.ask(lambda: RELEASE.run(self._client, keys, arguments), 0)

    async def pause(self, key: str, seconds: float, code: int) -> None:
        """Refuse each use with the pause `key` for `seconds`."""
        await self._circuit_breaker.ask(
            lambda: self._client.set(self._prefix + key, code, px=_milliseconds(seconds)), None
        )


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
