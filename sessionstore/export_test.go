package sessionstore

import (
	"sync/atomic"

	"github.com/belleville/belleville/djangocompat"
)

// A HashCount counts what a Store asks of its password hashers.
type HashCount struct {
	hashers passwordHashers

	checks, decoys, hashes atomic.Int64
}

// CountHashes makes s count.
func CountHashes(s *Store) *HashCount {
	c := &HashCount{hashers: s.passwords.hashers}
	s.passwords.hashers = c
	return c
}

// Check implements passwordHashers.
func (c *HashCount) Check(password, encoded string) (djangocompat.PasswordVerdict, error) {
	c.checks.Add(1)
	return c.hashers.Check(password, encoded)
}

// CheckDecoy implements passwordHashers.
func (c *HashCount) CheckDecoy() {
	c.decoys.Add(1)
	c.hashers.CheckDecoy()
}

// Hash implements passwordHashers.
func (c *HashCount) Hash(password string) (string, error) {
	c.hashes.Add(1)
	return c.hashers.Hash(password)
}

// Take returns the counts, and begins anew: of passwords checked, of decoys, and of passwords encoded anew.
func (c *HashCount) Take() (checks, decoys, hashes int64) {
	return c.checks.Swap(0), c.decoys.Swap(0), c.hashes.Swap(0)
}

// WhileHashing makes s call f while it encodes a password.
func WhileHashing(s *Store, f func()) { s.passwords.hashers = interrupted{s.passwords.hashers, f} }

type interrupted struct {
	passwordHashers
	f func()
}

func (i interrupted) Hash(password string) (string, error) {
	i.f()
	return i.passwordHashers.Hash(password)
}
