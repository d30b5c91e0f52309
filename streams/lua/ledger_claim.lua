-- Claim due deliveries of one sink under a lease, the most urgent first. A claim whose lease
-- ends is claimable again, and what it had pending stays pending ("unknown").
-- ARGV: now, sink, limit, lease_s of a claim, lease_s of one that looks back first, in flight
--   at once per destination, interval_s, the most that go into one message (0: it has none).
-- Returns {next time something is due or '', {claim...}}.
local sink, limit = ARGV[2], tonumber(ARGV[3])
local new_lease_s, unknown_lease_s = tonumber(ARGV[4]), tonumber(ARGV[5])
local in_flight_limit, interval_s = tonumber(ARGV[6]), tonumber(ARGV[7])
local most_together = tonumber(ARGV[8])
local claims = {}

local function pick(dest)
  for _, rank in ipairs(RANKS) do
    local head = redis.call('ZRANGEBYSCORE', due_key(dest, rank), '-inf', now, 'LIMIT', 0, 1)
    if head[1] then
      return head[1], rank
    end
  end
end

-- What may come in one message with others: it is due, in no doubt, and has none of its own.
local function companions(dest)
  local found, least = {}, 3
  for _, rank in ipairs({'1', '2'}) do
    local due = redis.call('ZRANGEBYSCORE', due_key(dest, rank), '-inf', now, 'LIMIT', 0,
      most_together)
    for _, job in ipairs(due) do
      local is = redis.call('HMGET', key('job', job), 'together', 'pending', 'own')
      if (is[1] or '') ~= '' and is[2] ~= '1' and is[3] ~= '1' and #found < most_together then
        found[#found + 1] = {job, rank}
        if is[1] ~= 'burst' then
          least = 2
        end
      end
    end
  end
  return #found >= least and found or {}
end

-- A story that would ring beyond the cap waits for the end of the clock hour. True when so.
-- One that was told among others rings once more when it gets a message of its own.
local function over_cap(job, dest, rank)
  local hash = key('job', job)
  local is = redis.call('HMGET', hash, 'together', 'pending', 'own', 'counted')
  if rank == '0' or is[2] == '1' or is[3] == '1' or is[4] == '1' then
    return false
  end
  local waited = is[1] == 'cap' or is[1] == 'waking' or is[1] == 'digest'
  local about = redis.call('HMGET', key('dest', dest), 'cap', 'hour', 'rung')
  local cap, hour = tonumber(about[1] or '0'), math.floor(now / 3600)
  local rung = tonumber(about[2]) == hour and tonumber(about[3]) or 0
  if cap == 0 or waited or rung < cap then
    redis.call('HSET', hash, 'counted', 1)
    redis.call('HSET', key('dest', dest), 'hour', hour, 'rung', rung + 1)
    return false
  end
  local ends = (hour + 1) * 3600
  redis.call('HSET', hash, 'together', 'cap', 'not_before', ends)
  schedule(job, dest, rank, ends)
  return true
end

local function claim(job, dest, rank, message)
  local hash = key('job', job)
  local is = redis.call('HMGET', hash, 'wanted', 'done', 'story', 'target', 'subscriptions',
    'receipt', 'failures', 'pending', 'first_sent', 'last_sent', 'together', 'stance',
    'verdicts')
  local alert = is[3] and redis.call('HMGET', key('alert', is[3]), 'revision', 'raw') or {}
  if not alert[1] or tonumber(alert[1]) <= tonumber(is[2] or '0') then
    unschedule(job, dest)
    return false
  end
  local lease = now + (is[8] == '1' and unknown_lease_s or new_lease_s)
  local fence = redis.call('HINCRBY', hash, 'fence', 1)
  redis.call('HSET', hash, 'lease', lease)
  redis.call('HDEL', hash, 'again')
  redis.call('ZADD', due_key(dest, rank), lease, job)
  if message == '' or message == job then
    redis.call('ZADD', key('busy', dest), lease, job)
  end
  local failing = redis.call('HMGET', key('dest', dest), 'failing_since', 'failed_times')
  claims[#claims + 1] = {job, fence, is[8] == '1' and 'unknown' or 'new', dest, is[4],
    is[5] or '', is[2] or '0', is[6] or '', is[7] or '0', is[9] or '', is[10] or '',
    failing[1] or '', failing[2] or '0', is[11] or '', is[12] or '', is[13] or '', message,
    alert[1], alert[2]}
  return true
end

local function claim_with_others(job, dest, rank)
  local others = {}
  if most_together > 0 and rank ~= '0' then
    others = companions(dest)
  end
  local leads, claimed = false, false
  for _, other in ipairs(others) do
    leads = leads or other[1] == job
  end
  if not leads then
    return claim(job, dest, rank, '')
  end
  for _, other in ipairs(others) do
    redis.call('HSET', key('job', other[1]), 'counted', 1)
    claimed = claim(other[1], dest, other[2], job) or claimed
  end
  return claimed
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
      if most_together == 0 or not over_cap(job, dest, rank) then
        if claim_with_others(job, dest, rank) then
          room = room - 1
          if interval_s > 0 then
            redis.call('HSET', about, 'not_before', now + interval_s)
            break
          end
        end
      end
    end
  end
  reindex(dest, sink, in_flight_limit)
end
local head = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
return {head[2] or '', claims}
