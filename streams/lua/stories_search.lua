-- What is like an article: the index of terms, what is kept of each article, the story it joins.
--
-- The first half of one script (streams/stories.py puts the halves together); stories.lua, the
-- second, says what arguments and keys hold, and decides.

local POSTING, POSTING_BYTES, AT_ONCE = '>I4B', 5, 40
local TERM_BYTES = 4
local CHUNK, STORY_BYTES, TOWNS_BYTES, SIGNATURE_BYTES = 256, 6, 8, 128
local HEAD, HEAD_BYTES = '>I6c8I2', STORY_BYTES + TOWNS_BYTES + 2
local RECORD, RECORD_BYTES = '>I6c8I2c128I2', HEAD_BYTES + SIGNATURE_BYTES + 2
local LANGUAGES = 8
local NO_TOWN = '\0\0'
-- A sum of products stays below this; what is above it counts the terms that were shared.
local SHARED = 1048576
local COSINE = 65025
local DAY_S = 86400

local tag = KEYS[1]
local set = cmsgpack.unpack(ARGV[1])
local now = set.now
local period = math.floor(now / set.period)

local prefixes = {}
for back = 0, set.periods - 1 do prefixes[back] = tag .. 'p:' .. (period - back) .. ':' end

local function story_key(story) return tag .. 'story:' .. story end

-- What editors changed (editing.lua): few stories, so that reading all of them costs nothing.
local into, merges = {}, redis.call('HGETALL', tag .. 'into')
for i = 1, #merges, 2 do into[merges[i]] = merges[i + 1] end

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

