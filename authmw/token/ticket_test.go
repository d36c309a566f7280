package token_test

import (
	"context"
	"testing"
	"time"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// ledger is a memory of tickets that keeps what it is given.
type ledger struct{ digests []sessionstore.TicketDigest }

func (l *ledger) Spend(_ context.Context, ticket sessionstore.TicketDigest, _ time.Time) (bool, error) {
	l.digests = append(l.digests, ticket)
	return true, nil
}

func (l *ledger) Return(context.Context, sessionstore.TicketDigest) {}

func TestWhatATicketIsRememberedByTakesTheSitesKey(t *testing.T) {
	text := new(bed).dumpsAt(t, "ann", "belleville.ticket", time.Now())
	l := new(ledger)
	for _, keys := range []djangocompat.Keys{djangocompat.NewKeys(siteKey), djangocompat.NewKeys(siteKey), djangocompat.NewKeys("a newer key", siteKey)} {
		v, err := token.NewTickets(people{}, keys, token.TicketConfig{Spent: l})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = v.Verify(t.Context(), text, "a") // who it is does not matter
	}
	if len(l.digests) != 3 || l.digests[0] != l.digests[1] {
		t.Fatalf("one ticket is remembered by %x", l.digests)
	}
	if l.digests[0] == l.digests[2] {
		t.Error("whoever has a ticket knows what it is remembered by")
	}
}
