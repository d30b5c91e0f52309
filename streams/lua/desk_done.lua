-- A choice was done, or cannot be: it waits no more, and what Kafka shall hear of it goes out.
-- KEYS[1]: the hash tag. ARGV: now, id, outcome ('' or why not), then records for Kafka.
-- Returns 1, or 0 when another process has said so before: then nothing goes out again.
local tag, now, id = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HDEL', tag .. 'desk:said', id) == 0 then
  return 0
end
redis.call('ZREM', tag .. 'desk:waiting', id)
redis.call('ZADD', tag .. 'desk:done', now, id)
redis.call('HSET', tag .. 'desk:outcome', id, ARGV[3])
for i = 4, #ARGV do
  local number = redis.call('INCR', tag .. 'desk:number')
  redis.call('HSET', tag .. 'desk:outgoing', string.format('%016d', number), ARGV[i])
end
return 1
