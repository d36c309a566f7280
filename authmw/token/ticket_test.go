package token_test

import (
	"context"
	"errors"
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
	if len(l.digests) != 4 || l.digests[0] != l.digests[1] {
		t.Fatalf("one ticket is remembered by %x", l.digests)
	}
	if l.digests[0] == l.digests[2] {
		t.Error("whoever has a ticket knows what it is remembered by")
	}
	if l.digests[0] != l.digests[3] {
		t.Error("a ticket is not remembered by the key of before")
	}
}

func TestATicketStaysSpentWhenTheKeyIsRotated(t *testing.T) {
	text := new(bed).dumpsAt(t, "ann", "belleville.ticket", time.Now())
	spent := token.NewSpentInProcess(token.SignedConfig{})
	for i, keys := range []djangocompat.Keys{djangocompat.NewKeys(siteKey), djangocompat.NewKeys("a newer key", siteKey)} {
		v, err := token.NewTickets(people{}, keys, token.TicketConfig{Spent: spent})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), text, "a")
		if r, refused := errors.AsType[*token.Refusal](err); i == 0 && err != nil || i == 1 && (!refused || r.Reason != token.Spent) {
			t.Errorf("with %d keys: %v", i+1, err)
		}
	}
}
