package pglayer_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer"
)

// checker is a Receiver that wants the events of one sender, each once and in order.
type checker struct {
	want int
	all  *sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	came  int64
	wrong string
}

func (c *checker) Receive(d *channellayer.Delivery, _ int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.Event["n"] != c.came && c.wrong == "" {
		c.wrong = fmt.Sprintf("event %v came, want %d", d.Event["n"], c.came)
	}
	if c.came++; c.came == int64(c.want) {
		c.all.Done()
	}
	return true
}

// TestDeliveryFromPython checks that nothing is lost, doubled or disordered of what Python sends as fast as it can.
func TestDeliveryFromPython(t *testing.T) {
	t.Parallel() // it waits for Python most of the time
	const sends, sockets = 10_000, 200
	d := site(t)
	l, theirs := open(t, at(role(t, d))), startPeer(t, d.URL(), nil)
	var all sync.WaitGroup
	checkers := make([]*checker, sockets)
	for i := range checkers {
		all.Add(1)
		checkers[i] = &checker{want: sends, all: &all}
		name, err := l.NewChannel(t.Context(), checkers[i])
		must(t, err)
		must(t, l.GroupAdd(t.Context(), "room", name))
	}
	start := time.Now()
	theirs.do(nil, `{'type': 'said'}`, "group_send_many", "room", sends)
	sent := time.Since(start)
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("not everything came within 30 seconds")
	}
	t.Logf("%d events to %d sockets: sent in %v, there %v later", sends, sockets, sent, time.Since(start)-sent)
	for i, c := range checkers {
		c.mu.Lock()
		if c.wrong != "" || c.came != sends {
			t.Errorf("socket %d: %d events, want %d; %s", i, c.came, sends, c.wrong)
		}
		c.mu.Unlock()
	}
	waitFor(t, "the rows are removed", func() bool {
		return d.Value(t, "SELECT count(*) FROM channels_postgres_message") == int64(0)
	})
}

// stamped is a Receiver that notes when events become stale.
type stamped chan time.Time

func (s stamped) Receive(d *channellayer.Delivery, _ int) bool {
	s <- d.Expires
	return true
}

// TestClocks checks that the database's time counts: here it is an hour ahead of this machine's.
func TestClocks(t *testing.T) {
	d := site(t)
	d.Exec(t, `CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$;
		CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.now() + interval '1 hour' $$`)
	c := at(strings.Replace(role(t, d), "?", "?search_path=public,pg_catalog&", 1))
	c.SymmetricEncryptionKeys = []string{"a key"}
	l, other := open(t, c), open(t, c)
	expires := make(stamped, 1)
	name, err := l.NewChannel(t.Context(), expires)
	must(t, err)
	for _, size := range []int{10, 10_000} { // with the notification and by the row
		must(t, other.Send(t.Context(), name, channellayer.Event{"type": "said", "b": make([]byte, size)}))
		select {
		case at := <-expires:
			if left := time.Until(at); left < 30*time.Second || left > 61*time.Second {
				t.Errorf("%d bytes: stale in %v, want in nearly a minute", size, left)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%d bytes did not come", size)
		}
	}
}
