-- Claim due deliveries of one sink under a lease, the most urgent first. A claim whose lease
-- ends is claimable again, and what it had pending stays pending ("unknown").
-- ARGV: now, sink, limit, lease_s of a claim, lease_s of one that looks back first, in flight
--   at once per destination, interval_s.
-- Returns {next time something is due or '', {claim...}}.
local sink, limit = ARGV[2], tonumber(ARGV[3])
local new_lease_s, unknown_lease_s = tonumber(ARGV[4]), tonumber(ARGV[5])
local in_flight_limit, interval_s = tonumber(ARGV[6]), tonumber(ARGV[7])
local claims = {}

local function pick(dest)
  for _, rank in ipairs(RANKS) do
    local head = redis.call('ZRANGEBYSCORE', due_key(dest, rank), '-inf', now, 'LIMIT', 0, 1)
    if head[1] then
      return head[1], rank
    end
  end
end

local function claim(job, dest, rank)
  local hash = key('job', job)
  local is = redis.call('HMGET', hash, 'wanted', 'done', 'story', 'target', 'subscriptions',
    'receipt', 'failures', 'pending', 'first_sent', 'last_sent')
  local alert = is[3] and redis.call('HMGET', key('alert', is[3]), 'revision', 'raw') or {}
  if not alert[1] or tonumber(alert[1]) <= tonumber(is[2] or '0') then
    unschedule(job, dest)
    return false
  end
  local lease = now + (is[8] == '1' and unknown_lease_s or new_lease_s)
  local fence = redis.call('HINCRBY', hash, 'fence', 1)
  redis.call('HSET', hash, 'lease', lease)
  redis.call('ZADD', due_key(dest, rank), lease, job)
  redis.call('ZADD', key('busy', dest), lease, job)
  claims[#claims + 1] = {job, fence, is[8] == '1' and 'unknown' or 'new', dest, is[4],
    is[5] or '', is[2] or '0', is[6] or '', is[7] or '0', is[9] or '', is[10] or '',
    is[11] or '', redis.call('HGET', key('dest', dest), 'failing_since') or '', alert[1],
    alert[2]}
  return true
end

local index = key('sink', sink)
for _, dest in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, 100)) do
  if #claims >= limit then
    break
  end
  local about, busy = key('dest', dest), key('busy', dest)
  redis.call('ZREMRANGEBYSCORE', busy, '-inf', now)
  if tonumber(redis.call('HGET', about, 'not_before') or '0') <= now then
    local room = in_flight_limit - redis.call('ZCARD', busy)
    while room > 0 and #claims < limit do
      local job, rank = pick(dest)
      if not job then
        break
      end
      if claim(job, dest, rank) then
        room = room - 1
        if interval_s > 0 then
          redis.call('HSET', about, 'not_before', now + interval_s)
          break
        end
      end
    end
  end
  reindex(dest, sink, in_flight_limit)
end
local head = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
return {head[2] or '', claims}
