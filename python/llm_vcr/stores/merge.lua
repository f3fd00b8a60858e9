-- Merges a writer's episodes into a cassette (KEYS[1], one hash). All or nothing: nothing is written before everything is decided.
-- ARGV: ttl, keep (seconds, -1 for ever), cap (0 for none), replace, metadata, layout, settled (seconds), six counts,
--       then so many pairs of field and place, triples of field, old and new place, pairs of field and pack,
--       fields played, fields to drop, and fields the writer could not read.
-- A place is the begin of a pack's SHA-256 (6 bytes) and a number in that pack (2 bytes).
local key = KEYS[1]
local NEVER = 1099511627775
local HEADER = 20
local now = tonumber(redis.call('TIME')[1])

local function after(seconds)
  seconds = tonumber(seconds)
  if seconds < 0 then return NEVER end
  return math.min(now + math.ceil(seconds), NEVER)
end

local fresh, keep, cap = after(ARGV[1]), after(ARGV[2]), tonumber(ARGV[3])
local replace, metadata, layout, settled = ARGV[4] == '1', ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])

local at, counted = 13, 8
local function take(size)
  local taken = {}
  for number = 1, tonumber(ARGV[counted]) do
    local row = {}
    for column = 1, size do row[column] = ARGV[at + column] end
    taken[number] = size == 1 and row[1] or row
    at = at + size
  end
  counted = counted + 1
  return taken
end
local new, moved, packs, played, drop = take(2), take(3), take(2), take(1), take(1)
local unreadable = {}
for _, field in ipairs(take(1)) do unreadable[field] = true end

local function starts(field, with) return string.sub(field, 1, #with) == with end
local function is_episode(field)
  return field ~= 'meta' and not starts(field, 'aside:') and not starts(field, 'pack:')
end
local function pack_of(place)
  return 'pack:' .. string.gsub(string.sub(place, 1, 6), '.', function(one) return string.format('%02x', string.byte(one)) end)
end

local stored = redis.call('HGET', key, 'meta')
local known, meta = false, nil
if stored then known, meta = pcall(cjson.decode, stored) end
if not known or type(meta) ~= 'table' then meta = {} end
local following = tonumber(meta.next) or (stored and now or 0)
local count = 0
for _, field in ipairs(redis.call('HKEYS', key)) do
  if is_episode(field) then count = count + 1 end
end

local function stamps(value)
  if #value ~= HEADER + 8 or string.byte(value, 1) ~= layout then return nil end
  local _, fresh_until, keep_until, last_played, order = struct.unpack('>BI5I5I5I4', value)
  return { fresh = fresh_until, keep = keep_until, played = last_played, order = order }
end

-- What becomes of each new episode.
local protected, sets, additions, asides = {}, {}, {}, {}
local from_others, same = 0, 0
for _, pair in ipairs(new) do
  local field = pair[1]
  protected[field] = true
  local present = redis.call('HGET', key, field)
  if not present then
    additions[#additions + 1] = pair
  else
    local stamp = stamps(present)
    if not stamp or unreadable[field] then
      asides[#asides + 1] = { field, present }
      sets[#sets + 1] = pair
    elseif string.sub(present, HEADER + 1) == pair[2] then
      -- Ours already: a reply was lost on the way.
      same = same + 1
      -- What takes the place of a cassette also takes its order.
      if replace or stamp.fresh < fresh then sets[#sets + 1] = pair end
    elseif replace or stamp.fresh <= now then
      sets[#sets + 1] = pair
    else
      from_others = from_others + 1
    end
  end
end
for _, field in ipairs(played) do protected[field] = true end

local dropping = {}
local function forget(field)
  if not dropping[field] then
    dropping[field] = true
    count = count - 1
  end
end
for _, field in ipairs(drop) do
  if not protected[field] and redis.call('HEXISTS', key, field) == 1 then forget(field) end
end

-- Room: first what is forgotten anyway, then what no run has played for longest. What a run has played or recorded of late stays.
local need = cap > 0 and count + #additions - cap or 0
local dropped = 0
if need > 0 then
  local candidates = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if is_episode(field) and not protected[field] and not dropping[field] then
      local stamp = stamps(redis.call('HGET', key, field))
      if stamp and (stamp.keep <= now or stamp.played <= now - settled) then
        candidates[#candidates + 1] = { field, stamp.keep <= now and 0 or stamp.played, stamp.order }
      end
    end
  end
  table.sort(candidates, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[3] < b[3]
  end)
  for number = 1, math.min(need, #candidates) do
    forget(candidates[number][1])
    dropped = dropped + 1
  end
end
local refused = 0
while cap > 0 and #additions > 0 and count + #additions > cap do
  additions[#additions] = nil
  refused = refused + 1
end

-- From here on it is written.
for _, moved in ipairs(asides) do
  redis.call('HSET', key, 'aside:' .. now .. ':' .. following .. ':' .. moved[1], moved[2])
  following = following + 1
end
for field in pairs(dropping) do redis.call('HDEL', key, field) end
local function put(pair)
  local header = struct.pack('>BI5I5I5I4', layout, fresh, keep, now, following)
  redis.call('HSET', key, pair[1], header .. pair[2])
  following = following + 1
end
local order = {}
for number, pair in ipairs(new) do order[pair[1]] = number end
for _, pair in ipairs(additions) do sets[#sets + 1] = pair end
table.sort(sets, function(a, b) return order[a[1]] < order[b[1]] end)
for _, pair in ipairs(sets) do put(pair) end
local function restamp(field, played_at, place)
  local present = redis.call('HGET', key, field)
  local stamp = present and stamps(present)
  if stamp then
    local header = struct.pack('>BI5I5I5I4', layout, stamp.fresh, stamp.keep, played_at or stamp.played, stamp.order)
    redis.call('HSET', key, field, header .. (place or string.sub(present, HEADER + 1)))
  end
end
for _, field in ipairs(played) do restamp(field, now, nil) end
for _, row in ipairs(moved) do
  local present = redis.call('HGET', key, row[1])
  if present and string.sub(present, HEADER + 1) == row[2] then restamp(row[1], nil, row[3]) end
end

-- Packs come with the first episode in them and go with the last one. What we cannot read may mean any of them.
if #sets > 0 or #moved > 0 or next(dropping) then
  local meant, all_known = {}, true
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if field ~= 'meta' and not starts(field, 'pack:') then
      local value = redis.call('HGET', key, field)
      all_known = all_known and string.byte(value, 1) == layout
      meant[pack_of(string.sub(value, HEADER + 1))] = true
    end
  end
  for _, pack in ipairs(packs) do
    if meant[pack[1]] then redis.call('HSET', key, pack[1], pack[2]) end
  end
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if all_known and starts(field, 'pack:') and not meant[field] then redis.call('HDEL', key, field) end
  end
end

if #sets > 0 or refused > 0 or #asides > 0 or next(dropping) then
  local until_ = math.max(keep, tonumber(meta.keep) or 0)
  -- What is nothing is left out: each cassette has one.
  local some = function(number) return number > 0 and number or nil end
  local text = cjson.encode({
    next = following, saved = now, keep = until_, refused = some((tonumber(meta.refused) or 0) + refused),
    metadata = metadata ~= '' and metadata or nil,
  })
  redis.call('HSET', key, 'meta', text)
  if until_ >= NEVER then redis.call('PERSIST', key) else redis.call('EXPIREAT', key, until_) end
end
return { count + #additions, from_others, dropped, refused, now }
