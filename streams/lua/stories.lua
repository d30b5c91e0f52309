-- Which story does each article of a batch belong to? One call, one answer, all of it atomic.
-- Goes on after stories_search.lua, which finds what an article is like.
--
-- KEYS[1]  the tag that every key starts with (one hash slot)
-- ARGV[1]  msgpack: settings by name (streams/stories.py says where each number comes from)
-- then     per article: id; msgpack of {story, published, chosen, words, countries, language, kinds,
--          bytes of terms}; digest, material digest, towns, terms (hash and weight, heaviest first)
--          and signature in one; its facts ('': no topic, only looked up); its facts as a copy
-- then     per folded story to keep: story; members folded; version; bytes
-- (No msgpack around bytes: cmsgpack knows only strings.)
--
-- Answers { {flag, story, seq, repeated, score, home}, ... }, { {story, folded, bytes, {member, ...}}, ... }:
-- per article in order, and per story what is needed to fold it up to the highest seq asked for.
--   flag  m member (the fold says what it is)  c copy  q quiet: nothing about it is new
--         g its story is no longer kept        o known nowhere, and about no topic or withdrawn
--   home  the story it is in now, where editors have merged or split (else as `story`)
--
-- Keys under the tag:
--   a:<article>           story, number in the index, then per version: digest, material digest, seq, flag
--   story:<id>            hash: n members, i indexed, l last seen, c countries, x kept from, the snapshot,
--                         and e: the member from which on a snapshot is true (editing.lua)
--   story:<id>:m          list: one score byte and the facts of each member
--   p:<period>            hash: term -> its newest postings: article number, weight
--   k:<count / 256>       story, towns, kinds, signature and words of 256 articles
--   n                     count of indexed articles
-- An article's number is its count times 8, and its language: who reads a posting knows both.
--   stories               sorted set: stories by last seen
--   into, left            hashes: merged story -> the kept one; article split off -> its story

local VERSION, VERSION_BYTES, STORY_CHARS, NUMBER, NUMBER_BYTES = '>c6c4I4c1', 15, 12, '>I4', 4

-- `published` is 1; 0 is a correction, 2 a withdrawal.
local function read_article(at)
  local says, marks = cmsgpack.unpack(ARGV[at + 1]), ARGV[at + 2]
  return {
    id = ARGV[at], story = says[1], published = says[2], chosen = says[3], words = says[4],
    countries = says[5], language = says[6], kinds = says[7],
    digest = string.sub(marks, 1, 6), material = string.sub(marks, 7, 10),
    towns = string.sub(marks, 11, 18), terms = string.sub(marks, 19, 18 + says[8]),
    signature = string.sub(marks, 19 + says[8]), facts = ARGV[at + 3], copy = ARGV[at + 4],
  }
end

local any_left = redis.call('EXISTS', tag .. 'left') == 1

-- The story that an article is in now, of the story that it joined.
local function home_of(id, story)
  story = any_left and redis.call('HGET', tag .. 'left', id) or story
  return into[story] or story
end

