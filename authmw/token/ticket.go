package token

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// TicketConfig says how tickets are taken. The zero TicketConfig is a good one.
type TicketConfig struct {
	SignedConfig
	// Spent remembers the tickets that were used. Default: this process does, so that a ticket is good for once
	// in each process of the site; see [NewSpentInDatabase].
	Spent SpentTickets
	// MaxSpent bounds the tickets that this process remembers, which is those of two MaxAge; one more is
	// answered 503. Default: 100,000.
	MaxSpent int
}

// SpentTickets remembers tickets that were used.
type SpentTickets interface {
	// Spend notes that a ticket is used, and reports false if it was before. What it says may be forgotten
	// after expires. An error means that it cannot say.
	Spend(ctx context.Context, ticket sessionstore.TicketDigest, expires time.Time) (bool, error)
	// Return takes a ticket back that was spent for nothing.
	Return(ctx context.Context, ticket sessionstore.TicketDigest)
}

// Tickets verifies tickets: short-lived values that a view of Django's mints with signing.dumps, and that let in
// once. They are for the query string and the subprotocol, where a longer-lived token should not be.
type Tickets struct {
	signed *Signed
	notes  []*djangocompat.Signer // make what a ticket is remembered by, one for each key
	spent  SpentTickets
}

// notesSalt is the salt of the digests of tickets.
const notesSalt = "belleville.ticket.spent"

func ticketDefaults(c SignedConfig) SignedConfig {
	return c.withDefaults("belleville.ticket", 30*time.Second)
}

// NewTickets makes Tickets; keys are SECRET_KEY and its fallbacks.
func NewTickets(users Users, keys djangocompat.Keys, cfg TicketConfig) (*Tickets, error) {
	c := ticketDefaults(cfg.SignedConfig)
	signed, err := newSigned(users, keys, c)
	if err != nil {
		return nil, err
	}
	var notes []*djangocompat.Signer
	for _, key := range keys.Apart() {
		if key.IsZero() {
			continue // a fallback that is empty verifies nothing
		}
		n, err := djangocompat.NewSigner(key, djangocompat.SignerConfig{Salt: notesSalt})
		if err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	spent := cfg.Spent
	if spent == nil {
		spent = newSpentHere(c, cfg.MaxSpent)
	}
	return &Tickets{signed, notes, spent}, nil
}

// Kind implements Verifier.
func (*Tickets) Kind() string { return "ticket" }

func (*Tickets) isSigned() {}

// Verify implements Verifier. Of two who come with the same ticket at one time, one gets in.
func (t *Tickets) Verify(ctx context.Context, token, backend string) (*Identity, error) {
	o, err := t.signed.read(token)
	if err != nil {
		return nil, err
	}
	digests := t.digestsOf(token)
	if err := t.spend(ctx, digests, o.expires); err != nil {
		return nil, err
	}
	id, err := t.signed.identity(ctx, o, backend)
	if err != nil && unavailable(err) {
		t.unspend(ctx, digests)
	}
	if err != nil {
		return nil, err
	}
	id.Expires = time.Time{} // it opens a connection, and does not last as long as one
	return id, nil
}

// spend notes that a ticket is used. It was before if it was under any of the keys.
func (t *Tickets) spend(ctx context.Context, digests []sessionstore.TicketDigest, expires time.Time) error {
	for i, d := range digests {
		first, err := t.spent.Spend(ctx, d, expires)
		if err != nil {
			t.unspend(ctx, digests[:i])
			return err
		}
		if !first {
			return refuse(Spent)
		}
	}
	return nil
}

// unspend takes the notes back, whatever has become of the client.
func (t *Tickets) unspend(ctx context.Context, digests []sessionstore.TicketDigest) {
	for _, d := range digests {
		t.spent.Return(context.WithoutCancel(ctx), d)
	}
}

// digestsOf returns what a ticket is remembered by. Its text is all signed, so there is one text for it. It takes the
// site's key, too: what remembers it in the database is a session there, which whoever could compute its key might
// come with, and log out of, so that the ticket would be good again. There is a digest for each key, so that a ticket
// that was spent before SECRET_KEY became a fallback stays spent.
func (t *Tickets) digestsOf(ticket string) []sessionstore.TicketDigest {
	digests := make([]sessionstore.TicketDigest, len(t.notes))
	for i, n := range t.notes {
		sum := sha256.Sum256([]byte(n.Sign(ticket)))
		digests[i] = sessionstore.TicketDigest(sum[:20])
	}
	return digests
}

// spentHere remembers tickets in this process, in two generations: when the younger one is as old as a ticket can
// get, it becomes the older one, which is forgotten.
type spentHere struct {
	// Set at birth, never changed.
	now   func() time.Time
	life  time.Duration
	bound int

	mu           sync.Mutex // guards the fields below
	young, older map[sessionstore.TicketDigest]struct{}
	since        time.Time // when young began
}

// newSpentHere makes a memory of the tickets of a SignedConfig, with its defaults; the bound may be 0.
func newSpentHere(c SignedConfig, bound int) *spentHere {
	if bound == 0 {
		bound = 100_000
	}
	return &spentHere{now: c.Now, life: c.MaxAge + foreseen, bound: bound}
}

// NewSpentInProcess remembers tickets in this process, as a TicketConfig without Spent does; cfg is that of the
// tickets. It is for what outlives a Tickets: a configuration that is read again.
func NewSpentInProcess(cfg SignedConfig) SpentTickets {
	return newSpentHere(ticketDefaults(cfg), 0)
}

// Spend implements SpentTickets.
func (s *spentHere) Spend(_ context.Context, ticket sessionstore.TicketDigest, _ time.Time) (bool, error) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.since) >= s.life || s.young == nil {
		s.older = s.young
		if now.Sub(s.since) >= 2*s.life {
			s.older = nil
		}
		s.young, s.since = make(map[sessionstore.TicketDigest]struct{}), now
	}
	_, spent := s.young[ticket]
	_, before := s.older[ticket]
	if spent || before {
		return false, nil
	}
	if len(s.young)+len(s.older) >= s.bound {
		return false, ErrUnavailable
	}
	s.young[ticket] = struct{}{}
	return true, nil
}

// Return implements SpentTickets.
func (s *spentHere) Return(_ context.Context, ticket sessionstore.TicketDigest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.young, ticket)
	delete(s.older, ticket)
}

// A TicketStore notes spent tickets in the database, as [*sessionstore.Store] does.
type TicketStore interface {
	SpendTicket(ctx context.Context, ticket sessionstore.TicketDigest, expires time.Time) (bool, error)
	UnspendTicket(ctx context.Context, ticket sessionstore.TicketDigest) error
}

// spentInDatabase remembers tickets for all processes of a site.
type spentInDatabase struct{ store TicketStore }

// NewSpentInDatabase remembers tickets in the site's session table, for all processes on that database: a row
// without a session, which clearsessions removes. It takes one INSERT for each ticket.
func NewSpentInDatabase(store TicketStore) SpentTickets { return spentInDatabase{store} }

// Spend implements SpentTickets.
func (s spentInDatabase) Spend(ctx context.Context, ticket sessionstore.TicketDigest, expires time.Time) (bool, error) {
	return s.store.SpendTicket(ctx, ticket, expires.Add(foreseen))
}

// Return implements SpentTickets.
func (s spentInDatabase) Return(ctx context.Context, ticket sessionstore.TicketDigest) {
	_ = s.store.UnspendTicket(ctx, ticket) // then the client needs another one
}
