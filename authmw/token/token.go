package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// MaxSize is the length of the longest token that is looked at, in bytes.
const MaxSize = 8 << 10

// ErrUnavailable means that a token could not be verified now, because what that takes is away.
var ErrUnavailable = errors.New("token: cannot be verified now")

// Users knows the users whom tokens name, as [*sessionstore.Store] does. An error that is
// [sessionstore.ErrUnavailable] means that it cannot say now.
type Users interface {
	// UserByField returns the user whose column has a value; "pk" is the primary key's column.
	UserByField(ctx context.Context, column string, value any, backend string) (sessionstore.TokenUser, error)
	// UserByAuthToken returns the user of a key in a table of rest_framework.authtoken.
	UserByAuthToken(ctx context.Context, table, key, backend string) (sessionstore.TokenUser, error)
	// TokenBlacklisted reports whether simplejwt's blacklist has the id of a token.
	TokenBlacklisted(ctx context.Context, jti string) (bool, error)
}

// An Identity is whom a token names, and what it says. It is shared, so nobody changes it.
type Identity struct {
	User *djangocompat.User
	// Scheme is the name of the Scheme that knew the token, Source where it was.
	Scheme string
	Source Source
	// Claims are what the token says. Values are as djangocompat reads them.
	Claims map[string]any
	// Expires is when the token ends, leeway included; zero if it does not.
	Expires time.Time
	// Ground is what a store is asked about again while a connection is open; nil where nothing is.
	Ground *sessionstore.TokenGround
}

// A Verifier knows one kind of token. Its methods may be called concurrently.
type Verifier interface {
	// Kind is a word for the kind, for metrics.
	Kind() string
	// Verify returns whom a token names; the User's Backend is backend. The error is a [*Refusal] if the
	// token is wrong, and ErrUnavailable or sessionstore.ErrUnavailable if that cannot be said now.
	Verify(ctx context.Context, token, backend string) (*Identity, error)
}

// identityKey is the key of the Identity in a Scope.
type identityKey struct{}

// Of returns how a visitor was known by a token, or nil if that was not so.
func Of(s *consumers.Scope) *Identity {
	id, _ := s.Value(identityKey{}).(*Identity)
	return id
}

// GroundOf returns what it rests on that a visitor was known by a token; nil if that was not so, or nothing can be asked
// again. live.Config wants it.
func GroundOf(s *consumers.Scope) *sessionstore.TokenGround {
	id := Of(s)
	if id == nil || s.User == nil || id.User.PK != s.User.PK || id.User.Backend != s.User.Backend {
		return nil
	}
	return id.Ground
}

// ground returns the Ground of a user's token, of no kind in particular.
func ground(u *djangocompat.User, inactive inactivePolicy) *sessionstore.TokenGround {
	return &sessionstore.TokenGround{PK: u.PK, Backend: u.Backend, AdmitsInactive: inactive == admitInactive}
}

// Claims returns what the token of a visitor says, or nil if there was none. Nobody changes it.
func Claims(s *consumers.Scope) map[string]any {
	if id := Of(s); id != nil {
		return id.Claims
	}
	return nil
}

// A Source is where a token comes from.
type Source uint8

// The sources.
const (
	Header       Source = iota + 1 // Authorization: Bearer TOKEN
	Subprotocol                    // Sec-WebSocket-Protocol: bearer, TOKEN
	Cookie                         // a cookie
	Query                          // the query string
	FirstMessage                   // the first message on a WebSocket
)

var sourceNames = [...]string{
	Header: "header", Subprotocol: "subprotocol", Cookie: "cookie", Query: "query", FirstMessage: "first_message",
}

// String returns the source as a configuration names it.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "unknown"
}

// ParseSource returns the source of a name.
func ParseSource(name string) (Source, error) {
	for s, known := range sourceNames {
		if name == known && s > 0 {
			return Source(s), nil
		}
	}
	return 0, fmt.Errorf("token: there is no source %q", name)
}

// A Reason says why a token was refused.
type Reason uint8

// The reasons.
const (
	Malformed     Reason = iota // it is no token of this kind
	TooLarge                    // it is longer than MaxSize
	BadAlgorithm                // it is signed by an algorithm that is not the configured one
	UnknownKey                  // it names a key that there is not
	BadSignature                // none of the keys has signed it
	Expired                     // its time is over
	NotYet                      // its time has not come
	WrongType                   // it is meant for something else: a refresh token
	WrongAudience               // it is meant for another audience, or comes from another issuer
	NoUser                      // it names nobody
	UnknownUser                 // whom it names is not in the table
	Inactive                    // whom it names is not active
	Revoked                     // it is in the blacklist, or of an old password
	Spent                       // it was used before
)

var reasonTexts = [...]string{
	Malformed: "malformed", TooLarge: "too_large", BadAlgorithm: "bad_algorithm", UnknownKey: "unknown_key",
	BadSignature: "bad_signature", Expired: "expired", NotYet: "not_yet", WrongType: "wrong_type",
	WrongAudience: "wrong_audience", NoUser: "no_user", UnknownUser: "unknown_user", Inactive: "inactive",
	Revoked: "revoked", Spent: "spent",
}

// String returns the reason as a word.
func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return "unknown"
}

// A Refusal says why a token is wrong. Nothing of the token is in it.
type Refusal struct{ Reason Reason }

// Error implements error.
func (r *Refusal) Error() string { return "token: refused: " + r.Reason.String() }

// refuse makes the error of a wrong token.
func refuse(r Reason) error { return &Refusal{r} }

// A SettingError says what is wrong with a setting, and nothing of a key.
type SettingError struct {
	// Setting is its name, as "verifying_key".
	Setting string
	// Problem and Remedy say what is wrong, and what to do.
	Problem, Remedy string
}

// Error implements error.
func (e *SettingError) Error() string {
	return "token: " + e.Setting + ": " + e.Problem + "; " + e.Remedy
}

// unavailable reports whether err means that nobody can say now.
func unavailable(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, sessionstore.ErrUnavailable)
}

// admit returns the user of a lookup, or why not.
func admit(u sessionstore.TokenUser, inactive inactivePolicy) (*djangocompat.User, error) {
	switch {
	case u.User == nil:
		return nil, refuse(UnknownUser)
	case !u.User.IsActive && inactive == refuseInactive:
		return nil, refuse(Inactive)
	}
	return u.User, nil
}

// inactivePolicy says whether users who are not active get in.
type inactivePolicy uint8

const (
	refuseInactive inactivePolicy = iota
	admitInactive
)
