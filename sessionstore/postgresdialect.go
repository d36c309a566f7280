package sessionstore

import (
	"strconv"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// postgresDialect is SQL as PostgreSQL has it.
type postgresDialect struct{ schema string }

func (d postgresDialect) table(name string) string {
	if d.schema == "" {
		return quote(name)
	}
	return quote(d.schema) + "." + quote(name)
}

func (postgresDialect) param(n int) string { return "$" + strconv.Itoa(n) }

func (postgresDialect) oneOf(column string, kind djangocompat.PKKind, _ int) string {
	switch kind {
	case djangocompat.PKInt:
		return column + " = ANY($1::bigint[])"
	case djangocompat.PKUUID:
		return column + " = ANY($1::text[]::uuid[])"
	default:
		return column + " = ANY($1::text[])"
	}
}

func (postgresDialect) texts(values []string) []any { return []any{padded(values)} }

func (postgresDialect) pks(kind djangocompat.PKKind, values []djangocompat.PK) []any {
	if kind == djangocompat.PKInt {
		numbers := make([]int64, len(values), max(len(values), fewestValues))
		for i, pk := range values {
			numbers[i], _ = pk.Int64()
		}
		return []any{padded(numbers)}
	}
	texts := make([]string, len(values), max(len(values), fewestValues))
	for i, pk := range values {
		texts[i] = pk.String()
	}
	return []any{padded(texts)}
}

// fewestValues is one more than PostgreSQL believes to be in an array that it has not seen. A prepared statement is
// planned anew each time, which takes longer than its execution, as long as the plans for what it is given look cheaper
// than the one for any array: so none that it is given is shorter.
const fewestValues = 11

// padded returns values with enough of them repeated. PostgreSQL looks for each once.
func padded[T any](values []T) []T {
	if len(values) == 0 || len(values) >= fewestValues {
		return values
	}
	all := append(make([]T, 0, fewestValues), values...)
	for len(all) < fewestValues {
		all = append(all, values[0])
	}
	return all
}

func (postgresDialect) times() *time.Location { return nil }
