package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHomeIsTemporaryUnlessNamed(t *testing.T) {
	h, err := openHome(t.Context(), "", quickly())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.database); err != nil {
		t.Error(err)
	}
	if err := h.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(h.database)); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

func TestHomeKeepsItsKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	for range 2 {
		h, err := openHome(t.Context(), dir, quickly())
		if err != nil {
			t.Fatal(err)
		}
		if err := h.remove(); err != nil {
			t.Fatal(err)
		}
	}
	first, err := secretKey(filepath.Join(dir, "secret_key"))
	if err != nil {
		t.Fatal(err)
	}
	if len(first) < minKey {
		t.Errorf("the key has %d characters, want at least %d", len(first), minKey)
	}
	if again, err := secretKey(filepath.Join(dir, "secret_key")); again != first || err != nil {
		t.Errorf("another key the second time, error %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "secret_key"))
	if err != nil {
		t.Fatal(err)
	}
	if perm := info.Mode().Perm(); perm != 0o600 {
		t.Errorf("the key's file has mode %o, want 600", perm)
	}
}

func TestSecretKeyRefusesAShortOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret_key")
	if err := os.WriteFile(path, []byte("too-short"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := secretKey(path)
	if err == nil || strings.Contains(err.Error(), "too-short") {
		t.Errorf("error %v, want one that does not show the key", err)
	}
}
