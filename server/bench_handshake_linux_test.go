package server_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/pgtest"
)

// The handshakes of a benchmark: how many visitors there are in the database, how many handshakes a round has,
// and how many go on at a time.
const (
	benchVisitors   = 4000
	handshakeRound  = 500
	handshakeWindow = 64
)

// BenchmarkHandshake opens and closes connections, 64 at a time; one operation is one connection, from the
// request to the end of the closing handshake.
func BenchmarkHandshake(b *testing.B) {
	for _, network := range networks {
		inTurns(b, network, handshakeRound,
			contender{"yardstick", func(b *testing.B) runner {
				l := listen(b, network)
				startYardstick(b, l)
				return churn(b, startCrowd(b, l, 0))
			}},
			contender{"no-session", func(b *testing.B) runner {
				l := listen(b, network)
				startServer(b, l, echoes())
				return churn(b, startCrowd(b, l, 0))
			}},
			contender{"postgres", func(b *testing.B) runner { return postgresChurn(b, network) }})
	}
	inTurns(b, "tcp", handshakeRound, contender{"sqlite", func(b *testing.B) runner {
		l := listen(b, "tcp")
		startServer(b, l, known(b, sqliteSite(b, benchVisitors), nil))
		return churn(b, startCrowd(b, l, benchVisitors))
	}})
}

// postgresChurn is churn of visitors whom PostgreSQL knows, and tells what that used.
func postgresChurn(b *testing.B, network string) runner {
	b.Helper()
	db := postgresSite(b, benchVisitors)
	l := listen(b, network)
	reg := prometheus.NewRegistry()
	startServer(b, l, known(b, pgtest.Restricted(b, db.URL()), reg))
	r := churn(b, startCrowd(b, l, benchVisitors))
	before, turns, turn := backends(b, db), 0, r.turn
	r.turn = func() { turns++; turn() }
	r.finish = func() map[string]float64 {
		return map[string]float64{
			"postgres-cpu-ns/op": float64((backends(b, db) - before).Nanoseconds()) / float64(turns*handshakeRound),
			"keys/query":         perQuery(b, reg),
		}
	}
	return r
}

// known is an echo for who is logged in.
func known(b *testing.B, database string, reg prometheus.Registerer) consumers.Application {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	app, err := authenticated(ctx, echoes(), database, benchKey, reg)
	if err != nil {
		b.Fatal(err)
	}
	return app
}

// perQuery returns how many sessions one query asked for.
func perQuery(b *testing.B, reg prometheus.Gatherer) float64 {
	b.Helper()
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "sessions_batch_keys" {
			continue
		}
		for _, m := range family.GetMetric() {
			if h := m.GetHistogram(); m.GetLabel()[0].GetValue() == "session" {
				return h.GetSampleSum() / float64(h.GetSampleCount())
			}
		}
	}
	b.Fatal("no query was counted")
	return 0
}

// churn has a crowd open and close connections.
func churn(b *testing.B, c *child) runner {
	b.Helper()
	turn := func() { c.do(b, "churn", crowdOrder{N: handshakeRound, Window: handshakeWindow}, nil) }
	for range 4 { // so that all that is made once is made
		turn()
	}
	return runner{turn: turn}
}

// backends returns the CPU time of the database's processes that serve us, in the kernel's steps of 10 ms.
func backends(b *testing.B, db *pgtest.Database) (cpu time.Duration) {
	b.Helper()
	pids := db.Value(b, `SELECT string_agg(pid::text, ' ') FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`).(string)
	for pid := range strings.FieldsSeq(pids) {
		text, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		var user, system int64
		if _, err := fmt.Sscan(fields[11], &user); err != nil {
			b.Fatal(err)
		}
		if _, err := fmt.Sscan(fields[12], &system); err != nil {
			b.Fatal(err)
		}
		cpu += time.Duration(user+system) * 10 * time.Millisecond
	}
	return cpu
}
