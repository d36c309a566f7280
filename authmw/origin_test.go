package authmw_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
)

// app lets everybody in.
var app = consumers.ApplicationFunc(func(context.Context, *consumers.Scope) (consumers.Instance, error) { return nil, nil })

// answer is what Channels said: whether it let in, or the name of the exception that escaped.
type answer struct {
	name    string
	header  consumers.Header
	allowed bool
	raises  string
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *answer) UnmarshalJSON(text []byte) error {
	var headers [][2]string
	var verdict any
	if err := json.Unmarshal(text, &[]any{&a.name, &headers, &verdict}); err != nil {
		return err
	}
	for _, h := range headers {
		value, err := base64.StdEncoding.DecodeString(h[1])
		if err != nil {
			return err
		}
		a.header = append(a.header, consumers.HeaderField{Name: h[0], Value: string(value)})
	}
	a.allowed, _ = verdict.(bool)
	a.raises, _ = verdict.(string)
	return nil
}

type originGroup struct {
	AllowedOrigins []string `json:"allowed_origins"`
	AllowedHosts   []string `json:"allowed_hosts"`
	Debug          bool     `json:"debug"`
	ScopeType      string   `json:"scope_type"`
	Answers        []answer `json:"answers"`
}

func (g originGroup) wrap(app consumers.Application) consumers.Application {
	switch {
	case g.AllowedHosts != nil && g.Debug:
		return authmw.AllowedHostsDebug(app, g.AllowedHosts)
	case g.AllowedHosts != nil:
		return authmw.AllowedHosts(app, g.AllowedHosts)
	default:
		return authmw.Origins(app, g.AllowedOrigins)
	}
}

// differs says why we answer otherwise than Channels did, or returns "".
func (g originGroup) differs(a answer) string {
	origin := a.header.Get("origin")
	star := strings.Contains("\x00"+strings.Join(g.AllowedOrigins, "\x00")+"\x00", "\x00*\x00")
	switch {
	case g.ScopeType == "http":
		return "what is no WebSocket comes through: plain HTTP has the same routes"
	case len(a.header) > 1:
		return "T01: a second Origin header is refused"
	case star || !a.allowed:
		return ""
	case strings.Contains(origin, "@"):
		return "O9: an origin with a user is refused"
	case strings.HasSuffix(origin, ":99999"), strings.HasSuffix(origin, ":abc"), strings.HasSuffix(origin, ":-1"):
		return "O9: an origin with a bad port is refused"
	}
	return ""
}

