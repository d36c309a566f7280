package chaos_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/redislayer"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/internal/redistest"
)

// TestF04 kills Redis under load and starts an empty one.
func TestF04(t *testing.T) {
	server := redistest.Open(t)
	ours, other := node(t, redislayer.Config{}, server.URL()), node(t, redislayer.Config{}, server.URL())
	groups := names("room", size(100, 10))
	checkers := members(t, ours, groups, size(100, 10))
	w := startLoad(t, "load", other, groups, size(5*time.Millisecond, 10*time.Millisecond))
	pass(size(3*time.Second, 300*time.Millisecond))
	must(t, server.Kill())
	pass(size(3*time.Second, 700*time.Millisecond))
	must(t, server.Start(t.Context()))
	back := waitUntil(t, "all is well", func() bool { return ours.Ready(t.Context()) == nil && other.Ready(t.Context()) == nil })
	again := back + settle(t, "healed", other, checkers)
	pass(size(time.Second, 100*time.Millisecond))
	sent := w.stop()
	settle(t, "end", other, checkers)
	v := judge(checkers, map[string]map[string]chaos.Sent{"load": sent})
	failed, untyped, _ := w.failures()
	told := 0
	for _, list := range checkers {
		for _, c := range list {
			told += min(1, c.Gaps())
		}
	}
	sockets := len(groups) * len(checkers[groups[0]])
	row(t, v.Kept() && told == sockets && untyped == 0, "F04", "Redis killed and started empty under load",
		fmt.Sprintf("%d of %d sockets told of the gap; %v; %d sends failed", told, sockets, v, failed),
		"every gap announced, nothing twice or out of order, failed sends typed")
	row(t, again <= size(time.Second, 5*time.Second), "F04", "delivers to all again after Redis is back", seconds(again), "1 s in full")
}

// TestF05 moves the address of Redis to another server, while the old one stays up with the connections it has.
func TestF05(t *testing.T) {
	for _, name := range []string{coreForm, pubSubForm} {
		t.Run(name, func(t *testing.T) { addressMoves(t, name) })
	}
}

// addressMoves is row F05 for a form of the layer.
func addressMoves(t *testing.T, name string) {
	t.Helper()
	master := redistest.Open(t)
	replica := redistest.OpenReplica(t, master)
	p := startProxy(t, fmt.Sprintf("127.0.0.1:%d", master.Port()))
	interval := size(5*time.Second, 300*time.Millisecond)
	ours := openForm(t, name, redislayer.Config{Heartbeat: interval}, p.url())
	checkers := members(t, ours, []string{"room"}, 10)
	waitUntil(t, "the layer is ready", func() bool { return ours.Ready(t.Context()) == nil })
	replica.Do(t, "REPLICAOF", "NO", "ONE")
	p.move(fmt.Sprintf("127.0.0.1:%d", replica.Port()))
	began := time.Now()
	django := openForm(t, name, redislayer.Config{}, p.url()) // whoever comes now meets the new one
	waitUntil(t, "the move was noticed", func() bool { return checkers["room"][0].Gaps() > 0 })
	settle(t, "healed", django, checkers)
	deaf := time.Since(began)
	limit := 2*interval + size(0, 5*time.Second)
	row(t, deaf <= limit && checkers["room"][9].Gaps() > 0, "F05", "Redis's address leads to another server, the old one stays up ("+name+" form)",
		"deaf for "+seconds(deaf)+", then told", "2 probe intervals ("+seconds(2*interval)+")")
}

// TestF06 has Redis cut connections, pause, freeze, and be full.
func TestF06(t *testing.T) {
	const timeout = time.Second
	tests := []struct {
		name  string
		fault func(t *testing.T, s *redistest.Server)
		heal  func(t *testing.T, s *redistest.Server)
	}{
		{"CLIENT KILL", func(t *testing.T, s *redistest.Server) { s.Do(t, "CLIENT", "KILL", "TYPE", "normal") }, nil},
		{"CLIENT PAUSE", func(t *testing.T, s *redistest.Server) {
			d := size(5*time.Second, time.Second)
			s.Do(t, "CLIENT", "PAUSE", fmt.Sprint(d.Milliseconds()))
			pass(d)
		}, nil},
		{"SIGSTOP", func(t *testing.T, s *redistest.Server) {
			must(t, s.Freeze())
			pass(size(10*time.Second, 1500*time.Millisecond))
		}, func(t *testing.T, s *redistest.Server) { must(t, s.Thaw()) }},
		{"maxmemory", func(t *testing.T, s *redistest.Server) {
			s.Do(t, "CONFIG", "SET", "maxmemory", "1")
			pass(size(5*time.Second, 500*time.Millisecond))
		}, func(t *testing.T, s *redistest.Server) { s.Do(t, "CONFIG", "SET", "maxmemory", "0") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := redistest.Open(t)
			c := redislayer.Config{Timeout: timeout, Heartbeat: size(5*time.Second, time.Second)}
			ours, other := node(t, c, server.URL()), node(t, c, server.URL())
			checkers := members(t, ours, []string{"room"}, 10)
			w := startLoad(t, "load", other, []string{"room"}, 10*time.Millisecond)
			pass(size(time.Second, 100*time.Millisecond))
			tt.fault(t, server)
			if tt.heal != nil {
				tt.heal(t, server)
			}
			recovery := settle(t, "healed", other, checkers)
			pass(size(time.Second, 100*time.Millisecond))
			sent := w.stop()
			settle(t, "end", other, checkers)
			v := judge(checkers, map[string]map[string]chaos.Sent{"load": sent})
			failed, untyped, slowest := w.failures()
			row(t, v.Kept() && untyped == 0 && slowest <= 2*timeout+timeout/2, "F06", "Redis: "+tt.name,
				fmt.Sprintf("%d sends failed, the slowest took %s; %v", failed, seconds(slowest), v),
				"errors typed, a send at most two commands of "+seconds(timeout)+", P1 to P3 kept")
			row(t, recovery <= size(time.Second, 5*time.Second), "F06", "Redis: "+tt.name+": delivers again", seconds(recovery), "1 s in full")
		})
	}
}

// TestF25 lets the group expiry pass while sockets live.
func TestF25(t *testing.T) {
	server := redistest.Open(t)
	expiry := size(60*time.Second, 2*time.Second)
	ours := node(t, redislayer.Config{GroupExpiry: expiry}, server.URL())
	other := node(t, redislayer.Config{GroupExpiry: expiry}, server.URL())
	groups := names("room", size(50, 5))
	checkers := members(t, ours, groups, 4)
	pass(expiry + expiry/2)
	deaf := 0
	for _, group := range groups {
		must(t, other.GroupSend(t.Context(), group, chaos.Numbered("after", 0)))
	}
	for _, list := range checkers {
		for _, c := range list {
			if waitUntil(t, "the message has come", func() bool { return c.Last("after") >= 0 }) > 10*time.Second {
				deaf++
			}
		}
	}
	row(t, deaf == 0, "F25", "group_expiry passes under live sockets", fmt.Sprintf("%d of %d sockets deaf", deaf, 4*len(groups)), "0")
}
