-- Tell a destination again what it has been told of a story, as it stands now. A webhook
-- gets the same id again; a Slack message is edited. ARGV: now, job. Returns 1 when the job
-- is known and its alert is kept.
local job = ARGV[2]
local hash = key('job', job)
local is = redis.call('HMGET', hash, 'story', 'dest', 'sink', 'rank', 'lease',
  'settle_until')
if not is[1] or redis.call('EXISTS', key('alert', is[1])) == 0 then
  return 0
end
-- Who asks for it is not held up by the cap of an hour.
redis.call('HSET', hash, 'done', 0, 'failures', 0, 'counted', 1)
redis.call('HDEL', hash, 'dead', 'together', 'silent')
-- Not before an attempt in doubt has settled: looking back earlier would lie.
local settled = math.max(tonumber(is[5] or '0'), tonumber(is[6] or '0'))
schedule(job, is[2], is[4], math.max(now, settled))
reindex(is[2], is[3])
return 1
