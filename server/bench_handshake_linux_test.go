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
	handshakeRound  = 2000
	handshakeWindow = 64
)

// BenchmarkHandshake opens and closes connections, 64 at a time; one operation is one connection, from the
// request to the end of the closing handshake.
func BenchmarkHandshake(b *testing.B) {
	for _, network := range networks {
		b.Run("yardstick/"+network, func(b *testing.B) {
			l := listen(b, network)
			startYardstick(b, l)
			churn(b, startCrowd(b, l, 0))
		})
		b.Run("no-session/"+network, func(b *testing.B) {
			l := listen(b, network)
			startServer(b, l, echoes())
			churn(b, startCrowd(b, l, 0))
		})
	}
	for _, network := range networks {
		b.Run("postgres/"+network, func(b *testing.B) {
			db := postgresSite(b, benchVisitors)
			l := listen(b, network)
			reg := prometheus.NewRegistry()
			startServer(b, l, known(b, pgtest.Restricted(b, db.URL()), reg))
			c := startCrowd(b, l, benchVisitors)
			before := backends(b, db)
			churn(b, c)
			b.ReportMetric(float64((backends(b, db)-before).Nanoseconds())/float64(b.N*handshakeRound), "postgres-cpu-ns/op")
			b.ReportMetric(perQuery(b, reg), "keys/query")
		})
	}
	b.Run("sqlite/tcp", func(b *testing.B) {
		l := listen(b, "tcp")
		startServer(b, l, known(b, sqliteSite(b, benchVisitors), nil))
		churn(b, startCrowd(b, l, benchVisitors))
	})
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

// churn is the loop of a handshake benchmark.
func churn(b *testing.B, c *child) {
	b.Helper()
	o := crowdOrder{N: handshakeRound, Window: handshakeWindow}
	c.do(b, "churn", o, nil) // so that all that is made once is made
	before := used(b)
	for b.Loop() {
		c.do(b, "churn", o, nil)
	}
	report(b, before, handshakeRound)
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
