package builtin_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/djangocompat"
)

func TestParseQuery(t *testing.T) {
	tests := []struct {
		name    string
		text    string
		dialect builtin.Dialect
		sql     string
		names   []string
		want    string // the problem
	}{
		{"values become parameters", "SELECT 1 FROM m WHERE r = {room} AND u = {user.pk}", builtin.Postgres, "SELECT 1 FROM m WHERE r = $1 AND u = $2", []string{"room", "user.pk"}, ""},
		{"in SQLite too", "select 1 where {a} = {b}", builtin.SQLite, "select 1 where ?1 = ?2", []string{"a", "b"}, ""},
		{"a value that stands twice is one parameter", "SELECT {a}, {b}, {a}", builtin.Postgres, "SELECT $1, $2, $1", []string{"a", "b"}, ""},
		{"a query may begin with a common table", " with x AS (SELECT 1) SELECT {a}", builtin.Postgres, " with x AS (SELECT 1) SELECT $1", []string{"a"}, ""},
		{"an array in quotes stays", "SELECT '{a,b}'::text[], '{}'", builtin.Postgres, "SELECT '{a,b}'::text[], '{}'", []string{}, ""},
		{"braces without a name stay", "SELECT {fn now()}, {}", builtin.Postgres, "SELECT {fn now()}, {}", []string{}, ""},
		{"a quote in quotes is doubled", "SELECT 'it''s' WHERE {a}", builtin.Postgres, "SELECT 'it''s' WHERE $1", []string{"a"}, ""},
		{"a question mark is an operator of PostgreSQL", "SELECT j ? {a}", builtin.Postgres, "SELECT j ? $1", []string{"a"}, ""},
		{"a comment stays", "SELECT 1 -- {not a name}\n, {a} /* ; */", builtin.Postgres, "SELECT 1 -- {not a name}\n, $1 /* ; */", []string{"a"}, ""},
		{"a value in quotes would be text", "SELECT 1 WHERE r = '{room}'", builtin.Postgres, "", nil, "{room} stands inside quotes, where it is not bound: take the quotes away"},
		{"also in a quoted name", `SELECT "{room}"`, builtin.Postgres, "", nil, "{room} stands inside quotes, where it is not bound: take the quotes away"},
		{"a value in a comment does nothing", "SELECT 1 -- {room}", builtin.Postgres, "", nil, "{room} stands inside a comment, where it is not bound: take it out"},
		{"one query only", "SELECT 1; DELETE FROM m", builtin.Postgres, "", nil, "a ; stands outside quotes: it must be one query"},
		{"nothing is changed", "DELETE FROM m", builtin.Postgres, "", nil, "it does not begin with SELECT"},
		{"own parameters would be in the way", "SELECT $1", builtin.Postgres, "", nil, "a $ stands outside quotes: parameters are written as names in braces"},
		{"in SQLite a question mark is one", "SELECT ?", builtin.SQLite, "", nil, "a ? stands outside quotes: parameters are written as names in braces"},
		{"quotes are closed", "SELECT 'a", builtin.Postgres, "", nil, "a ' is not closed"},
		{"comments are closed", "SELECT /* a", builtin.Postgres, "", nil, "a /* is not closed"},
		{"a name has one dot", "SELECT {user.a.b}", builtin.Postgres, "", nil, `"user.a.b" is no name of a value`},
		{"no NUL", "SELECT \x00", builtin.Postgres, "", nil, "it holds a NUL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := builtin.ParseQuery(tt.text, tt.dialect)
			if got := problem(err); got != tt.want {
				t.Fatalf("problem = %q, want %q", got, tt.want)
			}
			if err == nil && (q.SQL() != tt.sql || !slices.Equal(q.Names(), tt.names)) {
				t.Errorf("SQL, Names = %q, %v; want %q, %v", q.SQL(), q.Names(), tt.sql, tt.names)
			}
		})
	}
}

// rows answers every query, and remembers what it was asked.
type rows struct {
	found bool
	err   error
	args  []any
}

// HasRow implements builtin.Database.
func (r *rows) HasRow(_ context.Context, _ string, args ...any) (bool, error) {
	r.args = args
	return r.found, r.err
}

func TestAllowSQL(t *testing.T) {
	away := errors.New("database is away")
	uuid := djangocompat.UUIDPK([16]byte{0xab, 15: 1})
	tests := []struct {
		name    string
		dialect builtin.Dialect
		user    *djangocompat.User
		rows    rows
		status  int
		args    []any
	}{
		{"a row lets in", builtin.Postgres, alice(), rows{found: true}, 101, []any{"lobby'; --", int64(7), nil}},
		{"no row refuses", builtin.Postgres, alice(), rows{}, 403, []any{"lobby'; --", int64(7), nil}},
		{"a visitor's key is NULL", builtin.Postgres, nil, rows{}, 403, []any{"lobby'; --", nil, nil}},
		{"what cannot be asked refuses", builtin.Postgres, alice(), rows{found: true, err: away}, 500, []any{"lobby'; --", int64(7), nil}},
		{"a UUID has its dashes", builtin.Postgres, &djangocompat.User{PK: uuid}, rows{found: true}, 101, []any{"lobby'; --", "ab000000-0000-0000-0000-000000000001", nil}},
		{"in SQLite it has none", builtin.SQLite, &djangocompat.User{PK: uuid}, rows{found: true}, 101, []any{"lobby'; --", "ab000000000000000000000000000001", nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := builtin.ParseQuery("SELECT 1 WHERE {room} = {user.pk} OR {0} = 1", tt.dialect)
			if err != nil {
				t.Fatal(err)
			}
			_, status := visit(t, builtin.AllowSQL(builtin.Echo(), q, &tt.rows), inRoom("lobby'; --", tt.user, nil))
			if status != tt.status || !reflect.DeepEqual(tt.rows.args, tt.args) {
				t.Errorf("status, args = %d, %v; want %d, %v", status, tt.rows.args, tt.status, tt.args)
			}
		})
	}
}

func TestAllowSQLReturnsTheError(t *testing.T) {
	q, err := builtin.ParseQuery("SELECT 1", builtin.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	want := &consumers.Denial{Status: 503}
	_, got := builtin.AllowSQL(builtin.Echo(), q, &rows{err: want}).Open(t.Context(), new(consumers.Scope))
	if got != error(want) {
		t.Errorf("Open returned %v, want %v", got, want)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"SELECT {a}", "SELECT '{a}'", "WITH x AS (SELECT '{a,b}') SELECT {x.y}", "SELECT /*{*/ {a}", "SELECT --{", `SELECT "`} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, sqlite bool) {
		d := builtin.Postgres
		if sqlite {
			d = builtin.SQLite
		}
		q, err := builtin.ParseQuery(text, d)
		if err != nil {
			return
		}
		for _, n := range q.Names() {
			if !strings.Contains(text, "{"+n+"}") {
				t.Errorf("%q names %q", text, n)
			}
		}
		if len(q.Names()) == 0 && q.SQL() != text {
			t.Errorf("%q became %q without a parameter", text, q.SQL())
		}
	})
}
