-- Shared beginning of every ledger script. KEYS[1] is the hash tag that every key starts
-- with, so that all keys are in one cluster slot; ARGV[1] is the caller's clock in seconds.
--
--   ledger                    hash    boot sentinel: born, settle_until
--   ledger:alert:STORY        hash    revision, raw: the latest alert of a story (kept_alerts.py)
--   ledger:job:JOB            hash    one destination and one story: wanted, done, receipt, ...
--   ledger:due:DEST:RANK      zset    job -> seconds when it is due (lease end while claimed)
--   ledger:busy:DEST          zset    job -> lease end of an attempt under way
--   ledger:dest:DEST          hash    sink, target, not_before, off, failing_since, failed_at,
--                                     failed_times, told_at
--   ledger:dests              set     every destination ever wanted
--   ledger:sink:SINK          zset    destination -> when something of it may be claimed
--   ledger:log                list    the last attempts, newest first, JSON
local tag = KEYS[1]
local now = tonumber(ARGV[1])
local RANKS = {'0', '1', '2'}

local function key(kind, name)
  return tag .. 'ledger:' .. kind .. ':' .. name
end

local function due_key(dest, rank)
  return key('due', dest .. ':' .. rank)
end

-- A sink finds its next work by this index; it is set again after every change.
local function reindex(dest, sink, in_flight_limit)
  local first = nil
  for _, rank in ipairs(RANKS) do
    local head = redis.call('ZRANGE', due_key(dest, rank), 0, 0, 'WITHSCORES')
    if head[2] and (not first or tonumber(head[2]) < first) then
      first = tonumber(head[2])
    end
  end
  local state = redis.call('HMGET', key('dest', dest), 'off', 'not_before')
  if not first or state[1] then
    redis.call('ZREM', key('sink', sink), dest)
    return
  end
  first = math.max(first, tonumber(state[2] or '0'))
  if in_flight_limit then
    local busy = key('busy', dest)
    if redis.call('ZCARD', busy) >= in_flight_limit then
      local ends = redis.call('ZRANGE', busy, 0, 0, 'WITHSCORES')
      first = math.max(first, tonumber(ends[2]))
    end
  end
  redis.call('ZADD', key('sink', sink), first, dest)
end

local function schedule(job, dest, rank, due)
  for _, other in ipairs(RANKS) do
    if other ~= rank then
      redis.call('ZREM', due_key(dest, other), job)
    end
  end
  redis.call('ZADD', due_key(dest, rank), due, job)
end

local function unschedule(job, dest)
  for _, rank in ipairs(RANKS) do
    redis.call('ZREM', due_key(dest, rank), job)
  end
end
