package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/swapfile"
)

// fileEngine keeps each session in a file. Python: django.contrib.sessions.backends.file.
//
// A session without an end of its own, or with one that is a number of seconds, ends that long after its file
// was written. (Django forgets about the number here, and lets the session live as long as its cookie.)
type fileEngine struct {
	s      *Store
	folder string
	prefix string // SESSION_COOKIE_NAME
}

// newFileEngine fails where there is no such folder.
func newFileEngine(s *Store) (fileEngine, error) {
	folder := orDefault(s.cfg.SessionFilePath, os.TempDir())
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fileEngine{}, fmt.Errorf("sessionstore: session_file_path: there is no folder %q", folder)
	}
	return fileEngine{s, folder, s.cfg.SessionCookieName}, nil
}

// fileKey reports whether there can be a file for key: nothing in it leads to another folder.
func fileKey(key string) bool {
	return djangocompat.PlausibleSessionKey(key) && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func (e fileEngine) path(key string) string { return filepath.Join(e.folder, e.prefix+key) }

// temp begins the names of files that are being written. Django's begin so, too.
func (e fileEngine) temp(key string) string { return e.prefix + key + "_out_" }

// read returns what is stored under key, and when that was.
func (e fileEngine) read(key string) ([]byte, time.Time, error) {
	content, written, err := swapfile.Read(e.path(key), e.s.cfg.MaxSessionSize/3*4+4096)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, time.Time{}, djangocompat.ErrSessionGone
	case errors.Is(err, swapfile.ErrTooLarge):
		return nil, time.Time{}, djangocompat.ErrTooLarge
	}
	return content, written, e.failed(err)
}

// decode returns the data in a file. An empty file is one that Django is about to write.
func (e fileEngine) decode(content []byte) (djangocompat.SessionData, error) {
	if len(content) == 0 {
		return e.s.cfg.SessionSerializer.Empty(), nil
	}
	return e.s.keyed.Load().codec.Decode(string(content))
}

func (e fileEngine) load(_ context.Context, key string) (djangocompat.SessionData, loadResult, error) {
	if !fileKey(key) {
		return djangocompat.SessionData{}, loadImplausible, nil
	}
	content, written, err := e.read(key)
	switch {
	case errors.Is(err, djangocompat.ErrSessionGone):
		return djangocompat.SessionData{}, loadUnknown, nil
	case errors.Is(err, djangocompat.ErrTooLarge):
		return djangocompat.SessionData{}, loadTooLarge, nil
	case err != nil:
		return djangocompat.SessionData{}, loadUnavailable, err
	}
	data, err := e.decode(content)
	if err == nil && e.expired(data, written) {
		return djangocompat.SessionData{}, loadExpired, nil
	}
	return data, loadResultOf(err), nil
}

// expired reports whether a session that was written then has ended.
func (e fileEngine) expired(data djangocompat.SessionData, written time.Time) bool {
	since := e.s.expiry
	since.Now = func() time.Time { return written }
	ends := djangocompat.NewSession("", data, nil).ExpiryDate(since)
	return !e.s.cfg.Now().Before(ends)
}

func (e fileEngine) save(_ context.Context, session *djangocompat.Session, mode djangocompat.SaveMode) (string, error) {
	key := session.Key()
	if !fileKey(key) {
		return "", djangocompat.ErrSessionGone
	}
	if mode == djangocompat.MustUpdate {
		return key, retried(func() (bool, error) { return e.update(session) })
	}
	text, err := e.s.keyed.Load().codec.Encode(session.Data())
	if err != nil {
		return "", err
	}
	err = swapfile.Create(e.path(key), e.temp(key), []byte(text))
	if errors.Is(err, fs.ErrExist) {
		return "", djangocompat.ErrSessionExists
	}
	return key, e.failed(err)
}

// update stores a session unless somebody else does so in between.
func (e fileEngine) update(session *djangocompat.Session) (bool, error) {
	key := session.Key()
	old, _, err := e.read(key)
	if errors.Is(err, djangocompat.ErrTooLarge) {
		return false, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	if err != nil {
		return false, err
	}
	newer, err := e.decode(old)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	session.Rebase(newer)
	text, err := e.s.keyed.Load().codec.Encode(session.Data())
	if err != nil {
		return false, err
	}
	err = swapfile.Replace(e.path(key), e.temp(key), old, []byte(text))
	switch {
	case errors.Is(err, swapfile.ErrChanged):
		return false, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, djangocompat.ErrSessionGone
	}
	return err == nil, e.failed(err)
}

func (e fileEngine) replace(ctx context.Context, old string, session *djangocompat.Session) (string, error) {
	key, err := e.save(ctx, session, djangocompat.MustCreate)
	if err != nil {
		return "", err
	}
	if err := e.delete(ctx, old); err != nil { // who has the old key would have a session still
		return "", errors.Join(err, e.delete(ctx, key))
	}
	return key, nil
}

func (e fileEngine) delete(_ context.Context, key string) error {
	if !fileKey(key) {
		return nil
	}
	if err := os.Remove(e.path(key)); !errors.Is(err, fs.ErrNotExist) {
		return e.failed(err)
	}
	return nil
}

func (e fileEngine) exists(_ context.Context, key string) (bool, error) {
	if !fileKey(key) {
		return false, nil
	}
	_, err := os.Lstat(e.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, e.failed(err)
}

func (e fileEngine) clearExpired(ctx context.Context) (int64, error) {
	entries, err := os.ReadDir(e.folder)
	if err != nil {
		return 0, e.failed(err)
	}
	cleared := int64(0)
	for _, entry := range entries {
		key, ok := strings.CutPrefix(entry.Name(), e.prefix)
		if !ok || !fileKey(key) {
			continue
		}
		if _, result, _ := e.load(ctx, key); result != loadExpired {
			continue
		}
		if err := e.delete(ctx, key); err != nil {
			return cleared, err
		}
		cleared++
	}
	return cleared, nil
}

// ready asks whether the folder is there.
func (e fileEngine) ready(context.Context) error {
	info, err := os.Stat(e.folder)
	if err == nil && !info.IsDir() {
		err = fs.ErrInvalid
	}
	return e.failed(err)
}

// failed makes an error of the file system one of this package, and counts it.
func (e fileEngine) failed(err error) error {
	if err == nil {
		return nil
	}
	failed := &StorageError{Storage: "folder", Fault: FaultOther}
	if errors.Is(err, fs.ErrPermission) {
		failed.Fault = FaultForbidden
	}
	e.s.metrics.storageFault(failed)
	return failed
}
