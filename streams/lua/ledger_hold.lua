-- Look at the lease again just before sending, extend it, and leave the pending mark that
-- outlives it. ARGV: now, job, fence, revision, lease_s. Returns 'held', 'lost' or 'done'.
local job, fence, revision, lease_s = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local hash = key('job', job)
local is = redis.call('HMGET', hash, 'fence', 'done', 'dest', 'rank', 'lease')
if is[1] ~= fence or not is[5] or tonumber(is[5]) <= now then
  return 'lost'
end
if tonumber(is[2] or '0') >= revision then
  return 'done'
end
local lease = now + lease_s
redis.call('HSET', hash, 'lease', lease, 'pending', 1, 'last_sent', now)
redis.call('HSETNX', hash, 'first_sent', now)
schedule(job, is[3], is[4], lease)
-- Of several that go in one message, one alone takes up room.
redis.call('ZADD', key('busy', is[3]), 'XX', lease, job)
return 'held'
