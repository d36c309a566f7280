package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/server"
)

func TestT35ClientsThatStopInAFrameHoldUpNobody(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		for _, stop := range []string{"G", goodHead[:40], goodHead + "\x81", goodHead + "\x82\xff\x00", goodHead + frame(fBinary, repeat("x", 5000))[:3000]} {
			for range 10 {
				s.raw(t).say(stop)
			}
		}
		p := s.open(t)
		for range 100 {
			p.say(frame(fText, "hi"))
			if _, got := p.read(); got != "hi" {
				t.Fatalf("message = %q, want hi", got)
			}
		}
	})
}

func TestT36EachLimitOfConnectionsIsExact(t *testing.T) {
	const limit, dials = 50, 200
	proxied := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	anyOf := func(i int) string { return fmt.Sprintf("X-Forwarded-For: 2001:db8::%x\r\n", i) } // one network
	tests := []struct {
		name    string
		cfg     server.Config
		lines   func(i int) string
		refusal int
	}{
		{"in all", server.Config{MaxConnections: limit}, func(int) string { return "" }, 503},
		{"of the peer's address", server.Config{MaxConnectionsPerAddress: limit}, func(int) string { return "" }, 429},
		{"of an address behind a proxy", server.Config{MaxConnectionsPerAddress: limit, TrustedProxies: proxied}, func(int) string { return "X-Forwarded-For: 192.0.2.1\r\n" }, 429},
		{"of a network of IPv6", server.Config{MaxConnectionsPerAddress: limit, TrustedProxies: proxied}, anyOf, 429},
		{"of a user", server.Config{MaxConnectionsPerUser: limit}, func(int) string { return "" }, 429},
	}
	for _, tt := range tests {
		for _, tr := range transports {
			t.Run(tt.name+", "+tr.name, func(t *testing.T) {
				l, err := server.Listen("127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				reg, exact := newRegistry(), true
				tt.cfg.Registerer = reg
				s := serveOn(t, tr.wrap(l), allOneUser(echoes()), tt.cfg)
				for round := range 3 {
					answers := s.dialAtOnce(t, dials, tt.lines)
					if answers[101] != limit || answers[tt.refusal] != dials-limit {
						exact = false
						t.Errorf("round %d: answers %v, want %d times 101 and %d times %d", round, answers, limit, dials-limit, tt.refusal)
					}
					eventually(t, "all places are free again", func() bool { return reg.value("server_connections") == 0 })
				}
				chaos.Row(t, chaos.Holds(exact), "T36", fmt.Sprintf("limit of %d connections %s, three times %d dials at once, %s", limit, tt.name, dials, tr.name), fmt.Sprintf("exact: %v", exact), "exact")
			})
		}
	}
}

// allOneUser logs everybody in as one user.
func allOneUser(app consumers.Application) consumers.Application {
	u := &djangocompat.User{PK: djangocompat.IntPK(1), Username: "alice"}
	return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		s.User = u
		return app.Open(ctx, s)
	})
}

// dialAtOnce makes so many handshakes at the same time, each with lines in its head, counts how they were answered, and
// closes all.
func (s *site) dialAtOnce(t *testing.T, dials int, lines func(i int) string) map[int]int {
	t.Helper()
	statuses := make(chan int, dials)
	var running sync.WaitGroup
	answered := make(chan struct{})
	for i := range dials {
		running.Go(func() {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				statuses <- 0
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, with("", lines(i))) // it may be refused before
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				statuses <- 0
				return
			}
			statuses <- r.StatusCode
			<-answered // nobody's place is free before
		})
	}
	answers := map[int]int{}
	for range dials {
		answers[<-statuses]++
	}
	close(answered)
	running.Wait()
	return answers
}
