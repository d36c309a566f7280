package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

var (
	// ErrNoSession means that nothing is stored under a session key.
	ErrNoSession = errors.New("sessionstore: no session is stored under this key")

	// ErrSessionExpired means that a session's date is past.
	ErrSessionExpired = errors.New("sessionstore: the session has expired")
)

// An Inspection is what there is to know of a session. It is for people who look for what is wrong.
type Inspection struct {
	Session *djangocompat.Session
	// Expires is when the session ends; zero where its engine does not tell.
	Expires time.Time
	// User is who is logged in, or AnonymousUser, and Reason says why.
	User   *djangocompat.User
	Reason Reason
}

// Inspect is Load and Verdict for people: where Load returns the empty session there is an error that says
// why. It is ErrNoSession or ErrSessionExpired, or the codec's djangocompat.ErrBadSignature, ErrTooLarge,
// ErrPickled or ErrMalformed, and wherever the database could not say an ErrUnavailable.
func (s *Store) Inspect(ctx context.Context, key string) (Inspection, error) {
	data, result, err := s.engine.load(ctx, key)
	if err == nil && result != loadFound {
		err = s.whyNot(ctx, key, result)
	}
	if err != nil {
		return Inspection{}, fmt.Errorf("inspect session: %w", err)
	}
	i := Inspection{Session: djangocompat.NewSession(key, data, s)}
	if e, ok := s.engine.(dating); ok {
		if i.Expires, err = e.expires(ctx, key); err != nil {
			return Inspection{}, fmt.Errorf("inspect session: %w", err)
		}
	}
	i.User, i.Reason, err = s.Verdict(ctx, i.Session)
	return i, err
}

// whyNot returns the error that a result stands for.
func (s *Store) whyNot(ctx context.Context, key string, result loadResult) error {
	switch result {
	case loadImplausible:
		return fmt.Errorf("%w: it has none of the lengths of a session key", ErrNoSession)
	case loadExpired:
		return ErrSessionExpired
	case loadBadSignature:
		return djangocompat.ErrBadSignature
	case loadTooLarge:
		return djangocompat.ErrTooLarge
	case loadPickled:
		return djangocompat.ErrPickled
	case loadUnknown, loadNoKey:
		there, err := s.engine.exists(ctx, key)
		switch {
		case err != nil:
			return err
		case there:
			return ErrSessionExpired
		}
		return ErrNoSession
	}
	return djangocompat.ErrMalformed
}

// dating is an engine that tells when a session ends.
type dating interface {
	// expires returns when the session under key ends; zero if there is none.
	expires(ctx context.Context, key string) (time.Time, error)
}

// expires implements dating.
func (e dbEngine) expires(ctx context.Context, key string) (time.Time, error) {
	t, err := e.s.ready()
	if err != nil {
		return time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.s.cfg.QueryTimeout)
	defer cancel()
	at := timeValue{location: t.location}
	err = e.s.db.query(ctx, t.sessionEnd(key), func(scan func(...any) error) error { return scan(&at) })
	return at.Time, e.s.noted(err)
}

// expires implements dating.
func (e cachedDBEngine) expires(ctx context.Context, key string) (time.Time, error) {
	return e.table.expires(ctx, key)
}

// expires implements dating.
func (e fileEngine) expires(_ context.Context, key string) (time.Time, error) {
	content, written, err := e.read(key)
	if err != nil {
		return time.Time{}, err
	}
	data, err := e.decode(content)
	if err != nil {
		return time.Time{}, err
	}
	since := e.s.expiry
	since.Now = func() time.Time { return written }
	return djangocompat.NewSession(key, data, nil).ExpiryDate(since), nil
}

// sessionEnd reads when the session under key ends.
func (t *tables) sessionEnd(key string) statement {
	return statement{`SELECT "expire_date" FROM ` + t.sessions + ` WHERE "session_key" = ` + t.dialect.param(1), []any{key}}
}
