package redislayer_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// TestWaysToReachAHost sends an event over each.
func TestWaysToReachAHost(t *testing.T) {
	locked := redistest.OpenWith(t, redistest.Config{Password: redistest.Password()})
	secure := redistest.OpenWith(t, redistest.Config{TLS: true})
	plain := redistest.Open(t)
	tests := []struct {
		name string
		host any
	}{
		{"a pair", []any{"127.0.0.1", int64(plain.Port())}},
		{"another database", strings.TrimSuffix(plain.URL(), "0") + "7"},
		{"a password", locked.URL()},
		{"a unix socket", plain.SocketURL()},
		{"a unix socket with a password", locked.SocketURL()},
		{"TLS", secure.URL() + "?ssl_ca_certs=" + secure.CAFile()},
		{"TLS without a look at the certificate", map[string]any{
			"host": "127.0.0.1", "port": int64(secure.Port()), "ssl": true, "ssl_cert_reqs": "none",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := redislayer.ParseHost(tt.host)
			must(t, err)
			c := redislayer.Config{Hosts: []redislayer.Host{h}}
			roundTrip(t, open(t, c), open(t, c))
			roundTrip(t, openPubSub(t, c), openPubSub(t, c))
		})
	}
	t.Run("TLS with a certificate that nobody vouches for", func(t *testing.T) {
		h, err := redislayer.ParseHost(secure.URL())
		must(t, err)
		l := open(t, redislayer.Config{Hosts: []redislayer.Host{h}})
		if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("Ready() = %v, want an error about the certificate", err)
		}
	})
}

