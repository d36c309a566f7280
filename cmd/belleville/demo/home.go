package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/belleville/belleville/djangocompat"
)

// home is the folder with the demo's database and its SECRET_KEY.
type home struct {
	database string // path
	keys     djangocompat.Keys
	fate     string // what becomes of the folder at the end, in words
	remove   func() error
}

// openHome makes dir what the demo needs, or a temporary folder where dir is "".
func openHome(ctx context.Context, dir string, hashing djangocompat.PasswordConfig) (*home, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the demo's folder: %w", err)
		}
		return furnish(ctx, &home{fate: "kept", remove: func() error { return nil }}, dir, hashing)
	}
	dir, err := os.MkdirTemp("", "belleville-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	h := &home{fate: "removed at the end", remove: func() error { return os.RemoveAll(dir) }}
	if _, err := furnish(ctx, h, dir, hashing); err != nil {
		return nil, errors.Join(err, h.remove())
	}
	return h, nil
}

// furnish puts into dir what is missing there, and makes it h's.
func furnish(ctx context.Context, h *home, dir string, hashing djangocompat.PasswordConfig) (*home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	key, err := secretKey(filepath.Join(dir, "secret_key"))
	if err != nil {
		return nil, err
	}
	h.keys = djangocompat.NewKeys(key)
	h.database = filepath.Join(dir, "db.sqlite3")
	if err := createDatabase(ctx, h.database, hashing); err != nil {
		return nil, err
	}
	return h, nil
}

// minKey is the length of the shortest key that Django's check does not complain about.
// Python: django.core.checks.security.base.SECRET_KEY_MIN_LENGTH.
const minKey = 50

// secretKey returns the key in the file at path, which is made with a new key if there is none.
func secretKey(path string) (string, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = []byte(rand.Text() + rand.Text())
		err = os.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("secret key: %w", err)
	}
	if len(key) < minKey {
		return "", fmt.Errorf("secret key: %s is shorter than %d characters; remove it to get a new one", path, minKey)
	}
	return string(key), nil
}
