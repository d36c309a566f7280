package authmw_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// saying is a store that says the same of each password.
type saying struct {
	authmw.Store

	err  error
	from *netip.Addr // where the last one came from
}

// AuthenticateFrom implements authmw.PasswordStore.
func (s saying) AuthenticateFrom(_ context.Context, from netip.Addr, name, _ string) (*djangocompat.User, error) {
	*s.from = from
	if s.err != nil {
		return nil, fmt.Errorf("authenticate: %w", s.err)
	}
	return &djangocompat.User{Username: name}, nil
}

func TestAuthenticateIsAnswered(t *testing.T) {
	tests := []struct {
		name        string
		err         error
		status      int
		least, most int // seconds of Retry-After; 0 for none
	}{
		{"a right password", nil, 204, 0, 0},
		{"a wrong one", sessionstore.ErrBadLogin, 403, 0, 0},
		{"too many for the name", &sessionstore.TriesError{After: 90*time.Second + 1}, 429, 91, 91},
		{"too many from the address", &sessionstore.TriesError{Address: true, After: time.Nanosecond}, 429, 1, 1},
		{"too many at once", sessionstore.ErrBusy, 429, 1, 5},
		{"the database is away", &sessionstore.DatabaseError{Fault: sessionstore.FaultShutdown}, 503, 1, 5},
		{"anything else", errors.New("says nothing to a client"), 500, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var from netip.Addr
			handler := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				user, err := authmw.Authenticate(r.Context(), consumers.ScopeFrom(r.Context()), "alice", password)
				if err != nil {
					if !errors.Is(err, tt.err) {
						t.Errorf("Authenticate = %v, want %v", err, tt.err)
					}
					authmw.Deny(w, err)
					return
				}
				if user.Username != "alice" {
					t.Errorf("Authenticate = %q, want alice", user.Username)
				}
				w.WriteHeader(http.StatusNoContent)
			}))
			app := authmw.Stack(handler, saying{openSite(t, sessionstore.Config{}), tt.err, &from}, authmw.Config{})
			r := wstest.Request(t.Context(), app, "POST", "/", nil, wstest.Config{})
			if r.StatusCode != tt.status {
				t.Errorf("answered %d, want %d", r.StatusCode, tt.status)
			}
			seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
			if (err == nil) != (tt.most > 0) || seconds < tt.least || seconds > tt.most {
				t.Errorf("Retry-After %q, want %d to %d", r.Header.Get("Retry-After"), tt.least, tt.most)
			}
		})
	}
}

func TestAuthenticateCountsByTheClientsAddress(t *testing.T) {
	s := openSite(t, sessionstore.Config{Passwords: djangocompat.HasherConfig{Iterations: 2}, Tries: sessionstore.TryConfig{PerAddress: 3}})
	app := authmw.Stack(consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := authmw.Authenticate(r.Context(), consumers.ScopeFrom(r.Context()), "alice", r.Header.Get("X-Password")); err != nil {
			authmw.Deny(w, err)
		}
	})), s, authmw.Config{})
	for i, tt := range []struct {
		from, password string
		status         int
	}{
		{"192.0.2.1", "x", 403},
		{"192.0.2.1", "x", 403},
		{"192.0.2.1", "x", 403},
		{"192.0.2.1", password, 429},
		{"192.0.2.2", password, 200},
	} {
		in := inFrom{app, netip.MustParseAddr(tt.from)}
		r := wstest.Request(t.Context(), in, "POST", "/", nil, wstest.Config{Header: http.Header{"X-Password": {tt.password}}})
		if r.StatusCode != tt.status {
			t.Errorf("%d: %s is answered %d, want %d", i, tt.from, r.StatusCode, tt.status)
		}
	}
}

// inFrom is an Application whose clients are all at one address.
type inFrom struct {
	consumers.Application

	from netip.Addr
}

// Open implements consumers.Application.
func (in inFrom) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	s = s.Clone()
	s.Client = netip.AddrPortFrom(in.from, 1)
	return in.Application.Open(ctx, s)
}

func TestAuthenticateNeedsASessionAndAStore(t *testing.T) {
	if _, err := authmw.Authenticate(t.Context(), new(consumers.Scope), "alice", password); !errors.Is(err, authmw.ErrNoSession) {
		t.Errorf("Authenticate = %v, want ErrNoSession", err)
	}
	app := authmw.Stack(consumers.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := authmw.Authenticate(r.Context(), consumers.ScopeFrom(r.Context()), "alice", password); !errors.Is(err, authmw.ErrNoPasswords) {
			t.Errorf("Authenticate = %v, want ErrNoPasswords", err)
		}
	})), struct{ authmw.Store }{openSite(t, sessionstore.Config{})}, authmw.Config{})
	wstest.Request(t.Context(), app, "POST", "/", nil, wstest.Config{})
}
