package sessionstore

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrUnavailable means that the database could not say: it is away, too slow, or not what the Config
	// says. Nobody is known meanwhile, and nobody is anonymous. It is always a [*DatabaseError], or, where
	// sessions are elsewhere, a [*StorageError].
	ErrUnavailable = errors.New("sessionstore: database unavailable")

	// ErrConflict means that a session was changed by somebody else each time it was to be saved, or now
	// holds what cannot be read.
	ErrConflict = errors.New("sessionstore: session is being changed by others")

	// ErrBadLogin means that there is no user of this name and password who may log in.
	ErrBadLogin = errors.New("sessionstore: no user has this name and password")

	// ErrNoSuchUser means that the user who is to be logged in is not in the table.
	ErrNoSuchUser = errors.New("sessionstore: no such user")

	// ErrManyBackends means that a user is to be logged in who names none of several authentication
	// backends. Python: the ValueError of django.contrib.auth.login.
	ErrManyBackends = errors.New("sessionstore: the user names none of several authentication backends")
)

// A Fault is a kind of trouble with a database.
type Fault uint8

// The kinds of trouble.
const (
	FaultOther         Fault = iota
	FaultConnection          // there is no connection, or it broke
	FaultShutdown            // the server ends, or starts
	FaultFull                // the server takes no more connections
	FaultAuthorization       // the server does not know us, or not the database
	FaultForbidden           // the role may not do this
	FaultTimeout             // the server did not answer in time
	FaultLocked              // somebody else holds a lock
	FaultReadOnly            // the server takes no changes now
	FaultConflict            // two transactions were in each other's way
	FaultPrepared            // a prepared statement is not what it was: a pooler stands in between
	FaultSchema              // a table or a column is not there
	FaultValue               // the database cannot represent a value that it was asked for
	FaultOverload            // too many lookups wait
	FaultClosed              // the Store is closed
	FaultNoDatabase          // there is no database_url
)

var faultTexts = [...]string{
	FaultOther:         "other",
	FaultConnection:    "no connection",
	FaultShutdown:      "server shuts down or starts",
	FaultFull:          "too many connections",
	FaultAuthorization: "not authorized",
	FaultForbidden:     "not permitted",
	FaultTimeout:       "timed out",
	FaultLocked:        "locked",
	FaultReadOnly:      "read-only",
	FaultConflict:      "serialization conflict",
	FaultPrepared:      "prepared statement lost",
	FaultSchema:        "table or column missing",
	FaultValue:         "value not representable",
	FaultOverload:      "too many lookups waiting",
	FaultClosed:        "store closed",
	FaultNoDatabase:    "no database_url",
}

// String returns a few fixed words.
func (f Fault) String() string {
	if int(f) < len(faultTexts) {
		return faultTexts[f]
	}
	return faultTexts[FaultOther]
}

// A DatabaseError says why the database could not say. It holds nothing of the database's own words, which
// may quote data, or tell where the database is and who asks.
type DatabaseError struct {
	Fault Fault
	// Code is the SQLSTATE, or SQLite's result code, where there is one.
	Code string
	// Detail names what in the configuration does not fit the database, where that is the trouble.
	Detail string
}

// Error implements error.
func (e *DatabaseError) Error() string {
	text := ErrUnavailable.Error() + ": " + e.Fault.String()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// Is makes errors.Is(e, ErrUnavailable) true.
func (e *DatabaseError) Is(target error) bool { return target == ErrUnavailable }

// A StorageError says why the cache or the folder that sessions are in could not say. It holds nothing of a
// server's own words.
type StorageError struct {
	// Storage is "cache" or "folder".
	Storage string
	Fault   Fault
}

// Error implements error.
func (e *StorageError) Error() string {
	return "sessionstore: session " + e.Storage + " unavailable: " + e.Fault.String()
}

// Is makes errors.Is(e, ErrUnavailable) true.
func (e *StorageError) Is(target error) bool { return target == ErrUnavailable }

// faultOf returns the Fault of an error that a database returned.
func faultOf(err error) Fault {
	if e, ok := errors.AsType[*DatabaseError](err); ok {
		return e.Fault
	}
	return FaultOther
}

// gone reports whether err means that connections to the database break or cannot be made.
func gone(err error) bool {
	switch faultOf(err) {
	case FaultConnection, FaultShutdown, FaultAuthorization:
		return true
	default:
		return false
	}
}

// waitError is the error of a caller who did not wait for the answer.
func waitError(ctx context.Context) error {
	return fmt.Errorf("%w: %w", &DatabaseError{Fault: FaultTimeout}, context.Cause(ctx))
}
