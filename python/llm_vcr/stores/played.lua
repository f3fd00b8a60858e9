-- Notes that episodes (ARGV[3] and on) of a cassette (KEYS[1]) have been played, at most once in ARGV[2] seconds. ARGV[1]: the layout.
local now = tonumber(redis.call('TIME')[1])
local layout, seldom, noted = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for number = 3, #ARGV do
  local value = redis.call('HGET', KEYS[1], ARGV[number])
  if value and #value == 28 and string.byte(value, 1) == layout then
    local _, fresh, keep, played, order = struct.unpack('>BI5I5I5I4', value)
    if played <= now - seldom then
      local header = struct.pack('>BI5I5I5I4', layout, fresh, keep, now, order)
      redis.call('HSET', KEYS[1], ARGV[number], header .. string.sub(value, 21))
      noted = noted + 1
    end
  end
end
return noted
