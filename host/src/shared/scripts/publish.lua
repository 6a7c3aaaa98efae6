-- Replaces each signal that is still the one that its writer has seen, and tells everybody which.
--
-- KEYS: the signals. ARGV: channel, origin, most fields, most bytes of a value, milliseconds to keep all of it; then for
-- each signal the provider, the SHA-1 of the value that was seen (empty: none), and the new value (empty: remove it).
-- Gives for each 1 where it was replaced, 0 where there is no room, and otherwise the value that is stored.
local channel, origin = ARGV[1], ARGV[2]
local most_fields, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local answers = {}
for at = 6, #ARGV, 3 do
  local provider, seen, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  -- What is too large is nobody's signal: it counts as none.
  local stored = ''
  if redis.call('HSTRLEN', KEYS[1], provider) <= most_bytes then
    stored = redis.call('HGET', KEYS[1], provider) or ''
  end
  local digest = stored == '' and '' or redis.sha1hex(stored)
  if digest ~= seen then
    answers[#answers + 1] = stored
  elseif value == '' then
    redis.call('HDEL', KEYS[1], provider)
    answers[#answers + 1] = 1
  elseif redis.call('HEXISTS', KEYS[1], provider) == 0 and redis.call('HLEN', KEYS[1]) >= most_fields then
    answers[#answers + 1] = 0
  else
    redis.call('HSET', KEYS[1], provider, value)
    redis.call('PUBLISH', channel, origin .. ' ' .. provider)
    answers[#answers + 1] = 1
  end
end
-- Every value states its own times; this only clears away what a fleet that is gone has left.
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return answers
