package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// The kinds of tokens.
const (
	authTokenKind = "authtoken"
	simpleJWTKind = "simplejwt"
	signedKind    = "signed"
	ticketKind    = "ticket"
)

// A Token is one kind of token that visitors may have, with the keys of SIMPLE_JWT where it is one of simplejwt's.
type Token struct {
	Kind string   `toml:"kind"`
	Name string   `toml:"name"`
	From []string `toml:"from"`

	AuthHeaderTypes []string `toml:"auth_header_types"`
	Cookie          string   `toml:"cookie"`
	Query           string   `toml:"query"`
	Subprotocol     string   `toml:"subprotocol"`

	Table string `toml:"table"`

	Algorithm         string              `toml:"algorithm"`
	SigningKey        djangocompat.Secret `toml:"signing_key"`
	VerifyingKey      string              `toml:"verifying_key"`
	JWKURL            string              `toml:"jwk_url"`
	Audience          []string            `toml:"audience"`
	Issuer            string              `toml:"issuer"`
	Leeway            Seconds             `toml:"leeway"`
	TokenTypeClaim    string              `toml:"token_type_claim"`
	TokenTypes        []string            `toml:"token_types"`
	JTIClaim          string              `toml:"jti_claim"`
	CheckRevokeToken  bool                `toml:"check_revoke_token"`
	RevokeTokenClaim  string              `toml:"revoke_token_claim"`
	CheckUserIsActive bool                `toml:"check_user_is_active"`
	Blacklist         bool                `toml:"blacklist"`

	UserIDField string `toml:"user_id_field"`
	UserIDClaim string `toml:"user_id_claim"`

	Salt   string  `toml:"salt"`
	MaxAge Seconds `toml:"max_age"`
	Spent  string  `toml:"spent"`
}

// DefaultToken returns a Token with the values that keys have when they are left out.
func DefaultToken() Token {
	return Token{
		From: []string{"header"}, Subprotocol: "bearer", Table: "authtoken_token",
		Algorithm: "HS256", TokenTypeClaim: "token_type", TokenTypes: []string{"access"}, JTIClaim: "jti",
		RevokeTokenClaim: "hash_password", CheckUserIsActive: true, UserIDClaim: "user_id", Spent: "process",
	}
}

// Authentication says how tokens and sessions go together.
type Authentication struct {
	First                   string        `toml:"first"`
	WrongToken              string        `toml:"wrong_token"`
	AtExpiry                string        `toml:"at_expiry"`
	Realm                   string        `toml:"realm"`
	FirstMessageSubprotocol string        `toml:"first_message_subprotocol"`
	FirstMessageAlways      bool          `toml:"first_message_always"`
	FirstMessageTimeout     time.Duration `toml:"first_message_timeout"`
	FirstMessageWaiting     int           `toml:"first_message_waiting"`
}

// defaultAuthentication returns an Authentication with the values that keys have when they are left out.
func defaultAuthentication() Authentication {
	return Authentication{
		First: "session", WrongToken: "401", AtExpiry: "stay", Realm: "api", FirstMessageSubprotocol: "first-message",
	}
}

// name returns what tells the tokens from others.
func (t Token) name() string {
	if t.Name == "" {
		return t.Kind
	}
	return t.Name
}

// field returns the user's column that tokens name users by.
func (t Token) field() string {
	switch {
	case t.UserIDField != "":
		return t.UserIDField
	case t.Kind == simpleJWTKind:
		return "id"
	default:
		return "pk"
	}
}

// tokenTables returns the tables that tokens are looked up in.
func (c *Config) tokenTables() sessionstore.TokenTables {
	var tables sessionstore.TokenTables
	for _, t := range c.Tokens {
		if t.Kind == authTokenKind {
			if !slices.Contains(tables.AuthTokens, t.Table) {
				tables.AuthTokens = append(tables.AuthTokens, t.Table)
			}
			continue
		}
		tables.Blacklist = tables.Blacklist || t.Blacklist
		if f := t.field(); f != "pk" && f != c.Django.User.PK && !slices.Contains(tables.UserFields, f) {
			tables.UserFields = append(tables.UserFields, f)
		}
	}
	return tables
}

