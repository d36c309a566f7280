package config

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// inMemoryBackend is the channel layer of a single process.
const (
	inMemoryBackend = "channels.layers.InMemoryChannelLayer"
	redisBackend    = "channels_redis.core.RedisChannelLayer"
	postgresBackend = "channels_postgres.core.PostgresChannelLayer"
	pubSubBackend   = "channels_redis.pubsub.RedisPubSubChannelLayer"
)

// check notes what cannot be right.
func (l *loader) check() {
	l.addresses()
	l.django()
	l.sessions()
	l.passwords()
	l.userTable()
	l.tokens()
	l.database()
	l.channelLayer()
	l.liveSessions()
	l.limits()
	l.socketMode()
	l.front()
	l.enumerated("log.format", l.config.Log.Format, "text", "json")
	l.routes()
}

// enumerated notes a value that is none of those it may be.
func (l *loader) enumerated(path, value string, values ...string) {
	if slices.Contains(values, value) {
		return
	}
	if !l.mistakes.has(path) {
		l.mistakes.add(path, quote(value)+" is not known", "write one of "+oneOf(values))
	}
}

// addresses checks where to listen.
func (l *loader) addresses() {
	c := l.config
	taken := make(map[string]string)
	claim := func(path, address string) {
		switch problem, remedy := addressProblem(address); {
		case l.mistakes.has(path):
		case problem != "":
			l.mistakes.add(path, problem, remedy)
		case taken[address] != "" && !strings.HasSuffix(address, ":0"): // each gets a port of its own there
			l.mistakes.add(path, "it is the address of "+taken[address]+" too", "give each its own")
		default:
			taken[address] = path
		}
	}
	if len(c.Listen) == 0 && !l.mistakes.has("listen") {
		l.mistakes.add("listen", "it is empty", `write an address, as in ":8001" or "unix:/run/belleville.sock"`)
	}
	for i, a := range c.Listen {
		path := "listen"
		if len(c.Listen) > 1 {
			path += "[" + strconv.Itoa(i) + "]"
		}
		claim(path, a)
	}
	if c.AdminListen != "" {
		claim("admin_listen", c.AdminListen)
	}
	if c.DebugListen != "" {
		claim("debug_listen", c.DebugListen)
	}
	if c.RootPath != "" && (!strings.HasPrefix(c.RootPath, "/") || strings.HasSuffix(c.RootPath, "/")) {
		l.mistakes.add("root_path", quote(c.RootPath)+" is no path to be mounted at", `write it with a slash in front and none at the end, as in "/app"`)
	}
}

// addressProblem says what is wrong with an address to listen on.
func addressProblem(address string) (problem, remedy string) {
	kind, rest, _ := strings.Cut(address, ":")
	switch {
	case kind == "unix" && rest != "":
		return "", ""
	case kind == "fd":
		if n, err := strconv.Atoi(rest); err != nil || n < 3 {
			return quote(address) + " names no inherited socket", `write its number, 3 or above, as in "fd:3"`
		}
		return "", ""
	}
	host, port, err := net.SplitHostPort(address)
	n, numErr := strconv.Atoi(port)
	if err != nil || numErr != nil || n < 0 || n > 65535 || strings.ContainsAny(host, "/@") {
		return quote(address) + " is no address", `write "host:port", ":port", "unix:/path" or "fd:3"`
	}
	return "", ""
}

// loopback reports whether nobody but this machine reaches an address.
func loopback(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// limits checks that nothing is below 0, and what belongs together.
func (l *loader) limits() {
	m := l.config.Limits
	for _, n := range []struct {
		path  string
		value int
	}{
		{"limits.max_message", m.MaxMessage},
		{"limits.max_fragments", m.MaxFragments},
		{"limits.max_control_frames", m.MaxControlFrames},
		{"limits.max_head", m.MaxHead},
		{"limits.max_headers", m.MaxHeaders},
		{"limits.max_connections", m.MaxConnections},
		{"limits.max_hashing", m.MaxHashing},
		{"limits.max_connections_per_address", m.MaxConnectionsPerAddress},
		{"limits.max_unknown_keys", m.MaxUnknownKeys},
		{"limits.max_connections_per_user", m.MaxConnectionsPerUser},
		{"limits.handshake_rate", m.HandshakeRate},
		{"limits.handshake_burst", m.HandshakeBurst},
		{"limits.message_rate", m.MessageRate},
		{"limits.message_burst", m.MessageBurst},
		{"limits.message_rate_per_user", m.MessageRatePerUser},
		{"limits.message_burst_per_user", m.MessageBurstPerUser},
		{"limits.queue_bytes", m.QueueBytes},
		{"limits.queue_frames", m.QueueFrames},
		{"limits.loops", m.Loops},
	} {
		l.positive(n.path, int64(n.value))
	}
	for _, d := range []struct {
		path  string
		value time.Duration
	}{
		{"limits.handshake_timeout", m.HandshakeTimeout},
		{"limits.write_timeout", m.WriteTimeout},
		{"limits.ping_interval", m.PingInterval},
		{"limits.pong_timeout", m.PongTimeout},
		{"limits.max_age", m.MaxAge},
		{"limits.tcp_user_timeout", m.UserTimeout},
		{"limits.drain_window", m.DrainWindow},
		{"limits.drain_timeout", m.DrainTimeout},
	} {
		l.positive(d.path, int64(d.value))
	}
}

// positive notes a number below 0, and a 0 that was written, for that would mean the default.
func (l *loader) positive(path string, n int64) {
	switch {
	case l.mistakes.has(path):
	case n < 0:
		l.mistakes.add(path, "it is below 0", "write a positive value, or take it out for the default")
	case n == 0 && l.wasGiven(path) && path != "limits.drain_window":
		l.mistakes.add(path, "0 would allow nothing", "write a positive value, or take it out for the default")
	}
}

// wasGiven reports whether a key was set by the file or the environment.
func (l *loader) wasGiven(path string) bool { return slices.Contains(l.given, path) }
