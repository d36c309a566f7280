package server_test

import (
	"net"
	"testing"
)

// BenchmarkPlainMemory measures what an idle connection of nobody in particular costs, of the yardstick and of a server
// without sessions: the slope of the process's own memory between 5,000 and 19,000 of them, after a collection.
func BenchmarkPlainMemory(b *testing.B) {
	b.Run("yardstick/tcp", func(b *testing.B) {
		for b.Loop() {
			l := listen(b, "tcp")
			startYardstick(b, l)
			plainSlope(b, startCrowd(b, l, 0), func(int) int64 {
				pss, err := weigh()
				if err != nil {
					b.Fatal(err)
				}
				return pss
			})
		}
	})
	b.Run("no-session/tcp", func(b *testing.B) {
		for b.Loop() {
			s := startChild(b, "server")
			var addr string
			s.do(b, "serve", serveArgs{Listen: "127.0.0.1:0"}, &addr)
			a, err := net.ResolveTCPAddr("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			c := startChild(b, "crowd")
			c.do(b, "aim", crowdAim{Network: "tcp", Address: a.String()}, nil)
			plainSlope(b, c, func(n int) int64 { return weighed(b, s, n).PSS })
		}
	})
}

// plainSlope reports what each further connection costs, by what weigh says once there are so many.
func plainSlope(b *testing.B, c *child, weigh func(n int) int64) {
	b.Helper()
	at := func(n int) int64 {
		c.do(b, "hold", crowdOrder{N: n, Window: handshakeWindow}, nil)
		return weigh(n)
	}
	lo := at(residentsFew)
	b.ReportMetric(float64(at(residentsMany)-lo)/(residentsMany-residentsFew)/1024, "KB-PSS/conn")
}
