package token

import (
	"context"
	"strings"
)

// AuthTokenConfig says where Django REST framework keeps its tokens. The zero AuthTokenConfig is its own default.
type AuthTokenConfig struct {
	// Table is the table of the token model. sessionstore.TokenTables has to name it. Default: "authtoken_token".
	Table string
}

// AuthToken verifies keys of rest_framework.authtoken.
// Python: rest_framework.authentication.TokenAuthentication.
type AuthToken struct {
	users Users
	table string
}

// NewAuthToken makes an AuthToken.
func NewAuthToken(users Users, cfg AuthTokenConfig) *AuthToken {
	if cfg.Table == "" {
		cfg.Table = "authtoken_token"
	}
	return &AuthToken{users, cfg.Table}
}

// Kind implements Verifier.
func (*AuthToken) Kind() string { return "authtoken" }

// maxKey is the length of the longest key of a token model that anybody has.
const maxKey = 255

// Verify implements Verifier. What cannot be a key is not looked up.
func (v *AuthToken) Verify(ctx context.Context, token, backend string) (*Identity, error) {
	if len(token) > maxKey || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, refuse(Malformed)
	}
	found, err := v.users.UserByAuthToken(ctx, v.table, token, backend)
	if err != nil {
		return nil, err
	}
	user, err := admit(found, refuseInactive)
	if err != nil {
		return nil, err
	}
	g := ground(user, refuseInactive)
	g.Table, g.Key = v.table, token
	return &Identity{User: user, Ground: g}, nil
}
