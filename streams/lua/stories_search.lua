-- What is like an article: the index of terms, what is kept of each article, the story it joins.
--
-- The first half of one script (streams/stories.py puts the halves together); stories.lua, the
-- second, says what arguments and keys hold, and decides.

-- A posting is an article's number and the weight of the term in it, read as one number: half as much
-- to unpack. A term is its hash and its weight.
local POSTING_BYTES, WEIGHTS = 5, 256
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

-- One hash a period, so that an article reads and writes all its terms at once; none that is not there.
local function index_of(at) return tag .. 'p:' .. string.format('%.0f', at) end
local newest = index_of(period)
local indexes = {}
for back = 0, set.periods - 1 do
  local key = index_of(period - back)
  indexes[back] = redis.call('EXISTS', key) == 1 and key
end

local function story_key(story) return tag .. 'story:' .. story end

-- What editors changed (editing.lua): few stories, so that reading all of them costs nothing.
local into, merges = {}, redis.call('HGETALL', tag .. 'into')
for i = 1, #merges, 2 do into[merges[i]] = merges[i + 1] end

-- Sums by article, 256 times its number. What is below `base` was summed for an article before: to begin
-- anew with each would cost as much as to sum.
local EPOCH, EPOCHS = 134217728, 64
local sums, base, epoch = {}, 0, 0

local function begin_sums()
  if epoch % EPOCHS == 0 then sums = {} end
  epoch = epoch + 1
  base = epoch * EPOCH
end

