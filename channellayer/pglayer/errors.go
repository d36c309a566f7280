package pglayer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnavailable means that Postgres cannot be reached or does not do its work now.
var ErrUnavailable = errors.New("pglayer: Postgres is unavailable")

// A RefusedError is a Postgres that is there and will not serve us, until somebody repairs it or the
// configuration. It is an [ErrUnavailable].
type RefusedError struct {
	Reason string
}

func (e *RefusedError) Error() string { return "pglayer: Postgres refuses: " + e.Reason }

// Is makes the error an ErrUnavailable.
func (e *RefusedError) Is(target error) bool { return target == ErrUnavailable }

// A MissingError is a database in which something is missing that the Django app channels_postgres makes. It is an
// [ErrUnavailable].
type MissingError struct {
	// What is missing, as in "the table channels_postgres_message".
	What string
}

func (e *MissingError) Error() string {
	return "pglayer: " + e.What + " is missing; run `manage.py migrate channels_postgres` on the site, or `belleville migrate up channels_postgres` for a site without that app"
}

// Is makes the error an ErrUnavailable.
func (e *MissingError) Is(target error) bool { return target == ErrUnavailable }

// A DeafError is a connection on which LISTEN seems to work and nothing is heard of what others send, as through a
// pooler that gives each transaction another connection. It is an [ErrUnavailable].
type DeafError struct{}

func (*DeafError) Error() string {
	return "pglayer: nothing that is sent over a second connection is heard by LISTEN; a pooler such as pgbouncer in transaction or statement mode does that: connect to Postgres itself, or through a pooler in session mode"
}

// Is makes the error an ErrUnavailable.
func (*DeafError) Is(target error) bool { return target == ErrUnavailable }

var (
	errStarting = fmt.Errorf("%w: it has not answered yet", ErrUnavailable)
	errDeaf     = fmt.Errorf("%w: what the layer sends to itself does not come back", ErrUnavailable)
	errBusy     = fmt.Errorf("%w: too much waits to be sent", ErrUnavailable)
)

// unavailable says in our words what is wrong with Postgres: what it says may hold names, and what pgx says too.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		if reason := refusal(said.Code); reason != "" {
			return &RefusedError{reason}
		}
		return fmt.Errorf("%w: SQLSTATE %s", ErrUnavailable, said.Code)
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, networkProblem(err))
}

// networkProblem names what is wrong with the connection.
func networkProblem(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its host's name is not known"
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "it does not answer in time"
	case errors.Is(err, context.Canceled):
		return "the connection was given up"
	case strings.Contains(err.Error(), "tls"), strings.Contains(err.Error(), "x509"):
		return "TLS cannot be agreed on; see sslmode"
	default:
		return "the connection broke"
	}
}

// refusal says why a Postgres refuses, or "" where it does not.
func refusal(sqlstate string) string {
	switch sqlstate {
	case "28P01", "28000":
		return "the username or password is wrong, or pg_hba.conf does not let them in"
	case "3D000":
		return "it has no database of that name"
	case "42501":
		return "the user may not use the tables of channels_postgres; grant SELECT, INSERT, UPDATE and DELETE, and USAGE of their sequences"
	case "25006":
		return "it is read-only: a standby, perhaps"
	default:
		return ""
	}
}
