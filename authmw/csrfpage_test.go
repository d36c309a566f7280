package authmw_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/wstest"
)

// page answers with a token; how says how the answer begins.
func page(how func(w http.ResponseWriter)) consumers.Application {
	return consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := authmw.CSRFToken(consumers.ScopeFrom(r.Context()))
		how(w)
		_, _ = io.WriteString(w, token)
	}))
}

func get(tb testing.TB, app consumers.Application, cookie string) (*http.Response, string) {
	tb.Helper()
	header := http.Header{"Host": {"example.com"}}
	if cookie != "" {
		header.Set("Cookie", "csrftoken="+cookie)
	}
	r := wstest.Request(tb.Context(), app, "GET", "/", nil, wstest.Config{Header: header})
	text, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return r, string(text)
}

// However a page begins, its cookie comes with it, and its token is good for a request.
func TestCSRFToken(t *testing.T) {
	tests := []struct {
		name   string
		begin  func(w http.ResponseWriter)
		cookie string
		keeps  bool
	}{
		{"a visitor without a cookie", func(http.ResponseWriter) {}, "", false},
		{"a visitor with one", func(http.ResponseWriter) {}, djangosSecret, true},
		{"a visitor with a masked one", func(http.ResponseWriter) {}, djangosToken, true},
		{"a visitor with a malformed one", func(http.ResponseWriter) {}, "x", false},
		{"a status of its own", func(w http.ResponseWriter) { w.WriteHeader(201) }, "", false},
		{"flushed", func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, "", false},
	}
	check := newCSRF(t, djangocompat.CSRFConfig{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, token := get(t, authmw.CSRF(page(tt.begin), check, authmw.CSRFConfig{}), tt.cookie)
			if len(r.Cookies()) != 1 || r.Header.Get("Vary") != "Cookie" || r.Header.Get("Cache-Control") != "private" {
				t.Fatalf("header %v, want a cookie, Vary and Cache-Control", r.Header)
			}
			c := r.Cookies()[0]
			if c.Name != "csrftoken" || c.Path != "/" || c.MaxAge != 31449600 || c.SameSite != http.SameSiteLaxMode || c.HttpOnly || c.Secure {
				t.Errorf("cookie %v, want Django's", c)
			}
			if (c.Value == djangosSecret) != tt.keeps {
				t.Errorf("the secret is %q, kept: want %v", c.Value, tt.keeps)
			}
			app := authmw.CSRF(echo(), check, authmw.CSRFConfig{})
			if status, _ := post(t, app, "", "Cookie", "csrftoken="+c.Value, "X-Csrftoken", token); status != 200 {
				t.Errorf("status %d with the token of the page, want 200", status)
			}
		})
	}
}

func TestCSRFSetsNoCookieUnasked(t *testing.T) {
	app := authmw.CSRF(echo(), newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{})
	if r, _ := get(t, app, djangosSecret); len(r.Header["Set-Cookie"]) > 0 || r.Header.Get("Vary") != "" {
		t.Errorf("header %v of a page without a token", r.Header)
	}
	if got := authmw.CSRFToken(new(consumers.Scope)); got != "" {
		t.Errorf("CSRFToken outside of CSRF = %q", got)
	}
	authmw.RotateCSRF(new(consumers.Scope)) // does nothing
}

// After a login no token from before is any good.
func TestRotateCSRF(t *testing.T) {
	login := consumers.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		authmw.RotateCSRF(consumers.ScopeFrom(r.Context()))
	}))
	check := newCSRF(t, djangocompat.CSRFConfig{})
	r, _ := get(t, authmw.CSRF(login, check, authmw.CSRFConfig{}), djangosSecret)
	if len(r.Cookies()) != 1 || r.Cookies()[0].Value == djangosSecret {
		t.Fatalf("header %v, want a new secret", r.Header)
	}
	app := authmw.CSRF(echo(), check, authmw.CSRFConfig{})
	if status, _ := post(t, app, "", "Cookie", "csrftoken="+r.Cookies()[0].Value, "X-Csrftoken", djangosToken); status != 403 {
		t.Errorf("status %d with a token from before, want 403", status)
	}
}

// With CSRF_USE_SESSIONS the secret is in the session, and a cookie counts for nothing.
func TestCSRFSession(t *testing.T) {
	check := newCSRF(t, djangocompat.CSRFConfig{UseSessions: true})
	session := new(djangocompat.Session)
	with := func(app consumers.Application) consumers.Application {
		app = authmw.CSRF(app, check, authmw.CSRFConfig{})
		return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
			s = s.Clone()
			s.Session = session
			return app.Open(ctx, s)
		})
	}
	if status, _ := post(t, with(echo()), "", "Cookie", "csrftoken="+djangosSecret, "X-Csrftoken", djangosToken); status != 403 {
		t.Errorf("status %d with a cookie, want 403", status)
	}
	r, token := get(t, with(page(func(http.ResponseWriter) {})), "")
	if secret, ok := session.GetString("_csrftoken"); !ok || len(secret) != 32 || !session.Modified() || len(r.Cookies()) > 0 {
		t.Errorf("the session has %q, %v, and cookies %v", secret, ok, r.Cookies())
	}
	if status, answer := post(t, with(echo()), "", "X-Csrftoken", token); status != 200 {
		t.Errorf("status %d with the token of the page, want 200: %s", status, answer)
	}
	_, err := authmw.CSRF(echo(), check, authmw.CSRFConfig{}).Open(t.Context(), &consumers.Scope{Type: consumers.TypeHTTP})
	if !errors.Is(err, authmw.ErrCSRFSession) || strings.Contains(err.Error(), djangosSecret) {
		t.Errorf("outside of Sessions: %v, want ErrCSRFSession", err)
	}
}