// jwt returns the Config of simplejwt's tokens.
func (c *Config) jwt(t Token) token.JWTConfig {
	cfg := token.JWTConfig{
		Algorithm: t.Algorithm, SigningKey: t.SigningKey, VerifyingKey: t.VerifyingKey, JWKURL: t.JWKURL,
		Audience: t.Audience, Issuer: t.Issuer, Leeway: time.Duration(t.Leeway),
		UserIDField: t.field(), UserIDClaim: t.UserIDClaim,
		TokenTypeClaim: claimOrNone(t.TokenTypeClaim), TokenTypes: t.TokenTypes, JTIClaim: claimOrNone(t.JTIClaim),
		CheckRevokeToken: t.CheckRevokeToken, RevokeTokenClaim: t.RevokeTokenClaim,
		AllowInactive: !t.CheckUserIsActive, Blacklist: t.Blacklist,
	}
	if cfg.SigningKey.IsZero() && strings.HasPrefix(t.Algorithm, "HS") {
		cfg.SigningKey = c.Django.SecretKey
	}
	return cfg
}

// claimOrNone returns a claim's name; none is None in SIMPLE_JWT, and "" in the file.
func claimOrNone(name string) string {
	if name == "" {
		return token.NoClaim
	}
	return name
}

// signed returns the Config of signed tokens and tickets.
func (t Token) signed() token.SignedConfig {
	return token.SignedConfig{
		Salt: t.Salt, MaxAge: time.Duration(t.MaxAge), UserIDClaim: t.UserIDClaim, UserIDField: t.field(),
		AllowInactive: !t.CheckUserIsActive,
	}
}

// authentication returns the Config of the Authenticator.
func (c *Config) authentication(reg prometheus.Registerer) token.Config {
	a := c.Authentication
	cfg := token.Config{
		Realm: a.Realm, FirstMessageSubprotocol: a.FirstMessageSubprotocol, FirstMessageAlways: a.FirstMessageAlways,
		FirstMessageTimeout: a.FirstMessageTimeout, MaxWaiting: a.FirstMessageWaiting, Registerer: reg,
	}
	if a.First == "token" {
		cfg.Order = token.TokenFirst
	}
	if a.WrongToken == "anonymous" {
		cfg.WrongToken = token.Anonymous
	}
	if a.AtExpiry == "close" {
		cfg.AtExpiry = token.CloseExpired
	}
	return cfg
}

// authenticator returns what knows visitors by their tokens, or nil where there are no tokens.
func (c *Config) authenticator(store authmw.Store, sessions *live.Live, reg prometheus.Registerer) (*token.Authenticator, error) {
	if len(c.Tokens) == 0 {
		return nil, nil
	}
	users, ok := store.(tokenStore)
	if !ok {
		return nil, errors.New("tokens: the store knows none")
	}
	var schemes []token.Scheme
	for i, t := range c.Tokens {
		s, err := c.scheme(t, users)
		if err != nil {
			return nil, fmt.Errorf("tokens[%d]: %w", i, err)
		}
		schemes = append(schemes, s)
	}
	cfg := c.authentication(reg)
	cfg.Arrived = sessions.Arrived
	return token.New(schemes, cfg)
}

// spentHere returns what remembers the tickets that this process has taken: the same one where the configuration is
// read again, or they would be good once more.
func (c *Config) spentHere(t Token) token.SpentTickets {
	if c.Spent == nil {
		c.Spent = make(map[string]token.SpentTickets)
	}
	key := fmt.Sprintf("%s %q %v", t.name(), t.Salt, time.Duration(t.MaxAge))
	if c.Spent[key] == nil {
		c.Spent[key] = token.NewSpentInProcess(t.signed())
	}
	return c.Spent[key]
}

// tokenStore is what a store has that knows tokens.
type tokenStore interface {
	token.Users
	token.TicketStore
}

// scheme returns one kind of token, and where it comes from.
func (c *Config) scheme(t Token, users tokenStore) (token.Scheme, error) {
	s := token.Scheme{Name: t.name(), Keywords: t.AuthHeaderTypes, Cookie: t.Cookie, Query: t.Query, Subprotocol: t.Subprotocol}
	for _, name := range t.From {
		source, err := token.ParseSource(name)
		if err != nil {
			return s, err
		}
		s.Sources = append(s.Sources, source)
	}
	var err error
	switch t.Kind {
	case authTokenKind:
		s.Verifier = token.NewAuthToken(users, token.AuthTokenConfig{Table: t.Table})
	case simpleJWTKind:
		s.Verifier, err = token.NewJWT(users, c.jwt(t))
	case signedKind:
		s.Verifier, err = token.NewSigned(users, c.SigningKeys(), t.signed())
	case ticketKind:
		cfg := token.TicketConfig{SignedConfig: t.signed(), Spent: c.spentHere(t)}
		if t.Spent == "database" {
			cfg.Spent = token.NewSpentInDatabase(users)
		}
		s.Verifier, err = token.NewTickets(users, c.SigningKeys(), cfg)
	default:
		err = fmt.Errorf("there is no kind %s", quote(t.Kind))
	}
	return s, err
}
