package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/belleville/belleville/internal/parts"
)

// siteToken is a token that a real Django made.
type siteToken struct {
	Name, Text string
	User       int64
}

// tokensOfDjango makes a Django site with REST framework and simplejwt in a database, and returns its tokens.
func tokensOfDjango(t *testing.T, database string) map[string]siteToken {
	t.Helper()
	var python string
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(candidate, "-c", "import rest_framework_simplejwt").Run() == nil {
			python = candidate
		}
	}
	if python == "" {
		parts.Need(t, "simplejwt", fmt.Errorf("%w: Debian's package python3-djangorestframework-simplejwt", parts.ErrMissing))
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "../../authmw/token/testdata/site.py", database, "HS256", siteKey, "")
	cmd.Env = append(cmd.Environ(), "SECRET_KEY="+siteKey)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Django: %v: %s", err, stderr.String())
	}
	var list []siteToken
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]siteToken)
	for _, c := range list {
		byName[c.Name] = c
	}
	return byName
}

// tokenSettings are the kinds of tokens that the test's site has.
var tokenSettings = []string{
	"BELLEVILLE_TOKENS_0_KIND=simplejwt",
	"BELLEVILLE_TOKENS_0_FROM=header,subprotocol,cookie,first_message",
	"BELLEVILLE_TOKENS_0_COOKIE=access",
	"BELLEVILLE_TOKENS_0_TOKEN_TYPES=access,sliding",
	"BELLEVILLE_TOKENS_0_BLACKLIST=true",
	"BELLEVILLE_TOKENS_1_KIND=authtoken",
	"BELLEVILLE_TOKENS_2_KIND=ticket",
	"BELLEVILLE_TOKENS_2_FROM=query,subprotocol",
	"BELLEVILLE_TOKENS_2_QUERY=ticket",
	"BELLEVILLE_TOKENS_2_SUBPROTOCOL=ticket",
	"BELLEVILLE_TOKENS_2_SALT=belleville.token",
	"BELLEVILLE_TOKENS_2_MAX_AGE=86400",
	"BELLEVILLE_TOKENS_2_SPENT=database",
	"BELLEVILLE_LOG_LEVEL=debug",
}

// arrival is how a client brings its token.
type arrival struct {
	path         string
	header       http.Header
	subprotocols []string
	first        string // its first message, where it sends one
}

// reply is what became of a client.
type reply struct {
	status      int
	challenge   string
	subprotocol string
	username    string
	backend     string
	code        websocket.StatusCode // where it was closed without a word
}

// arrive brings a token to whoami.
func (b *belleville) arrive(t *testing.T, a arrival) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	header := http.Header{"Origin": {"http://127.0.0.1:8000"}}
	maps.Copy(header, a.header)
	if a.path == "" {
		a.path = "/ws/whoami/"
	}
	ws, r, err := websocket.Dial(ctx, "ws://"+b.addr+a.path, &websocket.DialOptions{HTTPHeader: header, Subprotocols: a.subprotocols})
	if r == nil {
		t.Fatalf("dial: %v", err)
	}
	got := reply{status: r.StatusCode, challenge: r.Header.Get("WWW-Authenticate"), subprotocol: r.Header.Get("Sec-WebSocket-Protocol")}
	if ws == nil {
		return got
	}
	defer ws.CloseNow()
	if a.first != "" {
		if err := ws.Write(ctx, websocket.MessageText, []byte(a.first)); err != nil {
			t.Fatal(err)
		}
	}
	_, text, err := ws.Read(ctx)
	if err != nil {
		got.code = websocket.CloseStatus(err)
		return got
	}
	var who struct{ Username, Backend string }
	if err := json.Unmarshal(text, &who); err != nil {
		t.Fatalf("whoami said %d bytes: %v", len(text), err)
	}
	got.username, got.backend = who.Username, who.Backend
	return got
}

