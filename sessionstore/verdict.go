package sessionstore

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/belleville/belleville/djangocompat"
)

// A Reason says why a visitor is logged in, or is not.
type Reason uint8

// The reasons, in the order in which they are looked for.
const (
	NoLogin              Reason = iota // the session has no user, or no backend
	NoDatabase                         // there is no database to look for the user in
	BackendNotConfigured               // the session's backend is not in AUTHENTICATION_BACKENDS
	BadPK                              // the session's user is no primary key
	NoSuchUser                         // the user is not in the table, or is hidden
	Inactive                           // the user is not active, and the backend minds
	HashMissing                        // the session has no auth hash
	HashMismatch                       // the password has changed, or the key
	TokenRevoked                       // the token was deleted, or is in the blacklist
	LoggedIn                           // all is well
	LoggedInByFallback                 // all is well, by one of SECRET_KEY_FALLBACKS
)

var reasonTexts = [...]string{
	NoLogin:              "no_login",
	NoDatabase:           "no_database",
	BackendNotConfigured: "backend_not_configured",
	BadPK:                "bad_pk",
	NoSuchUser:           "no_such_user",
	Inactive:             "inactive",
	HashMissing:          "hash_missing",
	HashMismatch:         "hash_mismatch",
	TokenRevoked:         "token_revoked",
	LoggedIn:             "logged_in",
	LoggedInByFallback:   "logged_in_by_fallback",
}

// String returns the reason as a word.
func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return "unknown"
}

// User returns the user who is logged in with a session, or AnonymousUser; an error means that the database
// could not say. The User is shared. Python: django.contrib.auth.get_user.
func (s *Store) User(ctx context.Context, session *djangocompat.Session) (*djangocompat.User, error) {
	u, _, err := s.Verdict(ctx, session)
	return u, err
}

// Verdict is User, and says why. Unlike Django and Channels it never changes the session: where Django
// flushes it or cycles its key, the row stays as it is.
func (s *Store) Verdict(ctx context.Context, session *djangocompat.Session) (*djangocompat.User, Reason, error) {
	c, row, found, err := s.claimed(ctx, session)
	if err != nil {
		s.metrics.checkFailed()
		return nil, NoLogin, fmt.Errorf("load user: %w", err)
	}
	v := s.verdictOf(c, row, found, session.Data())
	s.metrics.checked(v.reason)
	return v.user, v.reason, nil
}

// claimed returns what a session claims, and the row of the user if there is one to be verified.
func (s *Store) claimed(ctx context.Context, session *djangocompat.Session) (c claim, row userRow, found bool, err error) {
	if !session.Has(djangocompat.AuthUserIDKey) {
		return claim{reason: NoLogin}, row, false, nil
	}
	kind, err := s.pkKind()
	switch c = s.claimOf(session.Data(), kind); {
	case c.reason == LoggedIn:
		row, found, err = s.user(ctx, c.pk)
	case c.reason != BadPK: // for the others it need not be known of what kind it is
		err = nil
	}
	return c, row, found, err
}

// verifyHash compares the hash in a session. A user model's own hash does not keep Django from accepting
// its usual one of a fallback key.
func (s *Store) verifyHash(row userRow, hash string) Reason {
	k := s.keyed.Load()
	own := k.authHash != nil
	if own && subtle.ConstantTimeCompare([]byte(hash), []byte(k.authHash(row.user, row.password))) == 1 {
		return LoggedIn
	}
	verdict := djangocompat.VerifySessionAuthHash(k.codec.Keys, row.password, hash)
	if verdict == djangocompat.HashWrong && !s.cfg.RefuseLegacy {
		verdict = djangocompat.VerifyLegacyAuthHash(k.codec.Keys, row.password, hash)
	}
	switch {
	case verdict == djangocompat.HashCurrent && !own:
		return LoggedIn
	case verdict == djangocompat.HashFallback:
		return LoggedInByFallback
	default:
		return HashMismatch
	}
}

// letsInactiveIn reports whether a backend does not ask whether a user is active.
func (s *Store) letsInactiveIn(backend string) bool {
	return backend == AllowAllUsersModelBackend || backend == AllowAllUsersRemoteUserBackend ||
		slices.Contains(s.cfg.InactiveBackends, backend)
}

// fetchUsers is the query for the users with these primary keys.
func (s *Store) fetchUsers(ctx context.Context, pks []djangocompat.PK) (map[djangocompat.PK]userRow, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	s.metrics.batch(lookupUsers, len(pks))
	found := make(map[djangocompat.PK]userRow, len(pks))
	scanner := t.scanner()
	err = s.db.query(ctx, t.usersByPK(pks), func(scan func(...any) error) error {
		row, err := scanner.read(scan)
		if err != nil {
			return err
		}
		found[row.user.PK] = row
		return nil
	})
	if faultOf(err) == FaultValue && len(pks) > 1 {
		return apart(ctx, pks, s.fetchUsers)
	}
	if err != nil && faultOf(err) == FaultValue { // no such key can be in the table
		return nil, nil
	}
	return found, s.noted(err)
}
