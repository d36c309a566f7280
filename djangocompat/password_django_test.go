package djangocompat_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// passwordScript makes a password for each of q["make"], as [hasher, password], and checks each of q["check"], as
// [hasher, password, encoded]: right or not, and whether it is to be hashed anew.
const passwordScript = `
from django.conf import settings
settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers." + c for c in q["classes"]])
from django.contrib.auth import hashers
def cheap(algorithm):
    h = hashers.get_hasher(algorithm)
    h.iterations, h.rounds, h.time_cost, h.memory_cost, h.parallelism = 1000, 4, 1, 512, 1
    return h
def check(algorithm, password, encoded):
    anew = []
    right = hashers.check_password(password, encoded, anew.append, cheap(algorithm))
    return [right, bool(anew)]
for c in q["algorithms"]: cheap(c)
a = {
    "made": [hashers.make_password(p, hasher=cheap(c)) for c, p in q["make"]],
    "checked": [check(*item) for item in q["check"]],
}`

// TestPasswordsWithDjango has a running Django check what Go encodes, and Go what Django encodes.
func TestPasswordsWithDjango(t *testing.T) {
	tests := []struct {
		name     string
		hashers  map[string]string // by algorithm, Django's class
		readOnly map[string]string
		modules  []string
	}{
		{
			"what Django has by itself",
			map[string]string{"pbkdf2_sha256": "PBKDF2PasswordHasher", "pbkdf2_sha1": "PBKDF2SHA1PasswordHasher", "md5": "MD5PasswordHasher"},
			map[string]string{"sha1": "SHA1PasswordHasher", "unsalted_sha1": "UnsaltedSHA1PasswordHasher", "unsalted_md5": "UnsaltedMD5PasswordHasher"},
			nil,
		},
		{"argon2", map[string]string{"argon2": "Argon2PasswordHasher"}, nil, []string{"argon2"}},
		{"bcrypt", map[string]string{"bcrypt_sha256": "BCryptSHA256PasswordHasher", "bcrypt": "BCryptPasswordHasher"}, nil, []string{"bcrypt"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { exchangePasswords(t, tt.hashers, tt.readOnly, tt.modules) })
	}
}

func exchangePasswords(t *testing.T, hashers, readOnly map[string]string, modules []string) {
	t.Helper()
	all := maps.Clone(hashers)
	maps.Copy(all, readOnly)
	algorithms := slices.Sorted(maps.Keys(all))
	question := map[string]any{"classes": slices.Collect(maps.Values(all)), "algorithms": algorithms}
	var toMake, toCheck [][]string
	for _, algorithm := range algorithms {
		for _, password := range []string{"", "letmein", "Zoë 東京", strings.Repeat("長", 40), strings.Repeat("x", 73)} {
			toMake = append(toMake, []string{algorithm, password})
			if readOnly[algorithm] != "" {
				continue
			}
			encoded, err := newHashers(t, everyHasher(algorithm)).Hash(password)
			if err != nil {
				t.Fatal(err)
			}
			toCheck = append(toCheck, []string{algorithm, password, encoded}, []string{algorithm, "wrong", encoded})
		}
	}
	question["make"], question["check"] = toMake, toCheck
	var answer struct {
		Made    []string
		Checked [][2]bool
	}
	askDjango(t, passwordScript, question, &answer, modules...)
	if len(answer.Made) != len(toMake) || len(answer.Checked) != len(toCheck) || len(toCheck) == 0 {
		t.Fatalf("Django made %d and checked %d, want %d and %d", len(answer.Made), len(answer.Checked), len(toMake), len(toCheck))
	}
	for i, encoded := range answer.Made {
		algorithm, password := toMake[i][0], toMake[i][1]
		want, preferred := djangocompat.PasswordRight, algorithm
		if readOnly[algorithm] != "" {
			want, preferred = djangocompat.PasswordOutdated, "pbkdf2_sha256"
		}
		h := newHashers(t, everyHasher(preferred))
		checkVerdictOf(t, h, password, encoded, want)
		checkVerdictOf(t, h, "wrong", encoded, djangocompat.PasswordWrong)
	}
	for i, item := range toCheck {
		right := item[1] != "wrong"
		// Debian's argon2 has shorter hashes by default than newer ones, and then Django prefers these.
		anew := right && item[0] == "argon2" && answer.Checked[i][1]
		if got := answer.Checked[i]; got != [2]bool{right, anew} {
			t.Errorf("Django says of %q in %q: right, to be hashed anew: %v, want %v, %v", item[1], item[2], got, right, anew)
		}
	}
}

// oldArgon2Script hashes with the library that Django uses.
const oldArgon2Script = `
from argon2.low_level import hash_secret, Type
a = ["argon2" + hash_secret(p.encode(), s.encode(), t, m, n, size, Type(variety), version).decode()
    for variety, version, p, s, t, m, n, size in q]`

// TestOldArgon2 has Python hash passwords by all varieties and versions of argon2, and Go check them.
func TestOldArgon2(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var question [][]any
	var passwords []string
	for i := range 96 {
		lanes := 1 + random.IntN(5)
		password := strings.Repeat("é", random.IntN(40)) + "1"
		passwords = append(passwords, password)
		question = append(question, []any{
			i % 3, []int{16, 19}[i/3%2], password, "saltsalt" + strings.Repeat("s", random.IntN(20)),
			1 + random.IntN(4), 8*lanes + random.IntN(1200), lanes, 4 + random.IntN(120),
		})
	}
	var answer []string
	askDjango(t, oldArgon2Script, question, &answer, "argon2")
	if len(answer) != len(question) {
		t.Fatalf("Python made %d, want %d", len(answer), len(question))
	}
	h := newHashers(t, everyHasher("argon2"))
	for i, encoded := range answer {
		checkVerdictOf(t, h, passwords[i], encoded, djangocompat.PasswordOutdated)
		checkVerdictOf(t, h, "wrong", encoded, djangocompat.PasswordWrong)
	}
}
