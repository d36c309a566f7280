package sessionstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// load returns the session under key.
func load(t testing.TB, s *sessionstore.Store, key string) *djangocompat.Session {
	t.Helper()
	session, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// saved returns a session of its own with these values.
func saved(t testing.TB, s *sessionstore.Store, pairs ...any) *djangocompat.Session {
	t.Helper()
	session := load(t, s, "")
	for i := 0; i < len(pairs); i += 2 {
		session.Set(pairs[i].(string), pairs[i+1])
	}
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	return session
}

func TestSave(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		now := time.Date(2026, 2, 3, 4, 5, 6, 789_012_345, time.UTC)
		cfg := b.config()
		cfg.Now = func() time.Time { return now }
		s := open(t, cfg)
		session := saved(t, s, "cart", []any{int64(1), 2.5, nil}, "café", "\U0001f600 <b>")

		t.Run("a new session gets a key and a row", func(t *testing.T) {
			if !djangocompat.PlausibleSessionKey(session.Key()) || len(session.Key()) != 32 {
				t.Errorf("key = %q, want 32 characters", session.Key())
			}
			wantJSON(t, b.stored(t, session.Key()), `{"cart":[1,2.5,null],"caf\u00e9":"\ud83d\ude00 <b>"}`)
		})
		t.Run("it expires when the cookie does, to the microsecond", func(t *testing.T) {
			got := fmt.Sprint(b.value(t, "SELECT CAST(expire_date AS text) FROM django_session"))
			if want := "2026-02-17 04:05:06.789012"; got != want && got != want+"+00" {
				t.Errorf("expire_date = %s, want %s", got, want)
			}
		})
		t.Run("it loads as it was saved", func(t *testing.T) {
			wantJSON(t, load(t, s, session.Key()).Data(), `{"cart":[1,2.5,null],"caf\u00e9":"\ud83d\ude00 <b>"}`)
		})
		t.Run("saving it again keeps the key", func(t *testing.T) {
			key := session.Key()
			session.Set("cart", int64(2))
			if err := session.Save(t.Context()); err != nil || session.Key() != key {
				t.Errorf("Save = %v, key %q, want the old key %q", err, session.Key(), key)
			}
			wantJSON(t, b.stored(t, key), `{"cart":2,"caf\u00e9":"\ud83d\ude00 <b>"}`)
			if n := b.count(t); n != 1 {
				t.Errorf("%d rows, want 1", n)
			}
		})
		t.Run("a session with an end of its own ends then", func(t *testing.T) {
			session.SetExpiryAge(time.Minute)
			if err := session.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(b.value(t, "SELECT CAST(expire_date AS text) FROM django_session"))
			if want := "2026-02-03 04:06:06.789012"; got != want && got != want+"+00" {
				t.Errorf("expire_date = %s, want %s", got, want)
			}
		})
	})
}

func TestSaveAfterOthers(t *testing.T) {
	tests := []struct {
		name   string
		theirs []any // the whole session as another program saves it meanwhile
		ours   func(s *djangocompat.Session)
		want   string
	}{
		{
			"what others added stays",
			[]any{"a", int64(1), "b", int64(2), "c", int64(3)},
			func(s *djangocompat.Session) { s.Set("b", int64(20)) }, `{"a":1,"b":20,"c":3}`,
		},
		{
			"what others changed stays",
			[]any{"a", int64(10), "b", int64(2)},
			func(s *djangocompat.Session) { s.Set("b", int64(20)) }, `{"a":10,"b":20}`,
		},
		{
			"what others removed stays away",
			[]any{"b", int64(2)},
			func(s *djangocompat.Session) { s.Set("b", int64(20)) }, `{"b":20}`,
		},
		{
			"what we removed is gone",
			[]any{"a", int64(1), "b", int64(2), "c", int64(3)},
			func(s *djangocompat.Session) { s.Delete("a") }, `{"b":2,"c":3}`,
		},
		{
			"what both changed is ours",
			[]any{"a", int64(10), "b", int64(2)},
			func(s *djangocompat.Session) { s.Set("a", int64(100)) }, `{"a":100,"b":2}`,
		},
	}
	onBoth(t, func(t *testing.T, b *bed) {
		s := open(t, b.config())
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				session := saved(t, s, "a", int64(1), "b", int64(2))
				b.put(t, session.Key(), dict(t, tt.theirs...), time.Now().Add(time.Hour))
				tt.ours(session)
				if err := session.Save(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantJSON(t, b.stored(t, session.Key()), tt.want)
				wantJSON(t, session.Data(), tt.want)
			})
		}
	})
}

func TestSaveRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		s := open(t, b.config())
		t.Run("a deleted session does not come back", func(t *testing.T) {
			session := saved(t, s, "a", int64(1))
			b.exec(t, "DELETE FROM django_session")
			session.Set("a", int64(2))
			if err := session.Save(t.Context()); !errors.Is(err, djangocompat.ErrSessionGone) {
				t.Errorf("Save = %v, want ErrSessionGone", err)
			}
			if n := b.count(t); n != 0 {
				t.Errorf("%d rows, want 0", n)
			}
		})
		t.Run("what cannot be read is not written over", func(t *testing.T) {
			session := saved(t, s, "a", int64(1))
			b.exec(t, "UPDATE django_session SET session_data = 'something else'")
			session.Set("a", int64(2))
			if err := session.Save(t.Context()); !errors.Is(err, sessionstore.ErrConflict) {
				t.Errorf("Save = %v, want ErrConflict", err)
			}
			if got := b.value(t, "SELECT session_data FROM django_session"); got != "something else" {
				t.Errorf("session_data = %q, want it untouched", got)
			}
		})
		t.Run("a key that is taken is not created again", func(t *testing.T) {
			session := saved(t, s, "a", int64(1))
			other := djangocompat.NewSession(session.Key(), dict(t, "b", int64(2)), s)
			if _, err := s.Save(t.Context(), other, djangocompat.MustCreate); !errors.Is(err, djangocompat.ErrSessionExists) {
				t.Errorf("Save = %v, want ErrSessionExists", err)
			}
			wantJSON(t, b.stored(t, session.Key()), `{"a":1}`)
		})
		t.Run("a value without a JSON form is refused", func(t *testing.T) {
			session := saved(t, s, "a", int64(1))
			session.Set("a", make(chan int))
			if err := session.Save(t.Context()); err == nil || errors.Is(err, sessionstore.ErrUnavailable) {
				t.Errorf("Save = %v, want an error that is not the database's", err)
			}
		})
	})
}

