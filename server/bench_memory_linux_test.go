package server_test

import (
	"net"
	"testing"
)

// BenchmarkIdleMemory measures what an idle connection costs: of a user who is logged in with a session in
// Postgres, is a member of a group, and has a consumer. It is the slope between 5,000 and 15,000 of them of what
// the server's process has to itself after a collection; the kernel's share is not in it.
func BenchmarkIdleMemory(b *testing.B) {
	const few, many = 5000, 15_000
	db := postgresSite(b, many)
	for b.Loop() {
		s := startChild(b, "server")
		var addr string
		s.do(b, "serve", serveArgs{Listen: "127.0.0.1:0", Database: db.URL(), Key: benchKey}, &addr)
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		c := startChild(b, "crowd")
		c.do(b, "aim", crowdAim{Network: "tcp", Address: a.String(), Visitors: many}, nil)
		at := func(n int) (f figures) {
			c.do(b, "hold", crowdOrder{N: n, Window: handshakeWindow}, nil)
			s.do(b, "weigh", nil, &f)
			if f.Held != n {
				b.Fatalf("%d connections are held, want %d", f.Held, n)
			}
			return f
		}
		lo, hi := at(few), at(many)
		slope := func(lo, hi int64) float64 { return float64(hi-lo) / (many - few) / 1024 }
		b.ReportMetric(slope(lo.PSS, hi.PSS), "KB-PSS/conn")
		b.ReportMetric(slope(lo.Heap, hi.Heap), "KB-heap/conn")
		b.ReportMetric(float64(hi.PSS)/(1<<20), "MB-PSS-at-15000")
		b.ReportMetric(float64(hi.Goroutines), "goroutines-at-15000")
	}
}
