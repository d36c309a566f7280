package sessionstore

import (
	"context"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// database is what PostgreSQL and SQLite have in common. Its errors are [*DatabaseError]s.
type database interface {
	// dialect returns how the database says things.
	dialect() dialect
	// columns returns the types of a table's columns by name; none if there is no such table.
	columns(ctx context.Context, table string) (map[string]columnType, error)
	// query calls row for each row. If the connection breaks it begins anew, so row must be able to see
	// rows again.
	query(ctx context.Context, q statement, row func(scan func(dest ...any) error) error) error
	// exec runs the first statement and, if that changed a row, the others: all of them or none. It
	// returns how many rows the first one changed.
	exec(ctx context.Context, first statement, others ...statement) (int64, error)
	// connections counts the open connections and those that are at work.
	connections() (open, busy int)
	close()
}

// dialect is how a database says things in SQL.
type dialect interface {
	// table writes the name of a table, quoted.
	table(name string) string
	// param writes the n-th parameter, from 1.
	param(n int) string
	// oneOf writes that a quoted column has one of count values, which are the first parameters: texts or
	// pks makes these.
	oneOf(column string, kind djangocompat.PKKind, count int) string
	texts(values []string) []any
	pks(kind djangocompat.PKKind, values []djangocompat.PK) []any
	// times returns the zone of times, where they are kept as text; nil where the database knows what a time
	// is.
	times() *time.Location
}

// statement is one SQL statement with its parameters.
type statement struct {
	sql  string
	args []any
}

// columnType is what a column can hold.
type columnType uint8

const (
	columnOther columnType = iota
	columnInt
	columnText
	columnUUID
)

// pkKind returns the kind of primary key that a column of this type holds.
func (t columnType) pkKind() djangocompat.PKKind {
	switch t {
	case columnInt:
		return djangocompat.PKInt
	case columnText:
		return djangocompat.PKText
	case columnUUID:
		return djangocompat.PKUUID
	default:
		return djangocompat.PKNone
	}
}
