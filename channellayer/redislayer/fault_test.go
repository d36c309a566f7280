package redislayer_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/redistest"
)

// ready waits until a layer is ready, and returns how long that took.
func ready(t testing.TB, l interface{ Ready(context.Context) error }) time.Duration {
	t.Helper()
	began := time.Now()
	waitUntil(t, "the layer is ready", func() bool { return l.Ready(t.Context()) == nil })
	return time.Since(began)
}

func waitUntil(t testing.TB, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("waited 30 s in vain until %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func gap() channellayer.Event { return channellayer.Event{"type": redislayer.GapType} }

func said(n int) channellayer.Event { return channellayer.Event{"type": "said", "n": int64(n)} }

// healsIn is how soon after a fault has ended the layer must work again.
const healsIn = 5 * time.Second

func TestRedisKilledAndRestarted(t *testing.T) {
	server := redistest.Open(t)
	ours, other := open(t, redislayer.Config{Hosts: hosts(t, server)}), open(t, redislayer.Config{Hosts: hosts(t, server)})
	var queues []*channellayer.Queue
	for range 20 {
		_, q := channel(t, ours, "room", "other.room")
		queues = append(queues, q)
	}
	_, outside := channel(t, ours)
	must(t, server.Kill())
	waitUntil(t, "the layer is not ready", func() bool { return ours.Ready(t.Context()) != nil && other.Ready(t.Context()) != nil })
	err := ours.GroupSend(t.Context(), "room", said(0))
	if !errors.Is(err, redislayer.ErrUnavailable) {
		t.Errorf("GroupSend without Redis: got error %v, want ErrUnavailable", err)
	}
	name, late := channel(t, ours)
	if err := ours.GroupAdd(t.Context(), "new.room", name); !errors.Is(err, redislayer.ErrUnavailable) {
		t.Errorf("GroupAdd without Redis: got error %v, want ErrUnavailable", err)
	}
	must(t, server.Start(t.Context())) // empty
	took := max(ready(t, ours), ready(t, other))
	if took > healsIn {
		t.Errorf("ready %v after Redis was back, want at most %v", took, healsIn)
	}
	t.Logf("ready %v after Redis was back", took)
	must(t, other.GroupSend(t.Context(), "room", said(1)))
	must(t, other.GroupSend(t.Context(), "other.room", said(2)))
	for _, q := range append(queues, outside, late) {
		want(t, q, gap())
	}
	for _, q := range queues {
		got := map[any]bool{next(t, q)["n"]: true, next(t, q)["n"]: true}
		if !got[int64(1)] || !got[int64(2)] {
			t.Errorf("got events %v after the gap, want 1 and 2", got)
		}
	}
	must(t, ours.GroupAdd(t.Context(), "new.room", name))
	must(t, other.GroupSend(t.Context(), "new.room", said(3)))
	want(t, late, said(3))
}

func TestConnectionsCut(t *testing.T) {
	server := redistest.Open(t)
	ours, other := open(t, redislayer.Config{Hosts: hosts(t, server)}), open(t, redislayer.Config{Hosts: hosts(t, server)})
	_, q := channel(t, ours, "room")
	for i := range 3 {
		server.Do(t, "CLIENT", "KILL", "TYPE", "normal")
		want(t, q, gap())
		if took := max(ready(t, ours), ready(t, other)); took > healsIn {
			t.Errorf("ready %v after the cut, want at most %v", took, healsIn)
		}
		must(t, other.GroupSend(t.Context(), "room", said(i)))
		want(t, q, said(i))
	}
}

func TestRedisFrozen(t *testing.T) {
	server := redistest.Open(t)
	c := redislayer.Config{Hosts: hosts(t, server), Timeout: 500 * time.Millisecond, Heartbeat: 300 * time.Millisecond}
	ours := open(t, c)
	_, q := channel(t, ours, "room")
	must(t, server.Freeze())
	began := time.Now()
	if err := ours.GroupSend(t.Context(), "room", said(0)); !errors.Is(err, redislayer.ErrUnavailable) {
		t.Errorf("GroupSend to a frozen Redis: got error %v, want ErrUnavailable", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("GroupSend to a frozen Redis took %v, want about the timeout", took)
	}
	waitUntil(t, "the layer is not ready", func() bool { return ours.Ready(t.Context()) != nil })
	must(t, server.Thaw())
	if took := ready(t, ours); took > healsIn {
		t.Errorf("ready %v after Redis was back, want at most %v", took, healsIn)
	}
	want(t, q, gap())
}

func TestRedisFlushed(t *testing.T) {
	server := redistest.Open(t)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server), Heartbeat: 200 * time.Millisecond})
	other := open(t, redislayer.Config{Hosts: hosts(t, server)})
	_, q := channel(t, ours, "room")
	server.Do(t, "FLUSHALL")
	want(t, q, gap()) // after which it is a member again
	must(t, other.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
}

func TestOneHostAway(t *testing.T) {
	servers := redistest.OpenShards(t, 2)
	ours, other := open(t, redislayer.Config{Hosts: hosts(t, servers...)}), open(t, redislayer.Config{Hosts: hosts(t, servers...)})
	// By the vectors of the hash, "chat_1" is the first host's and "specific.a!" the second's, as is "user-42".
	_, q := channel(t, ours, "chat_1", "g3000")
	must(t, servers[1].Kill())
	waitUntil(t, "the layer is not ready", func() bool { return other.Ready(t.Context()) != nil && ours.Ready(t.Context()) != nil })
	if err := ours.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "host 1 ") {
		t.Errorf("Ready() = %v, want an error about host 1", err)
	}
	must(t, ours.GroupSend(t.Context(), "chat_1", said(1))) // the first host suffices for it
	want(t, q, said(1))
	must(t, servers[1].Start(t.Context()))
	if took := max(ready(t, ours), ready(t, other)); took > healsIn {
		t.Errorf("ready %v after the host was back, want at most %v", took, healsIn)
	}
	want(t, q, gap())
	must(t, other.GroupSend(t.Context(), "chat_1", said(2)))
	want(t, q, said(2))
}

