package authmw_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
)

// TestT01CrossSiteWebSockets has the rows O1 to O10 of what Channels does with origins, as a matrix: each of the
// origins with each list. Who is refused is answered 403 before anybody is looked up, though he shows alice's cookie.
func TestT01CrossSiteWebSockets(t *testing.T) {
	const (
		host   = "example.com"
		domain = ".example.com"
		secure = "https://example.com"
		below  = "http://.example.com"
		port   = "https://example.com:8443"
		star   = "*"
	)
	tests := []struct {
		name, origin string
		by           []string // the lists, of one pattern each, that let it in
	}{
		{"O2: no origin", "", []string{star}},
		{"O3: a host, over http", "http://example.com", []string{host, domain, below, star}},
		{"O3: a host, over https", "https://example.com", []string{host, domain, secure, star}},
		{"O3: in capitals", "HTTPS://EXAMPLE.COM", []string{host, domain, secure, star}},
		{"O3: any port", "https://example.com:999", []string{host, domain, star}},
		{"O3: any scheme", "ftp://example.com", []string{host, domain, star}},
		{"O4: a subdomain", "http://www.example.com", []string{domain, below, star}},
		{"O4: one further down", "http://a.b.example.com", []string{domain, below, star}},
		{"O4: a host that goes on", "https://example.com.evil.com", []string{star}},
		{"O4: a host that begins otherwise", "https://badexample.com", []string{star}},
		{"O4: a dot at the end", "https://example.com.", []string{star}},
		{"O5: the port that is written", "https://example.com:8443", []string{host, domain, port, star}},
		{"O5: the scheme's own port", "https://example.com:443", []string{host, domain, secure, star}},
		{"O5: another scheme's own port", "https://example.com:80", []string{host, domain, star}},
		{"O5: wss is not https", "wss://example.com", []string{host, domain, star}},
		{"O8: null", "null", []string{star}},
		{"O8: a host alone", "example.com", []string{star}},
		{"O8: garbage", "%%%", []string{star}},
		{"O8: an empty host", "https://", []string{star}},
		{"O9: a user", "https://user@example.com", []string{star}},
		{"O9: a user that looks like a host", "https://example.com@evil.com", []string{star}},
		{"O9: a bad port", "https://example.com:bad", []string{star}},
		{"O9: a port that is too large", "https://example.com:65536", []string{star}},
		{"another host", "https://evil.com", []string{star}},
		{"an IPv6 address", "https://[2001:db8::1]", []string{star}},
		{"a bracket that is not closed", "https://[2001:db8::1", nil},
		{"a host in another's path", "https://evil.com/example.com", []string{star}},
		{"a host in another's query", "https://evil.com?example.com", []string{star}},
		{"a host behind a backslash", `https://evil.com\example.com`, []string{star}},
		{"a name in other letters", "https://еxample.com", []string{star}}, // the first is Cyrillic
	}
	rows := 0
	for _, tt := range tests {
		for _, pattern := range []string{host, domain, secure, below, port, star} {
			store := new(fakeStore)
			s := visit("sessionid=alicessessionkey")
			if tt.name != "O2: no origin" {
				s.Header = append(s.Header, consumers.HeaderField{Name: "origin", Value: tt.origin})
			}
			_, err := authmw.Origins(authmw.Stack(app, store, authmw.Config{}), []string{pattern}).Open(t.Context(), s)
			want := strings.Contains(" "+strings.Join(tt.by, " ")+" ", " "+pattern+" ")
			rows++
			if got := err == nil; got != want {
				t.Errorf("%s: %q by %q = %v, want %v", tt.name, tt.origin, pattern, got, want)
			}
			if err != nil && (consumers.DenialOf(err).Status != 403 || store.loads+store.users != 0) {
				t.Errorf("%s: %v after %d questions, want 403 after none", tt.name, err, store.loads+store.users)
			}
			s.Header = append(s.Header, consumers.HeaderField{Name: "origin", Value: "https://example.com"})
			if _, err := authmw.Origins(app, []string{pattern}).Open(t.Context(), s); err == nil && tt.name != "O2: no origin" {
				t.Errorf("%s, and a second origin: let in by %q", tt.name, pattern)
			}
		}
	}
	chaos.Row(t, chaos.Holds(rows >= 60 && !t.Failed()), "T01", fmt.Sprintf("%d origins, each with %d lists of origins", len(tests), rows/len(tests)),
		"as the list says; 403 before anybody is looked up", "0 wrong of 60 or more")
	t.Run("O1: what is no WebSocket comes through", func(t *testing.T) {
		if _, err := authmw.Origins(app, nil).Open(t.Context(), httpVisit()); err != nil {
			t.Error(err)
		}
	})
	t.Run("O6 and O7: what never matches is found at the start", func(t *testing.T) {
		for _, pattern := range []string{"*.example.com", "http://*", "https://*.x", "localhost:8000"} {
			if authmw.CheckOrigins([]string{pattern}) == nil {
				t.Errorf("CheckOrigins(%q) = nil", pattern)
			}
		}
	})
	t.Run("O10: with DEBUG and no hosts this machine is allowed", func(t *testing.T) {
		for origin, want := range map[string]bool{
			"http://localhost:8000": true, "http://127.0.0.1": true, "http://[::1]:8000": true, "http://www.localhost": false, "http://example.com": false,
		} {
			s := visit()
			s.Header = append(s.Header, consumers.HeaderField{Name: "origin", Value: origin})
			if _, err := authmw.AllowedHostsDebug(app, nil).Open(t.Context(), s); (err == nil) != want {
				t.Errorf("%s: %v, want %v", origin, err, want)
			}
			if _, err := authmw.AllowedHosts(app, nil).Open(t.Context(), s); err == nil {
				t.Errorf("%s is let in without DEBUG", origin)
			}
		}
	})
}
