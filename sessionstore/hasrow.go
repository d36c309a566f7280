package sessionstore

import (
	"context"
	"fmt"
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
	found := false
	err := s.db.query(ctx, statement{exists(query), args}, func(scan func(...any) error) error { return scan(&found) })
	if err != nil {
		return false, fmt.Errorf("ask the database: %w", s.noted(err))
	}
	return found, nil
}
