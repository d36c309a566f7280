package djangocompat_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

func TestHashPassword(t *testing.T) {
	cfg := djangocompat.PasswordConfig{Iterations: 10}
	encoded := djangocompat.HashPassword("pässword", cfg)
	fields := strings.Split(encoded, "$")
	if len(fields) != 4 || fields[0] != "pbkdf2_sha256" || fields[1] != "10" || len(fields[2]) != 22 {
		t.Errorf("HashPassword = %q, want pbkdf2_sha256$10$, 22 characters, $ and a hash", encoded)
	}
	if ok, err := djangocompat.CheckPassword("pässword", encoded); !ok || err != nil {
		t.Errorf("CheckPassword of the same = %v, %v", ok, err)
	}
	if ok, err := djangocompat.CheckPassword("password", encoded); ok || err != nil {
		t.Errorf("CheckPassword of another = %v, %v", ok, err)
	}
	if again := djangocompat.HashPassword("pässword", cfg); again == encoded {
		t.Error("two hashes of one password have one salt")
	}
}

// everyHasher is each hasher that Django ever shipped, at the lowest cost.
func everyHasher(preferred string) djangocompat.HasherConfig {
	return djangocompat.HasherConfig{
		Hashers: []string{
			preferred, "pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt",
			"md5", "sha1", "unsalted_sha1", "unsalted_md5",
		},
		Iterations: 1000, BCryptRounds: 4, ScryptN: 16, ScryptP: 1, Argon2Time: 1, Argon2Memory: 512, Argon2Threads: 1,
	}
}

const bcryptOfZero = "bcrypt$$2b$04$YWyxaGF1cqMsCmwxcRU3Yuw2GwLI0.nVHlyBl4lKiDFK66pqLo.6u"

// What is refused is refused before the work: each row is answered within the time of the cheapest hash.
func TestCheckPasswordRefuses(t *testing.T) {
	const argon2 = "$Q1FVNFpucDlwcmhidnNsbHQ5Z0dRTQ$rjNpy+IGJknheTsZYFqqoA"
	tests := []struct {
		name    string
		encoded string
		want    error
	}{
		{"nothing", "", djangocompat.ErrPasswordHasher},
		{"a hasher that nobody has", "foo$1$2$3", djangocompat.ErrPasswordHasher},
		{"a column that is far too long", "md5$" + strings.Repeat("x", 5000) + "$0", djangocompat.ErrPasswordMalformed},
		{"crypt", "crypt$$ab1Hv2Lg7ltQo", djangocompat.ErrPasswordUnsupported},

		{"pbkdf2: more iterations than anybody uses", "pbkdf2_sha256$20000001$salt$hash", djangocompat.ErrPasswordCost},
		{"pbkdf2: more than fit an integer", "pbkdf2_sha256$99999999999999999999$salt$hash", djangocompat.ErrPasswordCost},
		{"pbkdf2: fewer than none", "pbkdf2_sha256$-1$salt$hash", djangocompat.ErrPasswordMalformed},
		{"pbkdf2: no salt", "pbkdf2_sha256$1000$$hash", djangocompat.ErrPasswordMalformed},

		{"argon2: too much memory", "argon2$argon2id$v=19$m=524289,t=1,p=1" + argon2, djangocompat.ErrPasswordCost},
		{"argon2: too many passes", "argon2$argon2id$v=19$m=512,t=9000,p=1" + argon2, djangocompat.ErrPasswordCost},
		{"argon2: too many threads", "argon2$argon2id$v=19$m=5120,t=1,p=65" + argon2, djangocompat.ErrPasswordCost},
		{"argon2: as much as the field holds", "argon2$argon2id$v=19$m=4294967295,t=4294967295,p=4294967295" + argon2, djangocompat.ErrPasswordCost},
		{"argon2: more than that", "argon2$argon2id$v=19$m=4294967296,t=1,p=1" + argon2, djangocompat.ErrPasswordMalformed},
		{"argon2: no pass", "argon2$argon2id$v=19$m=512,t=0,p=1" + argon2, djangocompat.ErrPasswordMalformed},
		{"argon2: no thread", "argon2$argon2id$v=19$m=512,t=1,p=0" + argon2, djangocompat.ErrPasswordMalformed},
		{"argon2: less memory than eight blocks a thread", "argon2$argon2id$v=19$m=512,t=1,p=64$Q1FVNFpucDlwcmhi$rjNp+", djangocompat.ErrPasswordMalformed},
		{"argon2: a hash without bytes", "argon2$argon2id$v=19$m=512,t=1,p=1$Q1FVNFpucDlwcmhi$", djangocompat.ErrPasswordMalformed},
		{"argon2: a line end in base 64", "argon2$argon2id$v=19$m=512,t=1,p=1$Q1FVNFpucDlwcmhi\n$rjNpy+IG", djangocompat.ErrPasswordMalformed},
		{"argon2: a variety that there is not", "argon2$argon2x$v=19$m=512,t=1,p=1" + argon2, djangocompat.ErrPasswordMalformed},
		{"argon2: a version that there is not", "argon2$argon2id$v=18$m=512,t=1,p=1" + argon2, djangocompat.ErrPasswordMalformed},
		{"argon2d: too much memory", "argon2$argon2d$v=16$m=524289,t=1,p=1" + argon2, djangocompat.ErrPasswordCost},

		{"bcrypt: too many rounds", strings.Replace(bcryptOfZero, "$04$", "$17$", 1), djangocompat.ErrPasswordCost},
		{"bcrypt: as many as bcrypt has", strings.Replace(bcryptOfZero, "$04$", "$31$", 1), djangocompat.ErrPasswordCost},
		{"bcrypt: more than that", strings.Replace(bcryptOfZero, "$04$", "$32$", 1), djangocompat.ErrPasswordMalformed},
		{"bcrypt: 2x, which was a bug", strings.Replace(bcryptOfZero, "2b", "2x", 1), djangocompat.ErrPasswordMalformed},
		{"bcrypt: a character that it does not have", strings.Replace(bcryptOfZero, "YWy", "Y-y", 1), djangocompat.ErrPasswordMalformed},

		{"scrypt: too much memory", "scrypt$524288$salt$8$1$hash", djangocompat.ErrPasswordCost},
		{"scrypt: too large blocks", "scrypt$16384$salt$1024$1$hash", djangocompat.ErrPasswordCost},
		{"scrypt: too many in parallel", "scrypt$16384$salt$8$1000$hash", djangocompat.ErrPasswordCost},
		{"scrypt: more than fit an integer", "scrypt$99999999999999999999$salt$8$1$hash", djangocompat.ErrPasswordCost},
		{"scrypt: no power of two", "scrypt$17$salt$8$1$hash", djangocompat.ErrPasswordMalformed},
		{"scrypt: one is no power of two to it", "scrypt$1$salt$8$1$hash", djangocompat.ErrPasswordMalformed},
		{"scrypt: a field too many", "scrypt$16$salt$8$1$hash$", djangocompat.ErrPasswordMalformed},

		{"md5: no second dollar", "md5$salt", djangocompat.ErrPasswordMalformed},
		{"sha1: no salt, and no SHA-1 either", "sha1$$abc", djangocompat.ErrPasswordMalformed},
	}
	h := newHashers(t, everyHasher("pbkdf2_sha256"))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			got, err := h.Check("p", tt.encoded)
			if got != djangocompat.PasswordWrong || !errors.Is(err, tt.want) || !errors.Is(err, djangocompat.ErrPasswordFormat) {
				t.Errorf("Check = %v, %v, want PasswordWrong, %v", got, err, tt.want)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("refused after %v", took)
			}
			if ok, err := djangocompat.CheckPassword("p", tt.encoded); ok || !errors.Is(err, djangocompat.ErrPasswordFormat) {
				t.Errorf("CheckPassword = %v, %v, want ErrPasswordFormat", ok, err)
			}
		})
	}
}