-- Records from before there were numbers have none.
local function versions_from(record)
  return STORY_CHARS + 1 + (#record - STORY_CHARS) % VERSION_BYTES
end

-- Versions of an article that Redis has seen: the one with this content, the one with this matter.
local function find_version(record, article)
  local same, alike
  for at = versions_from(record), #record, VERSION_BYTES do
    local digest, material, seq, flag = struct.unpack(VERSION, record, at)
    if digest == article.digest then same = { seq, flag } end
    if material == article.material then alike = seq end
  end
  return same, alike
end

local function remember(article, story, record, seq, flag, number)
  local from = record and versions_from(record)
  local versions = record and string.sub(record, from) or ''
  local excess = #versions - (set.max_versions - 1) * VERSION_BYTES
  if excess > 0 then versions = string.sub(versions, excess + 1) end
  -- What it said in a story that it is no longer in is known, and rings no more.
  if record and string.sub(record, 1, STORY_CHARS) ~= story then
    versions = string.gsub(versions, '(' .. string.rep('.', VERSION_BYTES - 1) .. ').', '%1g')
  end
  number = number and struct.pack(NUMBER, number) or record and string.sub(record, STORY_CHARS + 1, from - 1) or ''
  local version = struct.pack(VERSION, article.digest, article.material, seq, flag)
  redis.call('SET', tag .. 'a:' .. article.id, story .. number .. versions .. version, 'EX', set.keep_articles)
end

-- Redis's own clock, by which keys expire; `now` is that of the events.
local clock = tonumber(redis.call('TIME')[1])

-- Stories that began in this call, by the first entry of their list.
local begun = {}
-- When each story was last seen, for one ZADD at the end: a pair for every member, in order.
local seen = {}

-- Append a member; what the story is known by (`open_story`) grows with it.
local function append(story, article, facts, score, known, findable)
  local key = story_key(story)
  local entry = string.char(math.min(255, math.floor(score * 255))) .. facts
  local seq = redis.call('RPUSH', key .. ':m', entry)
  if seq == 1 then begun[story] = entry end
  local countries = known[3] or ''
  for country in string.gmatch(article.countries, '%u%u') do
    if not string.find(countries, country, 1, true) and #countries < 60 then
      countries = countries .. country .. ' '
    end
  end
  local last = math.max(now, tonumber(known[2] or now))
  local said = string.format('%.3f', last)
  local indexed = tonumber(known[1] or 0) + (findable and 1 or 0)
  -- Kept a twentieth longer, so that not every member has to say so again.
  if clock - tonumber(known[4] or 0) >= set.keep_stories / 20 then
    local keep = math.ceil(set.keep_stories * 1.05)
    redis.call('HSET', key, 'n', seq, 'l', said, 'c', countries, 'i', indexed, 'x', string.format('%.0f', clock))
    redis.call('EXPIRE', key, keep)
    redis.call('EXPIRE', key .. ':m', keep)
  else
    redis.call('HSET', key, 'n', seq, 'l', said, 'c', countries, 'i', indexed)
  end
  seen[#seen + 1], seen[#seen + 2] = said, story
  return seq
end

-- An article that Redis knows: repeated, edited in passing, or edited in what matters.
local function again(article, record)
  local story = string.sub(record, 1, STORY_CHARS)
  local home = home_of(article.id, story)
  local same, alike = find_version(record, article)
  if redis.call('EXISTS', story_key(same and story or home)) == 0 then
    if same then return { 'g', story, 0, 1, 0, home } end
    return nil
  end
  if same then
    redis.call('EXPIRE', tag .. 'a:' .. article.id, set.keep_articles)
    return { same[2], story, same[1], 1, 0, home }
  end
  if alike then
    remember(article, story, record, alike, 'q')
    return { 'q', story, alike, 0, 0, home }
  end
  local known = redis.call('HMGET', story_key(home), 'i', 'l', 'c', 'x')
  local seq = append(home, article, article.facts, 1, known)
  remember(article, home, record, seq, 'm')
  return { 'm', home, seq, 0, 255, home }
end

local function first_time(article)
  if article.chosen == 0 then return { 'o', '', 0, 0, 0 } end
  local cache = {}
  local sums, likely, found = similar_articles(article)
  local story, score
  if article.published == 1 and #article.signature == SIGNATURE_BYTES then
    story, score = story_of_copy(article, sums, likely, cache)
  end
  if story then
    local seq = append(story, article, article.copy, score, cache[story])
    remember(article, story, nil, seq, 'c')
    return { 'c', story, seq, 0, math.floor(score * 255) }
  end
  story, score = nearest_story(article, sums, likely, cache)
  if not story and article.published == 2 then return { 'o', '', 0, 0, 0 } end
  if not story then
    story, score = article.story, 0
    -- A story of this id can only have begun with this very article, forgotten since.
    if redis.call('EXISTS', story_key(story)) == 1 then
      remember(article, story, nil, 1, 'm')
      return { 'm', story, 1, 1, 0 }
    end
  end
  local seq = append(story, article, article.facts, score, cache[story] or {}, true)
  remember(article, story, nil, seq, 'm', index(article, story, found))
  return { 'm', story, seq, 0, math.floor(score * 255) }
end

for at = 2 + 5 * set.articles, #ARGV, 4 do
  local key, folded, version = story_key(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
  local known = redis.call('HMGET', key, 'n', 'sn', 'sv', 'e')
  if known[1] and folded >= tonumber(known[4] or 0)
    and (known[3] ~= version or tonumber(known[2] or 0) < folded) then
    redis.call('HSET', key, 'sn', folded, 'sv', version, 'sb', ARGV[at + 3])
  end
end

local answers, wanted, order = {}, {}, {}
for position = 1, set.articles do
  local article = read_article(5 * position - 3)
  local record = redis.call('GET', tag .. 'a:' .. article.id)
  local answer
  if article.facts ~= '' then
    answer = record and again(article, record) or first_time(article)
  else
    -- In doubt, and about no topic now: if it was decided before, that stands.
    answer = record and find_version(record, article) and again(article, record) or { 'o', '', 0, 0, 0 }
  end
  answers[position] = answer
  if answer[1] == 'm' or answer[1] == 'c' then
    local story, seq = answer[2], answer[3]
    local range = wanted[story]
    if not range then
      range = { seq, seq }
      wanted[story] = range
      order[#order + 1] = story
    end
    range[1], range[2] = math.min(range[1], seq), math.max(range[2], seq)
  end
end

local folds = {}
for position, story in ipairs(order) do
  local key, range = story_key(story), wanted[story]
  if range[2] == 1 and begun[story] then
    folds[position] = { story, 0, '', { begun[story] } }
  else
    local known = redis.call('HMGET', key, 'sn', 'sv', 'sb')
    local folded, bytes = 0, ''
    if known[2] == set.version and tonumber(known[1]) < range[1] then
      folded, bytes = tonumber(known[1]), known[3]
    end
    folds[position] = { story, folded, bytes, redis.call('LRANGE', key .. ':m', folded, range[2] - 1) }
  end
end
if #seen > 0 then redis.call('ZADD', tag .. 'stories', unpack(seen)) end
redis.call('ZREMRANGEBYSCORE', tag .. 'stories', '-inf', string.format('(%.3f', now - set.window))
return { answers, folds }
