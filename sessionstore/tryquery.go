package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"modernc.org/sqlite"
)

// A QueryError is a query of the site's own that the database will never answer.
type QueryError struct {
	// Problem says what is wrong. It names nothing but what the query itself names.
	Problem string
	// Code is the SQLSTATE, or SQLite's result code.
	Code string
}

// Error implements error.
func (e *QueryError) Error() string { return e.Problem + " (" + e.Code + ")" }

// existsBefore and existsAfter stand around a query of the site's own. EXISTS ends at the first row, and neither
// database lets anything be changed inside it. The line breaks end a comment.
const (
	existsBefore = "SELECT EXISTS (\n"
	existsAfter  = "\n)"
)

// exists returns the statement that asks whether a query has a row.
func exists(query string) string {
	return existsBefore + strings.TrimRight(query, "; \t\r\n") + existsAfter
}

// TryQuery has the database plan a query as [Store.HasRow] would ask it, with a number of parameters, and runs
// nothing. The error is a [*QueryError] where the query is wrong, and [ErrUnavailable] where the database is away.
func (s *Store) TryQuery(ctx context.Context, query string, parameters int) error {
	if _, err := s.ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	explain, args := "EXPLAIN "+exists(query), make([]any, parameters)
	var wrong *QueryError
	var err error
	switch db := s.db.(type) {
	case *postgres:
		err = db.persist(ctx, func(conn *pgxpool.Conn) error {
			_, err := conn.Exec(ctx, explain, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
			wrong = postgresQueryError(query, err)
			return err
		})
	case *sqliteDatabase:
		err = db.persist(ctx, func() error {
			rows, err := db.readers.QueryContext(ctx, explain, args...)
			if err == nil {
				err = errors.Join(rows.Err(), rows.Close())
			}
			wrong = sqliteQueryError(err)
			return err
		})
	}
	if wrong != nil {
		return wrong
	}
	if err != nil {
		return fmt.Errorf("try a query: %w", s.noted(err))
	}
	return nil
}

// postgresQueryError says what is wrong with a query, nil if that is not the trouble.
func postgresQueryError(query string, err error) *QueryError {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return nil
	}
	at := int(e.Position) - len("EXPLAIN "+existsBefore) - 1
	word := wordAt(query, at)
	named := func(what string) string {
		if word == "" {
			return what
		}
		return what + " " + word
	}
	switch e.Code {
	case "42P01":
		return &QueryError{"there is no " + named("table"), e.Code}
	case "42703":
		return &QueryError{"there is no " + named("column"), e.Code}
	case "42883":
		return &QueryError{"there is no such operator or function for these types: " + named("at"), e.Code}
	case "42601":
		return &QueryError{"it is no SQL: " + named("at"), e.Code}
	case "42501":
		return &QueryError{"the role may not read what it names: GRANT SELECT on it", e.Code}
	case "42P18":
		return &QueryError{"the type of a value cannot be told: write it as in {room}::text", e.Code}
	}
	if class := e.Code[:min(2, len(e.Code))]; class == "42" || class == "22" {
		return &QueryError{"the database refuses it", e.Code}
	}
	return nil
}

// identifier is the name of a table, a column or a function.
var identifier = regexp.MustCompile(`^"?[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?`)

// maxWord is how much of a query is shown.
const maxWord = 63

// wordAt returns the name that begins at a character of a query, "" if none does: a text may be a secret.
func wordAt(query string, at int) string {
	runes := []rune(query)
	if at < 0 || at >= len(runes) {
		return ""
	}
	word := strings.Trim(identifier.FindString(string(runes[at:])), `"`)
	return word[:min(len(word), maxWord)]
}

// sqliteComplaint is what SQLite says of a query that names what is not there.
var sqliteComplaint = regexp.MustCompile(`no such (table|column|function): ([A-Za-z0-9_.]{1,63})|near "([A-Za-z0-9_]{1,63})": (syntax) error`)

// sqliteQueryError is postgresQueryError for SQLite.
func sqliteQueryError(err error) *QueryError {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok || e.Code()&0xff != 1 { // SQLITE_ERROR
		return nil
	}
	code := fmt.Sprintf("SQLite %d", e.Code())
	m := sqliteComplaint.FindStringSubmatch(e.Error())
	switch {
	case m == nil:
		return &QueryError{"the database refuses it", code}
	case m[4] != "":
		return &QueryError{"it is no SQL: at " + m[3], code}
	}
	return &QueryError{"there is no " + m[1] + " " + m[2], code}
}