func TestAwayAtStart(t *testing.T) {
	server := redistest.Open(t)
	must(t, server.Kill())
	ours := open(t, redislayer.Config{Hosts: hosts(t, server)})
	if err := ours.Ready(t.Context()); !errors.Is(err, redislayer.ErrUnavailable) {
		t.Errorf("Ready() = %v, want ErrUnavailable", err)
	}
	_, q := channel(t, ours)
	must(t, server.Start(t.Context()))
	if took := ready(t, ours); took > healsIn {
		t.Errorf("ready %v after Redis was there, want at most %v", took, healsIn)
	}
	want(t, q, gap())
}

func TestRefused(t *testing.T) {
	password := redistest.Password()
	locked, open := redistest.OpenWith(t, redistest.Config{Password: password}), redistest.Open(t)
	host := func(s *redistest.Server, password string, db int) redislayer.Host {
		return redislayer.Host{Address: "127.0.0.1:" + strconv.Itoa(s.Port()), Password: password, DB: db}
	}
	tests := []struct {
		name string
		host redislayer.Host
		want string
	}{
		{"a wrong password", host(locked, "not-"+password, 0), "the username or password is wrong"},
		{"no password", host(locked, "", 0), "it wants a password, and none is configured"},
		{"a password that nobody wants", host(open, password, 0), "a password is configured, and it wants none"},
		{"a database that does not exist", host(open, "", 4000), "it has no database of that number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := redislayer.New(t.Context(), redislayer.Config{Hosts: []redislayer.Host{tt.host}})
			if _, ok := errors.AsType[*redislayer.RefusedError](err); !ok || !strings.HasSuffix(err.Error(), ": "+tt.want) {
				t.Errorf("New() = %v, want a RefusedError: %s", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("New() = %v, want one line without the password", err)
			}
		})
	}
}

// TestDeadNode kills a node, as far as the others can see.
func TestDeadNode(t *testing.T) {
	server := redistest.Open(t)
	c := redislayer.Config{Hosts: hosts(t, server), Heartbeat: 200 * time.Millisecond, DeadAfter: time.Second}
	dead := open(t, c)
	long := strings.Repeat("g", channellayer.MaxName)
	name, _ := channel(t, dead, "room", long)
	redislayer.Abandon(dead)
	ours := open(t, c)
	_, q := channel(t, ours, "room")
	for _, group := range []string{"room", long} {
		waitUntil(t, "the dead node's memberships are gone", func() bool {
			members := server.Do(t, "ZRANGE", "asgi:group:"+group, "0", "-1")
			return !strings.Contains(members, name[:30])
		})
	}
	waitUntil(t, "the dead node is forgotten", func() bool {
		return len(server.DoLines(t, "ZRANGE", "asgi:belleville:nodes", "0", "-1")) == 1
	})
	must(t, ours.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
}

func TestGhostsAreMet(t *testing.T) {
	server := redistest.Open(t)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server)})
	name, q := channel(t, ours, "room")
	closed, _ := channel(t, ours)
	ours.CloseChannel(closed)
	const ghost = "specific.bv.000000.0123456789abcdef.00!g.room"
	server.Do(t, "ZADD", "asgi:group:room", strconv.FormatInt(time.Now().Unix(), 10), ghost)
	server.Do(t, "ZADD", "asgi:group:room", strconv.FormatInt(time.Now().Unix(), 10), closed)
	waitUntil(t, "the group has the living member alone", func() bool {
		must(t, ours.GroupSend(t.Context(), "room", said(1)))
		want(t, q, said(1))
		members := server.DoLines(t, "ZRANGE", "asgi:group:room", "0", "-1")
		return len(members) == 1 && strings.HasPrefix(members[0], name[:30])
	})
}

