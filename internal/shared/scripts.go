package shared

// The scripts run inside Redis, each as one uninterrupted step over keys of one slot. Positions travel and are stored
// as decimal text; Lua compares them as numbers, exact below 2^53. No script returns or logs what is stored.

// luaVersion reads the version of an entry or a tombstone without reading its facts; -1 where there is none.
const luaVersion = `
local function version_of(key)
  return tonumber(string.match(redis.call('GETRANGE', key, 0, 16), '^%d+')) or -1
end
`

// luaOutdate leaves a tombstone. What is as new already stays, but at least as long as the tombstone would: it
// refuses the same fills.
const luaOutdate = luaVersion + `
local function outdate(key, position, ttl)
  if version_of(key) < tonumber(position) then
    redis.call('SET', key, position, 'PX', ttl)
  elseif redis.call('PTTL', key) < tonumber(ttl) then
    redis.call('PEXPIRE', key, ttl)
  end
end
`

// luaHead splits a head; watermark and floor are empty before Begin, all three nil where there is no head.
const luaHead = `
local epoch, watermark, floor = string.match(redis.call('GET', KEYS[1]) or '', '^(%w+) ?(%d*) ?(%d*)$')
`

// luaFill: KEYS head, tenant tombstone, entry; ARGV epoch, version, value, ttl in ms.
const luaFill = luaVersion + luaHead + `
local version = tonumber(ARGV[2])
if epoch ~= ARGV[1] or watermark == '' or version < tonumber(floor) then return 0 end
if version < version_of(KEYS[2]) or version < version_of(KEYS[3]) then return 0 end
local ttl = math.max(tonumber(ARGV[4]), redis.call('PTTL', KEYS[3]))
redis.call('SET', KEYS[3], ARGV[3], 'PX', string.format('%.0f', ttl))
return 1
`

// luaInvalidate: KEYS entries or tenant tombstones; ARGV position, ttl in ms.
const luaInvalidate = luaOutdate + `
for _, key in ipairs(KEYS) do outdate(key, ARGV[1], ARGV[2]) end
return 1
`

// luaBegin: KEYS head; ARGV epoch, position, ttl in ms. A head without positions is the epoch alone.
const luaBegin = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
`

// luaAdvance: KEYS head, then what to outdate; ARGV epoch, from, to, ttl of the head in ms, then position and ttl
// for each further key.
const luaAdvance = luaOutdate + luaHead + `
if epoch ~= ARGV[1] or watermark == '' or tonumber(watermark) < tonumber(ARGV[2]) then return 0 end
for i = 2, #KEYS do outdate(KEYS[i], ARGV[2 * i + 1], ARGV[2 * i + 2]) end
if tonumber(ARGV[3]) > tonumber(watermark) then watermark = ARGV[3] end
redis.call('SET', KEYS[1], epoch .. ' ' .. watermark .. ' ' .. floor, 'PX', ARGV[4])
return 1
`
