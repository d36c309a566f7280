package djangocompat_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

func TestMaskCSRF(t *testing.T) {
	secret := djangocompat.NewCSRFSecret()
	seen := map[string]bool{}
	for range 100 {
		token := djangocompat.MaskCSRF(secret)
		if got, ok := djangocompat.UnmaskCSRF(token); !ok || got != secret {
			t.Fatalf("UnmaskCSRF(%q) = %q, %v, want %q", token, got, ok, secret)
		}
		seen[token] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 tokens are different", len(seen))
	}
	for _, bad := range []string{"", secret[1:], secret + "a", strings.Repeat("-", 32), strings.Repeat("é", 16)} {
		if got := djangocompat.MaskCSRF(bad); got != "" {
			t.Errorf("MaskCSRF(%q) = %q, want none", bad, got)
		}
	}
}

func TestNewCSRFRefuses(t *testing.T) {
	for _, origin := range []string{"example.com", "*.example.com", ".example.com", "https://", "https://[::1", ""} {
		_, err := djangocompat.NewCSRF(djangocompat.CSRFConfig{TrustedOrigins: []string{origin}})
		if !errors.Is(err, djangocompat.ErrTrustedOrigin) {
			t.Errorf("NewCSRF with the trusted origin %q: %v, want ErrTrustedOrigin", origin, err)
		}
	}
}

// A page of another site can send neither a token nor the cookie, and whatever it says of itself is no use.
func TestCSRFCrossSite(t *testing.T) {
	c := newCSRF(t, djangocompat.CSRFConfig{
		Hosts:          djangocompat.HostSettings{AllowedHosts: []string{"example.com"}},
		TrustedOrigins: []string{"https://*.trusted.com"},
	})
	host, secret := "example.com", djangocompat.NewCSRFSecret()
	token := djangocompat.MaskCSRF(secret)
	foreign := djangocompat.MaskCSRF(djangocompat.NewCSRFSecret())
	text := func(s string) *string { return &s }
	https := djangocompat.HostRequest{Host: &host, Secure: true}
	tests := []struct {
		name string
		r    djangocompat.CSRFRequest
		want djangocompat.CSRFReason
	}{
		{"a good token from another origin", djangocompat.CSRFRequest{Origin: text("https://evil.com"), Secret: &secret, HeaderToken: &token}, djangocompat.CSRFBadOrigin},
		{"an opaque origin", djangocompat.CSRFRequest{Origin: text("null"), Secret: &secret, HeaderToken: &token}, djangocompat.CSRFBadOrigin},
		{"the host without TLS", djangocompat.CSRFRequest{Origin: text("http://example.com"), Secret: &secret, HeaderToken: &token}, djangocompat.CSRFBadOrigin},
		{"a suffix of a trusted one", djangocompat.CSRFRequest{Origin: text("https://eviltrusted.com"), Secret: &secret, HeaderToken: &token}, djangocompat.CSRFBadOrigin},
		{"what looks like a slash before a trusted one", djangocompat.CSRFRequest{Origin: text("https://evil.com／.trusted.com"), Secret: &secret, HeaderToken: &token}, djangocompat.CSRFBadOrigin},
		{"no token", djangocompat.CSRFRequest{Origin: text("https://example.com"), Secret: &secret}, djangocompat.CSRFTokenMissing},
		{"a token of the attacker's own", djangocompat.CSRFRequest{Origin: text("https://example.com"), Secret: &secret, HeaderToken: &foreign}, djangocompat.CSRFTokenIncorrect},
		{"a token without a cookie", djangocompat.CSRFRequest{Origin: text("https://a.trusted.com"), HeaderToken: &foreign}, djangocompat.CSRFNoCookie},
		{"neither Origin nor Referer", djangocompat.CSRFRequest{Secret: &secret, HeaderToken: &token}, djangocompat.CSRFNoReferer},
		{"a Referer of another site", djangocompat.CSRFRequest{Referer: text("https://evil.com/example.com"), Secret: &secret, HeaderToken: &token}, djangocompat.CSRFBadReferer},
	}
	for _, tt := range tests {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "post"} {
			t.Run(tt.name+", "+method, func(t *testing.T) {
				tt.r.Method, tt.r.Host = method, https
				err := c.Check(tt.r)
				if refusal, ok := errors.AsType[*djangocompat.CSRFError](err); !ok || refusal.Reason != tt.want {
					t.Errorf("Check: %v, want %v", err, tt.want)
				}
				if strings.Contains(err.Error(), "evil") {
					t.Errorf("the error repeats the request: %v", err)
				}
			})
		}
	}
}

// FuzzCSRF checks that only a token of the secret gets through, whatever the header fields are.
func FuzzCSRF(f *testing.F) {
	for _, v := range vectors[csrfInput, csrfExpect](f, "csrf.json", "") {
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		f.Add(text(v.Input.Cookie), text(v.Input.Header), text(v.Input.Origin), text(v.Input.Referer), v.Input.Host)
	}
	checks := []*djangocompat.CSRF{
		newCSRF(f, djangocompat.CSRFConfig{Hosts: djangocompat.HostSettings{AllowedHosts: []string{".example.com"}}, TrustedOrigins: []string{"https://*.wild.com"}}),
		newCSRF(f, djangocompat.CSRFConfig{Rules: djangocompat.CSRFBefore40, TrustedOrigins: []string{".wild.com"}}),
	}
	f.Fuzz(func(t *testing.T, cookie, header, origin, referer, host string) {
		for _, c := range checks {
			r := djangocompat.CSRFRequest{
				Method: "POST", Secret: &cookie, HeaderToken: &header, Origin: &origin, Referer: &referer,
				Host: djangocompat.HostRequest{Host: &host, Secure: true},
			}
			err := c.Check(r)
			refusal, ok := errors.AsType[*djangocompat.CSRFError](err)
			switch {
			case err != nil && (!ok || refusal.Text() == "" || strings.Contains(err.Error(), "unknown")):
				t.Errorf("Check: an error of no kind: %v", err)
			case err == nil && (!tokenSize(cookie) || !tokenSize(header)):
				t.Errorf("accepted the cookie %q and the token %q", cookie, header)
			}
			if got := c.Token(&cookie); len(got.Form) != 64 || !tokenSize(got.Store) {
				t.Errorf("Token = %+v", got)
			}
		}
		secret, ok := djangocompat.UnmaskCSRF(cookie)
		if again, ok2 := djangocompat.UnmaskCSRF(djangocompat.MaskCSRF(secret)); ok && (!ok2 || again != secret) {
			t.Errorf("masked and unmasked: %q, want %q", again, secret)
		}
	})
}

// tokenSize reports whether s is as long as a secret or a token.
func tokenSize(s string) bool { return len(s) == 32 || len(s) == 64 }
