-- Fills the index as if many more articles had come: the articles of a batch, indexed again and
-- again with other names. Goes on after stories_search.lua and the first half of stories.lua, so
-- that keys and records are the real ones; nothing is searched.

-- ARGV after the batch: the first number of a variant, how many variants, heaviest terms to change.
local first, variants, own = tonumber(ARGV[#ARGV - 2]), tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])

for position = 1, set.articles do
  local article = read_article(5 * position - 3)
  local id, terms, story = article.id, article.terms, tonumber(article.story, 16)
  for variant = first, first + variants - 1 do
    local changed = {}
    for at = 1, math.min(#terms, own * POSTING_BYTES), POSTING_BYTES do
      local hash, weight = struct.unpack('>I4B', terms, at)
      changed[#changed + 1] = struct.pack('>I4B', (hash + math.floor(variant / 3) * 2654435761) % 4294967296, weight)
    end
    article.id = string.format('%08x', variant) .. string.sub(id, 9)
    article.terms = table.concat(changed) .. string.sub(terms, own * POSTING_BYTES + 1)
    -- Three in a story, as on the wire.
    local home = string.format('%012x', (story + math.floor(variant / 3) * 7919) % 281474976710656)
    local seq = append(home, article, article.facts, 0.7, open_story(home, {}) or {}, true)
    local named, weights = heaviest(article, set.max_indexed)
    local found = { named, weights, read_lists(indexes[0], named) }
    remember(article, home, nil, seq, 'm', index(article, home, found))
  end
end
return 1