-- The lists of an article's terms, heaviest first, each with its weight and where to begin: the
-- newest postings of a list are enough, a story that goes on has new members.
local function read_lists(article)
  local terms, keys = article.terms, {}
  for at = 1, math.min(#terms, POSTING_BYTES * set.max_asked), POSTING_BYTES do
    local term = string.sub(terms, at, at + TERM_BYTES - 1)
    for back = 0, set.periods - 1 do keys[#keys + 1] = prefixes[back] .. term end
  end
  if #keys == 0 then return {} end
  local found, lists = redis.call('MGET', unpack(keys)), {}
  for at = 1, #keys do
    local list = found[at]
    if list then
      local weight = string.byte(terms, POSTING_BYTES * math.ceil(at / set.periods))
      local from = math.max(1, #list - set.max_list * POSTING_BYTES + 1)
      lists[#lists + 1] = { list, weight, from, (#list - from + 1) / POSTING_BYTES }
    end
  end
  return lists
end

-- Sums of products of the weights with the articles that share terms, and the articles worth a
-- look: those that share more than one term, at least as like as `least`, not too many.
local function similar_articles(article)
  local sums, left = {}, set.max_postings
  local lists, long = read_lists(article), {}
  -- What few others have said tells most: those lists first, then as many as the budget allows.
  for at = 1, #lists do
    local list = lists[at]
    if list[4] <= set.short_list then
      add_postings(sums, list[1], list[2], list[3])
      left = left - list[4]
    else
      long[#long + 1] = list
    end
  end
  for at = 1, #long do
    local list = long[at]
    if left <= 0 then break end
    add_postings(sums, list[1], list[2], list[3])
    left = left - list[4]
  end
  local likely, least = {}, set.least
  local shared = #article.terms > set.few_terms * POSTING_BYTES and 2 * SHARED or SHARED
  for number, sum in pairs(sums) do
    if sum >= shared and sum % SHARED >= least then likely[#likely + 1] = number end
  end
  while #likely > set.max_members do
    least = least * 1.25
    local better = {}
    for i = 1, #likely do
      if sums[likely[i]] % SHARED >= least then better[#better + 1] = likely[i] end
    end
    if #better == 0 then break end
    likely = better
  end
  return sums, likely
end

local function read_record(number, bytes)
  local count = math.floor(number / LANGUAGES)
  local from = (count % CHUNK) * RECORD_BYTES
  return redis.call('GETRANGE', tag .. 'k:' .. math.floor(count / CHUNK), from, from + bytes - 1)
end

local names = {}
local function kept_story(home)
  local story = names[home]
  if not story then
    story = string.format('%012x', home)
    story = into[story] or story
    names[home] = story
  end
  return story
end

-- What is known of a story that is still open, or nothing.
local function open_story(story, cache)
  if cache[story] == nil then
    local known = redis.call('HMGET', story_key(story), 'i', 'l', 'c')
    cache[story] = known[1] and now - tonumber(known[2]) <= set.window and known or false
  end
  return cache[story]
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

-- Whether an article is in another language than this one, both of them languages we translate.
local function translated(article, number)
  local language = number % LANGUAGES
  return language ~= article.language and language > 0 and article.language > 0
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

-- The story that holds a copy of this text, if any, and how like the texts are.
local function story_of_copy(article, sums, likely, cache)
  local near = {}
  for i = 1, #likely do
    if sums[likely[i]] % SHARED >= set.copy_cosine then near[#near + 1] = likely[i] end
  end
  table.sort(near, function(a, b)
    local one, other = sums[a] % SHARED, sums[b] % SHARED
    if one ~= other then return one > other end
    return a < b
  end)
  for i = 1, math.min(#near, set.copy_tries) do
    local record = read_record(near[i], RECORD_BYTES)
    if #record == RECORD_BYTES then
      local home, towns, _, signature, words = struct.unpack(RECORD, record)
      if is_copy(article, signature, words, towns) then
        local story = kept_story(home)
        if open_story(story, cache) then return story, sums[near[i]] % SHARED / COSINE end
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

-- By story: the sums of its three nearest members, then the nearest's number, towns and kinds, the
-- story, and the nearest's sum with its count of terms.
local function nearest_members(article, sums, likely)
  local by_story, order = {}, {}
  for i = 1, #likely do
    local number = likely[i]
    local record = read_record(number, HEAD_BYTES)
    if #record == HEAD_BYTES then
      local home, towns, kinds = struct.unpack(HEAD, record)
      local story, alike = kept_story(home), sums[number] % SHARED
      local near = by_story[story]
      if not near then
        near = { 0, 0, 0, 0, '', 0, story, 0 }
        by_story[story], order[#order + 1] = near, near
      end
      if alike > near[1] or (alike == near[1] and number < near[4]) then
        near[1], near[2], near[3] = alike, near[1], near[2]
        near[4], near[5], near[6], near[8] = number, towns, kinds, sums[number]
      elseif alike > near[2] then
        near[2], near[3] = alike, near[2]
      elseif alike > near[3] then
        near[3] = alike
      end
    end
  end
  return order
end

-- What the nearest member tells beyond its cosine. Who contradicts gets nothing for the language.
local function told_by_nearest(article, near)
  local likeness = set.shared * math.floor(near[8] / SHARED)
  local other_town = elsewhere(article.towns, near[5])
  local other_kind = another_kind(article.kinds, near[6])
  if other_town then likeness = likeness - set.elsewhere end
  if other_kind then likeness = likeness - set.other_kind end
  if not other_town and not other_kind and translated(article, near[4]) then
    likeness = likeness + set.translated
  end
  return likeness
end

-- The story that an article joins, if any, and its likeness: a sum of what speaks for and
-- against (streams/stories.py says where each share comes from).
local function nearest_story(article, sums, likely, cache)
  local join = #article.terms < POSTING_BYTES * set.short_terms and set.join_short or set.join
  local chosen, high = nil, 0
  for _, near in ipairs(nearest_members(article, sums, likely)) do
    local nearest, all = near[1] / COSINE, (near[1] + near[2] + near[3]) / COSINE
    local certain = told_by_nearest(article, near)
    -- At best it is the only member, or one of many that are as like.
    if certain + nearest + set.many >= join then
      local known = open_story(near[7], cache)
      if known then
        local members = math.max(1, tonumber(known[1]))
        local mean = math.min(nearest, all / math.min(3, members))
        local days = math.max(0, now - tonumber(known[2])) / DAY_S
        local likeness = certain + set.mean * mean + (1 - set.mean) * nearest
          + set.size * math.log(members) - set.day * days
        if apart(article.countries, known[3]) then likeness = likeness - set.apart end
        if likeness > high or (likeness == high and chosen and near[7] < chosen) then
          chosen, high = near[7], likeness
        end
      end
    end
  end
  if high >= join then return chosen, math.min(1, high) end
end

-- Make an article findable by its heaviest terms; its number.
local function index(article, story)
  local count = redis.call('INCR', tag .. 'n') % (4294967296 / LANGUAGES)
  local number = count * LANGUAGES + article.language
  local terms, prefix = article.terms, prefixes[0]
  local first = struct.pack('>I4', number)
  for at = 1, math.min(#terms, POSTING_BYTES * set.max_indexed), POSTING_BYTES do
    local key = prefix .. string.sub(terms, at, at + TERM_BYTES - 1)
    local length = redis.call('APPEND', key, first .. string.sub(terms, at + TERM_BYTES, at + TERM_BYTES))
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
