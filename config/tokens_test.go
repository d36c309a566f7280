package config_test

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/config"
)

// tokenSamples has a value for each key of [[tokens]] and [authentication].
func tokenSamples() map[string]sample {
	text := func(s string) sample { return sample{`"` + s + `"`, s} }
	bare := func(s string) sample { return sample{s, s} }
	return map[string]sample{
		"authentication.first":                     text("token"),
		"authentication.wrong_token":               text("anonymous"),
		"authentication.at_expiry":                 text("close"),
		"authentication.realm":                     text("site"),
		"authentication.first_message_subprotocol": text("auth"),
		"authentication.first_message_always":      bare("true"),
		"authentication.first_message_timeout":     text("3s"),
		"authentication.first_message_waiting":     bare("7"),

		"tokens.kind":                 text("authtoken"),
		"tokens.name":                 text("api"),
		"tokens.from":                 {`["subprotocol", "header"]`, "subprotocol,header"},
		"tokens.auth_header_types":    {`["JWT", "Bearer"]`, "JWT,Bearer"},
		"tokens.cookie":               text("access"),
		"tokens.query":                text("token"),
		"tokens.subprotocol":          text("jwt"),
		"tokens.table":                text("keys"),
		"tokens.algorithm":            text("HS512"),
		"tokens.signing_key":          text("k"),
		"tokens.verifying_key":        {`'''` + publicKey + `'''`, publicKey},
		"tokens.jwk_url":              text("https://example.com/keys"),
		"tokens.audience":             {`["a", "b"]`, "a,b"},
		"tokens.issuer":               text("https://example.com"),
		"tokens.leeway":               bare("7"),
		"tokens.token_type_claim":     text("typ"),
		"tokens.token_types":          {`["access", "sliding"]`, "access,sliding"},
		"tokens.jti_claim":            text(""),
		"tokens.check_revoke_token":   bare("true"),
		"tokens.revoke_token_claim":   text("sum"),
		"tokens.check_user_is_active": bare("false"),
		"tokens.blacklist":            bare("true"),
		"tokens.user_id_field":        text("username"),
		"tokens.user_id_claim":        text("sub"),
		"tokens.salt":                 text("s"),
		"tokens.max_age":              bare("7"),
		"tokens.spent":                text("database"),
	}
}

// publicKey is one for EdDSA.
const publicKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"

// tokenBase is the environment that a kind of token needs, without what a test sets itself.
func tokenBase(path string) []string {
	key, ok := strings.CutPrefix(path, "tokens.")
	if !ok {
		return nil
	}
	env := map[string]string{"KIND": "simplejwt"}
	switch key {
	case "kind":
		return nil
	case "table":
		env["KIND"] = "authtoken"
	case "salt", "max_age", "spent":
		env["KIND"] = "ticket"
	case "cookie", "query":
		env["FROM"] = key
	case "verifying_key", "jwk_url":
		env["ALGORITHM"] = "EdDSA"
	}
	var list []string
	for name, value := range env {
		list = append(list, "BELLEVILLE_TOKENS_0_"+name+"="+value)
	}
	return list
}

// tokens returns good with a kind of token that has these lines.
func tokens(lines ...string) string { return good + "[[tokens]]\n" + strings.Join(lines, "\n") + "\n" }

