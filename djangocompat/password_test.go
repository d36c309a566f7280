package djangocompat_test

import (
	"errors"
	"strings"
	"testing"

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

func TestCheckPasswordRefuses(t *testing.T) {
	tests := []struct {
		name    string
		encoded string
	}{
		{"a hasher that is not known", "argon2$argon2id$v=19$m=512,t=1,p=1$Q1FVN$rjNp"},
		{"more iterations than anybody uses", "pbkdf2_sha256$20000001$salt$hash"},
		{"more than fit an integer", "pbkdf2_sha256$99999999999999999999$salt$hash"},
		{"fewer than none", "pbkdf2_sha256$-1$salt$hash"},
		{"no salt", "pbkdf2_sha256$1000$$hash"},
		{"nothing", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ok, err := djangocompat.CheckPassword("p", tt.encoded); ok || !errors.Is(err, djangocompat.ErrPasswordFormat) {
				t.Errorf("CheckPassword = %v, %v, want ErrPasswordFormat", ok, err)
			}
		})
	}
}
