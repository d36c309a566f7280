package swapfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/belleville/belleville/internal/swapfile"
)

func TestReplace(t *testing.T) {
	tests := []struct {
		name   string
		before *string
		old    string
		want   error
		after  string
	}{
		{"what is as it was is replaced", new("old"), "old", nil, "new"},
		{"what others changed stays", new("other"), "old", swapfile.ErrChanged, "other"},
		{"what others made longer stays", new("old and more"), "old", swapfile.ErrChanged, "old and more"},
		{"what others removed stays away", nil, "old", fs.ErrNotExist, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			if tt.before != nil {
				put(t, path, *tt.before)
			}
			if err := swapfile.Replace(path, "temp", []byte(tt.old), []byte("new")); !errors.Is(err, tt.want) {
				t.Errorf("Replace = %v, want %v", err, tt.want)
			}
			if got, _ := os.ReadFile(path); string(got) != tt.after {
				t.Errorf("file = %q, want %q", got, tt.after)
			}
			wantFiles(t, dir, tt.after != "")
		})
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := swapfile.Create(path, "temp", []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := swapfile.Create(path, "temp", []byte("b")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of what is there = %v, want fs.ErrExist", err)
	}
	if got, _, err := swapfile.Read(path, 1); string(got) != "a" || err != nil {
		t.Errorf("Read = %q, %v, want a", got, err)
	}
	if _, _, err := swapfile.Read(path, 0); !errors.Is(err, swapfile.ErrTooLarge) {
		t.Errorf("Read of too much = %v, want ErrTooLarge", err)
	}
	if _, _, err := swapfile.Read(dir, 10); err == nil {
		t.Error("Read of a folder = nil, want an error")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	wantFiles(t, dir, true)
}

// TestReplaceBesideRemove removes a file while others replace it: it never comes back.
func TestReplaceBesideRemove(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		path := filepath.Join(dir, strconv.Itoa(i))
		put(t, path, "old")
		var both sync.WaitGroup
		both.Go(func() { _ = os.Remove(path) })
		both.Go(func() { _ = swapfile.Replace(path, "temp", []byte("old"), []byte("new")) })
		both.Wait()
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("round %d: Stat = %v, want fs.ErrNotExist", i, err)
		}
	}
	wantFiles(t, dir, false)
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantFiles looks whether there is one file, or none: temporary ones are removed.
func wantFiles(t *testing.T, dir string, one bool) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 1 || (len(entries) == 1) != one {
		t.Errorf("%d files are left, the first of them there: %v, want that %v", len(entries), len(entries) == 1, one)
	}
}

// TestReplaceBesideOthers has writers of two kinds: those who replace what they have read, and one who writes
// whatever is there, as Django does. Nothing of either is lost.
func TestReplaceBesideOthers(t *testing.T) {
	const writers, each = 4, 25
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, ".")
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for done := 0; done < each; {
				old, _, err := swapfile.Read(path, 1000)
				if err != nil {
					t.Error(err)
					return
				}
				err = swapfile.Replace(path, "temp", old, append(append([]byte(nil), old...), 'x'))
				if err == nil {
					done++
				} else if !errors.Is(err, swapfile.ErrChanged) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got, err := os.ReadFile(path); err != nil || len(got) != 1+writers*each {
		t.Errorf("%d replacements are there, %v, want %d", len(got)-1, err, writers*each)
	}
	other := []byte("theirs")
	for range 200 {
		if err := swapfile.Write(path, "temp", []byte("old")); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		var err error
		both.Go(func() { err = swapfile.Replace(path, "temp", []byte("old"), []byte("ours")) })
		both.Go(func() {
			if err := swapfile.Write(path, "temp", other); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		got, readErr := os.ReadFile(path)
		if readErr != nil || string(got) != "theirs" { // a write that comes last wins, one that comes first is not overwritten
			t.Fatalf("file = %q, %v after Replace = %v, want theirs", got, readErr, err)
		}
	}
}
