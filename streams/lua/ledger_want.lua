-- Bring destinations up to a revision of a story. May be repeated: only a higher revision
-- changes anything. Returns the number of deliveries that were set going.
-- ARGV: now, story, revision, raw alert, rank, earliest ('' when the publisher gave no time),
--   remembered ('1': this process knew this ledger before), settle_s, window_s, keep_s,
--   then per destination: dest, sink, target, subscriptions, matches ('1' or '0'), not_before,
--   follows ('1' or '0'), together (why it may come with others), silent ('1': note it as
--   told), cap (stories an hour, 0 for none), gather_s (routine is gathered for so long).
local story, revision, raw, rank = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local earliest, remembered = tonumber(ARGV[6]), ARGV[7] == '1'
local settle_s, window_s, keep_s = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

-- The boot sentinel: without it this Redis is new or was emptied, and what was delivered
-- before cannot be known from it.
local sentinel = tag .. 'ledger'
if redis.call('EXISTS', sentinel) == 0 then
  local settle_until = remembered and now + settle_s or now
  redis.call('HSET', sentinel, 'born', now, 'settle_until', settle_until)
end
local boot = redis.call('HMGET', sentinel, 'born', 'settle_until')
local born, boot_settled = tonumber(boot[1]), tonumber(boot[2])
-- A report from before the birth may have been told by a Redis that is gone. A quarter hour
-- covers publishers whose clocks run ahead.
local doubtful
if earliest then
  doubtful = earliest <= born + 900
else
  doubtful = now < born + window_s
end

local alert = key('alert', story)
local known = tonumber(redis.call('HGET', alert, 'revision') or '0')
if revision >= known then
  redis.call('HSET', alert, 'revision', revision, 'raw', raw)
end
redis.call('EXPIRE', alert, keep_s)
local wanted = math.max(revision, known)

local function note_silently(hash, dest, sink, target)
  redis.call('HSET', hash, 'wanted', wanted, 'done', wanted, 'silent', 1, 'dest', dest,
    'sink', sink, 'target', target, 'story', story, 'rank', rank)
  redis.call('EXPIRE', hash, keep_s)
end

local started = 0
for i = 11, #ARGV, 11 do
  local dest, sink, target, subscriptions, matches, not_before, follows, together, silent, cap,
    gather_s = unpack(ARGV, i, i + 10)
  local job = dest .. '|' .. story
  local hash = key('job', job)
  local was = redis.call('HMGET', hash, 'wanted', 'done', 'dead', 'lease', 'settle_until',
    'silent', 'own', 'stance')
  local told = was[1] and was[6] ~= '1'
  local done, dead = tonumber(was[2] or '0'), tonumber(was[3] or '0')
  local left_alone = told and follows == '0' and done > 0 and dead == 0 and was[8] ~= 'follow'
  if not told and silent == '1' then
    note_silently(hash, dest, sink, target)
  -- A destination that was told of a story hears of its growth, its correction and its
  -- withdrawal, even when these alone would not match.
  elseif (told or matches == '1') and not left_alone then
    local higher = wanted > tonumber(was[1] or '0')
    local replayed = dead > 0 and revision >= dead
    if (higher or replayed) and wanted > done then
      -- What has a message of its own is edited there; only the rest can come together.
      local gathered = 0
      if was[7] == '1' then
        together = ''
      elseif together == '' and rank == '2' and tonumber(gather_s) > 0 then
        together = 'burst'
        gathered = math.ceil(now / tonumber(gather_s)) * tonumber(gather_s)
      end
      redis.call('HSET', hash, 'wanted', wanted, 'dest', dest, 'sink', sink, 'target', target,
        'story', story, 'rank', rank, 'failures', 0, 'not_before', not_before,
        'together', together)
      redis.call('HDEL', hash, 'dead')
      if matches == '1' then
        redis.call('HSET', hash, 'subscriptions', subscriptions)
      end
      local settled = tonumber(was[5] or '0')
      if not told then
        redis.call('HDEL', hash, 'silent')
        redis.call('HSET', hash, 'wanted_at', now, 'done', 0)
        if doubtful then
          settled = boot_settled
          redis.call('HSET', hash, 'pending', 1, 'settle_until', settled)
        end
      end
      redis.call('HSET', key('dest', dest), 'sink', sink, 'target', target, 'cap', cap)
      redis.call('SADD', tag .. 'ledger:dests', dest)
      -- An attempt under way keeps its place until its lease ends; settling it requeues.
      local due = math.max(now, settled, tonumber(was[4] or '0'), tonumber(not_before), gathered)
      schedule(job, dest, rank, due)
      reindex(dest, sink)
      started = started + 1
    end
    redis.call('EXPIRE', hash, keep_s)
  end
end
return started
