package shared

// The scripts run inside Redis, each as one uninterrupted step over keys of one slot. Numbers travel and are stored as
// text in base 36; Lua compares them as numbers, exact below 2^53. No script returns or logs what is stored.

// luaVersion reads the version of an entry or a tombstone without reading its facts; -1 where there is none.
const luaVersion = `
local function number(text) return tonumber(text, 36) end
local function version_of(key)
  local text = string.match(redis.call('GETRANGE', key, 0, 11), '^%w+')
  return text and number(text) or -1
end
`

// luaOutdate leaves a tombstone. What is as new already stays, but at least as long as the tombstone would: it
// refuses the same fills.
const luaOutdate = luaVersion + `
local function outdate(key, position, ttl)
  if version_of(key) < number(position) then
    redis.call('SET', key, position, 'PX', ttl)
  elseif redis.call('PTTL', key) < tonumber(ttl) then
    redis.call('PEXPIRE', key, ttl)
  end
end
`

// luaHead splits a head; watermark, floor and echoes are empty before Begin, all four nil where there is no head.
const luaHead = `
local epoch, watermark, floor, echoes = string.match(redis.call('GET', KEYS[1]) or '', '^(%w+) ?(%w*) ?(%w*) ?([%w:,]*)$')
`

// luaFill: KEYS head, tenant tombstone, entry; ARGV epoch, version, value, ttl in ms.
const luaFill = luaVersion + luaHead + `
local version = number(ARGV[2])
if epoch ~= ARGV[1] or watermark == '' or version < number(floor) then return 0 end
if version < version_of(KEYS[2]) or version < version_of(KEYS[3]) then return 0 end
local ttl = math.max(tonumber(ARGV[4]), redis.call('PTTL', KEYS[3]))
redis.call('SET', KEYS[3], ARGV[3], 'PX', string.format('%.0f', ttl))
return 1
`

// luaBegin: KEYS head; ARGV epoch, position, ttl in ms. A head without positions is the epoch alone.
const luaBegin = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
`

// luaEcho gives each of the new challenges, or a later one of the same reader that has been answered before. Readers
// that no longer ask are left out. All readers' names have one length, so none ends like another.
const luaEcho = `
local function echo(answered, new)
  local all = {}
  for reader, asked in string.gmatch(new, '(%w+):(%w+)') do
    local before = string.match(answered, reader .. ':(%w+)')
    if before and number(before) > number(asked) then asked = before end
    all[#all + 1] = reader .. ':' .. asked
  end
  return table.concat(all, ',')
end
`

// luaAdvance: KEYS head, then what to outdate; ARGV epoch, from, to, ttl of the head in ms, challenges, then position
// and ttl for each further key.
const luaAdvance = luaOutdate + luaHead + luaEcho + `
if epoch ~= ARGV[1] or watermark == '' or number(watermark) < number(ARGV[2]) then return 0 end
for i = 2, #KEYS do outdate(KEYS[i], ARGV[2 * i + 2], ARGV[2 * i + 3]) end
if number(ARGV[3]) > number(watermark) then watermark = ARGV[3] end
if ARGV[5] ~= '' then echoes = echo(echoes, ARGV[5]) end
if echoes ~= '' then echoes = ' ' .. echoes end
redis.call('SET', KEYS[1], epoch .. ' ' .. watermark .. ' ' .. floor .. echoes, 'PX', ARGV[4])
return 1
`

// luaChallenge: KEYS challenges; ARGV reader, asked, ttl in ms, how many readers at most. The server's clock only
// decides when a reader that asks no more is forgotten.
const luaChallenge = `
local now = tonumber(redis.call('TIME')[1])
local all = redis.call('HGETALL', KEYS[1])
local left = #all / 2
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '%d+$'))
  if all[i] == ARGV[1] then
    left = left - 1
  elseif not at or math.abs(now - at) * 1000 > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], all[i])
    left = left - 1
  end
end
if left >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`
