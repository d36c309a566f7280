package djangocompat

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestDeriveIsPBKDF2(t *testing.T) {
	digests := map[string]func() hash.Hash{"sha256": sha256.New, "sha1": sha1.New}
	tests := []struct {
		name, password, salt string
		iterations           int
	}{
		{"one iteration", "wonderland", "salt", 1},
		{"two", "wonderland", "salt", 2},
		{"a stretch", "wonderland", "salt", stretch},
		{"one more than a stretch", "wonderland", "salt", stretch + 1},
		{"several stretches", "wonderland", "salt", 5*stretch + 17},
		{"no password", "", "salt", 3},
		{"no salt", "wonderland", "", 3},
		{"a password as long as a block", strings.Repeat("a", 64), "salt", 3},
		{"a password longer than a block", strings.Repeat("a", 65), "salt", 3},
		{"a password that ends in NUL, which HMAC takes for the shorter one", "a\x00", "salt", 3},
		{"bytes that are no text", "\xff\x00\xfe", "\x80$", 300},
	}
	for name, digest := range digests {
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				checkDerived(t, digest, tt.password, tt.salt, tt.iterations)
			})
		}
		t.Run(name+"/anything", func(t *testing.T) {
			for range 200 {
				checkDerived(t, digest, randomBytes(200), randomBytes(100), 1+rand.IntN(3*stretch))
			}
		})
	}
}

// randomBytes returns fewer than n random bytes.
func randomBytes(n int) string {
	b := make([]byte, rand.IntN(n))
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

func checkDerived(t *testing.T, digest func() hash.Hash, password, salt string, iterations int) {
	t.Helper()
	want, err := pbkdf2.Key(digest, password, []byte(salt), iterations, digest().Size())
	if err != nil {
		t.Fatal(err)
	}
	if got := (pbkdf2Hasher{digest: digest}).derive(password, salt, iterations); !bytes.Equal(got, want) {
		t.Errorf("derive(%q, %q, %d) = %x, want %x", password, salt, iterations, got, want)
	}
}

// What giving way costs is the difference: 7 % by the medians of four runs, where nobody else wanted the processor.
func BenchmarkDerive(b *testing.B) {
	const iterations = 100_000
	b.Run("here", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pbkdf2Hasher{digest: sha256.New}.derive("wonderland", "salt", iterations)
		}
	})
	b.Run("crypto/pbkdf2", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := pbkdf2.Key(sha256.New, "wonderland", []byte("salt"), iterations, sha256.Size); err != nil {
				b.Fatal(err)
			}
		}
	})
}
