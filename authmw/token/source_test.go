package token_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// Keys in the tests' authtoken table.
const (
	annsKey = "4261b2934fde1fbadc546257f00c9482305124e3"
	bobsKey = "4528bd72dd07562a13f4fbfe7e45494b6cf1ead4"
)

// everywhere is a scheme whose tokens may come from everywhere.
func (b *bed) everywhere() token.Scheme {
	return token.Scheme{
		Name: "api", Verifier: token.NewAuthToken(b.store, token.AuthTokenConfig{}),
		Sources: []token.Source{token.Header, token.Subprotocol, token.Cookie, token.Query, token.FirstMessage},
		Cookie:  "auth", Query: "key",
	}
}

func TestSources(t *testing.T) {
	b := newBed(t)
	offering := func(offers ...string) *consumers.Scope {
		s := webSocket(consumers.HeaderField{Name: "sec-websocket-protocol", Value: strings.Join(offers, ", ")})
		s.Subprotocols = offers
		return s
	}
	asking := func(query string) *consumers.Scope {
		s := webSocket()
		s.Query = query
		return s
	}
	withCookie := func(value string) *consumers.Scope {
		s := webSocket()
		s.Cookies = map[string]string{"auth": value}
		return s
	}
	tests := []struct {
		name   string
		scope  *consumers.Scope
		source token.Source // 0 where nobody is known
		wrong  bool
	}{
		{"a visitor without a token is anonymous", webSocket(), 0, false},
		{"the Authorization header", webSocket(authorization("Token " + annsKey)), token.Header, false},
		{"another keyword is another's business", webSocket(authorization("Basic " + annsKey)), 0, false},
		{"two Authorization headers are wrong, even if one is right", webSocket(authorization("Token "+annsKey), authorization("Token "+annsKey)), 0, true},
		{"two Authorization headers are wrong, even if one is another's", webSocket(authorization("Basic x"), authorization("Token "+annsKey)), 0, true},
		{"a header that is longer than any token", webSocket(authorization("Token " + strings.Repeat("a", 20000))), 0, true},
		{"the subprotocol behind bearer", offering("bearer", annsKey), token.Subprotocol, false},
		{"other subprotocols stand around", offering("chat.v1", "bearer", annsKey, "chat.v2"), token.Subprotocol, false},
		{"bearer without a token is wrong", offering("chat.v1", "bearer"), 0, true},
		{"a token without bearer is a subprotocol", offering(annsKey), 0, false},
		{"a cookie", withCookie(annsKey), token.Cookie, false},
		{"an empty cookie is none", withCookie(""), 0, false},
		{"a wrong cookie", withCookie("x"), 0, true},
		{"a parameter of the query", asking("a=1&key=" + annsKey), token.Query, false},
		{"a parameter with escapes", asking("k%65y=" + annsKey[:39] + "%33"), token.Query, false},
		{"a parameter that is there twice is wrong", asking("key=" + annsKey + "&key=" + annsKey), 0, true},
		{"a parameter that is no text is wrong", asking("key=%zz"), 0, true},
		{"an empty parameter is wrong", asking("key="), 0, true},
		{"a user who is not active", webSocket(authorization("Token " + bobsKey)), 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s seen
			_, err := authenticator(t, token.Config{}, b.everywhere()).Wrap(s.app()).Open(t.Context(), tt.scope)
			if tt.wrong {
				wantUnauthorized(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantSource(t, s.scope, tt.source)
		})
	}
}

// wantSource checks by what a visitor was known.
func wantSource(t *testing.T, s *consumers.Scope, want token.Source) {
	t.Helper()
	id := token.Of(s)
	switch {
	case id == nil && want != 0:
		t.Errorf("the visitor is not known, want by %v", want)
	case id != nil && id.Source != want:
		t.Errorf("the visitor is known by %v, want %v", id.Source, want)
	case id != nil && (s.User != id.User || s.User.Backend != "token.api" || id.Scheme != "api"):
		t.Errorf("the user is %+v of scheme %q", s.User, id.Scheme)
	case id == nil && s.User.IsAuthenticated():
		t.Errorf("the user is %v, want nobody", s.User.PK)
	}
}

func TestTokensAreNotFoundInTheScope(t *testing.T) {
	b := newBed(t)
	var s seen
	app := authenticator(t, token.Config{WrongToken: token.Anonymous}, b.everywhere()).Wrap(s.app())
	for _, key := range []string{annsKey, "wrong-token-1234"} {
		scope := webSocket(
			consumers.HeaderField{Name: "host", Value: "example.com"},
			consumers.HeaderField{Name: "sec-websocket-protocol", Value: "bearer, " + key + ", chat"},
		)
		scope.Query = "room=a%20b&key=" + key + "&x"
		scope.Subprotocols = []string{"bearer", key, "chat"}
		if _, err := app.Open(t.Context(), scope); err != nil {
			t.Fatal(err)
		}
		if got := s.scope.Query; got != "room=a%20b&x" {
			t.Errorf("query is %q", got)
		}
		if got := strings.Join(s.scope.Subprotocols, " "); got != "chat" || s.scope.Subprotocol != "bearer" {
			t.Errorf("subprotocols are %q, to be answered %q", got, s.scope.Subprotocol)
		}
		for _, f := range s.scope.Header {
			if strings.Contains(f.Value, key) {
				t.Errorf("%s is %q", f.Name, f.Value)
			}
		}
		if got := s.scope.Header.Get("sec-websocket-protocol"); got != "chat" {
			t.Errorf("offers are %q, want chat", got)
		}
		if len(scope.Subprotocols) != 3 || !strings.Contains(scope.Query, key) {
			t.Error("the outer Scope was changed")
		}
	}
}

func TestASignedTokenInASubprotocolIsBase64(t *testing.T) {
	b := newBed(t)
	v, err := token.NewSigned(b.store, djangocompat.NewKeys(siteKey), token.SignedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	text := b.dumps(t, int64(114), "belleville.token")
	var s seen
	app := authenticator(t, token.Config{}, token.Scheme{Name: "api", Verifier: v, Sources: []token.Source{token.Subprotocol}}).Wrap(s.app())
	scope := webSocket()
	scope.Subprotocols = []string{"bearer", base64.RawURLEncoding.EncodeToString([]byte(text))}
	if _, err := app.Open(t.Context(), scope); err != nil {
		t.Fatal(err)
	}
	wantSource(t, s.scope, token.Subprotocol)
}

func TestSessionsAndTokens(t *testing.T) {
	b := newBed(t)
	alice := &djangocompat.User{PK: djangocompat.IntPK(7), Username: "alice", IsActive: true}
	tests := []struct {
		name    string
		cfg     token.Config
		session bool // alice is logged in with the session
		token   string
		want    string // "" for nobody, "401"
	}{
		{"session first: a right token counts for nothing", token.Config{}, true, annsKey, "alice"},
		{"session first: a wrong token does no harm", token.Config{}, true, "wrong", "alice"},
		{"session first: a token counts without a login", token.Config{}, false, annsKey, "ann3zg"},
		{"token first: it wins", token.Config{Order: token.TokenFirst}, true, annsKey, "ann3zg"},
		{"token first: a wrong one is refused", token.Config{Order: token.TokenFirst}, true, "wrong", "401"},
		{"token first: a wrong one may be overlooked", token.Config{Order: token.TokenFirst, WrongToken: token.Anonymous}, true, "wrong", "alice"},
		{"token first: none is no matter", token.Config{Order: token.TokenFirst}, true, "", "alice"},
		{"a wrong token may make anonymous", token.Config{WrongToken: token.Anonymous}, false, "wrong", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s seen
			scope := webSocket()
			if tt.token != "" {
				scope = webSocket(authorization("Token " + tt.token))
			}
			if tt.session {
				scope.User = alice
			}
			_, err := authenticator(t, tt.cfg, b.everywhere()).Wrap(s.app()).Open(t.Context(), scope)
			if tt.want == "401" {
				wantUnauthorized(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := s.scope.User.Username; got != tt.want {
				t.Errorf("the user is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheFirstSchemeThatKnowsATokenWins(t *testing.T) {
	b := newBed(t)
	schemes := []token.Scheme{
		{Name: "jwt", Verifier: b.newJWT(t, token.JWTConfig{})},
		{Name: "keys", Verifier: token.NewAuthToken(b.store, token.AuthTokenConfig{}), Keywords: []string{"Bearer"}},
	}
	var s seen
	app := authenticator(t, token.Config{}, schemes...).Wrap(s.app())
	if _, err := app.Open(t.Context(), webSocket(authorization("Bearer "+annsKey))); err != nil {
		t.Fatal(err)
	}
	if id := token.Of(s.scope); id == nil || id.Scheme != "keys" || id.User.Backend != "token.keys" {
		t.Errorf("the identity is %+v, want of keys", id)
	}
	_, err := app.Open(t.Context(), webSocket(authorization("Bearer x")))
	denial, _ := errors.AsType[*consumers.Denial](err)
	if denial == nil || denial.Header.Get("WWW-Authenticate") != `Bearer realm="api"` {
		t.Errorf("the answer is %+v, want one challenge", denial)
	}
}

// away is a store whose database is away.
type away struct{ token.Users }

func (away) UserByAuthToken(context.Context, string, string, string) (sessionstore.TokenUser, error) {
	return sessionstore.TokenUser{}, &sessionstore.DatabaseError{Fault: sessionstore.FaultConnection}
}

// broken is a Verifier with a mistake of its own.
type broken struct{}

func (broken) Kind() string { return "broken" }

func (broken) Verify(context.Context, string, string) (*token.Identity, error) {
	return nil, errors.New("a mistake")
}

func TestWhoCannotBeKnownNowIsNobody(t *testing.T) {
	tests := []struct {
		name   string
		v      token.Verifier
		status int
	}{
		{"a database that is away is 503", token.NewAuthToken(away{}, token.AuthTokenConfig{}), 503},
		{"a mistake is 500", broken{}, 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s seen
			scheme := token.Scheme{Name: "a", Verifier: tt.v, Keywords: []string{"Token"}}
			app := authenticator(t, token.Config{WrongToken: token.Anonymous}, scheme).Wrap(s.app())
			_, err := app.Open(t.Context(), webSocket(authorization("Token "+annsKey)))
			denial := consumers.DenialOf(err)
			if denial.Status != tt.status || s.scope != nil {
				t.Errorf("the answer is %d, want %d", denial.Status, tt.status)
			}
			if tt.status == 503 && denial.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	b := newBed(t)
	reg := prometheus.NewRegistry()
	var s seen
	app := authenticator(t, token.Config{Registerer: reg}, b.everywhere()).Wrap(s.app())
	for _, key := range []string{annsKey, bobsKey, "unknown", annsKey} {
		_, _ = app.Open(t.Context(), webSocket(authorization("Token "+key)))
	}
	want := `# HELP token_results_total Tokens that were looked at, by kind, source and result.
# TYPE token_results_total counter
token_results_total{kind="authtoken",result="accepted",source="header"} 2
token_results_total{kind="authtoken",result="inactive",source="header"} 1
token_results_total{kind="authtoken",result="unknown_user",source="header"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "token_results_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestNewRefuses(t *testing.T) {
	v := broken{}
	tests := []struct {
		name    string
		schemes []token.Scheme
	}{
		{"no scheme", nil},
		{"a scheme without a name", []token.Scheme{{Verifier: v}}},
		{"a scheme without a Verifier", []token.Scheme{{Name: "a"}}},
		{"two of one name", []token.Scheme{{Name: "a", Verifier: v}, {Name: "a", Verifier: v}}},
		{"a cookie without a name", []token.Scheme{{Name: "a", Verifier: v, Sources: []token.Source{token.Cookie}}}},
		{"a parameter without a name", []token.Scheme{{Name: "a", Verifier: v, Sources: []token.Source{token.Query}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := token.New(tt.schemes, token.Config{}); err == nil {
				t.Error("it is taken")
			}
		})
	}
}
