package sessionstore

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/belleville/belleville/djangocompat"
)

// maxText bounds what is looked up, in bytes.
const maxText = 1024

// representable reports whether pk can be in a table.
func representable(pk djangocompat.PK) bool {
	return pk.Kind() != djangocompat.PKText || representableText(pk.String())
}

func representableText(text string) bool {
	return len(text) <= maxText && strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}

// Login makes session the one of user, and stores it: an anonymous session keeps its data and gets a new
// key, one of another user or of an old password loses its data. It is not asked whether the user is
// active, nor for a password: see Authenticate. Unlike Channels' login it leaves nothing to be saved.
// Python: django.contrib.auth.login.
func (s *Store) Login(ctx context.Context, session *djangocompat.Session, user *djangocompat.User) error {
	if err := s.login(ctx, session, user); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	return nil
}

func (s *Store) login(ctx context.Context, session *djangocompat.Session, user *djangocompat.User) error {
	backend, err := s.backendOf(user)
	if err != nil {
		return err
	}
	t, err := s.ready()
	if err != nil {
		return err
	}
	row, found, err := s.users.get(ctx, user.PK)
	if err != nil {
		return err
	}
	if !found {
		return ErrNoSuchUser
	}
	hash := s.authHash(row)
	save := session.CycleKey
	if session.Has(djangocompat.AuthUserIDKey) {
		if sameLogin(session, t.pkKind, user.PK, hash) {
			save = session.Save
		} else {
			session.Clear()
		}
	}
	session.Set(djangocompat.AuthUserIDKey, user.PK.String())
	session.Set(djangocompat.AuthBackendKey, backend)
	session.Set(djangocompat.AuthHashKey, hash)
	if t.lastLogin != "" {
		if _, err := s.exec(ctx, t.setLastLogin(user.PK, s.cfg.Now())); err != nil {
			return err
		}
	}
	return save(ctx)
}

// backendOf returns the authentication backend that is to be noted for user.
func (s *Store) backendOf(user *djangocompat.User) (string, error) {
	switch {
	case !user.IsAuthenticated():
		return "", ErrNoSuchUser
	case user.Backend != "":
		return user.Backend, nil
	case len(s.cfg.AuthenticationBackends) > 1:
		return "", ErrManyBackends
	default:
		return s.cfg.AuthenticationBackends[0], nil
	}
}

// authHash returns what login writes into the session.
func (s *Store) authHash(row userRow) string {
	k := s.keyed.Load()
	if k.authHash != nil {
		return k.authHash(row.user, row.password)
	}
	return djangocompat.SessionAuthHash(k.codec.Keys, row.password)
}

// sameLogin reports whether the user is logged in with session already, with today's password and key.
func sameLogin(session *djangocompat.Session, kind djangocompat.PKKind, pk djangocompat.PK, hash string) bool {
	id, _ := session.Get(djangocompat.AuthUserIDKey)
	before, err := djangocompat.PKFrom(kind, id)
	old, _ := session.GetString(djangocompat.AuthHashKey)
	return err == nil && before == pk && subtle.ConstantTimeCompare([]byte(old), []byte(hash)) == 1
}

// Logout ends a session: its row and its data are gone. Python: django.contrib.auth.logout.
func (s *Store) Logout(ctx context.Context, session *djangocompat.Session) error {
	if err := session.Flush(ctx); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	return nil
}