func readOrigins(t testing.TB) []originGroup {
	t.Helper()
	text, err := os.ReadFile("testdata/origins.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []originGroup }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups
}

func TestOriginsLikeChannels(t *testing.T) {
	same, other := 0, 0
	for _, g := range readOrigins(t) {
		for _, a := range g.Answers {
			s := &consumers.Scope{Type: consumers.TypeWebSocket, Header: a.header}
			if g.ScopeType != "" {
				s.Type = g.ScopeType
			}
			_, err := g.wrap(app).Open(t.Context(), s)
			if err != nil && !errors.Is(err, consumers.ErrDenied) {
				t.Errorf("%s: %v", a.name, err)
			}
			want := a.allowed // what raises is refused
			if reason := g.differs(a); reason != "" {
				want = g.ScopeType == "http"
				other++
			} else {
				same++
			}
			if got := err == nil; got != want {
				t.Errorf("%s: allowed = %v, want %v", a.name, got, want)
			}
		}
	}
	if same != 1755 || other != 33 {
		t.Errorf("%d answers like Channels and %d others, want 1755 and 33", same, other)
	}
}

func TestOrigins(t *testing.T) {
	tests := []struct {
		name    string
		allowed []string
		origins []string
		want    bool
	}{
		{"a host lets any scheme and port in", []string{"example.com"}, []string{"https://example.com:8443"}, true},
		{"no Origin header is refused", []string{"example.com"}, nil, false},
		{"a star lets in who has none", []string{"*"}, nil, true},
		{"a star does not let two in", []string{"*"}, []string{"http://a.com", "http://a.com"}, false},
		{"two equal origins are refused", []string{"a.com"}, []string{"http://a.com", "http://a.com"}, false},
		{"null is refused", []string{"null", "example.com"}, []string{"null"}, false},
		{"a suffix is no subdomain", []string{".example.com"}, []string{"https://badexample.com"}, false},
		{"a host that goes on is another one", []string{"example.com"}, []string{"https://example.com.evil.com"}, false},
		{"a dot at the end is another host", []string{"example.com"}, []string{"https://example.com."}, false},
		{"case does not matter", []string{"https://Example.COM"}, []string{"HTTPS://eXample.com"}, true},
		{"the default port may be written", []string{"https://example.com"}, []string{"https://example.com:443"}, true},
		{"another port is another origin", []string{"https://example.com"}, []string{"https://example.com:444"}, false},
		{"another scheme is another origin", []string{"https://example.com"}, []string{"http://example.com"}, false},
		{"port 0 is no default port", []string{"http://example.com"}, []string{"http://example.com:0"}, false},
		{"a bad port in a pattern matches nothing", []string{"http://example.com:99999"}, []string{"http://example.com:99999"}, false},
		{"an IPv6 address is a host", []string{"https://[::1]"}, []string{"https://[::1]:443"}, true},
		{"a user is refused before the host", []string{"example.com"}, []string{"http://example.com@evil.com"}, false},
		{"a user is refused after it, too", []string{"evil.com", "example.com"}, []string{"http://evil.com@example.com"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &consumers.Scope{Type: consumers.TypeWebSocket}
			for _, o := range tt.origins {
				s.Header = append(s.Header, consumers.HeaderField{Name: "origin", Value: o})
			}
			_, err := authmw.Origins(app, tt.allowed).Open(t.Context(), s)
			if got := err == nil; got != tt.want {
				t.Errorf("allowed = %v, want %v", got, tt.want)
			}
			if err != nil && consumers.DenialOf(err).Status != 403 {
				t.Errorf("status = %d, want 403", consumers.DenialOf(err).Status)
			}
		})
	}
}

func TestCheckOrigins(t *testing.T) {
	good := []string{
		"*", "example.com", ".example.com", "https://example.com", "https://.example.com", "http://example.com:8080",
		"[::1]", "::1", "127.0.0.1", "http://[::1]:8000", "localhost", "myapp://example.com", "bücher.example", "example.com.",
	}
	if err := authmw.CheckOrigins(good); err != nil {
		t.Errorf("CheckOrigins of good ones: %v", err)
	}
	for _, pattern := range []string{
		"", "localhost:8000", "example.com:8080", "127.0.0.1:8000", "[::1]:8000", "*.example.com", "http://*", "https://*.x",
		" example.com", "http://example.com:99999", "http://[::1", "https://", "http://user@example.com", "example.com/chat",
	} {
		t.Run(pattern, func(t *testing.T) {
			if authmw.CheckOrigins([]string{"example.com", pattern}) == nil {
				t.Errorf("CheckOrigins(%q) = nil, want an error", pattern)
			}
		})
	}
}

func FuzzOrigins(f *testing.F) {
	for _, g := range readOrigins(f) {
		for _, a := range g.Answers {
			f.Add(strings.Join(g.AllowedOrigins, " "), a.header.Get("origin"))
		}
	}
	f.Fuzz(func(t *testing.T, allowed, origin string) {
		s := &consumers.Scope{Type: consumers.TypeWebSocket, Header: consumers.Header{{Name: "origin", Value: origin}}}
		list := strings.Fields(allowed)
		_, err := authmw.Origins(app, list).Open(t.Context(), s)
		_ = authmw.CheckOrigins(list) // returns
		if err == nil && !slices.Contains(list, "*") && strings.Count(origin, "/") < 2 {
			t.Errorf("%q lets %q in, which has no host", list, origin)
		}
	})
}
