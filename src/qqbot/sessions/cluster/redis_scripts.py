"""The Lua scripts that Redis runs for a cluster: each one is atomic, and its contract stands above it.

Responsible for what Redis runs. Collaborators: `redis_store` calls them, `records` reads what they write. They do
not decide which node owns what, see `reconcile`.

All take the same four KEYS: the coordination hash, the hash of session states, the list of identify slots, the log.
All take the shared timings (`Timings.shared`, milliseconds) as ARGV[1]. All begin with the preamble: it notices that
the server is another one than last time, or came back without its data (a new incarnation), and that its clock
jumped. What cannot be read is treated as lost, so that its owner reports it again; a key of another type is deleted.
Records of another form are left alone: every script then fails with `OTHER_FORM`.

In the hash, `m:...` is about the cluster, `n:<node>` = join:beat:role:info, `d:<node>` = this node is to be
drained, `o:<gen>.<shard>` = token:node, where an empty node means that the shard is free.

Times are server milliseconds. They pace IDENTIFYs and make tokens grow, but no lease depends on them.
"""

from ...redis.connection import Script
from .records import MOST_BYTES, MOST_SHARDS, SCHEMA

LOG_LENGTH = 2000
OTHER_FORM = "QQBOT other form:"

PREAMBLE = f"""
local coord, sess, pace, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- A failure names its command, so that a missing right can be named.
local function call(command, ...)
  local reply = redis.pcall(command, ...)
  if type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE') then
    redis.call('DEL', (...))
    reply = redis.pcall(command, ...)
  end
  if type(reply) == 'table' and reply.err then error('QQBOT ' .. command .. ': ' .. reply.err, 0) end
  return reply
end

-- A number as these scripts write it; nil for anything else.
local function number(value)
  return value and #value <= 15 and string.match(value, '^%-?%d+$') and tonumber(value) or nil
end

local most_bytes = {MOST_BYTES}

local function text(number) return string.format('%.0f', number) end

local times = {{}}
for time in string.gmatch(ARGV[1], '%d+') do times[#times + 1] = tonumber(time) end
local renew, window, life, lead = times[1], times[4], times[5], times[6]

local rid = string.match(call('INFO', 'server'), 'run_id:(%x+)')
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local meta = call('HMGET', coord, 'm:rid', 'm:inc', 'm:ov', 'm:tok', 'm:last', 'm:gen', 'm:next', 'm:shards',
  'm:schema')
if meta[9] and meta[9] ~= '{SCHEMA}' then return redis.error_reply('{OTHER_FORM} ' .. string.sub(meta[9], 1, 50)) end
local inc, ov = number(meta[2]), number(meta[3])
local tok, last = math.max(number(meta[4]) or 0, 0), number(meta[5]) or now
local gen, following = number(meta[6]) or 0, meta[7] or ''

local function is_count(value)
  value = number(value)
  return value and value >= 1 and value <= {MOST_SHARDS}
end

local planned = string.match(following, '^(%d+)$') or string.match(following, '^(%d+) restart$')
if not is_count(meta[8]) or (following ~= '' and not is_count(planned)) then
  gen = 0 -- a node that knows better reports it with its next sync
end

-- A larger token than any before; the server's time keeps it growing if the data was lost.
local function grow()
  tok = math.max(tok + 1, now)
  return tok
end

local function record(...) call('XADD', log, 'MAXLEN', '~', '{LOG_LENGTH}', '*', ...) end

-- Forget the identify slots, and let no new one begin before the old ones are out of the platform's window.
local function hold_identifies()
  call('DEL', pace)
  call('HSET', coord, 'm:floor', text(now + window + life + lead))
end

-- Let the owners report again what they own, before any node may claim.
local function begin_incarnation()
  inc, ov = grow(), math.max(ov or 0, 0) + 1
  hold_identifies()
  call('HSET', coord, 'm:rid', rid, 'm:inc', text(inc))
  record('kind', 'incarnation', 'node', '', 'inc', text(inc))
end

if meta[1] ~= rid or (inc or -1) < 0 or (ov or -1) < 0 then
  begin_incarnation()
elseif now < last or now > last + 1.5 * renew then
  hold_identifies()
end

local function finish(answer)
  call('HSET', coord, 'm:schema', '{SCHEMA}', 'm:ov', text(ov), 'm:tok', text(tok), 'm:last', text(now))
  return answer
end

-- token, node of an ownership record; 0, '' if there is none, or none that can be read, which is a third value.
local function owner_of(field)
  local record = call('HGET', coord, 'o:' .. field)
  local token, node = string.match(record or '', '^(%d+):(.*)$')
  token = number(token)
  if token then return token, node end
  return 0, '', record
end

-- True for the reason of a halt; what another program has written halts nothing.
local function is_halt(value)
  local read, halt = pcall(cjson.decode, value or '')
  return read and type(halt) == 'table' and type(halt.reason) == 'string'
    and (type(halt.code) == 'number' or halt.code == cjson.null)
end

-- join, beat, role of a node's record; nil if there is none, or none that can be read.
local function member_of(record)
  local join, beat, role = string.match(record or '', '^([1-9]%d*):(%d+):([JASD]):')
  join, beat = number(join), number(beat)
  if join and beat then return join, beat, role end
end

-- True if shards of the generation that `field` names may be owned: the current one, and the next in a roll.
local function current(field)
  local named = number(string.match(field, '^%d+'))
  return named == gen or (named == gen + 1 and string.match(following, '^%d+$') ~= nil)
end

-- Free a shard; its token stays, so that a late message of the old owner cannot win. One of a past generation goes.
local function free(field, token)
  if current(field) then
    call('HSET', coord, 'o:' .. field, text(token) .. ':')
  else
    call('HDEL', coord, 'o:' .. field)
    call('HDEL', sess, field)
  end
  ov = ov + 1
end

local function store(field, state)
  if state == '-' or #state > most_bytes then
    call('HDEL', sess, field)
  elseif state ~= '=' then
    call('HSET', sess, field, state)
  end
end
"""

