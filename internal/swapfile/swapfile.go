// Package swapfile writes files that other programs read and write at the same time: whole or not at all, and
// without bringing back what somebody else removed meanwhile.
//
// Start with [Create] and [Replace]. Both write a temporary file beside the target first.
package swapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrChanged means that a file does not hold any more what it was to be replaced for.
var ErrChanged = errors.New("swapfile: file was changed")

// ErrTooLarge means that a file is larger than it may be.
var ErrTooLarge = errors.New("swapfile: file too large")

// Read returns the content of a file of at most limit bytes, and when it was written.
func Read(path string, limit int) ([]byte, time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, time.Time{}, err
	case !info.Mode().IsRegular():
		return nil, time.Time{}, fmt.Errorf("read file: %w", fs.ErrInvalid)
	case info.Size() > int64(limit):
		return nil, time.Time{}, ErrTooLarge
	}
	content, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if len(content) > limit {
		return nil, time.Time{}, ErrTooLarge
	}
	return content, info.ModTime(), err
}

// Create makes the file path with this content. If there is such a file the error is fs.ErrExist. The temporary
// file's name begins with prefix.
func Create(path, prefix string, content []byte) error {
	temp, err := write(path, prefix, content)
	if err != nil {
		return err
	}
	err = os.Link(temp, path) // unlike a rename it never overwrites
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = claim(temp, path)
	}
	_ = os.Remove(temp)
	return err
}

// claim is Create for a file system without links: for a moment the file is there, and empty.
func claim(temp, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Rename(temp, path)
}

// Replace puts content in place of old, which the file path held when it was read. If the file is gone the
// error is fs.ErrNotExist, if it holds something else ErrChanged. Those who use this package do it one after
// the other; what others write at the same time is not lost either.
func Replace(path, prefix string, old, content []byte) error {
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	same, err := holds(path, old)
	switch {
	case err != nil:
		return err
	case !same:
		return ErrChanged
	}
	temp, err := write(path, prefix, content)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp) }()
	if err := exchange(temp, path); err != nil {
		return err
	}
	if same, err := holds(temp, old); same || err != nil { // it is what was there just now
		return err
	}
	return undo(path, temp, content)
}

// holds reports whether a file has this content.
func holds(path string, content []byte) (bool, error) {
	now, _, err := Read(path, len(content))
	if errors.Is(err, ErrTooLarge) {
		return false, nil
	}
	return bytes.Equal(now, content), err
}

const (
	// undoTries bounds how often somebody may come in between while a file is put back.
	undoTries = 10
	// undoBytes bounds what is compared for that.
	undoBytes = 16 << 20
)

// undo puts what is in temp back in place of ours, which is in path. If somebody has written path in between,
// that was the last write, and it stays.
func undo(path, temp string, ours []byte) error {
	for range undoTries {
		theirs, _, err := Read(temp, undoBytes)
		if err != nil && !errors.Is(err, ErrTooLarge) {
			return err
		}
		if err := exchange(temp, path); err != nil {
			return err
		}
		same, err := holds(temp, ours)
		if err != nil {
			return err
		}
		if same || theirs == nil {
			break
		}
		ours = theirs
	}
	return ErrChanged
}

// Write puts content into the file path, whatever is there.
func Write(path, prefix string, content []byte) error {
	temp, err := write(path, prefix, content)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		_ = os.Remove(temp)
		return err
	}
	return nil
}

// write makes a temporary file, which is nobody else's to read, beside path.
func write(path, prefix string, content []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), prefix+"*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// rename puts the file temp in place of path, which must be there. It is for systems that cannot exchange two
// files: in between the file may go away.
func rename(temp, path string) error {
	if _, err := os.Lstat(path); err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return os.WriteFile(temp, content, 0o600)
}
