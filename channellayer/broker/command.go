package broker

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// run is a command on the data: it appends its answer to out.
type run func(t *tx, out []byte, args []string) []byte

// spec is what is known of a command before it runs.
type spec struct {
	run   run
	least int  // arguments, the name not counted
	most  int  // -1 for any number
	write bool // refused when memory is full
	named bool // whether the first argument must not be too long for a name
}

// dataCommands are the commands that may stand in a transaction. Other clients run nothing meanwhile.
func dataCommands() map[string]spec {
	const any = -1
	return map[string]spec{
		"ZADD":             {zadd, 3, any, true, true},
		"ZREM":             {zrem, 2, any, false, false},
		"ZCARD":            {zcard, 1, 1, false, false},
		"ZCOUNT":           {zcount, 3, 3, false, false},
		"ZSCORE":           {zscore, 2, 2, false, false},
		"ZRANGE":           {zrange, 3, any, false, false},
		"ZREVRANGE":        {zrevrange, 3, 4, false, false},
		"ZRANGEBYSCORE":    {zrangebyscore, 3, any, false, false},
		"ZREMRANGEBYSCORE": {zremrangebyscore, 3, 3, false, false},
		"ZPOPMIN":          {zpopmin, 1, 2, false, false},
		"ZPOPMAX":          {zpopmax, 1, 2, false, false},
		"BZPOPMIN":         {bzpopmin, 2, any, false, false}, // in a transaction, where nobody waits
		"DEL":              {del, 1, any, false, false},
		"UNLINK":           {del, 1, any, false, false},
		"EXISTS":           {exists, 1, any, false, false},
		"EXPIRE":           {expireIn(time.Second), 2, 2, false, false},
		"PEXPIRE":          {expireIn(time.Millisecond), 2, 2, false, false},
		"TTL":              {ttl(time.Second), 1, 1, false, false},
		"PTTL":             {ttl(time.Millisecond), 1, 1, false, false},
		"PERSIST":          {persist, 1, 1, false, false},
		"TYPE":             {typeOf, 1, 1, false, false},
		"KEYS":             {keysLike, 1, 1, false, true},
		"SCAN":             {scan, 1, any, false, false},
		"DBSIZE":           {dbsize, 0, 0, false, false},
		"FLUSHDB":          {flush, 0, 1, false, false},
		"FLUSHALL":         {flush, 0, 1, false, false},
		"PUBLISH":          {publish, 2, 2, false, true},
		"PUBSUB":           {pubsub, 1, any, false, false},
		"EVAL":             {eval, 2, any, true, false},
		"EVALSHA":          {evalsha, 2, any, true, false},
		"SCRIPT":           {scriptCommand, 1, any, false, false},
		"TIME":             {timeNow, 0, 0, false, false},
		"PING":             {ping, 0, 1, false, false},
		"ECHO":             {echo, 1, 1, false, false},
	}
}

const (
	errSyntax   = "ERR syntax error"
	errInteger  = "ERR value is not an integer or out of range"
	errFloat    = "ERR value is not a valid float"
	errMinMax   = "ERR min or max is not a float"
	errLongName = "ERR a name of a key or topic is too long for this broker"
)

// maxKey is the length of the longest name of a key or topic: more than any name of a channel or group needs.
const maxKey = 1 << 10

// integer reads a whole number as Redis does.
func integer(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return 0, false
	}
	return int(n), true
}

// number reads a score.
func number(s string) (float64, bool) {
	if strings.ContainsRune(s, '_') {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f)
}

// lowest is the bound before all scores.
func lowest() bound { return bound{score: math.Inf(-1)} }

// scoreBounds reads the least and the greatest score, either with "(" in front where it is left out.
func scoreBounds(low, high string) (from, to bound, ok bool) {
	low, lowOut := strings.CutPrefix(low, "(")
	high, highOut := strings.CutPrefix(high, "(")
	a, okLow := number(low)
	b, okHigh := number(high)
	return bound{a, lowOut}, bound{b, !highOut}, okLow && okHigh
}

// expireIn returns EXPIRE for a unit of time.
func expireIn(unit time.Duration) run {
	return func(t *tx, out []byte, args []string) []byte {
		n, ok := integer(args[1])
		if !ok {
			return appendError(out, errInteger)
		}
		n = max(-1, min(n, int(math.MaxInt64/2/unit)))
		return appendInt(out, truth(t.expire(args[0], time.Duration(n)*unit)))
	}
}

