-- Note what somebody decided about a story at a destination, and have its message edited.
-- ARGV: now, job, id of the decision, the decision as one line of JSON, choice.
-- Returns 1 when the destination knows the story. Repeating a decision changes nothing.
local MOST = 5
local job, id, line, choice = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local hash = key('job', job)
local is = redis.call('HMGET', hash, 'story', 'dest', 'sink', 'rank', 'lease', 'verdicts', 'own',
  'settle_until')
if not is[1] then
  return 0
end
local kept = {}
for known in string.gmatch(is[6] or '', '[^\n]+') do
  if string.find(known, id, 1, true) then
    return 1
  end
  kept[#kept + 1] = known
end
kept[#kept + 1] = line
while #kept > MOST do
  table.remove(kept, 1)
end
redis.call('HSET', hash, 'verdicts', table.concat(kept, '\n'))
if choice == 'mute' or choice == 'follow' then
  redis.call('HSET', hash, 'stance', choice)
elseif choice == 'unmute' then
  redis.call('HDEL', hash, 'stance')
end
-- A message of the story's own shows it; without one there is nothing to edit.
if is[7] == '1' and redis.call('EXISTS', key('alert', is[1])) == 1 then
  redis.call('HSET', hash, 'done', 0, 'failures', 0, 'again', 1)
  redis.call('HDEL', hash, 'dead', 'together')
  -- Not before an attempt in doubt has settled: looking back earlier would lie.
  local settled = math.max(tonumber(is[5] or '0'), tonumber(is[8] or '0'))
  schedule(job, is[2], is[4], math.max(now, settled))
  reindex(is[2], is[3])
end
return 1
