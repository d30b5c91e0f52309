-- Write what an attempt came to. ARGV: now, job, fence, what, revision, receipt, due,
--   pending, settle_until, blocked_until, counts, off, keep_s, log entry, own ('1': the
--   receipt is of a message of the story's own, not of one that tells of several), fails ('1':
--   the destination failed, whether or not this counts against the message).
-- what: 'receipt'  the destination has this revision (true whoever says so, lease or not)
--       'found'    the same, found by looking back; the claim goes on to the wanted revision
--       'retry'    again at `due`; `pending` says that this attempt may have been applied
--       'dead'     never again, until a higher revision or a replay wants it
--       'apart'    again at `due`, but in a message of its own
--       'release'  give the claim back untouched
-- Returns 'settled', or 'lost' when the lease was another's.
local job, fence, what, revision = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local receipt, due, pending, settle_until = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9]
local blocked_until, counts, off = tonumber(ARGV[10]), ARGV[11], ARGV[12]
local keep_s, entry, own, fails = tonumber(ARGV[13]), ARGV[14], ARGV[15], ARGV[16]
local hash = key('job', job)

if entry ~= '' then
  redis.call('LPUSH', tag .. 'ledger:log', entry)
  redis.call('LTRIM', tag .. 'ledger:log', 0, 9999)
end
local is = redis.call('HMGET', hash, 'fence', 'done', 'dest', 'sink', 'rank', 'wanted',
  'not_before', 'again')
local dest, sink = is[3], is[4]
if not dest then
  return 'lost'
end
local about = key('dest', dest)
local mine = is[1] == fence
local at_once = math.max(now, tonumber(is[7] or '0'))
local done = tonumber(is[2] or '0')
if what == 'receipt' or what == 'found' then
  if revision > done then
    done = revision
    redis.call('HSET', hash, 'done', done, 'receipt', receipt, 'own', own)
    if own ~= '1' then
      redis.call('HDEL', hash, 'counted')
    end
  end
  redis.call('HSET', hash, 'told_at', now)
  redis.call('HDEL', about, 'failing_since', 'failed_at', 'failed_times')
  redis.call('HSET', about, 'told_at', now)
end
if not mine then
  return 'lost'
end
if what == 'found' then
  redis.call('HDEL', hash, 'pending', 'first_sent', 'settle_until')
  return 'settled'
end

redis.call('HDEL', hash, 'lease')
redis.call('ZREM', key('busy', dest), job)
if what == 'receipt' then
  redis.call('HDEL', hash, 'pending', 'first_sent', 'settle_until')
  redis.call('HSET', hash, 'failures', 0)
  -- Somebody decided something while this attempt was under way: once more, to show it.
  if is[8] == '1' then
    redis.call('HSET', hash, 'done', 0)
  end
  if is[8] == '1' or tonumber(is[6]) > done then
    schedule(job, dest, is[5], at_once)
  else
    unschedule(job, dest)
  end
elseif what == 'apart' then
  redis.call('HDEL', hash, 'together', 'pending', 'first_sent', 'settle_until')
  schedule(job, dest, is[5], due)
elseif what == 'release' then
  schedule(job, dest, is[5], due)
else
  redis.call('HSET', hash, 'pending', pending, 'settle_until', settle_until)
  if pending ~= '1' then
    redis.call('HDEL', hash, 'first_sent')
  end
  redis.call('HINCRBY', hash, 'failures', counts)
  if fails == '1' then
    redis.call('HSETNX', about, 'failing_since', now)
    -- What fails within half a day fails once: a burst is no sign of days.
    if now - tonumber(redis.call('HGET', about, 'failed_at') or '0') >= 43200 then
      redis.call('HSET', about, 'failed_at', now)
      redis.call('HINCRBY', about, 'failed_times', 1)
    end
  end
  -- A higher revision wanted meanwhile is a new message: it does not wait for the old one's
  -- schedule, only for what the receiver demanded and for doubt to settle.
  if tonumber(is[6]) > revision then
    redis.call('HSET', hash, 'failures', 0)
    schedule(job, dest, is[5], math.max(at_once, tonumber(settle_until)))
  elseif what == 'dead' then
    redis.call('HSET', hash, 'dead', revision)
    unschedule(job, dest)
  else
    schedule(job, dest, is[5], due)
  end
end
if blocked_until > now then
  local before = tonumber(redis.call('HGET', about, 'not_before') or '0')
  redis.call('HSET', about, 'not_before', math.max(before, blocked_until))
end
if off ~= '' then
  redis.call('HSET', about, 'off', off, 'off_at', now)
end
redis.call('EXPIRE', hash, keep_s)
reindex(dest, sink)
return 'settled'