func roundTrip(t *testing.T, ours, other channellayer.Layer) {
	t.Helper()
	_, q := channel(t, ours, "room")
	must(t, other.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
}

func TestSentinel(t *testing.T) {
	master := redistest.Open(t)
	replica := redistest.OpenReplica(t, master)
	sentinel := redistest.OpenSentinel(t, master)
	waitUntil(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.Do(t, "SENTINEL", "REPLICAS", redistest.MasterName), strconv.Itoa(replica.Port()))
	})
	h, err := redislayer.ParseHost(map[string]any{
		"sentinels": []any{[]any{"127.0.0.1", int64(sentinel.Port())}}, "master_name": redistest.MasterName,
	})
	must(t, err)
	c := redislayer.Config{Hosts: []redislayer.Host{h}, Timeout: time.Second}
	ours, other := open(t, c), open(t, c)
	name, q := channel(t, ours, "room")
	must(t, other.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
	if got := master.Do(t, "ZRANGE", "asgi:group:room", "0", "-1"); !strings.HasPrefix(got, name[:30]) {
		t.Errorf("the master knows the members %q, want our representative", got)
	}
	must(t, master.Kill())
	waitUntil(t, "the replica is the master", func() bool {
		got := sentinel.DoLines(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", redistest.MasterName)
		return len(got) == 2 && got[1] == strconv.Itoa(replica.Port())
	})
	began := time.Now()
	want(t, q, gap())
	ready(t, ours)
	ready(t, other)
	if took := time.Since(began); took > 2*healsIn {
		t.Errorf("healed %v after the failover, want at most %v", took, 2*healsIn)
	}
	must(t, other.GroupSend(t.Context(), "room", said(2)))
	want(t, q, said(2))
}

func TestMetrics(t *testing.T) {
	server := redistest.Open(t)
	core, pubsub := prometheus.NewRegistry(), prometheus.NewRegistry()
	ours := open(t, redislayer.Config{Hosts: hosts(t, server), Registerer: core})
	roundTrip(t, ours, ours)
	inPubSub := openPubSub(t, redislayer.Config{Hosts: hosts(t, server), Registerer: pubsub})
	roundTrip(t, inPubSub, inPubSub)
	for name, registry := range map[string]*prometheus.Registry{"core": core, "pub/sub": pubsub} {
		problems, err := testutil.GatherAndLint(registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: GatherAndLint = %v, %v, want nothing", name, problems, err)
		}
		wantMetric := "# HELP redislayer_channels Channels of this process that are open.\n# TYPE redislayer_channels gauge\nredislayer_channels 1\n" +
			"# HELP redislayer_groups Groups that an open channel is in.\n# TYPE redislayer_groups gauge\nredislayer_groups 1\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(wantMetric), "redislayer_channels", "redislayer_groups"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := testutil.GatherAndCount(core, "redislayer_lag_seconds"); err != nil || n != 4 {
		t.Errorf("%d lags, %v, want one for each lane", n, err)
	}
}

func TestNothingRunsAfterClose(t *testing.T) {
	server := redistest.Open(t)
	before := goleak.IgnoreCurrent()
	c := redislayer.Config{Hosts: hosts(t, server)}
	core, err := redislayer.New(t.Context(), c)
	must(t, err)
	pubsub, err := redislayer.NewPubSub(t.Context(), c)
	must(t, err)
	roundTrip(t, core, core)
	roundTrip(t, pubsub, pubsub)
	ended := make(chan error, 2)
	for _, l := range []channellayer.Listener{core, pubsub} {
		go func() { ended <- l.Listen(t.Context(), "jobs", channellayer.NewQueue()) }()
	}
	must(t, core.Close())
	must(t, pubsub.Close())
	for range 2 {
		if err := <-ended; !errors.Is(err, channellayer.ErrClosed) {
			t.Errorf("Listen on a layer that was closed: got error %v, want ErrClosed", err)
		}
	}
	goleak.VerifyNone(t, before)
}

// journal is where a layer logs.
type journal struct {
	mu   sync.Mutex // guards the field below
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func TestLogsHoldNoSecrets(t *testing.T) {
	password := redistest.Password()
	server := redistest.OpenWith(t, redistest.Config{Password: password})
	j := new(journal)
	c := redislayer.Config{
		Hosts: hosts(t, server), SymmetricEncryptionKeys: []string{"a secret key"},
		Logger: slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	ours := open(t, c)
	_, q := channel(t, ours, "room")
	must(t, server.Kill())
	waitUntil(t, "the loss is logged", func() bool { return strings.Contains(j.String(), "host is lost") })
	err := ours.GroupSend(t.Context(), "room", said(1))
	must(t, server.Start(t.Context()))
	want(t, q, gap())
	waitUntil(t, "the return is logged", func() bool { return strings.Contains(j.String(), "host is back") })
	for _, text := range []string{j.String(), fmt.Sprint(err), fmt.Sprint(c)} {
		if strings.Contains(text, password) {
			t.Errorf("the password stands in %q", text)
		}
	}
	if n := strings.Count(j.String(), "\n"); n != 2 {
		t.Errorf("%d lines were logged, want one for the loss and one for the return:\n%s", n, j)
	}
}

// TestSlowClocks has senders whose clocks are wrong: what they send now must arrive, and must not take away what others
// have sent.
func TestSlowClocks(t *testing.T) {
	server := redistest.Open(t)
	ours, other := open(t, redislayer.Config{Hosts: hosts(t, server)}), open(t, redislayer.Config{Hosts: hosts(t, server)})
	name, q := channel(t, ours)
	inbox := "asgi" + channellayer.NonLocalName(name)
	for i, hours := range []int{-24, -1, 1, 24} {
		stamp := strconv.FormatInt(time.Now().Add(time.Duration(hours)*time.Hour).Unix(), 10)
		server.DoRaw(t, "ZADD", inbox, stamp, "twelve bytes\x83\xa4type\xa4said\xa1n"+string(rune(i))+"\xb0__asgi_channel__"+msgpackString(name))
		want(t, q, said(i))
		must(t, other.Send(t.Context(), name, said(100+i)))
		want(t, q, said(100+i))
	}
}
