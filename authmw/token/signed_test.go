package token_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// dumps is signing.dumps of the tests' site.
func (b *bed) dumps(t testing.TB, v any, salt string) string {
	return b.dumpsAt(t, v, salt, time.Now())
}

func (b *bed) dumpsAt(t testing.TB, v any, salt string, at time.Time) string {
	t.Helper()
	text, err := djangocompat.Dumps(djangocompat.NewKeys(siteKey), v, djangocompat.Plain, djangocompat.SignerConfig{Salt: salt, Now: clock(at)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wantReason checks what a Verifier says of a token.
func wantReason(t *testing.T, v token.Verifier, text string, want token.Reason) {
	t.Helper()
	_, err := v.Verify(t.Context(), text, "token.test")
	if refusal, ok := errors.AsType[*token.Refusal](err); !ok || refusal.Reason != want {
		t.Errorf("Verify: %v, want %v", err, want)
	}
}

func TestSigned(t *testing.T) {
	b := newBed(t)
	v, err := token.NewSigned(b.store, djangocompat.NewKeys(siteKey), token.SignedConfig{MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	right := []struct {
		name  string
		value any
	}{
		{"the user's id", int64(114)},
		{"the user's id as text", "114"},
		{"a dict with it", map[string]any{"user_id": int64(114), "room": "a"}},
	}
	for _, tt := range right {
		t.Run(tt.name, func(t *testing.T) {
			id, err := v.Verify(t.Context(), b.dumps(t, tt.value, "belleville.token"), "token.test")
			if err != nil {
				t.Fatal(err)
			}
			if id.User.Username != "ann3zg" || id.User.Backend != "token.test" || id.Claims["user_id"] == nil {
				t.Errorf("identity is %+v", id)
			}
			if left := time.Until(id.Expires); left < 59*time.Minute || left > time.Hour {
				t.Errorf("it expires in %v, want an hour", left)
			}
		})
	}
	good := b.dumps(t, int64(114), "belleville.token")
	at := func(age time.Duration) string {
		return b.dumpsAt(t, int64(114), "belleville.token", time.Now().Add(-age))
	}
	wrong := []struct {
		name string
		text string
		want token.Reason
	}{
		{"another salt", b.dumps(t, int64(114), "belleville.ticket"), token.BadSignature},
		{"Django's own salt", b.dumps(t, int64(114), "django.core.signing"), token.BadSignature},
		{"a changed value", "x" + good[1:], token.BadSignature},
		{"a cut signature", good[:len(good)-1], token.BadSignature},
		{"no signature", "114", token.BadSignature},
		{"too old", at(time.Hour + 2*time.Second), token.Expired},
		{"from the future", at(-2 * time.Minute), token.NotYet},
		{"nobody's id", b.dumps(t, int64(5), "belleville.token"), token.UnknownUser},
		{"an inactive user", b.dumps(t, int64(838), "belleville.token"), token.Inactive},
		{"no id", b.dumps(t, nil, "belleville.token"), token.NoUser},
		{"a truth value", b.dumps(t, true, "belleville.token"), token.NoUser},
		{"an empty text", b.dumps(t, "", "belleville.token"), token.NoUser},
		{"a list", b.dumps(t, []any{int64(114)}, "belleville.token"), token.NoUser},
		{"a dict without an id", b.dumps(t, map[string]any{"id": int64(114)}, "belleville.token"), token.NoUser},
		{"a text that is no id", b.dumps(t, "ann", "belleville.token"), token.UnknownUser},
	}
	for _, tt := range wrong {
		t.Run(tt.name, func(t *testing.T) { wantReason(t, v, tt.text, tt.want) })
	}
}

func TestFallbackKeysVerifyTokens(t *testing.T) {
	b := newBed(t)
	v, err := token.NewSigned(b.store, djangocompat.NewKeys("a new key", siteKey), token.SignedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), b.dumps(t, int64(114), "belleville.token"), "a"); err != nil {
		t.Error(err)
	}
}

func (b *bed) tickets(t testing.TB, cfg token.TicketConfig) *token.Tickets {
	t.Helper()
	v, err := token.NewTickets(b.store, djangocompat.NewKeys(siteKey), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestATicketLetsInOnce comes with each ticket several times at once.
func TestATicketLetsInOnce(t *testing.T) {
	b := newBed(t)
	memories := []struct {
		name  string
		spent token.SpentTickets
	}{
		{"remembered in the process", nil},
		{"remembered in the database", token.NewSpentInDatabase(b.store)},
	}
	for _, tt := range memories {
		t.Run(tt.name, func(t *testing.T) {
			v := b.tickets(t, token.TicketConfig{Spent: tt.spent})
			for i := range 5 {
				text := b.dumps(t, map[string]any{"user_id": int64(114), "n": int64(i), "m": tt.name}, "belleville.ticket")
				var in atomic.Int32
				var all sync.WaitGroup
				for range 8 {
					all.Go(func() {
						if _, err := v.Verify(t.Context(), text, "a"); err == nil {
							in.Add(1)
						}
					})
				}
				all.Wait()
				if in.Load() != 1 {
					t.Errorf("a ticket let in %d, want 1", in.Load())
				}
				wantReason(t, v, text, token.Spent)
			}
		})
	}
}

func TestTicketsOfTwoProcesses(t *testing.T) {
	b := newBed(t)
	text := b.dumps(t, int64(114), "belleville.ticket")
	one := b.tickets(t, token.TicketConfig{Spent: token.NewSpentInDatabase(b.store)})
	two := b.tickets(t, token.TicketConfig{Spent: token.NewSpentInDatabase(b.store)})
	if _, err := one.Verify(t.Context(), text, "a"); err != nil {
		t.Fatal(err)
	}
	wantReason(t, two, text, token.Spent)
}

func TestTicketsAreShortLived(t *testing.T) {
	b := newBed(t)
	v := b.tickets(t, token.TicketConfig{})
	wantReason(t, v, b.dumpsAt(t, int64(114), "belleville.ticket", time.Now().Add(-32*time.Second)), token.Expired)
	wantReason(t, v, b.dumps(t, int64(114), "belleville.token"), token.BadSignature)
}

// TestSpentTicketsAreForgottenInTime checks that what can still come is remembered, and no more.
func TestSpentTicketsAreForgottenInTime(t *testing.T) {
	b := newBed(t)
	now := time.Now()
	v := b.tickets(t, token.TicketConfig{SignedConfig: token.SignedConfig{Now: func() time.Time { return now }}, MaxSpent: 10})
	use := func(n int) error {
		text := b.dumpsAt(t, map[string]any{"user_id": int64(114), "n": int64(n)}, "belleville.ticket", now)
		_, err := v.Verify(t.Context(), text, "a")
		return err
	}
	for n := range 10 {
		if err := use(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := use(11); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("one more is %v, want ErrUnavailable", err)
	}
	old := b.dumpsAt(t, map[string]any{"user_id": int64(114), "n": int64(3)}, "belleville.ticket", now)
	now = now.Add(25 * time.Second)
	wantReason(t, v, old, token.Spent)
	now = now.Add(5 * time.Minute)
	if err := use(12); err != nil {
		t.Errorf("after five minutes: %v", err)
	}
}

// flaky is a store whose database is away once.
type flaky struct {
	*sessionstore.Store
	away atomic.Bool
}

func (f *flaky) UserByField(ctx context.Context, column string, value any, backend string) (sessionstore.TokenUser, error) {
	if f.away.Swap(false) {
		return sessionstore.TokenUser{}, &sessionstore.DatabaseError{Fault: sessionstore.FaultConnection}
	}
	return f.Store.UserByField(ctx, column, value, backend)
}

func TestATicketIsNotSpentForNothing(t *testing.T) {
	b := newBed(t)
	for _, spent := range []token.SpentTickets{nil, token.NewSpentInDatabase(b.store)} {
		users := &flaky{Store: b.store}
		users.away.Store(true)
		v, err := token.NewTickets(users, djangocompat.NewKeys(siteKey), token.TicketConfig{Spent: spent})
		if err != nil {
			t.Fatal(err)
		}
		text := b.dumps(t, int64(114), "belleville.ticket")
		if _, err := v.Verify(t.Context(), text, "a"); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Fatalf("Verify: %v, want ErrUnavailable", err)
		}
		if _, err := v.Verify(t.Context(), text, "a"); err != nil {
			t.Errorf("the second time: %v", err)
		}
	}
}

func TestSaltsOfDjangosOwnAreRefused(t *testing.T) {
	b := newBed(t)
	_, err := token.NewSigned(b.store, djangocompat.NewKeys(siteKey), token.SignedConfig{Salt: "django.core.signing"})
	if err == nil || !strings.Contains(err.Error(), "salt") {
		t.Errorf("NewSigned: %v", err)
	}
}
