-- Which story does each article of a batch belong to? One call, one answer, all of it atomic.
--
-- KEYS[1]  the tag that every key starts with (one hash slot)
-- ARGV[1]  msgpack: settings by name (streams/stories.py says where each number comes from)
-- then     per article: id; msgpack of {story, published, chosen, words, countries, language, terms,
--          kinds}; digest, material digest, towns and signature in one; its facts; its facts as a copy
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
--   story:<id>            hash: n members, i indexed, l last seen, c countries, the snapshot, and
--                         e: the member from which on a snapshot is true (editing.lua)
--   story:<id>:m          list: one score byte and the facts of each member
--   p:<period>:<term>     postings of a term: article number, weight
--   k:<count / 256>       story, towns, kinds, signature and words of 256 articles
--   n                     count of indexed articles
-- An article's number is its count times 8, and its language: who reads a posting knows both.
--   stories               sorted set: stories by last seen
--   into, left            hashes: merged story -> the kept one; article split off -> its story

local POSTING, POSTING_BYTES, AT_ONCE = '>I4B', 5, 40
local VERSION, VERSION_BYTES, STORY_CHARS, NUMBER, NUMBER_BYTES = '>c6c4I4c1', 15, 12, '>I4', 4
local CHUNK, STORY_BYTES, TOWNS_BYTES, SIGNATURE_BYTES = 256, 6, 8, 128
local HEAD, HEAD_BYTES = '>I6c8I2', STORY_BYTES + TOWNS_BYTES + 2
local RECORD, RECORD_BYTES = '>I6c8I2c128I2', HEAD_BYTES + SIGNATURE_BYTES + 2
local LANGUAGES = 8
local NO_TOWN = '\0\0'

local tag = KEYS[1]
local set = cmsgpack.unpack(ARGV[1])
local now = set.now
local period = math.floor(now / set.period)

-- `published` is 1; 0 is a correction, 2 a withdrawal.
local function read_article(at)
  local says, marks = cmsgpack.unpack(ARGV[at + 1]), ARGV[at + 2]
  return {
    id = ARGV[at], story = says[1], published = says[2], chosen = says[3], words = says[4],
    countries = says[5], language = says[6], terms = says[7],
    kinds = says[8],
    digest = string.sub(marks, 1, 6),
    material = string.sub(marks, 7, 10), towns = string.sub(marks, 11, 18),
    signature = string.sub(marks, 19), facts = ARGV[at + 3], copy = ARGV[at + 4],
  }
end

local function story_key(story) return tag .. 'story:' .. story end

-- What editors changed (editing.lua): few stories, so that reading all of them costs nothing.
local into, merges = {}, redis.call('HGETALL', tag .. 'into')
for i = 1, #merges, 2 do into[merges[i]] = merges[i + 1] end
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

-- A sum of products stays below this; what is above it counts the terms that were shared.
local SHARED = 1048576

-- Many postings in one call: reading them one by one is most of the script's time.
local MANY = '>' .. string.rep('I4B', AT_ONCE)

local function add_postings(sums, list, weight, from)
  local last = #list - POSTING_BYTES + 1
  while from + (AT_ONCE - 1) * POSTING_BYTES <= last do
    local many = { struct.unpack(MANY, list, from) }
    for i = 1, 2 * AT_ONCE, 2 do
      local number = many[i]
      sums[number] = (sums[number] or 0) + weight * many[i + 1] + SHARED
    end
    from = from + AT_ONCE * POSTING_BYTES
  end
  for position = from, last, POSTING_BYTES do
    local number, other = struct.unpack(POSTING, list, position)
    sums[number] = (sums[number] or 0) + weight * other + SHARED
  end
end

-- Whether an article is in another language than this one, both of them languages we translate.
local function translated(article, number)
  local language = number % LANGUAGES
  return language ~= article.language and language > 0 and article.language > 0
end

