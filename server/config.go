package server

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/prometheus/client_golang/prometheus"
)

// Config says how a Server treats its clients. The zero Config is a good one.
type Config struct {
	// MaxMessage is the size in bytes of the largest message a client may send; a larger one closes the
	// connection with 1009. Default: 1 MiB.
	MaxMessage int
	// MaxFragments is how many frames one message may come in; more close the connection with 1008.
	// Default: 1024.
	MaxFragments int
	// MaxControlFrames is how many pings and pongs a client may send in a second; more close the connection
	// with 1008. Default: 1000.
	MaxControlFrames int
	// MaxHead is the size in bytes of the largest request head, MaxHeaders the number of its fields; more
	// are answered with 431. Defaults: 16 KiB, 100.
	MaxHead    int
	MaxHeaders int
	// HandshakeTimeout is how long a client may take for its whole request head, and how long the
	// application may take to answer it. Default: 5 s.
	HandshakeTimeout time.Duration

	// MaxConnections is how many connections are held at a time; one more is answered with 503. Default:
	// what the limit on open files leaves.
	MaxConnections int
	// MaxConnectionsPerAddress is the same for one client address, or one /64 network of IPv6; one more is
	// answered with 429. Default: no limit.
	MaxConnectionsPerAddress int

	// MaxConnectionsPerUser is the same for one user who is logged in; one more is answered with 429. Default: no
	// limit.
	MaxConnectionsPerUser int
	// HandshakeRate is how many handshakes and plain requests one client address, or one /64 network of IPv6, may begin
	// in a second, HandshakeBurst how many at once; more are answered with 429. Defaults: no limit, twice the rate.
	HandshakeRate  int
	HandshakeBurst int
	// MessageRate is how many messages a client may send in a second, MessageBurst how many at once. Who sends
	// more is read from more slowly; who does so for half a minute without a pause is closed with 1008. Defaults: no
	// limit, twice the rate.
	MessageRate  int
	MessageBurst int
	// MessageRatePerUser is the same for all connections of one user who is logged in, MessageBurstPerUser how many at
	// once; more are read more slowly. Defaults: no limit, twice the rate.
	MessageRatePerUser  int
	MessageBurstPerUser int

	// QueueBytes and QueueFrames are how much may wait for a client that does not read; then it is closed
	// with 1013. A single message may be larger, and a burst four times as much, or four of the largest
	// messages, until it shows whether the client reads. Defaults: 256 KiB, 4096.
	QueueBytes  int
	QueueFrames int
	// WriteTimeout is how long a client may take nothing of what waits for it. Default: 30 s.
	WriteTimeout time.Duration

	// PingInterval is after how much silence a client is pinged, PongTimeout how long it may then stay
	// silent. Defaults: 25 s, 20 s. Each is kept to the second.
	PingInterval time.Duration
	PongTimeout  time.Duration

	// MaxAge is how long a WebSocket may be open; then it is closed with DrainCode, which clients take for a reason to
	// connect again. Each is closed within the last tenth of that time, so that those which came together do not go
	// together. Default: no limit.
	MaxAge time.Duration
	// UserTimeout is how long the kernel waits for a peer to acknowledge what was sent to it, before the connection is
	// given up; it finds peers that are gone while something is under way to them. Where there is no TCP_USER_TIMEOUT
	// it does nothing. Default: PingInterval and PongTimeout together.
	UserTimeout time.Duration

	// DrainCode is what WebSockets are closed with in a drain. Default: 1012.
	DrainCode consumers.CloseCode
	// DrainWindow is over how long the closes of a drain are spread; DrainTimeout is how long clients and
	// consumers may take to end after it. Defaults: 0, 10 s.
	DrainWindow  time.Duration
	DrainTimeout time.Duration

	// TrustedProxies are the networks whose X-Forwarded-For and X-Forwarded-Proto are believed. On a unix
	// socket any peer is one of them if there is any. Default: none.
	TrustedProxies []netip.Prefix
	// ProxyProtocol makes each connection of a trusted proxy begin with a header of the PROXY protocol, version 1 or 2,
	// which says whose connection it is. One without is closed; nobody else's is believed.
	ProxyProtocol bool
	// TLS makes clients come over TLS, at least 1.2: WebSockets over HTTP/1.1, plain requests also over HTTP/2. Such
	// connections have goroutines of their own. See [Certificate.TLS]. Default: no TLS.
	TLS *tls.Config
	// RootPath is where the site is mounted, as in "/app".
	RootPath string

	// Loops is how many goroutines watch the sockets. Default: one for each processor.
	Loops int

	// Logger is told what someone must know. Default: slog.Default.
	Logger *slog.Logger
	// Registerer takes the server's metrics. Default: none are kept.
	Registerer prometheus.Registerer
}

// withDefaults returns c with its zero fields filled in.
func (c Config) withDefaults() Config {
	fill := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	last := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	fill(&c.MaxMessage, 1<<20)
	fill(&c.MaxFragments, 1024)
	fill(&c.MaxControlFrames, 1000)
	fill(&c.MaxHead, 16<<10)
	fill(&c.MaxHeaders, 100)
	last(&c.HandshakeTimeout, 5*time.Second)
	fill(&c.MaxConnections, descriptorBudget())
	fill(&c.HandshakeBurst, 2*c.HandshakeRate)
	fill(&c.MessageBurst, 2*c.MessageRate)
	fill(&c.MessageBurstPerUser, 2*c.MessageRatePerUser)
	fill(&c.QueueBytes, 256<<10)
	fill(&c.QueueFrames, 4096)
	last(&c.WriteTimeout, 30*time.Second)
	last(&c.PingInterval, 25*time.Second)
	last(&c.PongTimeout, 20*time.Second)
	last(&c.DrainTimeout, 10*time.Second)
	last(&c.UserTimeout, c.PingInterval+c.PongTimeout)
	if c.DrainCode == 0 {
		c.DrainCode = consumers.CloseServiceRestart
	}
	fill(&c.Loops, runtime.GOMAXPROCS(0))
	c.TLS = withTLSDefaults(c.TLS)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}
