package pglayer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
)

// TestDeadNode checks that the memberships of a node that was killed end, and those of a living one do not.
func TestDeadNode(t *testing.T) {
	d := site(t)
	reg := prometheus.NewRegistry()
	c := at(role(t, d))
	c.DeadAfter, c.Registerer = 600*time.Millisecond, reg
	l := open(t, c)
	_, q := channel(t, l, "room")
	channel(t, open(t, at(role(t, d))), "room")
	d.Exec(t, `INSERT INTO channels_postgres_groupchannel (group_key, channel, expire)
		SELECT 'asgi:group:room', 'specific.bv.0a1b2c.0123456789abcdef!' || s, now() + interval '1 day' FROM unnest(ARRAY['g.room', '1f']) s`)
	waitFor(t, "the dead node's rows are gone", func() bool {
		return d.Value(t, "SELECT count(*) FROM channels_postgres_groupchannel") == int64(2)
	})
	must(t, l.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
	if n := metric(t, reg, "pglayer_rows_swept_total"); n != 2 {
		t.Errorf("%v rows were swept, want 2", n)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for !done() {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			t.Fatalf("not so after 30 seconds: %s", what)
		}
	}
}

// TestRows checks that no row stays longer than it is of use.
func TestRows(t *testing.T) {
	d := site(t)
	c := at(role(t, d))
	c.DeadAfter, c.Linger = 3*time.Second, 10*time.Millisecond // long enough for a busy machine, which would be told of gaps
	l := open(t, c)
	theirs := startPeer(t, d.URL(), nil)
	name, q := channel(t, l, "room")
	theirs.do(nil, `{'type': 'said', 'n': 1}`, "group_send", "room")
	theirs.do(nil, `{'type': 'said', 'n': 2}`, "send", name)
	want(t, q, said(1))
	want(t, q, said(2))
	d.Exec(t, "INSERT INTO channels_postgres_message (channel, message, expire) VALUES ('somebody', 'x', now() - interval '1 second')")
	const messages = "SELECT count(*) FROM channels_postgres_message"
	waitFor(t, "used and stale rows are gone", func() bool { return d.Value(t, messages) == int64(0) })
	theirs.do(nil, "", "group_add", "theirs", name)
	l.CloseChannel(name)
	theirs.do(nil, `{'type': 'said', 'n': 3}`, "group_send", "theirs")
	waitFor(t, "memberships of a closed channel are gone", func() bool {
		return d.Value(t, "SELECT count(*) FROM channels_postgres_groupchannel") == int64(0)
	})
}

// TestCapacityOfAnySize checks that a plain channel is full whatever the manner in which a message goes.
func TestCapacityOfAnySize(t *testing.T) {
	d := site(t)
	c := at(role(t, d))
	c.Capacity = 2
	l := open(t, c)
	for _, size := range []int{10, 5_800, 70_000} {
		name := fmt.Sprint("jobs.", size)
		e := channellayer.Event{"type": "job", "b": make([]byte, size)}
		for range c.Capacity {
			must(t, l.Send(t.Context(), name, e))
		}
		if err := l.Send(t.Context(), name, e); !errors.Is(err, channellayer.ErrFull) {
			t.Errorf("%d bytes: %v, want ErrFull", size, err)
		}
	}
}

// TestNodesSendWithoutRows checks that what goes between processes like this one leaves no row behind.
func TestNodesSendWithoutRows(t *testing.T) {
	d := site(t)
	d.Exec(t, "CREATE TABLE put (n int); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO put VALUES (1); RETURN NEW; END';"+
		"CREATE TRIGGER noting AFTER INSERT ON channels_postgres_message FOR EACH ROW EXECUTE PROCEDURE note()")
	l, other := open(t, at(role(t, d))), open(t, at(role(t, d)))
	name, q := channel(t, l, "room")
	for n := range 10 {
		must(t, other.GroupSend(t.Context(), "room", said(n)))
		must(t, other.Send(t.Context(), name, said(n)))
		want(t, q, said(n))
		want(t, q, said(n))
	}
	if n := d.Value(t, "SELECT count(*) FROM put"); n != int64(0) {
		t.Errorf("%v rows were put in, want none", n)
	}
}

func TestMembershipsComeBack(t *testing.T) {
	d := site(t)
	l := open(t, at(role(t, d)))
	other := open(t, at(role(t, d)))
	_, q := channel(t, l, "room")
	d.Exec(t, "TRUNCATE channels_postgres_groupchannel")
	d.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
	want(t, q, channellayer.Event{"type": channellayer.GapType})
	awaitState(t, other, true)
	must(t, other.GroupSend(t.Context(), "room", said(1)))
	want(t, q, said(1))
}

// TestFlush has Django empty the tables while everything is connected.
func TestFlush(t *testing.T) {
	d := site(t)
	c := at(role(t, d))
	c.DeadAfter = 600 * time.Millisecond
	l, other := open(t, c), open(t, at(role(t, d)))
	_, q := channel(t, l, "room", "lobby")
	d.Exec(t, "TRUNCATE channels_postgres_groupchannel, channels_postgres_message")
	want(t, q, channellayer.Event{"type": channellayer.GapType})
	must(t, other.GroupSend(t.Context(), "lobby", said(1)))
	want(t, q, said(1))
}

func TestDjangosWorkerHasTheChannel(t *testing.T) {
	d := site(t)
	c := at(role(t, d))
	c.Capacity = 3
	l := open(t, c)
	theirs := startPeer(t, d.URL(), nil)
	var locked bool
	theirs.do(&locked, "", "lock", "jobs")
	if !locked {
		t.Fatal("the worker did not get its lock")
	}
	for n := range 10 { // its rows stay, so that they say nothing of what waits
		must(t, l.Send(t.Context(), "jobs", said(n)))
	}
	q := channellayer.NewQueue()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Listen(ctx, "jobs", q) }()
	d.Exec(t, "TRUNCATE channels_postgres_message") // which it has received
	theirs.do(nil, "", "unlock", "jobs")
	must(t, l.Send(t.Context(), "jobs", said(77)))
	want(t, q, said(77))
	theirs.do(&locked, "", "lock", "jobs")
	if locked {
		t.Error("a worker of Django's got the lock while we listen")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Listen: %v, want context.Canceled", err)
	}
}
