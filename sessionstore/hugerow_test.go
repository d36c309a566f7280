package sessionstore_test

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/sessionstore"
)

// residentMemory is how much memory the process has, in bytes.
func residentMemory(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("there is no /proc/self/statm to measure with")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestT16HugeRowIsNotRead is security row T16: a row of 200 MB is not read but for its length, in one query.
func TestT16HugeRowIsNotRead(t *testing.T) {
	half := chaos.Size(100_000_000, 16_000_000)
	filler := map[string]string{
		"SQLite":     "hex(zeroblob(" + strconv.Itoa(half) + "))",
		"PostgreSQL": "repeat('00', " + strconv.Itoa(half) + ")",
	}
	onBoth(t, func(t *testing.T, b *bed) {
		_, kind, _ := strings.Cut(t.Name(), "/")
		b.exec(t, "INSERT INTO django_session VALUES ('hugehugehuge', "+filler[kind]+", '2999-01-01 00:00:00')")
		reg := prometheus.NewRegistry()
		cfg := b.config()
		cfg.Registerer = reg
		s := open(t, cfg)
		b.exec(t, "INSERT INTO django_session VALUES ('largelargelarge', "+strings.Replace(filler[kind], strconv.Itoa(half), "1000000", 1)+", '2999-01-01 00:00:00')")
		load(t, s, "largelargelarge") // loads what is loaded once
		before, asked := residentMemory(t), queries(t, reg)
		session := load(t, s, "hugehugehuge")
		grown := residentMemory(t) - before
		if session.Key() != "" || session.Len() != 0 {
			t.Errorf("it loads as %q with %d values", session.Key(), session.Len())
		}
		n := queries(t, reg) - asked
		limit := chaos.Size[int64](4_000_000, 16_000_000)
		chaos.Row(t, grown < limit && n == 1, "T16", fmt.Sprintf("a session of %d MB in %s", 2*half/1_000_000, kind),
			fmt.Sprintf("an empty session after %v queries, the process %.1f MB larger", n, float64(grown)/1e6), fmt.Sprintf("1 query, %d MB", limit/1_000_000))
		if _, err := s.Inspect(t.Context(), "hugehugehuge"); !errors.Is(err, djangocompat.ErrTooLarge) {
			t.Errorf("Inspect = %v, want ErrTooLarge", err)
		}
	})
}

func TestInspect(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.addUser(t, 1, "alice", cheap("wonderland"), true)
		s := open(t, b.config())
		key := logIn(t, s, 1).Key()
		i, err := s.Inspect(t.Context(), key)
		if err != nil || i.User.Username != "alice" || i.Reason != sessionstore.LoggedIn || i.Session.Key() != key || i.Expires.IsZero() {
			t.Errorf("Inspect = %+v, %v", i, err)
		}
		b.exec(t, "UPDATE django_session SET session_data = 'a:b:c'")
		if _, err := s.Inspect(t.Context(), key); !errors.Is(err, djangocompat.ErrBadSignature) {
			t.Errorf("a changed one: %v, want ErrBadSignature", err)
		}
		b.exec(t, "UPDATE django_session SET expire_date = '2001-01-01 00:00:00'")
		if _, err := s.Inspect(t.Context(), key); !errors.Is(err, sessionstore.ErrSessionExpired) {
			t.Errorf("an expired one: %v, want ErrSessionExpired", err)
		}
		for _, key := range []string{"", "short", "anotherkeyofnobody", strings.Repeat("x", 100), "a\x00bbbbbbbbb"} {
			if _, err := s.Inspect(t.Context(), key); !errors.Is(err, sessionstore.ErrNoSession) {
				t.Errorf("%q: %v, want ErrNoSession", key, err)
			}
		}
	})
}
