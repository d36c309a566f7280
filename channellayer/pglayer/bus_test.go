package pglayer_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/internal/pgtest"
)

// TestF29 compares what messages cost the database, whose commits with NOTIFY wait for each other: sent each with its
// own transaction, as channels_postgres does, and gathered.
func TestF29(t *testing.T) {
	const senders, each = 160, 25
	d := site(t)
	l, other := open(t, at(role(t, d))), open(t, at(role(t, d)))
	name, _ := channel(t, l, "room")
	apart := t.Run("each with a transaction", func(t *testing.T) {
		conns := make([]*pgx.Conn, 16)
		for i := range conns {
			var err error
			conns[i], err = pgx.Connect(t.Context(), d.URL())
			must(t, err)
			defer conns[i].Close(t.Context())
		}
		took := together(len(conns), func(n int) {
			for range senders * each / len(conns) {
				if _, err := conns[n].Exec(t.Context(), "SELECT pg_notify('channels_postgres_messages', '7:' || $1)", "nobody"); err != nil {
					t.Error(err)
				}
			}
		})
		t.Logf("%d notifications, each with a transaction, in %v", senders*each, took)
	})
	if !apart {
		return
	}
	before := commits(t, d)
	took := together(senders, func(int) {
		for range each {
			if err := other.GroupSend(t.Context(), "room", said(1)); err != nil {
				t.Error(err)
			}
		}
	})
	must(t, other.Send(t.Context(), name, said(2)))
	spent := commits(t, d) - before
	row(t, spent*5 <= senders*each, "F29", fmt.Sprint(senders*each, " events of ", senders, " senders"),
		fmt.Sprintf("%d transactions, %v", spent, took), "5 events a transaction at least")
}

// together runs n functions at once, and returns how long that took.
func together(n int, run func(n int)) time.Duration {
	start := time.Now()
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { run(i) })
	}
	running.Wait()
	return time.Since(start)
}

// commits returns how many transactions a database has seen, counted by their numbers.
func commits(t *testing.T, d *pgtest.Database) int64 {
	t.Helper()
	return d.Value(t, "SELECT txid_current()").(int64)
}

// TestF30 has a listener of somebody's stay in a transaction, so that the queue of notifications grows.
func TestF30(t *testing.T) {
	d := site(t)
	reg := prometheus.NewRegistry()
	c := at(role(t, d))
	c.Registerer, c.Heartbeat = reg, 200*time.Millisecond
	l, other := open(t, c), open(t, at(role(t, d)))
	channel(t, l, "room")
	conn, err := pgx.Connect(t.Context(), d.URL())
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "LISTEN something")
	must(t, err)
	tx, err := conn.Begin(t.Context())
	must(t, err)
	if got := d.Value(t, "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND query LIKE 'LISTEN channels%'"); got != int64(0) {
		t.Errorf("%v of our listeners are in a transaction", got)
	}
	big := channellayer.Event{"type": "said", "b": make([]byte, 5000)}
	together(50, func(int) {
		for range 10 {
			if err := other.GroupSend(t.Context(), "room", big); err != nil {
				t.Error(err)
			}
		}
	})
	waitFor(t, "the queue is seen to grow", func() bool { return metric(t, reg, "pglayer_notification_queue_usage_ratio") > 0 })
	row(t, true, "F30", "a listener stays in a transaction", fmt.Sprintf("queue %.2g full", metric(t, reg, "pglayer_notification_queue_usage_ratio")), "the metric shows it; ours is never in one")
	must(t, tx.Rollback(t.Context()))
}
