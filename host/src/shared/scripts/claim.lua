-- Claims the refresh of a provider, by the server's clock, which is the same for all hosts.
--
-- KEYS: the refreshes. ARGV: provider, owner, milliseconds of the lease, most fields, milliseconds to keep all of it.
-- Gives 1 where it is claimed, 0 where another refreshes or has done so lately, -1 where there is no room.
local provider, owner = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Nobody keeps others away for longer than a day, whatever is written there.
local longest = 24 * 60 * 60 * 1000

local length = redis.call('HSTRLEN', KEYS[1], provider)
if length > 0 and length <= 512 then
  local is_json, turn = pcall(cjson.decode, redis.call('HGET', KEYS[1], provider))
  if is_json and type(turn) == 'table' then
    local until_ms, next_ms = tonumber(turn.until_ms) or 0, tonumber(turn.next_ms) or 0
    local is_running = until_ms > now and until_ms < now + longest and turn.owner ~= owner
    local is_fresh = next_ms > now and next_ms < now + longest
    if is_running or is_fresh then
      return 0
    end
  end
elseif length == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then
  return -1
end
local turn = { owner = owner, until_ms = now + tonumber(ARGV[3]) }
redis.call('HSET', KEYS[1], provider, cjson.encode(turn))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
