package chaos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/pgtest"
)

// TestT06 ends logins in five ways under many open sockets, with the triggers and without.
func TestT06(t *testing.T) {
	t.Run("with triggers", func(t *testing.T) {
		endLogins(t, hearing{by: "with triggers", triggers: true, interval: 30 * time.Second, limit: size(500*time.Millisecond, 5*time.Second)})
	})
	t.Run("without triggers", func(t *testing.T) {
		interval := size(30*time.Second, time.Second)
		endLogins(t, hearing{by: "without triggers", interval: interval, limit: interval + size(2*time.Second, 5*time.Second)})
	})
}

// hearing is how a server learns that a login has ended.
type hearing struct {
	by       string
	triggers bool
	interval time.Duration
	limit    time.Duration
}

// endLogins is row T06 for one way of learning.
func endLogins(t *testing.T, h hearing) {
	s := openSite(t, pgtest.Open(t))
	if h.triggers {
		s.migrate("up", "live_sessions")
	}
	b := serve(t, s.db.URL(), "BELLEVILLE_LIVE_RECHECK_INTERVAL="+h.interval.String())
	const each = 10
	all := size(1000, 50)
	share := all * 18 / 100 // of each cause; the others stay
	lasting := s.logins("u", all-share, 1, 24*time.Hour)
	expiring := s.logins("e", share, 1, size(3*time.Minute, 10*time.Second))
	for _, l := range expiring {
		l.cause = "expiry"
	}
	c, in := enter(t, b.addr, append(slices.Clone(lasting), expiring...), each)
	t.Log(in)
	stop := publish(t, b.addr, lasting[len(lasting)-1], size(time.Second, 200*time.Millisecond))
	if h.triggers {
		waitUntil(t, "changes are heard of", func() bool { return b.metric("changes_heard", "") == 1 })
	}
	if full() || !h.triggers { // their interval is half a minute
		idle(t, b, h, len(c.sockets))
	}
	for i, e := range endings {
		s.finish(e.name, e.code, lasting[i*share:(i+1)*share])
	}
	pass(time.Until(expiring[0].ended))
	for _, e := range append(endings, struct{ name, code string }{"expiry", ""}) {
		c.judge(e.name, h)
	}
	stop()
	stay := func(l *login) bool { return l.cause == "" }
	want := (all - 5*share) * each
	row(t, c.open(stay) == want, "T06", "sockets of sessions that did not end, "+h.by, fmt.Sprintf("%d of %d open", c.open(stay), want), "all")
	t.Logf("lag as belleville measured it, mean: %.3f s; queries: %d", b.metric("live_lag_seconds_sum", "")/b.metric("live_lag_seconds_count", ""), b.queries())
}

// idle counts the queries of some intervals in which nothing happens.
func idle(t *testing.T, b *served, h hearing, sockets int) {
	t.Helper()
	pass(h.interval) // the first look at all is behind
	before := b.queries()
	const intervals = 2
	pass(intervals * h.interval)
	n := b.queries() - before
	limit := max(6, sockets/1000)
	row(t, n > 0 && n <= intervals*limit, "T06", fmt.Sprintf("queries to re-check %d sockets every %v, %s", sockets, h.interval, h.by),
		fmt.Sprintf("%d in %d intervals", n, intervals), fmt.Sprintf("%d an interval", limit))
}

// judge waits until the sockets of a cause are closed, and prints how that was.
func (c *crowd) judge(cause string, h hearing) {
	c.t.Helper()
	deadline := time.After(h.limit + 30*time.Second)
	var lags []time.Duration
	open, otherwise, after := 0, make(map[int]int), 0 // by close code, 0 without a frame
	for _, s := range c.sockets {
		if s.login.cause != cause {
			continue
		}
		select {
		case <-s.ended:
		case <-deadline:
			deadline = closedTimes() // the others need not be waited for
			open++
			continue
		}
		code, at, late, newest := s.end()
		if code != 4401 {
			if otherwise[code]++; otherwise[code] <= 5 {
				c.t.Logf("closed otherwise: %v, %v after its session ended", s.why, s.gone.Sub(s.login.ended))
			}
			continue
		}
		lags = append(lags, at.Sub(s.login.ended))
		after += late
		if time.UnixMilli(newest).After(s.login.ended.Add(h.limit)) {
			after++
		}
	}
	n := len(lags) + open + len(otherwise)
	p99, most := quantile(lags, 0.99), quantile(lags, 1)
	row(c.t, n > 0 && open+len(otherwise)+after == 0 && p99 <= h.limit, "T06", cause+", "+h.by,
		fmt.Sprintf("%d sockets: p50 %s, p99 %s, longest %s from before the commit; %d open, closed otherwise: %v, %d messages after it",
			n, seconds(quantile(lags, 0.5)), seconds(p99), seconds(most), open, otherwise, after),
		fmt.Sprintf("p99 %v, closed with 4401, no message", h.limit))
}

// closedTimes is a timer that has run off.
func closedTimes() <-chan time.Time {
	times := make(chan time.Time)
	close(times)
	return times
}

// publish sends messages to all sockets, with the time in them, until stop.
func publish(t *testing.T, addr string, l *login, every time.Duration) (stop func()) {
	t.Helper()
	s, err := dial(addr, "/ws/room/", l, "")
	must(t, err)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			select {
			case now := <-ticks.C:
				_ = s.write(0x1, fmt.Appendf(nil, `{"t":%d}`, now.UnixMilli())) // who is closed is found by others
			case <-done:
				_ = s.conn.Close()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// TestF33 logs ten users out everywhere, with one statement.
func TestF33(t *testing.T) {
	s := openSite(t, pgtest.Open(t))
	s.migrate("up", "--live-sessions")
	b := serve(t, s.db.URL(), "BELLEVILLE_LIVE_TRIGGERS=required")
	logins := s.logins("u", 10, size(100, 5), 24*time.Hour)
	c, in := enter(t, b.addr, logins, 10)
	t.Log(in)
	before := b.queries()
	var began float64
	s.ask("keys = [item['key'] for item in todo]\nt = time.time()\nSession.objects.filter(session_key__in=keys).delete()\nprint(t)\n", logins, &began)
	for _, l := range logins {
		l.cause, l.ended = "mass logout", unixTime(began)
	}
	limit := size(2*time.Second, 10*time.Second)
	var lags []time.Duration
	wrong := 0
	for _, k := range c.sockets {
		<-k.ended
		code, at, late, _ := k.end()
		lags = append(lags, at.Sub(k.login.ended))
		if code != 4401 || late > 0 {
			wrong++
		}
	}
	p99 := quantile(lags, 0.99)
	row(t, p99 <= limit && wrong == 0, "F33", fmt.Sprintf("mass logout of 10 users with %d sessions and %d sockets", len(logins), len(c.sockets)),
		fmt.Sprintf("p50 %s, p99 %s from before the statement; %d closed otherwise; %d queries", seconds(quantile(lags, 0.5)), seconds(p99), wrong, b.queries()-before),
		fmt.Sprintf("p99 %v, all with 4401", limit))
}
