-- KEYS: the signals. ARGV: cursor, about how many, most bytes of a name, most bytes of a value.
-- Gives the next cursor, how many were left out for their size, then names and values by turns.
local most_name, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local answer = { page[1], 0 }
for at = 1, #page[2], 2 do
  local name, value = page[2][at], page[2][at + 1]
  if #name <= most_name and #value <= most_bytes then
    answer[#answer + 1] = name
    answer[#answer + 1] = value
  else
    answer[2] = answer[2] + 1
  end
end
return answer