-- Sum of products of the weights with every article that shares a term; heaviest terms first.
local function similar_articles(article)
  local terms, sums, budget = article.terms, {}, set.max_postings
  local keys = {}
  for i = 1, #terms, 2 do
    for back = 0, set.periods - 1 do
      keys[#keys + 1] = tag .. 'p:' .. (period - back) .. ':' .. terms[i]
    end
  end
  if #keys == 0 then return sums end
  local lists = redis.call('MGET', unpack(keys))
  for at = 1, #keys do
    local list = lists[at]
    if list and budget > 0 then
      local from = math.max(1, #list - set.max_list * POSTING_BYTES + 1)
      budget = budget - (#list - from + 1) / POSTING_BYTES
      add_postings(sums, list, terms[2 * math.ceil(at / set.periods)], from)
    end
  end
  local mine = article.language
  local few = math.min(set.few_shared, math.ceil(#terms / 2 * set.few_share))
  for number, sum in pairs(sums) do
    local shared = math.floor(sum / SHARED)
    local likeness = sum - shared * SHARED
    if shared < few then likeness = likeness * set.few_factor end
    local language = number % LANGUAGES
    if language ~= mine and language > 0 and mine > 0 then likeness = likeness * set.translated end
    sums[number] = likeness
  end
  return sums
end

-- Articles with a sum of at least so much, most alike first, no more than so many.
local function most_alike(sums, floor, limit)
  local found = {}
  for number, sum in pairs(sums) do
    if sum >= floor then found[#found + 1] = number end
  end
  table.sort(found, function(a, b)
    if sums[a] ~= sums[b] then return sums[a] > sums[b] end
    return a < b
  end)
  for i = #found, limit + 1, -1 do found[i] = nil end
  return found
end

local function kept_story(home)
  local story = string.format('%012x', home)
  return into[story] or story
end

local function read_record(number, bytes)
  local count = math.floor(number / LANGUAGES)
  local from = (count % CHUNK) * RECORD_BYTES
  return redis.call('GETRANGE', tag .. 'k:' .. math.floor(count / CHUNK), from, from + bytes - 1)
end

-- A story that is still open: its id and what is known of it, or nothing.
local function open_story(story, cache)
  if cache[story] == nil then
    local known = redis.call('HMGET', story_key(story), 'i', 'l', 'c')
    cache[story] = known[1] and now - tonumber(known[2]) <= set.window and known or false
  end
  return story, cache[story]
end

-- Towns are two bytes each, the main one first. One text about two towns is two reports.
local function names_town(towns, town)
  for at = 1, #towns, 2 do
    if string.sub(towns, at, at + 1) == town then return true end
  end
  return false
end

local function elsewhere(ours, theirs)
  local mine, other = string.sub(ours, 1, 2), string.sub(theirs, 1, 2)
  if mine == NO_TOWN or other == NO_TOWN then return false end
  return not names_town(theirs, mine) and not names_town(ours, other)
end

-- Kinds are bits. A bomb and a knife are two incidents; who says no kind contradicts nobody.
local function another_kind(ours, theirs)
  return ours > 0 and theirs > 0 and bit.band(ours, theirs) == 0
end

local function is_copy(article, signature, words, towns)
  if elsewhere(article.towns, towns) then return false end
  local same = 0
  for from = 1, SIGNATURE_BYTES, 32 do
    local mine = { string.byte(article.signature, from, from + 31) }
    local theirs = { string.byte(signature, from, from + 31) }
    for i = 1, 32 do if mine[i] == theirs[i] then same = same + 1 end end
  end
  local alike = (same / SIGNATURE_BYTES - 1 / 256) / (1 - 1 / 256)
  local fewer, more = math.min(words, article.words), math.max(words, article.words)
  if fewer < set.copy_min_words then return same == SIGNATURE_BYTES and fewer == more end
  if alike >= set.copy_alike then return true end
  local shared = alike / (1 + alike) * (fewer + more)
  return fewer >= set.cut_min_words and fewer >= set.cut_share * more
    and shared >= set.cut_contained * fewer
end

-- The story that holds a copy of this text, if any.
local function story_of_copy(article, sums, cache)
  for _, number in ipairs(most_alike(sums, set.copy_cosine, set.copy_tries)) do
    local record = read_record(number, RECORD_BYTES)
    if #record == RECORD_BYTES then
      local home, towns, _, signature, words = struct.unpack(RECORD, record)
      if is_copy(article, signature, words, towns) then
        local story, known = open_story(kept_story(home), cache)
        if known then return story, sums[number] end
      end
    end
  end
end

local function apart(ours, theirs)
  if ours == '' or theirs == '' then return false end
  for country in string.gmatch(ours, '%u%u') do
    if string.find(theirs, country, 1, true) then return false end
  end
  return true
end

-- Mean likeness to the three nearest members of each story; the best story, and its score.
local function nearest_story(article, sums, cache)
  local three_of, order = {}, {}
  local short = #article.terms < 2 * set.short_terms
  for _, number in ipairs(most_alike(sums, set.member_floor, set.max_members)) do
    local record = read_record(number, HEAD_BYTES)
    if #record == HEAD_BYTES then
      local home, towns, kinds = struct.unpack(HEAD, record)
      home = kept_story(home)
      local alike = sums[number]
      if elsewhere(article.towns, towns) then
        alike = alike * (short and set.elsewhere_short or set.elsewhere)
        if translated(article, number) then alike = alike / set.translated end
      elseif another_kind(article.kinds, kinds) and translated(article, number) then
        alike = alike / set.translated
      end
      local three = three_of[home]
      if not three then
        three = {}
        three_of[home], order[#order + 1] = three, home
      end
      if #three < 3 then
        three[#three + 1] = alike
      else
        local least = 1
        for i = 2, 3 do if three[i] < three[least] then least = i end end
        if alike > three[least] then three[least] = alike end
      end
    end
  end
  local join = short and set.join_short or set.join
  local chosen, high = nil, 0
  for _, home in ipairs(order) do
    local three = three_of[home]
    table.sort(three, function(a, b) return a > b end)
    if three[1] >= join then
      local story, known = open_story(home, cache)
      if known then
        local members = math.max(1, math.min(3, tonumber(known[1])))
        local score = math.min(three[1], (three[1] + (three[2] or 0) + (three[3] or 0)) / members)
        if apart(article.countries, known[3]) then score = score * set.apart end
        if score > high or (score == high and chosen and story < chosen) then
          chosen, high = story, score
        end
      end
    end
  end
  if high >= join then return chosen, high end
end

local function index(article, story)
  local count = redis.call('INCR', tag .. 'n') % (4294967296 / LANGUAGES)
  local number = count * LANGUAGES + article.language
  local terms = article.terms
  for i = 1, math.min(#terms, 2 * set.max_indexed), 2 do
    local key = tag .. 'p:' .. period .. ':' .. terms[i]
    local length = redis.call('APPEND', key, struct.pack(POSTING, number, terms[i + 1]))
    if length == POSTING_BYTES then
      redis.call('EXPIRE', key, set.keep_index)
    elseif length >= 2 * set.max_list * POSTING_BYTES then
      redis.call('SET', key, redis.call('GETRANGE', key, -set.max_list * POSTING_BYTES, -1), 'KEEPTTL')
    end
  end
  local signature = article.signature
  if signature == '' then signature = string.rep('\0', SIGNATURE_BYTES) end
  local record = struct.pack(RECORD, tonumber(story, 16), article.towns, article.kinds,
    signature, math.min(article.words, 65535))
  local chunk = tag .. 'k:' .. math.floor(count / CHUNK)
  redis.call('SETRANGE', chunk, (count % CHUNK) * RECORD_BYTES, record)
  redis.call('EXPIRE', chunk, set.keep_index)
  return number
end

-- Append a member; what the story is known by grows with it.
local function append(story, article, facts, score)
  local key = story_key(story)
  local seq = redis.call('RPUSH', key .. ':m', string.char(math.min(255, math.floor(score * 255))) .. facts)
  local known = redis.call('HMGET', key, 'l', 'c')
  local countries = known[2] or ''
  for country in string.gmatch(article.countries, '%u%u') do
    if not string.find(countries, country, 1, true) and #countries < 60 then
      countries = countries .. country .. ' '
    end
  end
  local last = math.max(now, tonumber(known[1] or now))
  redis.call('HSET', key, 'n', seq, 'l', string.format('%.3f', last), 'c', countries)
  redis.call('EXPIRE', key, set.keep_stories)
  redis.call('EXPIRE', key .. ':m', set.keep_stories)
  redis.call('ZADD', tag .. 'stories', string.format('%.3f', last), story)
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
  local seq = append(home, article, article.facts, 1)
  remember(article, home, record, seq, 'm')
  return { 'm', home, seq, 0, 255, home }
end

local function first_time(article)
  if article.chosen == 0 then return { 'o', '', 0, 0, 0 } end
  local cache = {}
  local sums = similar_articles(article)
  local story, score
  if article.published == 1 and #article.signature == SIGNATURE_BYTES then
    story, score = story_of_copy(article, sums, cache)
  end
  if story then
    local seq = append(story, article, article.copy, score / 65025)
    remember(article, story, nil, seq, 'c')
    return { 'c', story, seq, 0, math.floor(score / 255) }
  end
  story, score = nearest_story(article, sums, cache)
  if not story and article.published == 2 then return { 'o', '', 0, 0, 0 } end
  if not story then
    story, score = article.story, 0
    -- A story of this id can only have begun with this very article, forgotten since.
    if redis.call('EXISTS', story_key(story)) == 1 then
      remember(article, story, nil, 1, 'm')
      return { 'm', story, 1, 1, 0 }
    end
  end
  local seq = append(story, article, article.facts, score / 65025)
  redis.call('HINCRBY', story_key(story), 'i', 1)
  remember(article, story, nil, seq, 'm', index(article, story))
  return { 'm', story, seq, 0, math.floor(score / 255) }
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
  local answer = record and again(article, record) or first_time(article)
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
  local known = redis.call('HMGET', key, 'sn', 'sv', 'sb')
  local folded, bytes = 0, ''
  if known[2] == set.version and tonumber(known[1]) < range[1] then
    folded, bytes = tonumber(known[1]), known[3]
  end
  folds[position] = { story, folded, bytes, redis.call('LRANGE', key .. ':m', folded, range[2] - 1) }
end
redis.call('ZREMRANGEBYSCORE', tag .. 'stories', '-inf', string.format('(%.3f', now - set.window))
return { answers, folds }
