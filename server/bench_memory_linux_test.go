package server_test

import (
	"net"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/pgtest"
)

// The connections of a memory benchmark, of which the most leave some of 20,000 descriptors, and the handshakes of
// its storm.
const (
	residentsFew  = 5000
	residentsMany = 19_000
	stormRound    = 10_000
)

// BenchmarkIdleMemory measures what an idle connection costs: of a user who is logged in with a session in
// Postgres that is followed, is a member of two groups, and has a consumer. It is the slope between 5,000 and 19,000
// of them of what the server's process has to itself after a collection; the kernel's share is not in it. Then it
// measures what is left of that once they have gone, and after handshakes whose connections have gone too.
func BenchmarkIdleMemory(b *testing.B) {
	db := postgresSite(b, residentsMany)
	for b.Loop() {
		s := startChild(b, "server")
		var addr string
		s.do(b, "serve", serveArgs{Listen: "127.0.0.1:0", Database: pgtest.Restricted(b, db.URL()), Key: benchKey}, &addr)
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		c := startChild(b, "crowd")
		c.do(b, "aim", crowdAim{Network: "tcp", Address: a.String(), Visitors: residentsMany}, nil)
		hold := func(n int) figures {
			c.do(b, "hold", crowdOrder{N: n, Window: handshakeWindow}, nil)
			return weighed(b, s, n)
		}
		lo, hi := hold(residentsFew), hold(residentsMany)
		slope := func(lo, hi int64) float64 { return float64(hi-lo) / (residentsMany - residentsFew) / 1024 }
		b.ReportMetric(slope(lo.PSS, hi.PSS), "KB-PSS/conn")
		b.ReportMetric(slope(lo.Heap, hi.Heap), "KB-heap/conn")
		b.ReportMetric(slope(lo.Live, hi.Live), "KB-live/conn")
		b.ReportMetric(float64(hi.PSS)/(1<<20), "MB-PSS-at-19000")
		b.ReportMetric(float64(hi.Goroutines), "goroutines-at-19000")

		c.do(b, "leave", nil, nil)
		b.ReportMetric(float64(weighed(b, s, 0).PSS)/(1<<20), "MB-PSS-after")
		c.do(b, "churn", crowdOrder{N: stormRound, Window: stormRound / 2}, nil)
		b.ReportMetric(float64(weighed(b, s, 0).PSS)/(1<<20), "MB-PSS-after-storm")
	}
}

// weighed weighs a server once it holds n connections, which those that are leaving are not.
func weighed(b *testing.B, s *child, n int) (f figures) {
	b.Helper()
	for began := time.Now(); ; {
		if s.do(b, "look", nil, &f); f.Held == n {
			s.do(b, "weigh", nil, &f)
			return f
		}
		if time.Since(began) > patience {
			b.Fatalf("%d connections are held, want %d", f.Held, n)
		}
	}
}
