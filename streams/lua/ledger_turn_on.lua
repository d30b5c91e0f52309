-- Turn a destination on again; what was wanted meanwhile is due at once. ARGV: now, dest.
-- Returns 1 when it was off.
local dest = ARGV[2]
local about = key('dest', dest)
local was = redis.call('HDEL', about, 'off', 'off_at')
redis.call('HDEL', about, 'not_before', 'failing_since', 'failed_at', 'failed_times')
local sink = redis.call('HGET', about, 'sink')
if sink then
  reindex(dest, sink)
end
return was > 0 and 1 or 0
