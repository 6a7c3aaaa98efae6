-- Gives back the refresh of a provider, where it is still its owner's.
--
-- KEYS: the refreshes. ARGV: provider, owner, milliseconds until the next refresh is due (0: at once).
local provider = ARGV[1]
if redis.call('HSTRLEN', KEYS[1], provider) > 512 then
  return 0
end
local is_json, turn = pcall(cjson.decode, redis.call('HGET', KEYS[1], provider) or '')
if not is_json or type(turn) ~= 'table' or turn.owner ~= ARGV[2] then
  return 0
end
local pause = tonumber(ARGV[3])
if pause > 0 then
  local time = redis.call('TIME')
  local next_ms = time[1] * 1000 + math.floor(time[2] / 1000) + pause
  redis.call('HSET', KEYS[1], provider, cjson.encode({ next_ms = next_ms }))
else
  redis.call('HDEL', KEYS[1], provider)
end
return 1
