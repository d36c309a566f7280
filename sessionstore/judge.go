package sessionstore

import (
	"context"
	"slices"

	"github.com/belleville/belleville/djangocompat"
)

// claim is what a session says of its user; the reason is LoggedIn where that is to be looked up.
type claim struct {
	pk      djangocompat.PK
	backend string
	reason  Reason
}

// claimOf returns what a session says of its user, whose primary key is of a kind.
func (s *Store) claimOf(session djangocompat.SessionData, kind djangocompat.PKKind) claim {
	id, isText := session.GetString(djangocompat.AuthUserIDKey) // as Django's login leaves it
	if !isText && !session.Has(djangocompat.AuthUserIDKey) {
		return claim{reason: NoLogin}
	}
	backend, ok := session.GetString(djangocompat.AuthBackendKey)
	if !ok && !session.Has(djangocompat.AuthBackendKey) {
		return claim{reason: NoLogin}
	}
	i := slices.Index(s.cfg.AuthenticationBackends, backend)
	switch {
	case s.withoutDatabase() && ok && i >= 0:
		return claim{reason: NoDatabase}
	case !ok || i < 0:
		return claim{reason: BackendNotConfigured}
	}
	pk, err := djangocompat.ParsePK(kind, id)
	if !isText {
		other, _ := session.Get(djangocompat.AuthUserIDKey)
		pk, err = djangocompat.PKFrom(kind, other)
	}
	if err != nil || !representable(pk) {
		return claim{reason: BadPK}
	}
	return claim{pk, s.cfg.AuthenticationBackends[i], LoggedIn} // the backend's text is not the session's: it is shared
}

// verdict is who is logged in with a session; the user is nil where the database could not say.
type verdict struct {
	user   *djangocompat.User
	reason Reason
}

// judge finds out who is logged in with sessions; rowsOf looks the users up who are claimed. With an error it still
// knows of those for whom there was a row, or none was needed.
func (s *Store) judge(
	ctx context.Context, sessions []djangocompat.SessionData, rowsOf func(context.Context, []claim) (map[djangocompat.PK]userRow, error),
) ([]verdict, error) {
	verdicts := make([]verdict, len(sessions))
	kind, err := s.pkKind()
	if err != nil {
		return verdicts, err
	}
	claims := make([]claim, len(sessions))
	for i, session := range sessions {
		claims[i] = s.claimOf(session, kind)
	}
	rows, err := rowsOf(ctx, claims)
	for i, c := range claims {
		row, found := rows[c.pk]
		if c.reason != LoggedIn || found || err == nil {
			verdicts[i] = s.verdictOf(c, row, found, sessions[i])
		}
	}
	return verdicts, err
}

// rowsOf returns the rows of the users who are claimed.
func (s *Store) rowsOf(ctx context.Context, claims []claim) (map[djangocompat.PK]userRow, error) {
	pks := pksOf(claims)
	if len(pks) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	return s.fetchUsers(ctx, pks)
}

// pksOf returns the primary keys that are to be looked up, each once.
func pksOf(claims []claim) []djangocompat.PK {
	pks := make([]djangocompat.PK, 0, len(claims))
	seen := make(map[djangocompat.PK]struct{}, len(claims))
	for _, c := range claims {
		if _, twice := seen[c.pk]; c.reason == LoggedIn && !twice {
			seen[c.pk] = struct{}{}
			pks = append(pks, c.pk)
		}
	}
	return pks
}

// pkKind returns the kind of primary key that users have; there is none without a database.
func (s *Store) pkKind() (djangocompat.PKKind, error) {
	if s.withoutDatabase() {
		return djangocompat.PKNone, nil
	}
	t, err := s.ready()
	if err != nil {
		return djangocompat.PKNone, err
	}
	return t.pkKind, nil
}

// verdictOf judges a claim by the row of its user.
func (s *Store) verdictOf(c claim, row userRow, found bool, session djangocompat.SessionData) verdict {
	reason := c.reason
	switch {
	case reason != LoggedIn:
	case !found:
		reason = NoSuchUser
	default:
		reason = s.verify(row, c.backend, session)
	}
	if reason < LoggedIn {
		return verdict{s.anonymous, reason}
	}
	return verdict{s.known.share(row.user, c.backend), reason}
}

// verify looks whether the user who was claimed may be logged in.
func (s *Store) verify(row userRow, backend string, session djangocompat.SessionData) Reason {
	if !row.user.IsActive && !s.letsInactiveIn(backend) {
		return Inactive
	}
	hash, ok := session.GetString(djangocompat.AuthHashKey)
	if !ok && session.Has(djangocompat.AuthHashKey) {
		return HashMismatch
	}
	if hash == "" {
		return HashMissing
	}
	return s.verifyHash(row, hash)
}
