package broker_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/broker"
	"github.com/belleville/belleville/internal/redistest"
)

// sequence is commands, each with its arguments between spaces, which the broker and Redis answer alike.
type sequence struct {
	name     string
	commands []string
}

func sequences() []sequence {
	return []sequence{
		{"entries are ordered by score, then by member", []string{
			"ZADD k 2 b 1 c 2 a 1.5 d", "ZRANGE k 0 -1", "ZRANGE k 0 -1 WITHSCORES", "ZREVRANGE k 0 -1", "ZREVRANGE k 0 1 WITHSCORES", "ZCARD k",
		}},
		{"ranks count from both ends", []string{
			"ZADD k 1 a 2 b 3 c", "ZRANGE k 1 1", "ZRANGE k -2 -1", "ZRANGE k -9 9", "ZRANGE k 2 1", "ZRANGE k 5 9", "ZRANGE k 0 -9",
			"ZREVRANGE k 1 1", "ZREVRANGE k -1 -1", "ZREVRANGE k 5 9", "ZRANGE nothing 0 -1",
		}},
		{"a score that is given again replaces the old one", []string{"ZADD k 1 a", "ZADD k 2 a", "ZADD k 2 a", "ZSCORE k a", "ZSCORE k b", "ZSCORE nothing a"}},
		{"scores are written with 17 digits", []string{
			"ZADD k 1795356278.123456 a 0.1 b 1e30 c -1.5 d 3 e inf f -inf g 1e-7 h", "ZRANGE k 0 -1 WITHSCORES",
		}},
		{"options of ZADD", []string{
			"ZADD k NX 1 a", "ZADD k NX 2 a", "ZADD k XX 3 a", "ZADD k XX 3 b", "ZADD k CH 4 a 1 b", "ZADD k GT 2 a", "ZADD k LT 2 a",
			"ZADD k GT CH 9 a", "zadd k nx ch 1 c", "ZADD k NX XX 1 a", "ZADD k GT LT 1 a", "ZADD k NX GT 1 a", "ZRANGE k 0 -1 WITHSCORES",
		}},
		{"wrong scores", []string{"ZADD k x a", "ZADD k nan a", "ZADD k 1 a 2", "ZADD k 1 a x b", "EXISTS k", "ZADD k", "ZADD k 1"}},
		{"counting by score", []string{
			"ZADD k 1 a 2 b 3 c", "ZCOUNT k -inf +inf", "ZCOUNT k 1 2", "ZCOUNT k (1 2", "ZCOUNT k (1 (2", "ZCOUNT k 3 1", "ZCOUNT k x 1", "ZCOUNT nothing 0 1",
		}},
		{"ranges by score", []string{
			"ZADD k 1 a 2 b 3 c 4 d", "ZRANGEBYSCORE k 2 3", "ZRANGEBYSCORE k (2 inf WITHSCORES", "ZRANGEBYSCORE k -inf +inf LIMIT 1 2",
			"ZRANGEBYSCORE k -inf +inf LIMIT 1 -1 WITHSCORES", "ZRANGEBYSCORE k -inf +inf LIMIT 9 1", "ZRANGEBYSCORE k -inf +inf LIMIT -1 1", "ZRANGEBYSCORE k a b", "ZRANGEBYSCORE k 0 1 LIMIT 0", "ZRANGEBYSCORE k 0 1 LIMIT a b",
			"ZRANGEBYSCORE k 0 1 WHAT",
		}},
		{"removing by score", []string{"ZADD k 1 a 2 b 3 c", "ZREMRANGEBYSCORE k 0 (2", "ZREMRANGEBYSCORE k 0 2", "ZRANGE k 0 -1", "ZREMRANGEBYSCORE k -inf inf", "EXISTS k", "ZREMRANGEBYSCORE k 0 x"}},
		{"removing members", []string{"ZADD k 1 a 2 b", "ZREM k a x a", "ZREM k b", "EXISTS k", "ZREM k b", "ZREM k"}},
		{"popping", []string{
			"ZADD k 1 a 2 b 3 c 4 d", "ZPOPMIN k", "ZPOPMIN k 0", "ZPOPMAX k", "ZPOPMIN k 9", "ZPOPMIN k", "ZPOPMIN k -1", "ZPOPMIN k x", "EXISTS k", "ZPOPMIN k 1 2",
		}},
		{"a pop that need not wait", []string{"ZADD k 1 a 2 b", "BZPOPMIN no k 1", "BZPOPMIN k no 0", "BZPOPMIN k 0.01", "BZPOPMIN k -1", "BZPOPMIN k x", "BZPOPMIN k"}},
		{"expiry", []string{
			"ZADD k 1 a", "TTL k", "PTTL no", "TTL no", "EXPIRE k 100", "TTL k", "PERSIST k", "PERSIST k", "TTL k", "EXPIRE no 1", "EXPIRE k x", "EXPIRE k 1.5",
			"EXPIRE k 0", "EXISTS k", "ZADD k 1 a", "EXPIRE k -1", "EXISTS k", "ZADD k 1 a", "PEXPIRE k 100000", "TTL k", "EXPIRE k",
		}},
		{"a key that is written to keeps its expiry", []string{"ZADD k 1 a", "EXPIRE k 50", "ZADD k 2 b", "TTL k", "DEL k", "ZADD k 1 a", "TTL k"}},
		{"keys", []string{
			"ZADD a1 1 a", "ZADD a2 1 a", "EXISTS a1 a2 a1 no", "TYPE a1", "TYPE no", "DBSIZE", "KEYS a[2-9]", "KEYS *1", "KEYS ?1", "KEYS a[^1]", `KEYS a\1`, "KEYS", "DEL a1 no a2", "KEYS *", "DEL", "UNLINK a",
		}},
		{"transactions", []string{
			"MULTI", "ZADD k 1 a", "ZCARD k", "PING", "BZPOPMIN no 1", "EXEC", "EXEC", "DISCARD", "MULTI", "ZADD k 2 b", "DISCARD", "ZCARD k", "MULTI", "MULTI", "EXEC",
		}},
		{"a transaction with what cannot be", []string{"MULTI", "ZADD k", "ZADD k 1 a", "EXEC", "EXISTS k", "MULTI", "NOSUCHTHING", "EXEC"}},
		{"a transaction with an error on the way goes on", []string{"MULTI", "ZADD k x a", "ZADD k 1 b", "EXEC", "ZRANGE k 0 -1"}},
		{"messages that nobody takes", []string{"PUBLISH t hello", "PUBSUB NUMSUB t", "PUBSUB NUMPAT", "PUBSUB CHANNELS", "PUBLISH t"}},
		{"subscriptions", []string{
			"SUBSCRIBE t", "PING", "PING x", "PSUBSCRIBE a*", "ZCARD k", "UNSUBSCRIBE t", "UNSUBSCRIBE t", "PUNSUBSCRIBE a*", "ZCARD k", "UNSUBSCRIBE", "SUBSCRIBE",
		}},
		{"greetings", []string{"PING", "PING hello", "PING a b", "ECHO x", "ECHO", "SELECT 0", "SELECT 99", "SELECT x", "HELLO x", "HELLO 9", "CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT NOSUCH", "AUTH x", "AUTH a b", "AUTH", "RESET"}},
		{"scripts", []string{"EVALSHA 0000000000000000000000000000000000000000 0", "EVALSHA x 0", "SCRIPT EXISTS 0000000000000000000000000000000000000000", "EVAL", "EVAL x"}},
		{"what does not exist", []string{"NOSUCHTHING a b", "WATCHED"}},
	}
}

