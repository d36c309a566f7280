package sessionstore

import (
	"context"
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// The tables of rest_framework_simplejwt.token_blacklist.
const (
	outstandingTable = "token_blacklist_outstandingtoken"
	blacklistTable   = "token_blacklist_blacklistedtoken"
)

// The kinds of lookups for tokens.
const (
	lookupTokenUsers lookupKind = "token_user"
	lookupAuthTokens lookupKind = "auth_token"
	lookupBlacklist  lookupKind = "blacklist"
)

// TokenTables says what tokens are looked up in, besides the primary key of the user table. What is named here
// must exist.
type TokenTables struct {
	// AuthTokens are tables of rest_framework.authtoken: "authtoken_token".
	AuthTokens []string
	// Blacklist says that rest_framework_simplejwt.token_blacklist is installed and asked.
	Blacklist bool
	// UserFields are columns of the user table that tokens name users by: simplejwt's USER_ID_FIELD.
	UserFields []string
}

// check refuses what is no name of a table or column.
func (c TokenTables) check() error {
	for _, name := range c.AuthTokens {
		if err := checkName("token table", name); err != nil {
			return err
		}
	}
	for _, name := range c.UserFields {
		if err := checkName("user_id_field", name); err != nil {
			return err
		}
	}
	return nil
}

// A TokenUser is the user whom a token names.
type TokenUser struct {
	// User is nil where there is no such user. It may be inactive.
	User *djangocompat.User

	password djangocompat.Secret // the encoded one
}

// PasswordSumIs reports whether sum is that of the user's password, as simplejwt writes it into tokens for
// CHECK_REVOKE_TOKEN. Python: rest_framework_simplejwt.utils.get_md5_hash_password.
func (u TokenUser) PasswordSumIs(sum string) bool {
	if u.password.IsZero() {
		return false // who has no password has no sum of it
	}
	want := md5.Sum([]byte(u.password.Reveal()))
	return subtle.ConstantTimeCompare([]byte(sum), []byte(strings.ToUpper(hex.EncodeToString(want[:])))) == 1
}

// fieldKey is a value of a column of the user table.
type fieldKey struct {
	column string
	value  djangocompat.PK // any value has the kinds that a primary key has
}

// authTokenKey is a key in a table of rest_framework.authtoken.
type authTokenKey struct{ table, key string }

// tokenLookups are the batches of lookups for tokens.
type tokenLookups struct {
	users     *batcher[fieldKey, userRow]
	keys      *batcher[authTokenKey, djangocompat.PK]
	blacklist *batcher[string, bool]
}

func newTokenLookups(cfg Config, s *Store) tokenLookups {
	return tokenLookups{
		users:     newBatcher(cfg, s.workers, s.fetchTokenUsers),
		keys:      newBatcher(cfg, s.workers, s.fetchAuthTokens),
		blacklist: newBatcher(cfg, s.workers, s.fetchBlacklisted),
	}
}

func (l tokenLookups) close() {
	l.users.close()
	l.keys.close()
	l.blacklist.close()
}

// UserByField returns the user whose column has the value that a token names, as a value of JSON; it has no User
// where there is none, or several. The column is "pk", the primary key's, or one of TokenTables.UserFields.
// User.Backend will be backend.
func (s *Store) UserByField(ctx context.Context, column string, value any, backend string) (TokenUser, error) {
	row, found, err := s.byField(ctx, column, value)
	return s.tokenUser(row, backend, found, err)
}

func (s *Store) tokenUser(row userRow, backend string, found bool, err error) (TokenUser, error) {
	if err != nil {
		return TokenUser{}, fmt.Errorf("load user of token: %w", err)
	}
	if !found {
		return TokenUser{}, nil
	}
	return TokenUser{s.known.share(row.user, backend), djangocompat.NewSecret(row.password)}, nil
}

func (s *Store) byField(ctx context.Context, column string, value any) (userRow, bool, error) {
	t, err := s.ready()
	if err != nil {
		return userRow{}, false, err
	}
	kind := t.pkKind
	primary := column == "pk" || column == s.cfg.Users.PK
	if !primary {
		if kind = t.tokens.fields[column]; kind == djangocompat.PKNone {
			return userRow{}, false, &DatabaseError{Fault: FaultSchema, Detail: fmt.Sprintf("user_id_field: %q is not configured", column)}
		}
	}
	pk, err := djangocompat.PKFrom(kind, value)
	if err != nil || !representable(pk) {
		return userRow{}, false, nil
	}
	if primary {
		return s.users.get(ctx, pk)
	}
	row, found, err := s.tokens.users.get(ctx, fieldKey{column, pk})
	return row, found && row.user != nil, err
}

// UserByAuthToken returns the user of a key in a table of rest_framework.authtoken, as UserByField does.
// Python: rest_framework.authentication.TokenAuthentication.authenticate_credentials.
func (s *Store) UserByAuthToken(ctx context.Context, table, key, backend string) (TokenUser, error) {
	var row userRow
	pk, found, err := s.ownerOf(ctx, table, key)
	if err == nil && found {
		row, found, err = s.users.get(ctx, pk)
	}
	return s.tokenUser(row, backend, found, err)
}

func (s *Store) ownerOf(ctx context.Context, table, key string) (djangocompat.PK, bool, error) {
	t, err := s.ready()
	if err != nil {
		return djangocompat.PK{}, false, err
	}
	if t.tokens.keys[table] == "" {
		return djangocompat.PK{}, false, &DatabaseError{Fault: FaultSchema, Detail: fmt.Sprintf("token table: %q is not configured", table)}
	}
	if key == "" || !representableText(key) {
		return djangocompat.PK{}, false, nil
	}
	return s.tokens.keys.get(ctx, authTokenKey{table, key})
}

// TokenBlacklisted reports whether the token of this id is in simplejwt's blacklist.
// Python: rest_framework_simplejwt.tokens.BlacklistMixin.check_blacklist.
func (s *Store) TokenBlacklisted(ctx context.Context, jti string) (bool, error) {
	t, err := s.ready()
	if err == nil && t.tokens.blacklist == "" {
		err = &DatabaseError{Fault: FaultSchema, Detail: "blacklist: it is not configured"}
	}
	if err == nil && !representableText(jti) {
		return false, nil // no such id can be in the table
	}
	found := false
	if err == nil {
		_, found, err = s.tokens.blacklist.get(ctx, jti)
	}
	if err != nil {
		return false, fmt.Errorf("look for token in blacklist: %w", err)
	}
	return found, nil
}

// A TicketDigest tells tickets apart and does not tell what they are.
type TicketDigest [20]byte

// SpendTicket notes that a ticket was used, and reports false if it was before, here or in any other process on
// the database. The note is a row of the session table that holds no session, under a key that cannot be guessed
// without the ticket; once it has expired, clearsessions removes it.
func (s *Store) SpendTicket(ctx context.Context, ticket TicketDigest, expires time.Time) (bool, error) {
	n, err := s.spend(ctx, ticket, expires)
	if err != nil {
		return false, fmt.Errorf("spend ticket: %w", err)
	}
	return n > 0, nil
}

func (s *Store) spend(ctx context.Context, ticket TicketDigest, expires time.Time) (int64, error) {
	t, err := s.ready()
	if err != nil {
		return 0, err
	}
	return s.exec(ctx, t.insertSession(hex.EncodeToString(ticket[:]), "", expires))
}

// UnspendTicket takes the note back, where a ticket got nobody in because something was away.
func (s *Store) UnspendTicket(ctx context.Context, ticket TicketDigest) error {
	t, err := s.ready()
	if err == nil {
		_, err = s.exec(ctx, t.deleteSession(hex.EncodeToString(ticket[:])))
	}
	if err != nil {
		return fmt.Errorf("take ticket back: %w", err)
	}
	return nil
}
