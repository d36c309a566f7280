package sessionstore

import (
	"context"
	"fmt"
	"strings"
)

// HasRow reports whether a query of the site's own gives a row. The query writes its parameters as its
// database does, $1 or ?1, and has no more than one statement, which changes nothing. An error that is a
// [*DatabaseError] says whether the database is away or the query is wrong.
func (s *Store) HasRow(ctx context.Context, query string, args ...any) (bool, error) {
	if _, err := s.ready(); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	// EXISTS ends at the first row, and neither database lets anything be changed inside it. The line breaks
	// end a comment.
	sql := "SELECT EXISTS (\n" + strings.TrimRight(query, "; \t\r\n") + "\n)"
	found := false
	err := s.db.query(ctx, statement{sql, args}, func(scan func(...any) error) error { return scan(&found) })
	if err != nil {
		return false, fmt.Errorf("ask the database: %w", s.noted(err))
	}
	return found, nil
}