func TestTokenMistakes(t *testing.T) {
	const jwt = `kind = "simplejwt"`
	tests := []mistake{
		{"no kind", tokens(`name = "a"`), nil, `tokens[0].kind: it is missing; write one of "authtoken", "simplejwt", "signed", "ticket"`},
		{"an unknown kind", tokens(`kind = "jwt"`), nil, `tokens[0].kind: "jwt" is not known; write one of "authtoken", "simplejwt", "signed", "ticket"`},
		{"a key of another kind", tokens(`kind = "ticket"`, `algorithm = "HS256"`), nil, `tokens[0].algorithm: tokens of the kind "ticket" have none; take it out`},
		{"a name with a blank", tokens(jwt, `name = "my api"`), nil, `tokens[0].name: "my api" is no name; write letters, digits, - and _`},
		{"two of one name", tokens(jwt) + "[[tokens]]\nkind = \"ticket\"\nname = \"simplejwt\"\n", nil, `tokens[1].name: tokens[0] has the same one; give each a name of its own`},
		{"from nowhere", tokens(jwt, `from = []`), nil, `tokens[0].from: it is empty, so no token would be found; write some of "header", "subprotocol", "cookie", "query", "first_message"`},
		{"from an unknown place", tokens(jwt, `from = ["body"]`), nil, `tokens[0].from[0]: "body" is not known; write one of "header", "subprotocol", "cookie", "query", "first_message"`},
		{"a cookie without a name", tokens(jwt, `from = ["cookie"]`), nil, `tokens[0].cookie: "" is no name of a cookie; write the name of the cookie that holds the token`},
		{"a cookie that is not looked at", tokens(jwt, `cookie = "a"`), nil, `tokens[0].cookie: it is set, and "cookie" is not in from; take it out, or add it there`},
		{"a parameter without a name", tokens(jwt, `from = ["query"]`), nil, `tokens[0].query: it is missing; write the name of the parameter that holds the token`},
		{"a parameter that is not looked at", tokens(jwt, `query = "a"`), nil, `tokens[0].query: it is set, and "query" is not in from; take it out, or add it there`},
		{"a subprotocol with a comma", tokens(jwt, `subprotocol = "a,b"`), nil, `tokens[0].subprotocol: "a,b" is no subprotocol; write a word without blanks, as in "bearer"`},
		{"a keyword with a blank", tokens(jwt, `auth_header_types = ["My Token"]`), nil, `tokens[0].auth_header_types[0]: "My Token" is no keyword; write a word without blanks, as in "Bearer"`},
		{"an unknown algorithm", tokens(jwt, `algorithm = "none"`), nil, `tokens[0].algorithm: it is not known; write one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA`},
		{"no public key", tokens(jwt, `algorithm = "RS256"`), nil, `tokens[0].verifying_key: it is missing: RS256 needs a public key; copy VERIFYING_KEY from SIMPLE_JWT, or set jwk_url`},
		{"a key of another algorithm", tokens(jwt, `algorithm = "RS256"`, "verifying_key = '''"+publicKey+"'''"), nil, `tokens[0].verifying_key: it is no public key for RS256, in PEM; copy VERIFYING_KEY from SIMPLE_JWT, with its lines of dashes`},
		{"a public key as a secret", tokens(jwt, "signing_key = '''"+publicKey+"'''"), nil, `tokens[0].signing_key: it is a key for another algorithm than HS256; set algorithm, and its verifying_key`},
		{"a public key that is not used", tokens(jwt, `verifying_key = "`+canaryKey+`"`), nil, `tokens[0].verifying_key: it is set, and HS256 has none; take it out, or set algorithm`},
		{"keys over plain HTTP", tokens(jwt, `algorithm = "RS256"`, `jwk_url = "http://example.com/keys"`), nil, `tokens[0].jwk_url: it is no https URL; write it as in "https://example.com/.well-known/jwks.json"`},
		{"two places of keys", tokens(jwt, `algorithm = "EdDSA"`, "verifying_key = '''"+publicKey+"'''", `jwk_url = "https://example.com/keys"`), nil, `tokens[0].jwk_url: verifying_key is set, too; keep one of them`},
		{"no claim for the user", tokens(jwt, `user_id_claim = ""`), nil, `tokens[0].user_id_claim: it is empty; copy USER_ID_CLAIM from SIMPLE_JWT`},
		{"no type that lets in", tokens(jwt, `token_types = []`), nil, `tokens[0].token_types: it is empty, so no token would be right; write ["access"], or set token_type_claim = "" for None`},
		{"a salt of Django's own", tokens(`kind = "signed"`, `salt = "django.core.signing"`), nil, `tokens[0].salt: it is one of Django's own, which signs other values, too; use one that is for tokens alone`},
		{"a token that lasts no time", tokens(`kind = "signed"`, `max_age = 0`), nil, `tokens[0].max_age: 0 would allow nothing; write a positive value, or take it out for the default`},
		{"an unknown memory", tokens(`kind = "ticket"`, `spent = "redis"`), nil, `tokens[0].spent: "redis" is not known; write one of "process", "database"`},
		{"a table without a name", tokens(`kind = "authtoken"`, `table = ""`), nil, `tokens[0].table: "" is no name of a table or column; write 1 to 63 characters`},
		{"an unknown order", good + "[authentication]\nfirst = \"jwt\"", nil, `authentication.first: "jwt" is not known; write one of "session", "token"`},
		{"an unknown answer", good + "[authentication]\nwrong_token = \"403\"", nil, `authentication.wrong_token: "403" is not known; write one of "401", "anonymous"`},
		{"a subprotocol with a blank", good + "[authentication]\nfirst_message_subprotocol = \"a b\"", nil, `authentication.first_message_subprotocol: "a b" is no subprotocol; write a word without blanks, as in "first-message"`},
		{"a kind behind a gap", good, []string{"BELLEVILLE_TOKENS_1_KIND=ticket"}, `BELLEVILLE_TOKENS_1_KIND: there is no token 0 before it; number tokens from 0, without a gap`},
		{"a secret in the environment", good, []string{"BELLEVILLE_TOKENS_0_KIND=simplejwt", "BELLEVILLE_TOKENS_0_SIGNING_KEY=-----BEGIN " + canaryKey}, `tokens[0].signing_key (BELLEVILLE_TOKENS_0_SIGNING_KEY): it is a key for another algorithm than HS256; set algorithm, and its verifying_key`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Parse([]byte(tt.text), tt.env)
			if err == nil {
				t.Fatalf("there is no mistake, want %s", tt.want)
			}
			if err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
			if strings.Contains(err.Error(), canaryKey) {
				t.Error("a key is shown")
			}
		})
	}
}

func TestTokensAreLookedUpWhereTheyAre(t *testing.T) {
	c, err := config.Parse([]byte(tokens(`kind = "authtoken"`)+`
[[tokens]]
kind = "simplejwt"
blacklist = true
[[tokens]]
kind = "signed"
user_id_field = "email"
[[tokens]]
kind = "ticket"
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Sessions(nil, nil).Tokens
	if len(got.AuthTokens) != 1 || got.AuthTokens[0] != "authtoken_token" || !got.Blacklist {
		t.Errorf("tables are %+v", got)
	}
	if len(got.UserFields) != 1 || got.UserFields[0] != "email" {
		t.Errorf("fields are %q, want email alone: id is the primary key", got.UserFields)
	}
}

func TestATokenInTheQueryIsWarnedOf(t *testing.T) {
	for kind, want := range map[string]bool{"signed": true, "ticket": false} {
		c, err := config.Parse([]byte(tokens(`kind = "`+kind+`"`, `from = ["query"]`, `query = "t"`)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(c.Warnings(), "\n"), "tokens: "); got != want {
			t.Errorf("%s: warned is %v, want %v", kind, got, want)
		}
	}
}
