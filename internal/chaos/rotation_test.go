package chaos_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/pgtest"
)

// TestT07 rotates SECRET_KEY under open sockets, by SIGHUP and by another start, and then drops the old key.
func TestT07(t *testing.T) {
	t.Run("SIGHUP", func(t *testing.T) {
		rotate(t, "SIGHUP", func(b *served) {
			const done = "the configuration was read again"
			before := b.count(done)
			b.signal(syscall.SIGHUP)
			waitUntil(t, "it was read again", func() bool { return b.count(done) > before })
		})
	})
	t.Run("restart", func(t *testing.T) {
		rotate(t, "restart", func(b *served) {
			b.kill()
			b.start()
		})
	})
}

// newKey is SECRET_KEY after the rotation.
const newKey = "another key, of which nobody has heard"

// rotate is row T07 for one way of making a server read its configuration.
func rotate(t *testing.T, by string, read func(*served)) {
	s := openSite(t, pgtest.Open(t))
	logins := s.logins("u", size(1000, 50), 1, 24*time.Hour)
	b := prepare(t, pgtest.Restricted(t, s.db.URL()))
	b.env = slices.DeleteFunc(b.env, func(v string) bool { return strings.HasPrefix(v, "BELLEVILLE_DJANGO_SECRET_KEY=") })
	b.keys(secretKey)
	b.start()
	c, in := enter(t, b.addr, logins, 10)
	t.Log(in)
	everybody := func(*login) bool { return true }
	n, rows := len(c.sockets), s.db.Value(t, "SELECT count(*) FROM django_session")

	b.keys(newKey, secretKey)
	asked := b.asked()
	read(b)
	if by == "restart" {
		for _, k := range c.sockets {
			<-k.ended
		}
		c, in = enter(t, b.addr, logins, 10)
	} else {
		waitUntil(t, "all were asked about again", func() bool { return b.asked()-asked >= float64(len(logins)) })
		again, came := enter(t, b.addr, logins, 1) // who comes now
		in = came
		again.leave()
	}
	left := s.db.Value(t, "SELECT count(*) FROM django_session")
	row(t, c.open(everybody) == n && in.refused["403"] == 0 && left == rows, "T07", fmt.Sprintf("SECRET_KEY rotated under %d sockets by %s, the old one a fallback", n, by),
		fmt.Sprintf("%d open, %d who came refused with 403, %v of %v rows left", c.open(everybody), in.refused["403"], left, rows), "no logout, no row deleted")

	b.keys(newKey)
	began := time.Now()
	read(b)
	waitUntil(t, "all sockets are closed", func() bool { return c.open(everybody) == 0 })
	took, otherwise := time.Since(began), 0
	for _, k := range c.sockets {
		if code, _, _, _ := k.end(); code != 4401 && by != "restart" {
			otherwise++
		}
	}
	refused := refusedOf(b, logins)
	left = s.db.Value(t, "SELECT count(*) FROM django_session")
	row(t, refused == len(logins) && otherwise == 0 && left == rows && took <= size(5*time.Second, 30*time.Second), "T07", "the fallback dropped by "+by,
		fmt.Sprintf("all %d sockets closed after %s, %d otherwise than with 4401; %d of %d sessions refused, %v of %v rows left", n, seconds(took), otherwise, refused, len(logins), left, rows), "all closed within 5 s, all refused, no row deleted")
}

// keys writes SECRET_KEY and its fallbacks into the configuration.
func (s *served) keys(key string, fallbacks ...string) {
	s.t.Helper()
	quoted := make([]string, len(fallbacks))
	for i, f := range fallbacks {
		quoted[i] = fmt.Sprintf("%q", f)
	}
	text := fmt.Sprintf("[django]\nsecret_key = %q\nsecret_key_fallbacks = [%s]\n", key, strings.Join(quoted, ", "))
	must(s.t, os.WriteFile(s.file, []byte(text+routes), 0o600))
}

// asked returns how many sessions were asked about again.
func (s *served) asked() float64 { return s.metric("live_recheck_batch_sessions_sum", "") }

// count returns how often the server has logged something.
func (s *served) count(what string) int {
	text, err := os.ReadFile(s.log)
	must(s.t, err)
	return strings.Count(string(text), what)
}

// refusedOf returns how many sessions are refused with 403.
func refusedOf(b *served, logins []*login) int {
	var refused atomic.Int64
	var trying sync.WaitGroup
	for _, l := range logins {
		trying.Go(func() {
			k, err := dial(b.addr, "/ws/room/", l, "")
			if err == nil {
				_ = k.conn.Close()
			} else if kindOfRefusal(err) == "403" {
				refused.Add(1)
			}
		})
	}
	trying.Wait()
	return int(refused.Load())
}
