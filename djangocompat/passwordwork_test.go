package djangocompat

import (
	"crypto/sha256"
	"hash"
	"testing"
)

// countingHash is a digest that counts how often it is asked for a sum.
type countingHash struct {
	hash.Hash

	sums *int
}

func (h countingHash) Sum(b []byte) []byte {
	*h.sums++
	return h.Hash.Sum(b)
}

// Security row T08: whatever stands in the table, and whether the password is right, a check computes as many
// digests as one of an up-to-date password.
func TestEveryCheckDoesTheSameWork(t *testing.T) {
	hashers, err := NewPasswordHashers(HasherConfig{Iterations: 500})
	if err != nil {
		t.Fatal(err)
	}
	sums := 0
	counting := hashers.enabled["pbkdf2_sha256"].(pbkdf2Hasher)
	counting.digest = func() hash.Hash { return countingHash{sha256.New(), &sums} }
	hashers.enabled["pbkdf2_sha256"] = counting

	right, err := hashers.Hash("wonderland")
	if err != nil {
		t.Fatal(err)
	}
	cheaper := HashPassword("wonderland", PasswordConfig{Iterations: 300})
	check := func(password, encoded string) func() {
		return func() { _, _ = hashers.Check(password, encoded) }
	}
	sums = 0
	check("wonderland", right)()
	want := sums
	if want < 2*500 {
		t.Fatalf("%d digests for 500 iterations", want)
	}
	for name, do := range map[string]func(){
		"a wrong password":                        check("Wonderland", right),
		"a user who is nobody":                    hashers.CheckDecoy,
		"an unusable password":                    check("wonderland", UnusablePassword()),
		"no encoded password":                     check("wonderland", ""),
		"a damaged one":                           check("wonderland", "pbkdf2_sha256$500$salt"),
		"one that asks for too much":              check("wonderland", "pbkdf2_sha256$99999999999$salt$x"),
		"one of a hasher that is off":             check("wonderland", "md5$salt$x"),
		"one that is damaged in a hasher's field": check("wonderland", "argon2$argon2id$v=19$m=64"),
	} {
		t.Run(name, func(t *testing.T) {
			sums = 0
			if do(); sums != want {
				t.Errorf("%d digests, want %d", sums, want)
			}
		})
	}
	t.Run("a wrong password where a cheaper one is stored", func(t *testing.T) {
		sums = 0
		check("Wonderland", cheaper)() // two hashes, of 300 and of 200
		if sums < want || sums > want+10 {
			t.Errorf("%d digests, want %d, or a few more for the second beginning", sums, want)
		}
	})
}