func TestCloseLeavesNothing(t *testing.T) {
	server := redistest.Open(t)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server)})
	channel(t, ours, "room", strings.Repeat("g", channellayer.MaxName))
	gone, _ := channel(t, ours, "left.room")
	ours.CloseChannel(gone)
	must(t, ours.Close())
	if left := server.DoLines(t, "KEYS", "*"); len(left) > 0 {
		t.Errorf("left in Redis: %q, want nothing", left)
	}
	if _, err := ours.NewChannel(t.Context(), channellayer.NewQueue()); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("NewChannel after Close: got error %v, want ErrClosed", err)
	}
}

// TestPoison puts messages that hold no event into an inbox, and wants the good one after each.
func TestPoison(t *testing.T) {
	server := redistest.Open(t)
	metrics := prometheus.NewRegistry()
	ours := open(t, redislayer.Config{Hosts: hosts(t, server), MaxMessage: 1 << 20, Registerer: metrics})
	name, q := channel(t, ours, "room")
	inbox := "asgi" + channellayer.NonLocalName(name)
	poison := []string{
		"", "short", "twelve bytes", "twelve bytes\xc1", "twelve bytes\xdf\xff\xff\xff\xff", "twelve bytes\xdd\xff\xff\xff\xff",
		"twelve bytes\xc6\xff\xff\xff\xff", "twelve bytes" + strings.Repeat("\x91", 100_000), "twelve bytes\x80", "twelve bytes\x01",
		"twelve bytes\x81\xa4type\x01", "twelve bytes\x81\xa4type\xa1x trailing", strings.Repeat("x", 1<<20+1),
	}
	for i, p := range poison {
		server.DoRaw(t, "ZADD", inbox, strconv.FormatInt(time.Now().Unix(), 10), p)
		must(t, ours.Send(t.Context(), name, said(i)))
		want(t, q, said(i))
	}
	// Decoded liberally: a key that is a number, and a string that is not UTF-8.
	server.DoRaw(t, "ZADD", inbox, "0", "twelve bytes\x84\xa4type\xa1x\x01\x02\xa3bad\xa2\xff\xfe\xb0__asgi_channel__"+msgpackString(name))
	want(t, q, channellayer.Event{"type": "x", "1": int64(2), "bad": "\uFFFD"})
	waitUntil(t, "all poison is counted", func() bool {
		n, err := testutil.GatherAndCount(metrics, "belleville")
		return err == nil && n == 0 && invalid(t, metrics) == len(poison)
	})
}

// msgpackString encodes a string of 32 to 255 bytes.
func msgpackString(s string) string { return "\xd9" + string([]byte{byte(len(s))}) + s }

// invalid returns how many messages were counted as no event.
func invalid(t *testing.T, metrics prometheus.Gatherer) int {
	t.Helper()
	n := 0
	families, err := metrics.Gather()
	must(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if f.GetName() == "redislayer_events_dropped_total" && (label.GetValue() == "invalid" || label.GetValue() == "too_large") {
					n += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

func TestInflightIsRescued(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("takes as long as a receiver of Django's may take")
	}
	server := redistest.Open(t)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server)})
	must(t, ours.Send(t.Context(), "jobs", said(1)))
	// A worker of Django's took it and died.
	member := server.Do(t, "ZPOPMIN", "asgijobs")
	data := member[:strings.LastIndex(member, "\n")]
	server.DoRaw(t, "ZADD", "asgijobs$inflight", "1", data)
	q := channellayer.NewQueue()
	stop := listen(t, ours, "jobs", q)
	want(t, q, said(1))
	stop()
	if n := server.Do(t, "EXISTS", "asgijobs$inflight"); n != "0" {
		t.Error("the message is in the dead worker's hands still")
	}
}

