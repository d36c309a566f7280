package builtin

import (
	"context"
	"strconv"
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// A Dialect is how a database writes the parameters of a query, and keeps a UUID.
type Dialect uint8

// The dialects.
const (
	Postgres Dialect = iota // $1; UUIDs are a type of their own
	SQLite                  // ?1; Django keeps UUIDs as 32 hexadecimal digits
)

// A Database is asked by AllowSQL.
type Database interface {
	// HasRow reports whether a query gives a row.
	HasRow(ctx context.Context, query string, args ...any) (bool, error)
}

// A Query is an SQL query with values in braces, which become its parameters, as in
// "SELECT 1 FROM chat_member WHERE room = {room} AND user_id = {user.pk}".
type Query struct {
	sql     string
	values  []value // by the number of the parameter, less one
	dialect Dialect
}

// ParseQuery reads a query. The error is a [*SyntaxError].
//
// A name in braces stands where a value may stand; inside quotes it would be text, and is refused. Braces
// that hold no name stay as they are.
func ParseQuery(text string, d Dialect) (Query, error) {
	p := queryParser{rest: text, query: Query{dialect: d}}
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	if word = strings.ToUpper(word); word != "SELECT" && word != "WITH" {
		return Query{}, &SyntaxError{"it does not begin with SELECT"}
	}
	for p.rest != "" {
		if err := p.step(); err != nil {
			return Query{}, err
		}
	}
	p.query.sql = p.out.String()
	return p.query, nil
}

// Names returns the names of the values, each once.
func (q Query) Names() []string {
	names := make([]string, len(q.values))
	for i, v := range q.values {
		names[i] = v.name
	}
	return names
}

// SQL returns the query as the database gets it.
func (q Query) SQL() string { return q.sql }

// args returns the parameters for one connection. A value that it has not is NULL, which is equal to nothing.
func (q Query) args(s *consumers.Scope) []any {
	args := make([]any, len(q.values))
	for i, v := range q.values {
		got, ok := v.get(s)
		if !ok {
			continue
		}
		args[i] = q.arg(got)
	}
	return args
}

// arg returns a value as the database takes it.
func (q Query) arg(v any) any {
	pk, ok := v.(djangocompat.PK)
	if !ok {
		return v
	}
	if n, isInt := pk.Int64(); isInt {
		return n
	}
	if _, isUUID := pk.UUID(); isUUID && q.dialect == SQLite {
		return strings.ReplaceAll(pk.String(), "-", "")
	}
	return pk.String()
}

// queryParser turns the names in a query into parameters.
type queryParser struct {
	rest  string
	out   strings.Builder
	query Query
}

// step takes the next part of the query: what is quoted, a comment, a name in braces, or a character.
func (p *queryParser) step() error {
	switch {
	case p.rest[0] == '\'' || p.rest[0] == '"':
		return p.verbatim(p.rest[:1], p.rest[:1], "inside quotes, where it is not bound: take the quotes away")
	case strings.HasPrefix(p.rest, "--"):
		return p.verbatim("--", "\n", "inside a comment, where it is not bound: take it out")
	case strings.HasPrefix(p.rest, "/*"):
		return p.verbatim("/*", "*/", "inside a comment, where it is not bound: take it out")
	case p.rest[0] == '$' || p.rest[0] == '?' && p.query.dialect == SQLite:
		return &SyntaxError{"a " + p.rest[:1] + " stands outside quotes: parameters are written as names in braces"}
	case p.rest[0] == ';':
		return &SyntaxError{"a ; stands outside quotes: it must be one query"}
	case p.rest[0] == 0:
		return &SyntaxError{"it holds a NUL"}
	}
	if name, ok := nameInBraces(p.rest); ok {
		return p.parameter(name)
	}
	p.out.WriteByte(p.rest[0])
	p.rest = p.rest[1:]
	return nil
}

// verbatim takes what stands between open and end. A name in it is refused: it would look like a parameter
// and be none.
func (p *queryParser) verbatim(open, end, problem string) error {
	i := strings.Index(p.rest[len(open):], end)
	if i < 0 && end != "\n" {
		return &SyntaxError{"a " + open + " is not closed"}
	}
	size := len(p.rest)
	if i >= 0 {
		size = len(open) + i + len(end)
	}
	part := p.rest[:size]
	for j := range len(part) {
		if name, ok := nameInBraces(part[j:]); ok {
			return &SyntaxError{"{" + name + "} stands " + problem}
		}
	}
	p.out.WriteString(part)
	p.rest = p.rest[size:]
	return nil
}

// parameter takes a name in braces.
func (p *queryParser) parameter(name string) error {
	v, err := valueOf(name)
	if err != nil {
		return err
	}
	n := p.number(v)
	p.out.WriteString(map[Dialect]string{Postgres: "$", SQLite: "?"}[p.query.dialect])
	p.out.WriteString(strconv.Itoa(n))
	p.rest = p.rest[len(name)+2:]
	return nil
}

// number returns the number of the parameter that stands for a value.
func (p *queryParser) number(v value) int {
	for i, known := range p.query.values {
		if known.name == v.name {
			return i + 1
		}
	}
	p.query.values = append(p.query.values, v)
	return len(p.query.values)
}

// nameInBraces returns the name of a value that s begins with, in braces.
func nameInBraces(s string) (string, bool) {
	if s[0] != '{' {
		return "", false
	}
	name, _, found := strings.Cut(s[1:], "}")
	if !found || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") != "" || name == "" {
		return "", false
	}
	return name, true
}

// AllowSQL wraps an Application: only who the query has a row for may connect, others are answered 403. An
// error of the database is returned as it is.
func AllowSQL(app consumers.Application, q Query, db Database) consumers.Application {
	return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		found, err := db.HasRow(ctx, q.sql, q.args(s)...)
		switch {
		case err != nil:
			return nil, err
		case !found:
			return nil, consumers.ReasonAllowSQL.Deny()
		}
		return app.Open(ctx, s)
	})
}