// TestTokensOfDjango brings tokens of a real Django to "belleville serve" in every way, and looks for them in
// everything that it says.
func TestTokensOfDjango(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	tokens := tokensOfDjango(t, path)
	b := startBelleville(t, "sqlite:///"+path, tokenSettings...)
	text := func(name string) string {
		t.Helper()
		c, ok := tokens[name]
		if !ok {
			t.Fatalf("Django made no token %q", name)
		}
		return c.Text
	}
	bearer := func(name string) http.Header { return http.Header{"Authorization": {"Bearer " + text(name)}} }
	access, ticket, other := text("simplejwt: an access token"), text("signed: an id"), text("signed: a dict, compressed")
	ann := reply{status: 101, username: "ann", backend: "token.simplejwt"}
	with := func(a reply, subprotocol, backend string) reply {
		a.subprotocol, a.backend = subprotocol, backend
		return a
	}
	refused := func(challenge string) reply { return reply{status: 401, challenge: challenge + ` realm="api"`} }
	tests := []struct {
		name string
		arrival
		want reply
	}{
		{"nobody", arrival{}, reply{status: 101}},
		{"an access token in the header", arrival{header: bearer("simplejwt: an access token")}, ann},
		{"a key in the header", arrival{header: http.Header{"Authorization": {"Token " + text("authtoken: a key")}}}, with(ann, "", "token.authtoken")},
		{"an access token in a subprotocol", arrival{subprotocols: []string{"bearer", access}}, with(ann, "bearer", "token.simplejwt")},
		{"an access token in a cookie", arrival{header: http.Header{"Cookie": {"access=" + access}}}, ann},
		{"an access token as the first message", arrival{subprotocols: []string{"first-message"}, first: `{"token": "` + access + `"}`}, with(ann, "first-message", "token.simplejwt")},
		{"a ticket in the query", arrival{path: "/ws/whoami/?ticket=" + url.QueryEscape(ticket)}, with(ann, "", "token.ticket")},
		{"the same ticket again", arrival{path: "/ws/whoami/?ticket=" + url.QueryEscape(ticket)}, refused("Bearer")},
		{"a ticket in a subprotocol", arrival{subprotocols: []string{"ticket", base64.RawURLEncoding.EncodeToString([]byte(other))}}, with(ann, "ticket", "token.ticket")},
		{"an expired token", arrival{header: bearer("simplejwt: expired")}, refused("Bearer")},
		{"alg none", arrival{header: bearer("simplejwt: alg none")}, refused("Bearer")},
		{"a token in the blacklist", arrival{header: bearer("simplejwt: a sliding token in the blacklist")}, refused("Bearer")},
		{"an inactive user", arrival{header: bearer("simplejwt: of an inactive user")}, refused("Bearer")},
		{"a deleted user", arrival{header: bearer("simplejwt: of a deleted user")}, refused("Bearer")},
		{"a truncated token", arrival{header: bearer("simplejwt: truncated")}, refused("Bearer")},
		{"a key of an inactive user", arrival{header: http.Header{"Authorization": {"Token " + text("authtoken: of an inactive user")}}}, refused("Token")},
		{"a wrong first message", arrival{subprotocols: []string{"first-message"}, first: text("simplejwt: expired")}, reply{status: 101, subprotocol: "first-message", code: 4401}},
		{"a token where none is looked for", arrival{path: "/ws/whoami/?token=" + access}, reply{status: 101}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := b.arrive(t, tt.arrival); got != tt.want {
				t.Errorf("the answer is %+v, want %+v", got, tt.want)
			}
		})
	}
	said := b.log.String() + b.scrape(t)
	if !strings.Contains(said, `belleville_token_results_total{kind="simplejwt",result="accepted",source="header"} 1`) {
		t.Error("the metrics lack the tokens")
	}
	for name, c := range tokens {
		for part := range strings.SplitSeq(c.Text, ".") {
			if len(part) > 30 && strings.Contains(said, part) {
				t.Errorf("%s is in the log or in the metrics", name)
			}
		}
	}
	if strings.Contains(said, siteKey) {
		t.Error("the key is in the log or in the metrics")
	}
}

// scrape returns the metrics.
func (b *belleville) scrape(t *testing.T) string {
	t.Helper()
	r, err := http.Get("http://" + b.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
