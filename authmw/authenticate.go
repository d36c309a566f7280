package authmw

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// A PasswordStore is a Store that checks passwords, as [*sessionstore.Store] does.
type PasswordStore interface {
	Store
	// AuthenticateFrom returns the user of a name and a password that come from an address.
	AuthenticateFrom(ctx context.Context, from netip.Addr, username, password string) (*djangocompat.User, error)
}

// ErrNoPasswords means that the Store of Sessions is no PasswordStore.
var ErrNoPasswords = errors.New("authmw: the store cannot check passwords")

// Authenticate returns the user of this name and password, for Login. The wrong ones are counted by name and by the
// client's address, and when there were too many, or too many wait to be hashed, nobody is let in for a while: see
// sessionstore's TryConfig. The client's address is that of a proxy unless the server trusts the proxy.
//
// An error is also the [*consumers.Denial] that answers it: 403 where name or password is wrong, which is
// [sessionstore.ErrBadLogin], 429 where there were too many, [sessionstore.ErrBusy], and 503 where the database could
// not say. A consumer returns it, or asks for it; an http.Handler gives it to Deny.
//
// Python: django.contrib.auth.authenticate(request, username=..., password=...).
func Authenticate(ctx context.Context, s *consumers.Scope, username, password string) (*djangocompat.User, error) {
	r, err := recogniserOf(s)
	if err != nil {
		return nil, err
	}
	store, ok := r.store.(PasswordStore)
	if !ok {
		return nil, ErrNoPasswords
	}
	user, err := store.AuthenticateFrom(ctx, s.Client.Addr(), username, password)
	switch {
	case errors.Is(err, sessionstore.ErrBadLogin):
		return nil, answered(err, &consumers.Denial{Status: http.StatusForbidden, Reason: consumers.ReasonLogin})
	case errors.Is(err, sessionstore.ErrBusy):
		header := http.Header{"Retry-After": {strconv.Itoa(r.retryAfter(err))}}
		return nil, answered(err, &consumers.Denial{Status: http.StatusTooManyRequests, Header: header, Reason: consumers.ReasonLimit})
	case errors.Is(err, sessionstore.ErrUnavailable):
		return nil, answered(err, r.refusal(err))
	case err != nil:
		return nil, fmt.Errorf("authmw: %w", err)
	}
	return user, nil
}

// answered is an error with its answer.
func answered(err, answer error) error { return fmt.Errorf("authmw: %w: %w", err, answer) }

// retryAfter returns the seconds after which one who could not be let in is to try again.
func (r *recogniser) retryAfter(err error) int {
	if e, ok := errors.AsType[*sessionstore.TriesError](err); ok {
		return int((e.After + time.Second - 1) / time.Second)
	}
	return 1 + rand.IntN(max(1, int(r.cfg.RetryAfter/time.Second))) // not all at once
}

// Deny answers an HTTP request with the Denial that err is, and with 500 where it is none.
func Deny(w http.ResponseWriter, err error) {
	d := *consumers.DenialOf(err)
	if d.Status < 400 || d.Status > 599 {
		d.Status = http.StatusForbidden
	}
	deny(w, &d)
}
