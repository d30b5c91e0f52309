-- Let a story ring no more at a destination, or ring again. ARGV: now, job, muted ('1' or '0').
-- Returns 1 when the destination knows the story.
local hash = key('job', ARGV[2])
if redis.call('EXISTS', hash) == 0 then
  return 0
end
redis.call('HSET', hash, 'muted', ARGV[3])
return 1