-- Unpacks as many items as there are, at once: one by one is most of the script's time.
local function unpacks(item, item_bytes)
  local formats = {}
  return function(bytes)
    local format = formats[#bytes]
    if not format then
      format = '>' .. string.rep(item, #bytes / item_bytes)
      formats[#bytes] = format
    end
    return struct.unpack(format, bytes)
  end
end

local unpack_postings, unpack_terms = unpacks('I5', POSTING_BYTES), unpacks('c4B', POSTING_BYTES)

-- `often` collects the articles that share more than one term: of all that share one, few do.
local function add_postings(often, list, weight)
  local sums, base, twice, more = sums, base, base + 2 * SHARED, #often
  local postings = { unpack_postings(list) }
  -- The last value says where unpacking stopped.
  for i = 1, #postings - 1 do
    local posting = postings[i]
    local other = posting % WEIGHTS
    local article, sum = posting - other, weight * other + SHARED
    local before = sums[article] or 0
    if before < base then
      sums[article] = base + sum
    else
      if before < twice then
        more = more + 1
        often[more] = article
      end
      sums[article] = before + sum
    end
  end
end

-- An article's heaviest terms, no more than so many, and their weights.
local function heaviest(article, most)
  local told = { unpack_terms(string.sub(article.terms, 1, POSTING_BYTES * most)) }
  local terms, weights = {}, {}
  for at = 1, math.floor(#told / 2) do terms[at], weights[at] = told[2 * at - 1], told[2 * at] end
  return terms, weights
end

-- The lists of these terms in one period; false where a term has none.
local function read_lists(index, terms)
  if not index or #terms == 0 then return {} end
  return redis.call('HMGET', index, unpack(terms))
end

-- For a text of few terms: all that share one with it.
local function every_one()
  local found = {}
  for article, sum in pairs(sums) do
    if sum >= base then found[#found + 1] = article end
  end
  return found
end

-- The articles worth a look: those that share more than one term, at least as like as `least`, not too
-- many; with the sums of products of the weights. And what `index` needs again: the terms, their
-- weights and their lists of this period.
local function similar_articles(article)
  local often, left = {}, set.max_postings
  local asked, weights = heaviest(article, set.max_asked)
  local lists, long = {}, {}
  begin_sums()
  for back = 0, set.periods - 1 do lists[back] = read_lists(indexes[back], asked) end
  local short = set.short_list * POSTING_BYTES
  -- What few others have said tells most: those lists first, then as many as the budget allows.
  for at = 1, #asked do
    local weight = weights[at]
    for back = 0, set.periods - 1 do
      local list = lists[back][at]
      if list and #list <= short then
        add_postings(often, list, weight)
        left = left - #list / POSTING_BYTES
      elseif list then
        long[#long + 1] = { list, weight }
      end
    end
  end
  for at = 1, #long do
    if left <= 0 then break end
    local list = long[at][1]
    add_postings(often, list, long[at][2])
    left = left - #list / POSTING_BYTES
  end
  if #asked <= set.few_terms then often = every_one() end
  local alike, likely, least = {}, {}, set.least
  for at = 1, #often do
    local number, sum = often[at] / WEIGHTS, sums[often[at]] - base
    if sum % SHARED >= least then
      likely[#likely + 1] = number
      alike[number] = sum
    end
  end
  while #likely > set.max_members do
    least = least * 1.25
    local better = {}
    for i = 1, #likely do
      if alike[likely[i]] % SHARED >= least then better[#better + 1] = likely[i] end
    end
    if #better == 0 then break end
    likely = better
  end
  return alike, likely, { asked, weights, lists[0] }
end

local function read_record(number, bytes)
  local count = math.floor(number / LANGUAGES)
  local from = (count % CHUNK) * RECORD_BYTES
  return redis.call('GETRANGE', tag .. 'k:' .. math.floor(count / CHUNK), from, from + bytes - 1)
end

-- Story, towns and kinds of an article; false where it is not known any more. A batch asks for most of
-- them more than once, and nothing in here changes one.
local heads = {}
local function head_of(number)
  local head = heads[number]
  if head == nil then
    local record = read_record(number, HEAD_BYTES)
    head = #record == HEAD_BYTES and { struct.unpack(HEAD, record) }
    heads[number] = head
  end
  return head
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
    local known = redis.call('HMGET', story_key(story), 'i', 'l', 'c', 'x')
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
    local head = head_of(number)
    if head then
      local story, alike = kept_story(head[1]), sums[number] % SHARED
      local near = by_story[story]
      if not near then
        near = { 0, 0, 0, 0, '', 0, story, 0 }
        by_story[story], order[#order + 1] = near, near
      end
      if alike > near[1] or (alike == near[1] and number < near[4]) then
        near[1], near[2], near[3] = alike, near[1], near[2]
        near[4], near[5], near[6], near[8] = number, head[2], head[3], sums[number]
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

-- The first article of a period has made its hash. The one that nobody asks any more is freed beside
-- Redis's other work; left to expire, it may keep Redis busy for seconds (lazyfree-lazy-expire).
local function begin_period()
  indexes[0] = newest
  redis.call('EXPIRE', newest, math.ceil(set.keep_index * 1.05))
  redis.call('UNLINK', index_of(period - set.periods))
end

local lasting = {}
-- Make an article findable by the heaviest of its terms, as `similar_articles` found them; its number.
-- Of each list the newest postings are kept: a story that goes on has new members.
local function index(article, story, found)
  local count = redis.call('INCR', tag .. 'n') % (4294967296 / LANGUAGES)
  local number = count * LANGUAGES + article.language
  local terms, weights, lists = found[1], found[2], found[3]
  local first, said, most = struct.pack('>I4', number), {}, set.max_list * POSTING_BYTES
  for at = 1, math.min(#terms, set.max_indexed) do
    local list = lists[at] or ''
    if #list >= most then list = string.sub(list, POSTING_BYTES - most) end
    said[2 * at - 1], said[2 * at] = terms[at], list .. first .. string.char(weights[at])
  end
  if #said > 0 then
    redis.call('HSET', newest, unpack(said))
    if not indexes[0] then begin_period() end
  end
  local signature = article.signature
  if signature == '' then signature = string.rep('\0', SIGNATURE_BYTES) end
  local record = struct.pack(RECORD, tonumber(story, 16), article.towns, article.kinds,
    signature, math.min(article.words, 65535))
  local chunk = tag .. 'k:' .. math.floor(count / CHUNK)
  -- Made whole: a string that grows is given twice the room that it needs.
  if not lasting[chunk] and redis.call('EXPIRE', chunk, set.keep_index) == 0 then
    redis.call('SET', chunk, string.rep('\0', CHUNK * RECORD_BYTES), 'EX', set.keep_index)
  end
  lasting[chunk] = true
  redis.call('SETRANGE', chunk, (count % CHUNK) * RECORD_BYTES, record)
  return number
end