# sync: show a sign of life, join if this node is not a member, report what it owns, and read which node owns the rest.
#
# ARGV: 2 node, 3 role, 4 info, 5 generation, 6 its shards, 7 the next as in begin ('' none), 8 target_active, then for
#       each owned shard: field, token, state, incarnation.
#       state: JSON, '=' as it is stored, '-' none. incarnation: '' if the lease holds; if it has ended,
#       the incarnation for which the node can vouch. In another one a second node may own the shard, and this server
#       never knew or forgot it, so nothing is written or confirmed.
# Returns: now, lost (fields that are not ours), doubtful (fields neither confirmed nor refused), the coordination
#       hash, flat. Or 'timings' and the timings of the cluster, if they differ from ours and the cluster has
#       members: nothing is changed then. States are not returned: to carry a thousand of them through Lua would
#       double its cost, and HGETALL reads them without.
# A record that is missing or has a lower token is written again (reassert): the store lost it.
SYNC = """
local id = ARGV[2]
local join, beat, role = member_of(call('HGET', coord, 'n:' .. id))
if not join then
  local timings = call('HGET', coord, 'm:timings')
  if timings and timings ~= ARGV[1] and string.match(timings, '^%d[%d ]*$') then
    local fields = call('HGETALL', coord)
    for i = 1, #fields, 2 do
      if string.sub(fields[i], 1, 2) == 'n:' and member_of(fields[i + 1]) then
        return finish({'timings', timings})
      end
    end
  end
  call('HSET', coord, 'm:timings', ARGV[1])
end
if tonumber(ARGV[5]) > gen then
  gen, following = tonumber(ARGV[5]), ARGV[7]
  call('HSET', coord, 'm:gen', ARGV[5], 'm:shards', ARGV[6], 'm:next', ARGV[7])
  ov = ov + 1
end
if not join then
  join, beat = grow(), 0
  record('kind', 'join', 'node', id, 'role', ARGV[3])
elseif role ~= ARGV[3] then
  record('kind', 'role', 'node', id, 'role', ARGV[3])
end
if role ~= ARGV[3] then ov = ov + 1 end
call('HSET', coord, 'n:' .. id, text(join) .. ':' .. text(beat + 1) .. ':' .. ARGV[3] .. ':' .. ARGV[4])
if tonumber(ARGV[8]) > 0 then call('HSET', coord, 'm:target', ARGV[8]) end

local lost, doubtful = {}, {}
for i = 9, #ARGV, 4 do
  local field, token, state, vouched = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local held, owner = owner_of(field)
  if held > token or (held == token and owner ~= id) or (held == 0 and not current(field)) then
    lost[#lost + 1] = field
  elseif vouched ~= '' and tonumber(vouched) ~= inc then
    doubtful[#doubtful + 1] = field
  else
    if held ~= token then
      call('HSET', coord, 'o:' .. field, text(token) .. ':' .. id)
      tok, ov = math.max(tok, token), ov + 1
      record('kind', 'reassert', 'node', id, 'shard', field, 'token', text(token))
    end
    store(field, state)
  end
end
finish()
local fields = call('HGETALL', coord)
for i = 2, #fields, 2 do
  if #fields[i] > most_bytes then fields[i] = '' end -- none of ours is so long
end
return {text(now), lost, doubtful, fields}
"""

