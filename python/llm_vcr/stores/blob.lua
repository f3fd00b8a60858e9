-- Stores a payload (KEYS[1]) that several cassettes may need; it lives as long as the last of them.
-- ARGV: the payload, seconds to live (-1 for ever).
local ttl = tonumber(ARGV[2])
local present = redis.call('PTTL', KEYS[1])
if present == -2 then
  redis.call('SET', KEYS[1], ARGV[1])
elseif present == -1 then
  return 0
end
if ttl < 0 then
  redis.call('PERSIST', KEYS[1])
elseif present < ttl * 1000 then
  redis.call('EXPIRE', KEYS[1], math.ceil(ttl))
end
return 1