func TestPlainTextIsRefusedWhereKeysAreSet(t *testing.T) {
	server := redistest.Open(t)
	plain := open(t, redislayer.Config{Hosts: hosts(t, server)})
	wrong := open(t, redislayer.Config{Hosts: hosts(t, server), SymmetricEncryptionKeys: []string{"another"}})
	right := open(t, redislayer.Config{Hosts: hosts(t, server), SymmetricEncryptionKeys: []string{"the key"}})
	j := new(journal)
	ours := open(t, redislayer.Config{
		Hosts: hosts(t, server), SymmetricEncryptionKeys: []string{"new", "the key"}, Logger: slog.New(slog.NewTextHandler(j, nil)),
	})
	name, q := channel(t, ours)
	must(t, plain.Send(t.Context(), name, said(1)))
	must(t, wrong.Send(t.Context(), name, said(2)))
	must(t, right.Send(t.Context(), name, said(3)))
	want(t, q, said(3))
	if text := j.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "compare symmetric_encryption_keys") {
		t.Errorf("logged %q, want one line about the keys", text)
	}
}

// TestManySenders floods one process from several, and checks order and completeness.
func TestManySenders(t *testing.T) {
	server := redistest.Open(t)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server)})
	const senders, each = 4, 500
	q := channellayer.NewQueue()
	name, err := ours.NewChannel(t.Context(), everything{q})
	must(t, err)
	must(t, ours.GroupAdd(t.Context(), "room", name))
	var sending sync.WaitGroup
	for s := range senders {
		other := open(t, redislayer.Config{Hosts: hosts(t, server)})
		sending.Go(func() {
			for n := range each {
				e := channellayer.Event{"type": "numbered", "sender": int64(s), "n": int64(n)}
				if err := other.GroupSend(context.Background(), "room", e); err != nil {
					t.Errorf("GroupSend: %v", err)
				}
			}
		})
	}
	sending.Wait()
	var came [senders]int64
	for range senders * each {
		e := next(t, q)
		s := e["sender"].(int64)
		if e["n"] != came[s] {
			t.Fatalf("from sender %d came event %v, want %d", s, e["n"], came[s])
		}
		came[s]++
	}
}

// everything is a Receiver that is never full.
type everything struct{ q *channellayer.Queue }

func (r everything) Receive(d *channellayer.Delivery, _ int) bool { return r.q.Receive(d, 1<<30) }

func TestRedisOutOfMemory(t *testing.T) {
	server := redistest.Open(t)
	ours, other := open(t, redislayer.Config{Hosts: hosts(t, server)}), open(t, redislayer.Config{Hosts: hosts(t, server)})
	_, q := channel(t, ours, "room")
	server.Do(t, "CONFIG", "SET", "maxmemory", "1")
	if err := other.GroupSend(t.Context(), "room", said(1)); !errors.Is(err, redislayer.ErrUnavailable) {
		t.Errorf("GroupSend to a full Redis: got error %v, want ErrUnavailable", err)
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	ready(t, ours)
	must(t, other.GroupSend(t.Context(), "room", said(2)))
	want(t, q, said(2))
}

// TestNodeThatWasHeldForDead has a node that the others have swept up after, as after a long SIGSTOP.
func TestNodeThatWasHeldForDead(t *testing.T) {
	server := redistest.Open(t)
	ours := open(t, redislayer.Config{Hosts: hosts(t, server), Heartbeat: 3 * time.Second})
	name, q := channel(t, ours, "room")
	server.Do(t, "DEL", "asgi:belleville:nodes", "asgi:group:room")
	other := open(t, redislayer.Config{Hosts: hosts(t, server)})
	must(t, other.GroupSend(t.Context(), "room", said(1)))  // which it misses
	must(t, ours.GroupAdd(t.Context(), "other.room", name)) // by which it finds out
	want(t, q, gap())
	must(t, other.GroupSend(t.Context(), "room", said(2)))
	want(t, q, said(2))
}

// TestPermissionMissing takes a command away that the layer needs.
func TestPermissionMissing(t *testing.T) {
	server := redistest.Open(t)
	server.Do(t, "ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-bzpopmin")
	c := redislayer.Config{Hosts: []redislayer.Host{{Address: "127.0.0.1:" + strconv.Itoa(server.Port()), Username: "limited", Password: "pw"}}}
	if l, err := redislayer.New(t.Context(), c); err == nil {
		t.Cleanup(func() { must(t, l.Close()) })
		waitUntil(t, "the layer says what is wrong", func() bool {
			_, refused := errors.AsType[*redislayer.RefusedError](l.Ready(t.Context()))
			return refused
		})
	} else if !strings.HasSuffix(err.Error(), "the user may not run a command that the layer needs") {
		t.Errorf("New() = %v, want an error about a command", err)
	}
}
