-- KEYS: the signals. ARGV: most bytes of a value, then providers. Gives the value of each, empty for none.
local most_bytes = tonumber(ARGV[1])
local values = {}
for at = 2, #ARGV do
  local value = ''
  if redis.call('HSTRLEN', KEYS[1], ARGV[at]) <= most_bytes then
    value = redis.call('HGET', KEYS[1], ARGV[at]) or ''
  end
  values[#values + 1] = value
end
return values
