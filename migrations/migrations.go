// Package migrations makes and removes the database objects that Belleville offers beside Django's own: optional sets,
// each of which stands for itself.
//
// Start with [Sets], [Up] and [Down].
//
// Everything happens in one transaction, one process at a time. What Up makes has a comment that says so, and Down
// removes just that. A table that is Django's is never altered, though it may get an index.
package migrations

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// made is the comment of everything that Up makes.
const made = "made by belleville migrate"

// lock is the advisory lock that one process at a time holds.
const lock = 0x62656c6c_6d696772

// An OwnedError is an object that somebody else has made, so that it is neither made nor removed here.
type OwnedError struct {
	Set    string
	Object string // as in "table channels_postgres_message", or "" where it is the whole set
	App    string // the Django app that has it, or ""
}

func (e *OwnedError) Error() string {
	if e.App != "" {
		return fmt.Sprintf("migrations: %s: the objects belong to the Django app %s, which is in django_migrations; `manage.py migrate %s` looks after them", e.Set, e.App, e.App)
	}
	return fmt.Sprintf("migrations: %s: the %s is there, and was not made by belleville migrate", e.Set, e.Object)
}

// A NeedError is a table that a set needs and that is not there.
type NeedError struct {
	Set    string
	Object string // as in "table channels_postgres_message"
}

func (e *NeedError) Error() string {
	remedy := "or `belleville migrate up channels_postgres`"
	if e.Set == LiveSessions || e.Set == LiveSessionsUpdates {
		remedy = "or name the table in django.session_table or django.user.table"
	}
	return fmt.Sprintf("migrations: %s: the %s is not there; run `manage.py migrate` on the site, %s", e.Set, e.Object, remedy)
}

// State says what there is of a set.
type State string

// The states of a set.
const (
	Absent  State = "absent"  // nothing is there
	Present State = "present" // all of it is there, made here
	Partial State = "partial" // some of it is there, made here
	Django  State = "django"  // it belongs to a Django app
	Foreign State = "foreign" // some of it is there, made by somebody else
)

// Up makes what is missing of a set. It returns an [OwnedError] where somebody else has made some of it, and a
// [NeedError] where there is nothing that it could stand on.
func Up(ctx context.Context, conn *pgx.Conn, s Set) error {
	return transact(ctx, conn, s, func(tx pgx.Tx) error {
		if err := s.checkOwner(ctx, tx); err != nil {
			return err
		}
		for _, o := range s.needs {
			if there, _, err := o.look(ctx, tx); err != nil {
				return err
			} else if !there {
				return &NeedError{s.Name, o.String()}
			}
		}
		return run(ctx, tx, s.UpSQL())
	})
}

// Down removes what Up has made. It is no error where there is nothing. It returns an [OwnedError] where somebody else
// has made some of it, or a Django app has taken it over.
func Down(ctx context.Context, conn *pgx.Conn, s Set) error {
	return transact(ctx, conn, s, func(tx pgx.Tx) error {
		if err := s.checkOwner(ctx, tx); err != nil {
			return err
		}
		return run(ctx, tx, s.DownSQL())
	})
}

// Status says what there is of a set.
func Status(ctx context.Context, conn *pgx.Conn, s Set) (State, error) {
	var state State
	err := transact(ctx, conn, s, func(tx pgx.Tx) error {
		known, err := s.knownToDjango(ctx, tx)
		if known {
			state = Django
		}
		if known || err != nil {
			return err
		}
		state, err = s.count(ctx, tx)
		return err
	})
	return state, err
}

// count finds out what there is of a set that is no Django app's.
func (s Set) count(ctx context.Context, tx pgx.Tx) (State, error) {
	n := 0
	for _, o := range s.objects {
		there, ours, err := o.look(ctx, tx)
		switch {
		case err != nil:
			return "", err
		case there && !ours:
			return Foreign, nil
		case there:
			n++
		}
	}
	switch n {
	case 0:
		return Absent, nil
	case len(s.objects):
		return Present, nil
	default:
		return Partial, nil
	}
}

func transact(ctx context.Context, conn *pgx.Conn, s Set, do func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lock)); err != nil {
			return err
		}
		return do(tx)
	})
	if _, owned := errors.AsType[*OwnedError](err); err == nil || owned {
		return err
	}
	if _, need := errors.AsType[*NeedError](err); need {
		return err
	}
	return fmt.Errorf("migrations: %s: %w", s.Name, err)
}

// run runs statements that have no parameters.
func run(ctx context.Context, tx pgx.Tx, sql string) error {
	return tx.Conn().PgConn().Exec(ctx, sql).Close()
}

// checkOwner returns an OwnedError unless the set is ours, or not there.
func (s Set) checkOwner(ctx context.Context, tx pgx.Tx) error {
	known, err := s.knownToDjango(ctx, tx)
	if err != nil {
		return err
	}
	if known {
		return &OwnedError{Set: s.Name, App: s.app}
	}
	for _, o := range s.objects {
		there, ours, err := o.look(ctx, tx)
		if err != nil {
			return err
		}
		if there && !ours {
			return &OwnedError{Set: s.Name, Object: o.String()}
		}
	}
	return nil
}

// knownToDjango reports whether a Django app has made the set, or taken it over.
func (s Set) knownToDjango(ctx context.Context, tx pgx.Tx) (known bool, err error) {
	if s.app == "" {
		return false, nil
	}
	var there bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('django_migrations') IS NOT NULL`).Scan(&there); err != nil || !there {
		return false, err
	}
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM django_migrations WHERE app = $1)`, s.app).Scan(&known)
	return known, err
}

func (o object) String() string { return string(o.kind) + " " + o.name }

// look finds out whether an object is there, and whether Up has made it.
func (o object) look(ctx context.Context, tx pgx.Tx) (there, ours bool, err error) {
	query := `SELECT to_regclass($1) IS NOT NULL, coalesce(obj_description(to_regclass($1), 'pg_class') = $2, false)`
	if o.kind == function {
		query = `SELECT to_regprocedure($1) IS NOT NULL, coalesce(obj_description(to_regprocedure($1), 'pg_proc') = $2, false)`
	}
	err = tx.QueryRow(ctx, query, o.name, made).Scan(&there, &ours)
	return there, ours, err
}