func TestAnswersAreRedis(t *testing.T) {
	server := redistest.Open(t)
	for _, s := range sequences() {
		t.Run(s.name, func(t *testing.T) {
			_, address := open(t, broker.Config{})
			ours, real := dial(t, address), dial(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port())))
			server.Do(t, "FLUSHALL")
			for _, c := range s.commands {
				args := strings.Fields(c)
				if got, want := ours.do(t, args...), real.do(t, args...); got != want {
					t.Errorf("%s: answered %s, Redis %s", c, got, want)
				}
			}
		})
	}
}

func TestScriptsDoWhatTheyDoInRedis(t *testing.T) {
	server := redistest.Open(t)
	text := scriptsOf(t)
	tests := []struct {
		name   string
		before []string
		script string
		args   []string
		after  []string
	}{
		{"what a receiver that died had goes back", []string{"ZADD c 5 x", "ZADD c$inflight 3 y 4 z"}, "local backed_up", []string{"0", "c", "c$inflight"}, []string{"ZRANGE c 0 -1 WITHSCORES", "EXISTS c$inflight"}},
		{"nothing to go back", nil, "local backed_up", []string{"0", "c", "c$inflight"}, []string{"EXISTS c"}},
		{"flush", []string{"ZADD asgi1 1 a", "ZADD asgi:group:g 1 a", "ZADD other 1 a"}, "local keys", []string{"0", "asgi*"}, []string{"KEYS *"}},
		{
			"a message for each key that is not full",
			[]string{"ZADD full 1 a 2 b"},
			"local over_capacity",
			[]string{"3", "k1", "full", "k2", "m1", "m2", "m3", "2", "2", "1", "1795356278.25", "60"},
			[]string{"ZRANGE k1 0 -1 WITHSCORES", "TTL k1", "ZRANGE full 0 -1", "TTL full", "ZRANGE k2 0 -1", "TTL k2"},
		},
		{"no capacity", nil, "local over_capacity", []string{"1", "k", "m", "0", "1", "60"}, []string{"EXISTS k"}},
		{"a score that is none", nil, "local over_capacity", []string{"1", "k", "m", "1", "x", "60"}, []string{"EXISTS k"}},
		{"an expiry that is none", nil, "local over_capacity", []string{"1", "k", "m", "1", "1", "1.5"}, []string{"ZRANGE k 0 -1", "TTL k"}},
		{"an expiry in the past", nil, "local over_capacity", []string{"1", "k", "m", "1", "1", "-1"}, []string{"EXISTS k"}},
		{"more keys than arguments", nil, "local over_capacity", []string{"5", "k"}, nil},
		{"a number of keys that is none", nil, "local over_capacity", []string{"x", "k"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, address := open(t, broker.Config{})
			ours, real := dial(t, address), dial(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port())))
			server.Do(t, "FLUSHALL")
			both := func(args ...string) {
				t.Helper()
				if got, want := ours.do(t, args...), real.do(t, args...); got != want {
					t.Errorf("%.60q: answered %s, Redis %s", args, got, want)
				}
			}
			for _, c := range tt.before {
				both(strings.Fields(c)...)
			}
			both(append([]string{"EVAL", text[tt.script]}, tt.args...)...)
			for _, c := range tt.after {
				both(strings.Fields(c)...)
			}
			both("SCRIPT", "LOAD", text[tt.script])
		})
	}
}

func TestWhoIsGoneTakesNoMessages(t *testing.T) {
	_, address := open(t, broker.Config{})
	sender, gone := dial(t, address), dial(t, address)
	gone.write(t, encode("BZPOPMIN", "k", "0"))
	gone.Close()
	for range 500 { // until the broker has noticed
		if sender.do(t, "ZADD", "k", "3", "a"); sender.do(t, "ZCARD", "k") == ":1" {
			return
		}
		advance(10 * time.Millisecond)
	}
	t.Error("a client that is gone still takes messages")
}
