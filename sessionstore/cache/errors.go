package cache

import (
	"context"
	"errors"
	"net"
)

var (
	// ErrUnavailable means that the cache could not say. It is always an [*Error].
	ErrUnavailable = errors.New("cache: unavailable")

	// ErrTooLarge means that a value is larger than the Config's MaxValue.
	ErrTooLarge = errors.New("cache: value too large")

	// ErrMalformed means that what is stored is nothing that Django's client would have stored.
	ErrMalformed = errors.New("cache: malformed value")
)

// A Fault is a kind of trouble with a cache.
type Fault uint8

// The kinds of trouble.
const (
	FaultOther         Fault = iota
	FaultConnection          // there is no connection, or it broke
	FaultTimeout             // no answer in time
	FaultAuthorization       // the server does not know us
	FaultForbidden           // we may not do this
	FaultReadOnly            // no changes are taken now
	FaultFull                // there is no room
)

var faultTexts = [...]string{
	FaultOther:         "other",
	FaultConnection:    "no connection",
	FaultTimeout:       "timed out",
	FaultAuthorization: "not authorized",
	FaultForbidden:     "not permitted",
	FaultReadOnly:      "read-only",
	FaultFull:          "no room",
}

// String returns a few fixed words.
func (f Fault) String() string {
	if int(f) < len(faultTexts) {
		return faultTexts[f]
	}
	return faultTexts[FaultOther]
}

// An Error says why a cache could not say. It holds nothing of the server's own words.
type Error struct{ Fault Fault }

// Error implements error.
func (e *Error) Error() string { return ErrUnavailable.Error() + ": " + e.Fault.String() }

// Is makes errors.Is(e, ErrUnavailable) true.
func (e *Error) Is(target error) bool { return target == ErrUnavailable }

// networkFault sorts the errors that networks have.
func networkFault(err error) Fault {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), ok && timeout.Timeout():
		return FaultTimeout
	default:
		return FaultConnection
	}
}