func TestMoveAndRemove(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		s := open(t, b.config())
		t.Run("CycleKey moves the row", func(t *testing.T) {
			session := saved(t, s, "a", int64(1))
			old := session.Key()
			if err := session.CycleKey(t.Context()); err != nil {
				t.Fatal(err)
			}
			if session.Key() == old || load(t, s, old).Key() != "" {
				t.Errorf("the old key %q is still good", old)
			}
			wantJSON(t, b.stored(t, session.Key()), `{"a":1}`)
		})
		t.Run("Replace of a key that is taken leaves the old row", func(t *testing.T) {
			first, second := saved(t, s, "a", int64(1)), saved(t, s, "b", int64(2))
			moved := djangocompat.NewSession(second.Key(), first.Data(), s)
			if _, err := s.Replace(t.Context(), first.Key(), moved); !errors.Is(err, djangocompat.ErrSessionExists) {
				t.Errorf("Replace = %v, want ErrSessionExists", err)
			}
			wantJSON(t, b.stored(t, first.Key()), `{"a":1}`)
			wantJSON(t, b.stored(t, second.Key()), `{"b":2}`)
		})
		t.Run("Flush removes the row", func(t *testing.T) {
			session := saved(t, s, "a", int64(1))
			key := session.Key()
			if err := session.Flush(t.Context()); err != nil || session.Key() != "" || session.Len() != 0 {
				t.Errorf("Flush = %v, leaves key %q and %d values", err, session.Key(), session.Len())
			}
			if found, err := s.Exists(t.Context(), key); found || err != nil {
				t.Errorf("Exists = %v, %v, want false", found, err)
			}
		})
		t.Run("Exists sees a row, expired or not", func(t *testing.T) {
			b.put(t, "expiredsession", dict(t, "a", int64(1)), time.Now().Add(-time.Hour))
			if found, err := s.Exists(t.Context(), "expiredsession"); !found || err != nil {
				t.Errorf("Exists = %v, %v, want true", found, err)
			}
			if load(t, s, "expiredsession").Key() != "" {
				t.Error("an expired session loads")
			}
		})
		t.Run("ClearExpired removes what has expired", func(t *testing.T) {
			b.exec(t, "DELETE FROM django_session")
			live := saved(t, s, "a", int64(1))
			for i := range 3 {
				b.put(t, fmt.Sprintf("expiredsession%d", i), dict(t), time.Now().Add(-time.Hour))
			}
			if n, err := s.ClearExpired(t.Context()); n != 3 || err != nil {
				t.Errorf("ClearExpired = %d, %v, want 3", n, err)
			}
			if n := b.count(t); n != 1 || load(t, s, live.Key()).Key() == "" {
				t.Errorf("%d rows, want the live one", n)
			}
		})
		t.Run("Delete of an impossible key asks nobody", func(t *testing.T) {
			for _, key := range []string{"", "short", "nul\x00nulnul", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete(%q) = %v", key, err)
				}
			}
		})
	})
}

// TestLogoutWins lets saves and logouts of one session meet, again and again.
func TestLogoutWins(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		s := open(t, b.config())
		const rounds = 60
		for i := range rounds {
			session := saved(t, s, "a", int64(1))
			var both sync.WaitGroup
			both.Go(func() {
				for n := range 3 {
					session.Set("a", int64(n))
					if err := session.Save(t.Context()); err != nil && !errors.Is(err, djangocompat.ErrSessionGone) {
						t.Errorf("Save = %v", err)
					}
				}
			})
			both.Go(func() { b.exec(t, "DELETE FROM django_session") })
			both.Wait()
			if n := b.count(t); n != 0 {
				t.Fatalf("round %d: %d rows came back", i, n)
			}
		}
	})
}

// TestNoLostUpdates lets programs that write keys of their own into one session meet.
func TestNoLostUpdates(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		s := open(t, b.config())
		key := saved(t, s, "begun", true).Key()
		const writers, rounds = 4, 25
		var all sync.WaitGroup
		var mu sync.Mutex // guards conflicts
		conflicts := 0
		for w := range writers {
			all.Go(func() {
				for r := range rounds {
					session, err := s.Load(t.Context(), key)
					if err != nil {
						t.Errorf("Load = %v", err)
						return
					}
					session.Set(fmt.Sprintf("w%d", w), int64(r))
					for err = session.Save(t.Context()); errors.Is(err, sessionstore.ErrConflict); err = session.Save(t.Context()) {
						mu.Lock()
						conflicts++
						mu.Unlock()
					}
					if err != nil {
						t.Errorf("Save = %v", err)
					}
				}
			})
		}
		all.Wait()
		t.Logf("%d saves gave up after three tries and were repeated", conflicts)
		for w := range writers {
			if got, _ := b.stored(t, key).Get(fmt.Sprintf("w%d", w)); got != int64(rounds-1) {
				t.Errorf("the last value of writer %d is %v, want %d", w, got, rounds-1)
			}
		}
	})
}
