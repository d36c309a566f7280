package redislayer

import "github.com/redis/rueidis"

// The scripts go by Redis's own clock, so that no node's wrong one makes others lose events.
const clock = `
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
`

// push puts a message on each of KEYS that is below its capacity. Their score is now, or after that of the youngest
// message in a key, so that messages of one sender keep their order within a microsecond too. It returns how
// many keys were full, and how many stale messages it removed. ARGV: expiry, the messages, the capacities.
//
// A Redis that is full refuses a script's first write alone, so that this is the first message.
const push = clock + `
local expiry = tonumber(ARGV[1])
local oldest = string.format('%.6f', now - expiry)
local score, full, stale = now, 0, 0
local old = {}
for i, key in ipairs(KEYS) do
	old[i] = redis.call('ZCOUNT', key, '-inf', oldest)
	local youngest = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
	if youngest then
		local last = tonumber(youngest)
		if last >= score and last < now + 3600 then score = last + 0.000001 end
	end
end
for i, key in ipairs(KEYS) do
	if redis.call('ZCARD', key) - old[i] < tonumber(ARGV[1 + #KEYS + i]) then
		redis.call('ZADD', key, string.format('%.6f', score), ARGV[1 + i])
		redis.call('EXPIRE', key, math.ceil(expiry))
	else
		full = full + 1
	end
	if old[i] > 0 then stale = stale + redis.call('ZREMRANGEBYSCORE', key, '-inf', oldest) end
end
return {full, stale}
`

// drain takes the oldest messages from KEYS: ARGV[1] of each, and about ARGV[2] bytes in all. It returns the time,
// and for each key how many messages it held, and messages and scores by turns.
const drain = clock + `
local answer = {string.format('%.6f', now)}
local left = tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
	local taken = {redis.call('ZCARD', key)}
	while left > 0 and #taken < 2 * tonumber(ARGV[1]) do
		local some = redis.call('ZPOPMIN', key, 16)
		if #some == 0 then break end
		for j = 1, #some do taken[#taken + 1] = some[j] end
		for j = 1, #some, 2 do left = left - #some[j] end
	end
	answer[1 + i] = taken
end
return answer
`

// members returns the channels in the group KEYS[1], those that were added ARGV[1] seconds ago left out.
const members = clock + `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now - tonumber(ARGV[1])))
return redis.call('ZRANGE', KEYS[1], 0, -1)
`

// add makes the channel ARGV[2] a member of the group KEYS[1] for ARGV[1] seconds.
const add = clock + `
redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[2])
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1])))
`

// register makes representatives members of groups, and notes that in the node's own set. It returns whether
// the node is known to be alive; where it is not, Redis has forgotten other memberships too.
// KEYS: nodes, the own set, the groups. ARGV: group expiry, the node's id, the representatives, the notes.
const register = clock + `
local n = #KEYS - 2
for i = 1, n do
	redis.call('ZADD', KEYS[2 + i], string.format('%.6f', now), ARGV[2 + i])
	redis.call('EXPIRE', KEYS[2 + i], math.ceil(tonumber(ARGV[1])))
	redis.call('SADD', KEYS[2], ARGV[2 + n + i])
end
redis.call('EXPIRE', KEYS[2], math.ceil(tonumber(ARGV[1])))
return redis.call('ZSCORE', KEYS[1], ARGV[2]) and 1 or 0
`

// unregister undoes register. KEYS: the own set, the groups. ARGV: the representatives, the notes.
const unregister = `
local n = #KEYS - 1
for i = 1, n do
	redis.call('ZREM', KEYS[1 + i], ARGV[i])
	redis.call('SREM', KEYS[1], ARGV[n + i])
end
`

// beat tells that the node ARGV[1] is alive. It returns whether that was known already, the time, and the nodes that
// have been silent for ARGV[2] seconds. KEYS: nodes, the own set. ARGV[3] is the group expiry.
const beat = clock + `
local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
redis.call('ZADD', KEYS[1], string.format('%.6f', now), ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[3])) + 86400)
redis.call('EXPIRE', KEYS[2], math.ceil(tonumber(ARGV[3])))
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now - tonumber(ARGV[2])), 'LIMIT', 0, 100)
return {known, string.format('%.6f', now), dead}
`

// sweep ends up to 500 memberships of the node ARGV[1], unless it has been heard within ARGV[2] seconds. It returns
// how many it ended; once there are none the node is forgotten. KEYS: nodes, the node's own set. ARGV[3] begins
// the keys of groups, ARGV[4] the names of the node's channels.
const sweep = clock + `
local heard = redis.call('ZSCORE', KEYS[1], ARGV[1])
if heard and tonumber(heard) > now - tonumber(ARGV[2]) then return 0 end
local notes = redis.call('SRANDMEMBER', KEYS[2], 500)
for i, note in ipairs(notes) do
	local lane, suffix, group = string.match(note, '^(%w+):([^:]+):(.+)$')
	if suffix == 'g' then suffix = 'g.' .. group end
	if group then redis.call('ZREM', ARGV[3] .. group, ARGV[4] .. lane .. '!' .. suffix) end
	redis.call('SREM', KEYS[2], note)
end
if #notes == 0 then redis.call('ZREM', KEYS[1], ARGV[1]) end
return #notes
`

// reap removes from the group KEYS[2] the channels of nodes that KEYS[1] does not know. ARGV: ids and channels by
// turns. It returns how many it removed.
const reap = `
local gone = 0
for i = 1, #ARGV, 2 do
	if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
		gone = gone + redis.call('ZREM', KEYS[2], ARGV[i + 1])
	end
end
return gone
`

// rescue moves what a receiver that died had in its hands, the message ARGV[1], from KEYS[2] back to KEYS[1].
const rescue = `
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not score then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[1], score, ARGV[1])
return 1
`

// scripts are the scripts as rueidis runs them, on whichever connection. drain has one of its own.
type scripts struct {
	push, members, add, register, unregister, beat, sweep, reap, rescue *rueidis.Lua
}

func newScripts() scripts {
	return scripts{
		push: rueidis.NewLuaScript(push), members: rueidis.NewLuaScript(members), add: rueidis.NewLuaScript(add),
		register: rueidis.NewLuaScript(register), unregister: rueidis.NewLuaScript(unregister),
		beat: rueidis.NewLuaScript(beat), sweep: rueidis.NewLuaScript(sweep),
		reap: rueidis.NewLuaScript(reap), rescue: rueidis.NewLuaScript(rescue),
	}
}
