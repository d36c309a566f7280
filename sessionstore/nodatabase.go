package sessionstore

import "context"

// noDatabase is the database of a Store without one: a site whose sessions are elsewhere.
type noDatabase struct{}

func errNoDatabase() error { return &DatabaseError{Fault: FaultNoDatabase} }

func (noDatabase) dialect() dialect { return sqliteDialect{} }

func (noDatabase) columns(context.Context, string) (map[string]columnType, error) {
	return nil, errNoDatabase()
}

func (noDatabase) query(context.Context, statement, func(func(...any) error) error) error {
	return errNoDatabase()
}

func (noDatabase) exec(context.Context, statement, ...statement) (int64, error) {
	return 0, errNoDatabase()
}

func (noDatabase) connections() (open, busy int) { return 0, 0 }

func (noDatabase) close() {}

// withoutDatabase reports whether there is no database, and so nobody who can be logged in.
func (s *Store) withoutDatabase() bool { return s.cfg.DatabaseURL.IsZero() }