// Every hasher reads what it writes, and a change of hasher or cost makes that outdated.
func TestPasswordHashers(t *testing.T) {
	algorithms := []string{"pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt", "md5"}
	other := newHashers(t, everyHasher("pbkdf2_sha256"))
	costly := everyHasher("pbkdf2_sha256")
	costly.Iterations, costly.BCryptRounds, costly.ScryptN, costly.Argon2Time = 1001, 5, 32, 2
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			h := newHashers(t, everyHasher(algorithm))
			for _, password := range []string{"", "p", "pässwörd", strings.Repeat("x", 100)} {
				encoded, err := h.Hash(password)
				if err != nil {
					t.Fatal(err)
				}
				checkVerdictOf(t, h, password, encoded, djangocompat.PasswordRight)
				checkVerdictOf(t, h, "x"+password, encoded, djangocompat.PasswordWrong+map[bool]djangocompat.PasswordVerdict{
					true: djangocompat.PasswordRight, // bcrypt looks at 72 bytes only
				}[algorithm == "bcrypt" && len(password) > 72])
				if algorithm != "pbkdf2_sha256" {
					checkVerdictOf(t, other, password, encoded, djangocompat.PasswordOutdated)
				}
				costly.Hashers[0] = algorithm
				if algorithm != "md5" {
					checkVerdictOf(t, newHashers(t, costly), password, encoded, djangocompat.PasswordOutdated)
				}
			}
			if h.Preferred() != algorithm {
				t.Errorf("Preferred = %q", h.Preferred())
			}
		})
	}
}

func checkVerdictOf(t *testing.T, h *djangocompat.PasswordHashers, password, encoded string, want djangocompat.PasswordVerdict) {
	t.Helper()
	if got, err := h.Check(password, encoded); got != want || err != nil {
		t.Errorf("Check(%q, %q) = %v, %v, want %v", password, encoded, got, err, want)
	}
}

