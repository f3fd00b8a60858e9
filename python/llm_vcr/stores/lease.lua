-- A lease (KEYS[1]) of an owner (ARGV[2]): ARGV[1] is 'renew' for ARGV[3] milliseconds, or 'release'. Nobody else's is touched.
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
if ARGV[1] == 'renew' then return redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return redis.call('DEL', KEYS[1])
