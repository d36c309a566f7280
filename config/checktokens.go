package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/sessionstore"
)

// tokenKinds are the kinds of tokens, with the keys that only they have.
var tokenKinds = map[string][]string{
	authTokenKind: {"table"},
	simpleJWTKind: {
		"algorithm", "signing_key", "verifying_key", "jwk_url", "audience", "issuer", "leeway", "token_type_claim",
		"token_types", "jti_claim", "check_revoke_token", "revoke_token_claim", "blacklist",
		"check_user_is_active", "user_id_field", "user_id_claim",
	},
	signedKind: {"salt", "max_age", "check_user_is_active", "user_id_field", "user_id_claim"},
	ticketKind: {"salt", "max_age", "spent", "check_user_is_active", "user_id_field", "user_id_claim"},
}

// tokens checks the kinds of tokens, and how they go with sessions.
func (l *loader) tokens() {
	a := l.config.Authentication
	l.enumerated("authentication.first", a.First, "session", "token")
	l.enumerated("authentication.wrong_token", a.WrongToken, "401", "anonymous")
	l.enumerated("authentication.at_expiry", a.AtExpiry, "stay", "close")
	l.positive("authentication.first_message_timeout", int64(a.FirstMessageTimeout))
	l.positive("authentication.first_message_waiting", int64(a.FirstMessageWaiting))
	if !cookieName.MatchString(a.FirstMessageSubprotocol) { // both are tokens of HTTP
		l.mistakes.add("authentication.first_message_subprotocol", quote(a.FirstMessageSubprotocol)+" is no subprotocol", `write a word without blanks, as in "first-message"`)
	}
	if strings.ContainsAny(a.Realm, "\r\n\x00") {
		l.mistakes.add("authentication.realm", "it has a line break", "write a word or two")
	}
	names := make(map[string]int)
	for i, t := range l.config.Tokens {
		c := tokenCheck{l, fmt.Sprintf("tokens[%d]", i), t}
		if !c.kind() {
			continue
		}
		c.sources()
		c.settings()
		if first, taken := names[t.name()]; taken {
			c.add("name", fmt.Sprintf("tokens[%d] has the same one", first), "give each a name of its own")
		}
		names[t.name()] = i
	}
}

// tokenCheck checks one kind of token.
type tokenCheck struct {
	*loader
	path  string
	token Token
}

// add notes a mistake in a key of the token, unless it has one.
func (c tokenCheck) add(key, problem, remedy string) {
	if path := c.path + "." + key; !c.mistakes.has(path) {
		c.mistakes.add(path, problem, remedy)
	}
}

// given reports whether a key of the token was set.
func (c tokenCheck) given(key string) bool { return c.wasGiven(c.path + "." + key) }

// kind checks the kind, and that no key is another kind's. It reports whether the kind is known.
func (c tokenCheck) kind() bool {
	kinds := []string{authTokenKind, simpleJWTKind, signedKind, ticketKind}
	switch {
	case c.token.Kind == "":
		c.add("kind", "it is missing", "write one of "+oneOf(kinds))
		return false
	case !slices.Contains(kinds, c.token.Kind):
		c.add("kind", quote(c.token.Kind)+" is not known", "write one of "+oneOf(kinds))
		return false
	}
	for _, kind := range kinds {
		for _, key := range tokenKinds[kind] {
			if c.given(key) && !slices.Contains(tokenKinds[c.token.Kind], key) {
				c.add(key, "tokens of the kind "+quote(c.token.Kind)+" have none", "take it out")
			}
		}
	}
	if strings.Trim(c.token.name(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		c.add("name", quote(c.token.Name)+" is no name", "write letters, digits, - and _")
	}
	return true
}

// sources checks where tokens come from.
func (c tokenCheck) sources() {
	known := []string{"header", "subprotocol", "cookie", "query", "first_message"}
	if len(c.token.From) == 0 {
		c.add("from", "it is empty, so no token would be found", "write some of "+oneOf(known))
	}
	for i, name := range c.token.From {
		if !slices.Contains(known, name) {
			c.add(fmt.Sprintf("from[%d]", i), quote(name)+" is not known", "write one of "+oneOf(known))
		}
	}
	switch cookie := slices.Contains(c.token.From, "cookie"); {
	case cookie && !cookieName.MatchString(c.token.Cookie):
		c.add("cookie", quote(c.token.Cookie)+" is no name of a cookie", "write the name of the cookie that holds the token")
	case !cookie && c.given("cookie"):
		c.add("cookie", `it is set, and "cookie" is not in from`, "take it out, or add it there")
	}
	switch query := slices.Contains(c.token.From, "query"); {
	case query && c.token.Query == "":
		c.add("query", "it is missing", "write the name of the parameter that holds the token")
	case !query && c.given("query"):
		c.add("query", `it is set, and "query" is not in from`, "take it out, or add it there")
	}
	if !cookieName.MatchString(c.token.Subprotocol) {
		c.add("subprotocol", quote(c.token.Subprotocol)+" is no subprotocol", `write a word without blanks, as in "bearer"`)
	}
	for i, word := range c.token.AuthHeaderTypes {
		if word == "" || strings.ContainsAny(word, " \t\r\n\x00") {
			c.add(fmt.Sprintf("auth_header_types[%d]", i), quote(word)+" is no keyword", `write a word without blanks, as in "Bearer"`)
		}
	}
}

// settings checks what the kind of token needs.
func (c tokenCheck) settings() {
	t := c.token
	c.positive(c.path+".max_age", int64(t.MaxAge))
	switch t.Kind {
	case authTokenKind:
		c.identifier(c.path+".table", t.Table)
	case simpleJWTKind:
		c.told(c.config.jwt(t).Check())
		if t.UserIDClaim == "" {
			c.add("user_id_claim", "it is empty", "copy USER_ID_CLAIM from SIMPLE_JWT")
		}
		if t.TokenTypeClaim != "" && len(t.TokenTypes) == 0 {
			c.add("token_types", "it is empty, so no token would be right", `write ["access"], or set token_type_claim = "" for None`)
		}
	case signedKind, ticketKind:
		c.told(t.signed().Check())
	}
	if t.UserIDField != "" {
		c.identifier(c.path+".user_id_field", t.UserIDField)
	}
	c.enumerated(c.path+".spent", t.Spent, "process", "database")
	if t.Spent == "database" && c.config.Django.SessionEngine != sessionstore.EngineDB {
		c.add("spent", "the site has its sessions elsewhere than in the database", `write "process"`)
	}
}

// told notes what a part finds wrong.
func (c tokenCheck) told(err error) {
	if e, ok := errors.AsType[*token.SettingError](err); ok {
		c.add(e.Setting, e.Problem, e.Remedy)
	}
}