func TestNewPasswordHashersRefuses(t *testing.T) {
	tests := []struct {
		name string
		cfg  djangocompat.HasherConfig
		want string // is in the error
	}{
		{"a class of the site's own", djangocompat.HasherConfig{Hashers: []string{"mysite.hashers.Rot13"}}, `"mysite.hashers.Rot13" is none that Django ships`},
		{"a class that Django has not", djangocompat.HasherConfig{Hashers: []string{"django.contrib.auth.hashers.md5"}}, "none that Django ships"},
		{"crypt", djangocompat.HasherConfig{Hashers: []string{"md5", "django.contrib.auth.hashers.CryptPasswordHasher"}}, `"crypt" is not supported`},
		{"one that only reads, to write", djangocompat.HasherConfig{Hashers: []string{"unsalted_md5"}}, `"unsalted_md5" only reads`},
		{"iterations beyond what is checked", djangocompat.HasherConfig{Iterations: 1 << 30}, "pbkdf2_sha256"},
		{"rounds beyond what is checked", djangocompat.HasherConfig{BCryptRounds: 31}, "bcrypt_sha256"},
		{"an N that is no power of two", djangocompat.HasherConfig{ScryptN: 1000}, "scrypt"},
		{"memory beyond what is checked", djangocompat.HasherConfig{Argon2Memory: 1 << 30}, "argon2"},
		{"a version that is none", djangocompat.HasherConfig{Django: "main"}, `"main"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := djangocompat.NewPasswordHashers(tt.cfg)
			if _, ok := errors.AsType[*djangocompat.HasherError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewPasswordHashers: %v, want a HasherError with %q", err, tt.want)
			}
		})
	}
}

// A hasher that the site has not enabled checks nothing, as in Django, and is named.
func TestDisabledHasher(t *testing.T) {
	h := newHashers(t, djangocompat.HasherConfig{Iterations: 1000})
	got, err := h.Check("p", "md5$abc$18794cd6072c60a2ead2f83e1d1d7688")
	refusal, ok := errors.AsType[*djangocompat.PasswordError](err)
	if got != djangocompat.PasswordWrong || !ok || refusal.Algorithm != "md5" || !errors.Is(err, djangocompat.ErrPasswordHasher) {
		t.Errorf("Check = %v, %v, want ErrPasswordHasher for md5", got, err)
	}
	_, err = h.Check("p", "hunter2$hunter2")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error tells what is in the column: %v", err)
	}
}

func TestBCryptRefusesNUL(t *testing.T) {
	h := newHashers(t, everyHasher("bcrypt"))
	if got, err := h.Check("a\x00b", bcryptOfZero); got != djangocompat.PasswordWrong || !errors.Is(err, djangocompat.ErrPasswordNUL) {
		t.Errorf("Check = %v, %v, want ErrPasswordNUL", got, err)
	}
	if got, err := h.Hash("a\x00b"); !errors.Is(err, djangocompat.ErrPasswordNUL) {
		t.Errorf("Hash = %q, %v, want ErrPasswordNUL", got, err)
	}
}

// bcrypt decodes a salt whose last character has bits that no salt has; Django compares texts and refuses it.
func TestBCryptSaltIsCanonical(t *testing.T) {
	h := newHashers(t, everyHasher("bcrypt"))
	encoded, err := h.Hash("p")
	if err != nil {
		t.Fatal(err)
	}
	const digits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	last := len("bcrypt$$2b$04$") + 21
	changed := encoded[:last] + string(digits[strings.IndexByte(digits, encoded[last])+1]) + encoded[last+1:]
	checkVerdictOf(t, h, "p", changed, djangocompat.PasswordWrong)
}

// Whether a name is anybody's, or a password usable, takes the same work to find out as a wrong password: all times here are alike.
func BenchmarkPasswordWork(b *testing.B) {
	h := newHashers(b, djangocompat.HasherConfig{Iterations: 30_000})
	upToDate, err := h.Hash("right")
	if err != nil {
		b.Fatal(err)
	}
	check := func(encoded string) func() { return func() { _, _ = h.Check("wrong", encoded) } }
	classes := []struct {
		name string
		work func()
	}{
		{"a wrong password", check(upToDate)},
		{"one encoded at a lower cost", check(djangocompat.HashPassword("right", djangocompat.PasswordConfig{Iterations: 1000}))},
		{"an unusable one", check(djangocompat.UnusablePassword())},
		{"one that is damaged", check("pbkdf2_sha256$30000")},
		{"one of a hasher that is not enabled", check("md5$abc$18794cd6072c60a2ead2f83e1d1d7688")},
		{"nobody", h.CheckDecoy},
	}
	for _, c := range classes {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.work()
			}
		})
	}
}