# claim: take free shards.
#
# ARGV: 2 node, 3 inc, 4 ov, 5 the least that a token must be, then the fields.
# Returns: a list of field, token, state ('' none) of the shards that are now ours; none while a generation has to end
#       before the next one begins. 'stale' if the node planned from a state that is out of date: inc or ov moved, or
#       the node was evicted, or the record of one of the shards cannot be read or names no member; nothing is granted
#       then.
CLAIM = """
if tonumber(ARGV[3]) ~= inc or tonumber(ARGV[4]) ~= ov or call('HEXISTS', coord, 'n:' .. ARGV[2]) == 0 then
  return finish('stale')
end
if string.find(following, 'restart') then return finish({}) end
tok = math.max(tok, tonumber(ARGV[5]))
local granted, unreadable = {}, false
for i = 6, #ARGV do
  local _, owner, record = owner_of(ARGV[i])
  if record or (owner ~= '' and call('HEXISTS', coord, 'n:' .. owner) == 0) then
    call('HDEL', coord, 'o:' .. ARGV[i]) -- its owner may be alive: it gets the time to report the shard again
    unreadable = true
  end
end
if unreadable then
  begin_incarnation()
  return finish('stale')
end
for i = 6, #ARGV do
  local field = ARGV[i]
  local held, owner = owner_of(field)
  if owner == '' and current(field) then
    tok = math.max(tok, held)
    local token = text(grow())
    call('HSET', coord, 'o:' .. field, token .. ':' .. ARGV[2])
    record('kind', 'claim', 'node', ARGV[2], 'shard', field, 'token', token)
    granted[#granted + 1] = field
    granted[#granted + 1] = token
    granted[#granted + 1] = call('HGET', sess, field) or ''
    ov = ov + 1
  end
end
return finish(granted)
"""

# release: give a shard back, with the state from which its next owner resumes.
#
# ARGV: 2 node, 3 field, 4 token, 5 state as in sync.
# Returns: 1, or 0 if the shard was not ours under this token; nothing is changed then.
RELEASE = """
local held, owner = owner_of(ARGV[3])
if held ~= tonumber(ARGV[4]) or owner ~= ARGV[2] then return finish(0) end
store(ARGV[3], ARGV[5])
free(ARGV[3], held)
record('kind', 'release', 'node', ARGV[2], 'shard', ARGV[3], 'token', ARGV[4])
return finish(1)
"""

# evict: remove a node that gave no sign of life, or that leaves by itself, and free its shards.
#
# ARGV: 2 node (the caller), 3 inc, 4 target, 5 its "join:beat" as it was seen, "0:0" for a record that cannot be read.
# Returns: 1, or 0 if the incarnation or the beat is another one; nothing is changed then.
EVICT = """
local target = ARGV[4]
local known = call('HGET', coord, 'n:' .. target)
local join, beat = member_of(known)
local stamp = join and text(join) .. ':' .. text(beat) or known and '0:0'
if tonumber(ARGV[3]) ~= inc or stamp ~= ARGV[5] then return finish(0) end
call('HDEL', coord, 'n:' .. target, 'd:' .. target)
ov = ov + 1
local fields, suffix = call('HGETALL', coord), ':' .. target
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'o:' and string.sub(fields[i + 1], -#suffix) == suffix then
    free(string.sub(fields[i], 3), number(string.match(fields[i + 1], '^%d+')) or 0)
  end
end
record('kind', target == ARGV[2] and 'leave' or 'evict', 'node', ARGV[2], 'target', target)
return finish(1)
"""

