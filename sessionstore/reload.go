package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/belleville/belleville/djangocompat"
)

// keyed is what hangs on the site's keys. It is replaced whole.
type keyed struct {
	codec    djangocompat.SessionCodec
	authHash func(u *djangocompat.User, password string) string // nil for Django's own
}

func newKeyed(cfg Config) *keyed {
	return &keyed{authHash: cfg.AuthHash, codec: djangocompat.SessionCodec{
		Keys:         cfg.Keys,
		Salt:         cfg.Salt,
		Serializer:   cfg.SessionSerializer,
		MaxSize:      cfg.MaxSessionSize,
		AcceptSHA1:   !cfg.RefuseLegacy,
		RefuseLegacy: cfg.RefuseLegacy,
		WriteLegacy:  cfg.WriteLegacy,
		Now:          cfg.Now,
	}}
}

// Reload gives the Store the Keys, the AuthHash and the Tokens of a Config; the rest of that does not count. Whatever is
// looked up from then on is judged by them, what was remembered too. Where the tables of tokens are others, the database
// must answer and have them; else nothing is changed.
func (s *Store) Reload(ctx context.Context, cfg Config) error {
	if cfg.Keys.IsZero() {
		return errors.New("sessionstore: secret_key is missing: it is SECRET_KEY of settings.py")
	}
	if err := s.reloadTokens(ctx, cfg.Tokens); err != nil {
		return err
	}
	own := s.cfg
	own.Keys, own.AuthHash = cfg.Keys, cfg.AuthHash
	s.keyed.Store(newKeyed(own))
	s.memory.sessions.forget() // what is in it was read with other keys
	return nil
}

// reloadTokens finds the tables of tokens, if those are others than before.
func (s *Store) reloadTokens(ctx context.Context, next TokenTables) error {
	before := s.tokenTables.Load()
	if reflect.DeepEqual(*before, next) || s.withoutDatabase() {
		return nil
	}
	if err := next.check(); err != nil {
		return err
	}
	cfg := s.cfg
	cfg.Tokens = next
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	t, err := resolve(ctx, s.db, cfg)
	if err != nil {
		return fmt.Errorf("look for the tables of tokens: %w", err)
	}
	s.tokenTables.Store(&next) // first, for connect
	s.tables.Store(t)
	return nil
}
