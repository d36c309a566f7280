package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestChangedFilesAreNoticed(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	for _, from := range []string{"a", "b"} {
		for _, kind := range []string{"cert", "key"} {
			text, err := os.ReadFile(filepath.Join("testdata", "tls", from+"-"+kind+".pem"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name(from+kind), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		replace := func(from, to string) {
			if err := os.Rename(name(from), name(to)); err != nil {
				t.Fatal(err)
			}
		}
		replace("acert", "cert")
		replace("akey", "key")
		c, err := LoadCertificate(name("cert"), name("key"), newLab(Config{}).server.cfg.Load().Logger)
		if err != nil {
			t.Fatal(err)
		}
		shown := func() string {
			pair, err := c.certificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			return pair.Leaf.Subject.CommonName
		}
		replace("bcert", "cert")
		time.Sleep(2 * lookInterval)
		if got := shown(); got != "a" {
			t.Errorf("with half a pair %q is shown, want that of before", got)
		}
		replace("bkey", "key")
		if got := shown(); got != "a" {
			t.Errorf("the files were looked at again at once")
		}
		time.Sleep(2 * lookInterval)
		if got := shown(); got != "b" {
			t.Errorf("%q is shown, want the new one", got)
		}
	})
}

func TestWhatIsNoCertificate(t *testing.T) {
	tls := func(name string) string { return filepath.Join("testdata", "tls", name) }
	for _, tt := range []struct {
		name, certificate, key string
		want                   error
	}{
		{"no file", tls("missing.pem"), tls("a-key.pem"), fs.ErrNotExist},
		{"no file for the key", tls("a-cert.pem"), tls("missing.pem"), fs.ErrNotExist},
		{"a key in its place", tls("a-key.pem"), tls("a-key.pem"), ErrNoCertificate},
		{"another one's key", tls("a-cert.pem"), tls("b-key.pem"), ErrNotItsKey},
		{"no key", tls("a-cert.pem"), tls("a-cert.pem"), ErrNotItsKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := LoadCertificate(tt.certificate, tt.key, nil); !errors.Is(err, tt.want) {
				t.Errorf("= %v, want %v", err, tt.want)
			}
		})
	}
}