# restore: put back the states that the store lost, as another node had read them before.
#
# ARGV: 2 node, 3 inc, then for each: field, state.
# Returns: how many were put back; 0 if the incarnation is another one. If a node owns the shard, or has written a
#       state since, that state holds.
RESTORE = """
local restored = 0
for i = 4, tonumber(ARGV[3]) == inc and #ARGV or 0, 2 do
  local _, owner = owner_of(ARGV[i])
  if owner == '' and current(ARGV[i]) then restored = restored + call('HSETNX', sess, ARGV[i], ARGV[i + 1]) end
end
if restored > 0 then record('kind', 'restore', 'node', ARGV[2], 'states', text(restored)) end
return finish(restored)
"""

# permit: reserve the next moment at which a session may be created.
#
# ARGV: 2 node, 3 field, 4 token, 5 max_concurrency.
# Returns: 1 and in how many ms it may be used; 0 and in how many ms to ask again; -1 if the shard is not ours; -2
#       and in how many ms the platform renews the budget, which is empty; -3 if the cluster is halted. Slots k
#       apart are at least the window and the life of a permit apart, so the window holds whenever within its life a
#       permit is used. Nothing is reserved further ahead than `lead`, so that a lost list cannot collide with it.
PERMIT = """
local held, owner = owner_of(ARGV[3])
if held ~= tonumber(ARGV[4]) or owner ~= ARGV[2] then return finish({-1, 0}) end
local known = call('HMGET', coord, 'm:halt', 'm:budget', 'm:budget_reset', 'm:floor')
if is_halt(known[1]) then return finish({-3, 0}) end
local budget = number(known[2])
if budget and budget <= 0 then return finish({-2, math.max((number(known[3]) or 0) - now, 0)}) end
local k = math.min(math.max(number(ARGV[5]) or 1, 1), 1000)
local before = call('LRANGE', pace, -k, -k)[1]
if (before and not number(before)) or (known[4] and not number(known[4])) then
  hold_identifies()
  known[4], before = text(now + window + life + lead), nil
end
local slot = math.max(now, number(known[4]) or 0)
if before then slot = math.max(slot, number(before) + window + life) end
if slot - now > lead then return finish({0, slot - now - lead}) end
call('RPUSH', pace, text(slot))
call('LTRIM', pace, -k, -1)
if budget then call('HSET', coord, 'm:budget', text(budget - 1)) end
return finish({1, slot - now})
"""