// ttl returns TTL for a unit of time.
func ttl(unit time.Duration) run {
	return func(t *tx, out []byte, args []string) []byte {
		k := t.get(args[0])
		switch {
		case k == nil:
			return appendInt(out, -2)
		case k.expires.IsZero():
			return appendInt(out, -1)
		}
		return appendInt(out, int((k.expires.Sub(t.now)+unit/2)/unit))
	}
}

func persist(t *tx, out []byte, args []string) []byte {
	k := t.get(args[0])
	return appendInt(out, truth(k != nil && t.keyspace.persist(k)))
}

func del(t *tx, out []byte, args []string) []byte {
	n := 0
	for _, name := range args {
		if k := t.get(name); k != nil {
			t.keyspace.clear(k)
			n++
		}
	}
	return appendInt(out, n)
}

func exists(t *tx, out []byte, args []string) []byte {
	n := 0
	for _, name := range args {
		n += truth(t.get(name) != nil)
	}
	return appendInt(out, n)
}

func typeOf(t *tx, out []byte, args []string) []byte {
	if t.get(args[0]) == nil {
		return appendStatus(out, "none")
	}
	return appendStatus(out, "zset")
}

func keysLike(t *tx, out []byte, args []string) []byte { return appendBulks(out, t.keysLike(args[0])) }

// keysLike returns the names of the keys that match a pattern.
func (t *tx) keysLike(pattern string) []string {
	var names []string
	for name, k := range t.keyspace.keys {
		expired := !k.expires.IsZero() && !t.now.Before(k.expires)
		if !expired && matches(pattern, name) {
			names = append(names, name)
		}
	}
	return names
}

// scan answers with all keys that match at once, which the protocol allows.
func scan(t *tx, out []byte, args []string) []byte {
	pattern := "*"
	if _, ok := integer(args[0]); !ok {
		return appendError(out, "ERR invalid cursor")
	}
	for i := 1; i < len(args); i += 2 {
		if i+1 == len(args) {
			return appendError(out, errSyntax)
		}
		switch strings.ToUpper(args[i]) {
		case "MATCH":
			pattern = args[i+1]
		case "COUNT", "TYPE":
		default:
			return appendError(out, errSyntax)
		}
	}
	if len(pattern) > maxKey {
		return appendError(out, errLongName)
	}
	return appendBulks(appendBulk(appendArray(out, 2), "0"), t.keysLike(pattern))
}

func dbsize(t *tx, out []byte, _ []string) []byte { return appendInt(out, len(t.keyspace.keys)) }

func flush(t *tx, out []byte, _ []string) []byte {
	for _, k := range t.keyspace.keys {
		t.keyspace.clear(k)
	}
	return appendOK(out)
}

func timeNow(t *tx, out []byte, _ []string) []byte {
	micro := t.now.UnixMicro()
	return appendBulks(out, []string{strconv.FormatInt(micro/1e6, 10), strconv.FormatInt(micro%1e6, 10)})
}

func ping(_ *tx, out []byte, args []string) []byte {
	if len(args) == 1 {
		return appendBulk(out, args[0])
	}
	return appendStatus(out, "PONG")
}

func echo(_ *tx, out []byte, args []string) []byte { return appendBulk(out, args[0]) }

func publish(t *tx, out []byte, args []string) []byte {
	return appendInt(out, t.publish(args[0], args[1]))
}

// pubsub is PUBSUB CHANNELS, NUMSUB and NUMPAT.
func pubsub(t *tx, out []byte, args []string) []byte {
	switch name := strings.ToUpper(args[0]); {
	case name == "CHANNELS" && len(args) <= 2:
		pattern := "*"
		if len(args) == 2 {
			pattern = args[1]
		}
		if len(pattern) > maxKey {
			return appendError(out, errLongName)
		}
		return appendBulks(out, t.topicsLike(pattern))
	case name == "NUMSUB":
		out = appendArray(out, 2*len(args[1:]))
		for _, topic := range args[1:] {
			out = appendInt(appendBulk(out, topic), len(t.topics[topic])+truth(t.isOursToo(topic)))
		}
		return out
	case name == "NUMPAT" && len(args) == 1:
		return appendInt(out, len(t.patterns))
	}
	return appendError(out, "ERR unknown subcommand of PUBSUB: this broker has CHANNELS, NUMSUB and NUMPAT")
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
