-- What editors do to stories, each atomic beside the assignment of articles (stories.lua, which
-- says what every key holds). Marks are entries of a story's list: byte 0, byte 255, msgpack of
-- { kind, at, story, number, words } (streams/entries.py).
--
-- KEYS[1]  the tag that every key starts with (one hash slot)
-- ARGV     what, at (seconds), seconds to keep stories, story, and then
--   merge  the other story, the headline of the first
--   split  length of the list as it was read, article, new story, headline, countries of the
--          article, countries of the rest, then the places of the article's entries (from 0)
--   mute   '1' or '0'
-- Answers 1 when it is done (now or before), 0 when the stories changed meanwhile: read again.

local VERSION_BYTES, STORY_CHARS, NUMBER, NUMBER_BYTES = 15, 12, '>I4', 4
local CHUNK, RECORD_BYTES, LANGUAGES = 256, 6 + 8 + 2 + 128 + 2, 8
local KEEP_LINKS_S, AT_ONCE = 30 * 86400, 1000

local tag, what, at = KEYS[1], ARGV[1], tonumber(ARGV[2])
local keep_stories, story = tonumber(ARGV[3]), ARGV[4]

local function story_key(id) return tag .. 'story:' .. id end
local function list_key(id) return story_key(id) .. ':m' end

local function mark(kind, other, number, words)
  return string.char(0, 255) .. cmsgpack.pack({ kind, at, other or '', number or 0, words or '' })
end

local function counted(id)
  local seq = redis.call('LLEN', list_key(id))
  redis.call('HSET', story_key(id), 'n', seq)
  redis.call('EXPIRE', story_key(id), keep_stories)
  redis.call('EXPIRE', list_key(id), keep_stories)
  return seq
end

-- A link is of use as long as the story on its one side is kept.
local function link(hash, from, to, kept_side)
  redis.call('HSET', tag .. hash, from, to)
  redis.call('EXPIRE', tag .. hash, KEEP_LINKS_S)
  local links = redis.call('HGETALL', tag .. hash)
  for i = 1, #links, 2 do
    if redis.call('EXISTS', story_key(links[i + kept_side])) == 0 then
      redis.call('HDEL', tag .. hash, links[i])
    end
  end
  return links
end

local function countries_of(one, other)
  local both = one
  for country in string.gmatch(other, '%u%u') do
    if not string.find(both, country, 1, true) and #both < 60 then both = both .. country .. ' ' end
  end
  return both
end

local function is_open(id)
  return redis.call('HEXISTS', tag .. 'into', id) == 0 and redis.call('EXISTS', story_key(id)) == 1
end

local function merge(other, headline)
  if not is_open(story) or not is_open(other) then return 0 end
  local entries = redis.call('LRANGE', list_key(other), 0, -1)
  redis.call('RPUSH', list_key(story), mark('merge', other, #entries))
  for from = 1, #entries, AT_ONCE do
    redis.call('RPUSH', list_key(story), unpack(entries, from, math.min(#entries, from + AT_ONCE - 1)))
  end
  redis.call('RPUSH', list_key(other), mark('into', story, 0, headline))
  counted(other)
  local ours = redis.call('HMGET', story_key(story), 'i', 'l', 'c')
  local theirs = redis.call('HMGET', story_key(other), 'i', 'l', 'c')
  local last = math.max(tonumber(ours[2]), tonumber(theirs[2]))
  redis.call('HSET', story_key(story), 'i', tonumber(ours[1] or 0) + tonumber(theirs[1] or 0),
    'l', string.format('%.3f', last), 'c', countries_of(ours[3], theirs[3]))
  counted(story)
  local links = link('into', other, story, 0)
  for i = 1, #links, 2 do
    if links[i + 1] == other then redis.call('HSET', tag .. 'into', links[i], story) end
  end
  redis.call('ZREM', tag .. 'stories', other)
  redis.call('ZADD', tag .. 'stories', string.format('%.3f', last), story)
  return 1
end

-- Point what later articles find of this article to its new story; whether there was any.
local function move_posting(article, new)
  local record = redis.call('GET', tag .. 'a:' .. article)
  if not record or (#record - STORY_CHARS) % VERSION_BYTES ~= NUMBER_BYTES then return false end
  local count = math.floor(struct.unpack(NUMBER, record, STORY_CHARS + 1) / LANGUAGES)
  local chunk, from = tag .. 'k:' .. math.floor(count / CHUNK), (count % CHUNK) * RECORD_BYTES
  if redis.call('STRLEN', chunk) < from + RECORD_BYTES then return false end
  redis.call('SETRANGE', chunk, from, struct.pack('>I6', tonumber(new, 16)))
  return true
end

local function split(length, article, new, headline, countries, rest)
  if not is_open(story) or redis.call('LLEN', list_key(story)) ~= length then return 0 end
  redis.call('RPUSH', list_key(new), mark('from', story, 0, headline))
  for i = 11, #ARGV do
    redis.call('RPUSH', list_key(new), redis.call('LINDEX', list_key(story), ARGV[i]))
  end
  redis.call('RPUSH', list_key(story), mark('left', new, 0, article))
  local key, moved = story_key(story), move_posting(article, new)
  if moved then redis.call('HINCRBY', key, 'i', -1) end
  local last = redis.call('HGET', key, 'l')
  redis.call('HSET', story_key(new), 'i', moved and 1 or 0, 'l', last, 'c', countries)
  counted(new)
  -- No snapshot of before knows what to take away.
  redis.call('HSET', key, 'e', counted(story), 'c', rest)
  redis.call('HDEL', key, 'sn', 'sv', 'sb')
  link('left', article, new, 1)
  redis.call('ZADD', tag .. 'stories', last, new)
  return 1
end

local function mute(muted)
  if not is_open(story) then return 0 end
  if (redis.call('HGET', story_key(story), 'muted') or '0') == muted then return 1 end
  redis.call('HSET', story_key(story), 'muted', muted)
  redis.call('RPUSH', list_key(story), mark(muted == '1' and 'mute' or 'unmute'))
  counted(story)
  return 1
end

if what == 'merge' then return merge(ARGV[5], ARGV[6]) end
if what == 'split' then
  return split(tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
end
return mute(ARGV[5])