# admin: every other change that concerns the whole cluster.
#
# ARGV: 2 node (the caller, '' for a person), 3 the operation, then its arguments.
#   ask AGE LIFE          1 if this node should ask /gateway/bot now: the answer is older than AGE ms, or missing, and
#                         no other node was asked to in the last LIFE ms; else 0.
#   gateway JSON LEFT MS  store the answer: LEFT sessions may be created until MS ms from now. The smaller number
#                         holds: the one that is counted here, or the one of the platform.
#   plan SHARDS           set the number of shards: 1 if there was none, or no shard is owned; else 0.
#   halt JSON             no node identifies any more, every node ends; the first reason stays.
#   unhalt                end that.
#   drain NODE            let a node give its shards away; 0 if it is no member.
#   begin OV NEXT         begin a roll; NEXT: a number of shards, followed by ' restart' if the generation before has
#                         to end first. switch OV: make the next generation the current one; abort OV: give it up. All
#                         three: 0 if ov or the phase is another one.
ADMIN = """
local by, op = ARGV[2], ARGV[3]

local function anything_owned()
  local fields = call('HGETALL', coord)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'o:' and string.match(fields[i + 1], '^%d+:.') then return true end
  end
  return false
end

local function forget(generation)
  for _, key in ipairs({coord, sess}) do
    for _, field in ipairs(call('HKEYS', key)) do
      if string.match(field, '^o?:?' .. text(generation) .. '%.%d+$') then call('HDEL', key, field) end
    end
  end
end

local function ask(age, life)
  local known = call('HMGET', coord, 'm:gateway_at', 'm:asked')
  local at, asked = number(known[1]) or 0, number(known[2]) or 0
  if at <= now and now - at < tonumber(age) then return 0 end
  if asked <= now and now - asked < tonumber(life) then return 0 end
  call('HSET', coord, 'm:asked', text(now))
  return 1
end

local function gateway(answer, left, reset)
  local known = call('HMGET', coord, 'm:budget', 'm:budget_reset')
  left = tonumber(left)
  if number(known[1]) and (number(known[2]) or 0) > now then left = math.min(left, number(known[1])) end
  call('HSET', coord, 'm:gateway', answer, 'm:gateway_at', text(now), 'm:budget', text(left), 'm:budget_reset',
    text(now + tonumber(reset)))
  return 1
end

local function plan(shards)
  if anything_owned() then return 0 end
  if gen > 0 then forget(gen) forget(gen + 1) end
  call('HSET', coord, 'm:gen', text(gen + 1), 'm:shards', shards, 'm:next', '')
  ov = ov + 1
  return 1
end

local function roll(seen, phase, fields)
  if tonumber(seen) ~= ov or (following ~= '') ~= phase or gen == 0 then return 0 end
  call('HSET', coord, unpack(fields))
  ov = ov + 1
  return 1
end

local done
if op == 'ask' then done = ask(ARGV[4], ARGV[5])
elseif op == 'gateway' then done = gateway(ARGV[4], ARGV[5], ARGV[6])
elseif op == 'plan' then done = plan(ARGV[4])
elseif op == 'halt' then
  done = is_halt(call('HGET', coord, 'm:halt')) and 0 or 1
  if done == 1 then call('HSET', coord, 'm:halt', ARGV[4]) end
elseif op == 'unhalt' then done = call('HDEL', coord, 'm:halt')
elseif op == 'drain' then
  done = call('HEXISTS', coord, 'n:' .. ARGV[4])
  if done == 1 then call('HSET', coord, 'd:' .. ARGV[4], '1') end
elseif op == 'begin' then done = roll(ARGV[4], false, {'m:next', ARGV[5]})
elseif op == 'switch' then
  done = roll(ARGV[4], true, {'m:gen', text(gen + 1), 'm:shards', string.match(following, '^%d*'), 'm:next', ''})
  if done == 1 and string.find(following, 'restart') then forget(gen) end -- no owner is left to release them
elseif op == 'abort' then done = roll(ARGV[4], true, {'m:next', ''})
end
if done == 1 and op ~= 'ask' then record('kind', op, 'node', by, 'detail', ARGV[4] or '') end
return finish(done)
"""

# rights: check that this user may run every command that the scripts run, on a key of its own.
#
# KEYS: a scratch key. No ARGV. Returns: 1; a failure names the command.
RIGHTS = """
local scratch = KEYS[1]
local function try(command, ...)
  local reply = redis.pcall(command, ...)
  if type(reply) == 'table' and reply.err then error('QQBOT ' .. command .. ': ' .. reply.err, 0) end
end
try('INFO', 'server')
try('TIME')
try('DEL', scratch)
try('HSET', scratch, 'field', 'value')
try('HSETNX', scratch, 'field', 'value')
try('HGET', scratch, 'field')
try('HMGET', scratch, 'field')
try('HGETALL', scratch)
try('HKEYS', scratch)
try('HEXISTS', scratch, 'field')
try('HDEL', scratch, 'field')
try('RPUSH', scratch, '1')
try('LRANGE', scratch, -1, -1)
try('LTRIM', scratch, -1, -1)
try('DEL', scratch)
try('XADD', scratch, 'MAXLEN', '~', '1', '*', 'field', 'value')
try('DEL', scratch)
return 1
"""

SCRIPTS = {
    "sync": Script(PREAMBLE + SYNC),
    "claim": Script(PREAMBLE + CLAIM),
    "release": Script(PREAMBLE + RELEASE),
    "evict": Script(PREAMBLE + EVICT),
    "restore": Script(PREAMBLE + RESTORE),
    "permit": Script(PREAMBLE + PERMIT),
    "admin": Script(PREAMBLE + ADMIN),
    "rights": Script(RIGHTS),
}
