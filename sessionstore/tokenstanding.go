package sessionstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/belleville/belleville/djangocompat"
)

// A TokenGround is what it rests on that a visitor is known by a token. It can be compared.
type TokenGround struct {
	// PK is the user's, Backend what logged him in.
	PK      djangocompat.PK
	Backend string
	// Table and Key are where a token of rest_framework.authtoken is; "" for another kind.
	Table, Key string
	// JTI is the id of a token that may be in simplejwt's blacklist; "" where that is not asked.
	JTI string
	// PasswordSum is that of the password when the token was made, as PasswordSumIs has it; "" where that is not asked.
	PasswordSum string
	// AdmitsInactive says that users who are not active are let in.
	AdmitsInactive bool
}

// String implements fmt.Stringer; it does not reveal the key.
func (TokenGround) String() string { return "ground of a token" }

// GoString implements fmt.GoStringer; it does not reveal the key.
func (TokenGround) GoString() string { return "sessionstore.TokenGround{…}" }

// TokenStandings returns what a handshake with the token of each ground would find, in their order; but that a token
// has expired is not looked at. The Standings have no Session. A thousand are a query for the users, and one for each
// table of tokens that they rest on. A kind of token that is not configured any more lets nobody in.
func (s *Store) TokenStandings(ctx context.Context, grounds []TokenGround) ([]Standing, error) {
	standings := make([]Standing, 0, len(grounds))
	for part := range slices.Chunk(grounds, maxStandings) {
		some, err := s.tokenStandings(ctx, part)
		if err != nil {
			s.metrics.checkFailed()
			return nil, fmt.Errorf("check tokens: %w", err)
		}
		standings = append(standings, some...)
	}
	return standings, nil
}

func (s *Store) tokenStandings(ctx context.Context, grounds []TokenGround) ([]Standing, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	revoked, err := s.revokedOf(ctx, t, grounds)
	if err != nil {
		return nil, err
	}
	pks := make(map[djangocompat.PK]bool, len(grounds))
	for _, g := range grounds {
		pks[g.PK] = true
	}
	rows, err := fetchedOf(ctx, pks, s.fetchUsers)
	if err != nil {
		return nil, err
	}
	standings := make([]Standing, len(grounds))
	for i, g := range grounds {
		row, ok := rows[g.PK]
		standings[i] = Standing{User: s.anonymous, Reason: g.reason(row, ok, revoked[i])}
		if standings[i].Reason == LoggedIn {
			standings[i].User = s.known.share(row.user, g.Backend)
		}
	}
	return standings, nil
}

// reason says whether a token lets its user in.
func (g TokenGround) reason(row userRow, found, revoked bool) Reason {
	switch {
	case revoked:
		return TokenRevoked
	case !found:
		return NoSuchUser
	case !row.user.IsActive && !g.AdmitsInactive:
		return Inactive
	case g.PasswordSum != "" && !(TokenUser{password: djangocompat.NewSecret(row.password)}).PasswordSumIs(g.PasswordSum):
		return HashMismatch
	}
	return LoggedIn
}

// revokedOf reports which tokens were deleted, or are in the blacklist.
func (s *Store) revokedOf(ctx context.Context, t *tables, grounds []TokenGround) ([]bool, error) {
	keys, ids := make(map[authTokenKey]bool), make(map[string]bool)
	for _, g := range grounds {
		if g.Table != "" && t.tokens.keys[g.Table] != "" {
			keys[authTokenKey{g.Table, g.Key}] = true
		}
		if g.JTI != "" && t.tokens.blacklist != "" {
			ids[g.JTI] = true
		}
	}
	owners, err := fetchedOf(ctx, keys, s.fetchAuthTokens)
	if err != nil {
		return nil, err
	}
	listed, err := fetchedOf(ctx, ids, s.fetchBlacklisted)
	if err != nil {
		return nil, err
	}
	revoked := make([]bool, len(grounds))
	for i, g := range grounds {
		owner, there := owners[authTokenKey{g.Table, g.Key}]
		revoked[i] = g.Table != "" && (!there || owner != g.PK) || listed[g.JTI]
	}
	return revoked, nil
}

// fetchedOf fetches what belongs to some keys, if there are any.
func fetchedOf[K comparable, V any](ctx context.Context, set map[K]bool, fetch func(context.Context, []K) (map[K]V, error)) (map[K]V, error) {
	if len(set) == 0 {
		return nil, nil
	}
	keys := make([]K, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	return fetch(ctx, keys)
}
