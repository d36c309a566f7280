package sessionstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/sessionstore/changes"
)

// Changes returns what hears of changes in the database of s. On PostgreSQL it LISTENs on a connection of its own, to
// Config.ListenURL where there is one: LISTEN does not work through a pooler.
func (s *Store) Changes(cfg changes.Config) (*changes.Listener, error) {
	switch db := s.db.(type) {
	case *sqliteDatabase:
		return changes.SQLite(db.readers.Conn, cfg), nil
	case *postgres:
		connect, err := s.listeningConnection(db)
		if err != nil {
			return nil, err
		}
		cfg.Sessions, cfg.Users = s.named(s.cfg.SessionTable), s.named(s.cfg.Users.Table)
		return changes.Postgres(connect, db.notify, cfg), nil
	default:
		return nil, errors.New("sessionstore: there is no database to listen to")
	}
}

// named is a table as SQL names it.
func (s *Store) named(table string) string {
	if s.cfg.Schema == "" {
		return quote(table)
	}
	return quote(s.cfg.Schema) + "." + quote(table)
}

// listeningConnection returns what opens a connection that can LISTEN.
func (s *Store) listeningConnection(db *postgres) (func(context.Context) (*pgx.Conn, error), error) {
	config := db.pool.Config().ConnConfig
	if !s.cfg.ListenURL.IsZero() {
		u, err := parseDatabaseURL(s.cfg.ListenURL.Reveal())
		if err != nil {
			return nil, errors.New("sessionstore: listen_url is no URL of a database")
		}
		keywords, _ := u.keywords()
		if config, err = pgx.ParseConfig(keywords); err != nil { // its text may hold the password
			return nil, errors.New("sessionstore: listen_url cannot be used")
		}
		config.ConnectTimeout = s.cfg.ConnectTimeout
	}
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, config) }, nil
}

// notify implements changes.Notify.
func (p *postgres) notify(ctx context.Context, channel, payload string) error {
	_, err := p.exec(ctx, statement{"SELECT pg_notify($1, $2)", []any{channel, payload}})
	return err
}
