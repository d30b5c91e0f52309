-- Write a choice down before anything is done about it. May be repeated.
-- KEYS[1]: the hash tag. ARGV: now, id, the choice, keep_s (ids are known for so long).
-- Returns 1 when it is new, 0 when it waits or was done before.
--
--   desk:waiting    zset   id of a choice -> its number, in the order of coming
--   desk:said       hash   id -> the choice, MessagePack
--   desk:done       zset   id -> when it was done
--   desk:outcome    hash   id -> why it could not be done ('' when it was), while in desk:done
--   desk:outgoing   hash   number -> a record that Kafka has not confirmed, MessagePack
--   desk:number     string the last number given
local tag, now, id, keep_s = KEYS[1], tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local old = redis.call('ZRANGEBYSCORE', tag .. 'desk:done', '-inf', now - keep_s, 'LIMIT', 0, 100)
for _, each in ipairs(old) do
  redis.call('ZREM', tag .. 'desk:done', each)
  redis.call('HDEL', tag .. 'desk:outcome', each)
end
if redis.call('ZSCORE', tag .. 'desk:done', id) or redis.call('HEXISTS', tag .. 'desk:said', id) == 1 then
  return 0
end
redis.call('HSET', tag .. 'desk:said', id, ARGV[3])
redis.call('ZADD', tag .. 'desk:waiting', redis.call('INCR', tag .. 'desk:number'), id)
return 1
