package djangocompat_test

import (
	"maps"
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
