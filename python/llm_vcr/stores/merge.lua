-- Merges a writer's episodes into a cassette (KEYS[1], one hash). All or nothing: nothing is written before everything is decided.
-- ARGV: ttl, keep (seconds, -1 for ever), cap (0 for none), replace, metadata, layout, settled (seconds), four counts,
--       then so many pairs of field and episode, fields played, fields to drop, and fields the writer could not read.
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

local at = 11
local function take(count, size)
  local taken = {}
  for number = 1, count do
    taken[number] = size == 2 and { ARGV[at + 1], ARGV[at + 2] } or ARGV[at + 1]
    at = at + size
  end
  return taken
end
local new = take(tonumber(ARGV[8]), 2)
local played = take(tonumber(ARGV[9]), 1)
local drop = take(tonumber(ARGV[10]), 1)
local unreadable = {}
for _, field in ipairs(take(tonumber(ARGV[11]), 1)) do unreadable[field] = true end

local stored = redis.call('HGET', key, 'meta')
local known, meta = false, nil
if stored then known, meta = pcall(cjson.decode, stored) end
if not known or type(meta) ~= 'table' then meta = {} end
local aside = tonumber(meta.aside) or 0
local following = tonumber(meta.next) or (stored and now or 0)
local count = redis.call('HLEN', key) - (stored and 1 or 0) - aside

local function stamps(value)
  if #value <= HEADER or string.byte(value, 1) ~= layout then return nil end
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
      -- Ours already (a reply was lost on the way), or somebody's very same answer: as fresh as the latest of them.
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
  local all = redis.call('HGETALL', key)
  for number = 1, #all, 2 do
    local field = all[number]
    if field ~= 'meta' and string.sub(field, 1, 6) ~= 'aside:' and not protected[field] and not dropping[field] then
      local stamp = stamps(all[number + 1])
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
  aside = aside + 1
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
for _, field in ipairs(played) do
  local present = redis.call('HGET', key, field)
  local stamp = present and stamps(present)
  if stamp then
    local header = struct.pack('>BI5I5I5I4', layout, stamp.fresh, stamp.keep, now, stamp.order)
    redis.call('HSET', key, field, header .. string.sub(present, HEADER + 1))
  end
end

if #sets > 0 or refused > 0 or #asides > 0 or next(dropping) then
  local until_ = math.max(keep, tonumber(meta.keep) or 0)
  local text = cjson.encode({
    v = layout, next = following, aside = aside, saved = now, keep = until_,
    refused = (tonumber(meta.refused) or 0) + refused, metadata = metadata,
  })
  redis.call('HSET', key, 'meta', text)
  if until_ >= NEVER then redis.call('PERSIST', key) else redis.call('EXPIREAT', key, until_) end
end
return { count + #additions, from_others, dropped, refused, now }
