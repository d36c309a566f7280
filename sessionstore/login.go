package sessionstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/belleville/belleville/djangocompat"
)

// maxPassword bounds what is hashed, in bytes, and maxText what is looked up.
const (
	maxPassword = 4096
	maxText     = 1024
)

// representable reports whether pk can be in a table.
func representable(pk djangocompat.PK) bool {
	return pk.Kind() != djangocompat.PKText || representableText(pk.String())
}

func representableText(text string) bool {
	return len(text) <= maxText && strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}

// Authenticate returns the user of this name and password whom one of the authentication backends lets in,
// or ErrBadLogin. It takes as long for a name that is nobody's. Passwords are hashed on all processors but
// one; more of them wait.
// Python: django.contrib.auth.authenticate with ModelBackend.
func (s *Store) Authenticate(ctx context.Context, username, password string) (*djangocompat.User, error) {
	u, err := s.authenticate(ctx, username, password)
	s.metrics.authenticated(err)
	if err != nil {
		return nil, fmt.Errorf("authenticate: %w", err)
	}
	return u, nil
}

func (s *Store) authenticate(ctx context.Context, username, password string) (*djangocompat.User, error) {
	row, found, err := s.byName(ctx, username)
	if err != nil {
		return nil, err
	}
	encoded := row.password
	if !found || !djangocompat.PasswordUsable(encoded) {
		found, encoded = false, s.decoy
	}
	if len(password) > maxPassword {
		found, password = false, password[:maxPassword]
	}
	right, err := s.checkPassword(ctx, password, encoded)
	if err != nil {
		return nil, err
	}
	if !found || !right {
		return nil, ErrBadLogin
	}
	for _, backend := range s.cfg.AuthenticationBackends {
		if row.user.IsActive || s.letsInactiveIn(backend) {
			return s.known.share(row.user, backend), nil
		}
	}
	return nil, ErrBadLogin
}

// byName returns the user of a name.
func (s *Store) byName(ctx context.Context, username string) (userRow, bool, error) {
	t, err := s.ready()
	if err != nil {
		return userRow{}, false, err
	}
	if !representableText(username) {
		return userRow{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTimeout)
	defer cancel()
	var row userRow
	found := false
	scanner := t.scanner()
	err = s.db.query(ctx, t.userByName(username), func(scan func(...any) error) error {
		found = true
		row, err = scanner.read(scan)
		return err
	})
	if err != nil && faultOf(err) == FaultValue { // no such name can be in the table
		return userRow{}, false, nil
	}
	return row, found, s.noted(err)
}

// checkPassword hashes password when a processor is free for it.
func (s *Store) checkPassword(ctx context.Context, password, encoded string) (bool, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return false, waitError(ctx)
	}
	defer func() { <-s.hashing }()
	right, err := djangocompat.CheckPassword(password, encoded)
	if err != nil { // an algorithm that is not known lets nobody in
		right = false
		_, _ = djangocompat.CheckPassword(password, s.decoy)
	}
	return right, nil
}

// decoyPassword is an encoded password that nobody has. To check it costs what a real one costs.
func decoyPassword(iterations int) string {
	digest := sha256.Sum256([]byte(rand.Text()))
	return "pbkdf2_sha256$" + strconv.Itoa(iterations) + "$" + rand.Text() + "$" + base64.StdEncoding.EncodeToString(digest[:])
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
	if s.cfg.AuthHash != nil {
		return s.cfg.AuthHash(row.user, row.password)
	}
	return djangocompat.SessionAuthHash(s.cfg.Keys, row.password)
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
