package sessionstore_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/sessionstore"
)

// hashers are a site's, cheap enough for a test.
func hashers(django string, list ...string) djangocompat.HasherConfig {
	return djangocompat.HasherConfig{
		Django: django, Hashers: list, Iterations: 5, BCryptRounds: 4,
		ScryptN: 2, ScryptR: 1, ScryptP: 1, Argon2Time: 1, Argon2Memory: 64, Argon2Threads: 1,
	}
}

// hashed is a password of one hasher.
func hashed(t testing.TB, cfg djangocompat.HasherConfig, password string) string {
	t.Helper()
	h, err := djangocompat.NewPasswordHashers(cfg)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := h.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// passwordOf returns what is stored of a user's password.
func (b *bed) passwordOf(t testing.TB, username string) string {
	t.Helper()
	return b.value(t, "SELECT password FROM auth_user WHERE username = '"+username+"'").(string)
}

// Security row T08: there is one hash to compute, whoever asks. What a hash costs, TestEveryCheckDoesTheSameWork
// of package djangocompat counts.
func TestAuthenticateHashesOnceForEverybody(t *testing.T) {
	b := sqliteBed(t)
	cfg := b.config()
	cfg.Passwords = hashers("5.2", "argon2", "pbkdf2_sha256")
	right := hashed(t, cfg.Passwords, "wonderland")
	b.addUser(t, 1, "alice", right, true)
	b.addUser(t, 2, "off", right, false)
	b.addUser(t, 3, "unusable", djangocompat.UnusablePassword(), true)
	b.addUser(t, 4, "damaged", "argon2$argon2id$v=19$m=64", true)
	b.addUser(t, 5, "foreign", "rot13$1$a$b", true)
	b.addUser(t, 6, "empty", "", true)
	s := open(t, cfg)
	count := sessionstore.CountHashes(s)
	tests := []struct {
		name, username, password string
		right                    bool
	}{
		{"the right password", "alice", "wonderland", true},
		{"a wrong password", "alice", "x", false},
		{"a name that is nobody's", "mallory", "wonderland", false},
		{"an inactive user, right", "off", "wonderland", false},
		{"an inactive user, wrong", "off", "x", false},
		{"an unusable password", "unusable", "wonderland", false},
		{"a damaged password", "damaged", "wonderland", false},
		{"a hasher that there is not", "foreign", "wonderland", false},
		{"no password at all", "empty", "", false},
		{"a name that cannot be", "a\x00b", "wonderland", false},
		{"a name that is too long", strings.Repeat("a", 5000), "wonderland", false},
		{"a password that is too long", "alice", strings.Repeat("wonderland", 1000), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Authenticate(t.Context(), tt.username, tt.password)
			if tt.right != (err == nil) || err != nil && !errors.Is(err, sessionstore.ErrBadLogin) {
				t.Errorf("Authenticate = %v, right is %v", err, tt.right)
			}
			if checks, decoys, hashes := count.Take(); checks+decoys != 1 || hashes != 0 {
				t.Errorf("%d checks, %d decoys, %d hashes, want one of the first two", checks, decoys, hashes)
			}
		})
	}
}

// Security row T09: a password that is one too many is not hashed, whoever is tried.
func TestAuthenticateBoundsTries(t *testing.T) {
	b := sqliteBed(t)
	b.addUser(t, 1, "alice", cheap("wonderland"), true)
	b.addUser(t, 2, "bob", cheap("wonderland"), true)
	cfg, reg := b.config(), prometheus.NewRegistry()
	cfg.Passwords.Iterations, cfg.Registerer = 2, reg
	cfg.Tries = sessionstore.TryConfig{PerAddress: 10, PerName: 3, Own: 2}
	s := open(t, cfg)
	count := sessionstore.CountHashes(s)
	from := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, last}) }
	tests := []struct {
		name               string
		from               netip.Addr
		username, password string
		times              int
		want               error // of the last time
		hashes             int
	}{
		{"a right password is never too many", from(1), "alice", "wonderland", 20, nil, 20},
		{"what an address has of its own, and what all have", from(1), "alice", "x", 5, sessionstore.ErrBadLogin, 5},
		{"one too many", from(1), "alice", "x", 1, sessionstore.ErrBusy, 0},
		{"the right one then", from(1), "alice", "wonderland", 1, sessionstore.ErrBusy, 0},
		{"from somewhere else", from(2), "alice", "wonderland", 1, nil, 1},
		{"from nowhere", netip.Addr{}, "alice", "wonderland", 1, sessionstore.ErrBusy, 0},
		{"another name", from(1), "bob", "wonderland", 1, nil, 1},
		{"a name that is nobody's", from(1), "mallory", "x", 5, sessionstore.ErrBadLogin, 5},
		{"the address has no more", from(1), "bob", "wonderland", 1, sessionstore.ErrBusy, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			count.Take()
			var err error
			for range tt.times {
				_, err = s.AuthenticateFrom(t.Context(), tt.from, tt.username, tt.password)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateFrom = %v, want %v", err, tt.want)
			}
			if refusal, ok := errors.AsType[*sessionstore.TriesError](err); ok != (tt.want == sessionstore.ErrBusy) || ok && refusal.After <= 0 {
				t.Errorf("AuthenticateFrom = %#v", err)
			}
			if checks, decoys, _ := count.Take(); int(checks+decoys) != tt.hashes {
				t.Errorf("%d hashes, want %d", checks+decoys, tt.hashes)
			}
		})
	}
	want := `# HELP sessions_passwords_checked_total Names and passwords checked, by result.
# TYPE sessions_passwords_checked_total counter
sessions_passwords_checked_total{result="right"} 22
sessions_passwords_checked_total{result="too_many_for_name"} 3
sessions_passwords_checked_total{result="too_many_from_address"} 1
sessions_passwords_checked_total{result="wrong"} 10
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sessions_passwords_checked_total"); err != nil {
		t.Error(err)
	}
}

func TestAuthenticateWithEveryHasher(t *testing.T) {
	b := sqliteBed(t)
	all := []string{"pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt", "md5"}
	for i, name := range all {
		b.addUser(t, i+1, name, hashed(t, hashers("", name), "wonderland"), true)
	}
	cfg := b.config()
	cfg.Passwords = hashers("", all...)
	s := open(t, cfg)
	for _, name := range all {
		if u, err := s.Authenticate(t.Context(), name, "wonderland"); err != nil || u.Username != name {
			t.Errorf("%s: %v, %v", name, u, err)
		}
		if _, err := s.Authenticate(t.Context(), name, "Wonderland"); !errors.Is(err, sessionstore.ErrBadLogin) {
			t.Errorf("%s, a wrong password: %v", name, err)
		}
	}
}

func TestAuthenticateEncodesAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		old := hashed(t, hashers("", "md5"), "wonderland")
		cheaper := hashers("", "pbkdf2_sha256")
		cheaper.Iterations = 2
		b.addUser(t, 1, "alice", old, true)
		b.addUser(t, 2, "bob", hashed(t, cheaper, "wonderland"), true)
		b.addUser(t, 3, "carol", hashed(t, hashers("", "pbkdf2_sha256"), "wonderland"), true)
		cfg := b.config()
		cfg.Passwords = hashers("", "pbkdf2_sha256", "md5")
		t.Run("not where the site's Django is not named", func(t *testing.T) {
			if _, err := open(t, cfg).Authenticate(t.Context(), "alice", "wonderland"); err != nil || b.passwordOf(t, "alice") != old {
				t.Errorf("Authenticate = %v, stored %q", err, b.passwordOf(t, "alice"))
			}
		})
		cfg.Passwords.Django = "5.2"
		s := open(t, cfg)
		t.Run("not for a wrong password", func(t *testing.T) {
			if _, err := s.Authenticate(t.Context(), "alice", "x"); err == nil || b.passwordOf(t, "alice") != old {
				t.Errorf("Authenticate = %v, stored %q", err, b.passwordOf(t, "alice"))
			}
		})
		for _, name := range []string{"alice", "bob"} {
			t.Run("another hasher, another cost: "+name, func(t *testing.T) {
				before := b.passwordOf(t, name)
				u, err := s.Authenticate(t.Context(), name, "wonderland")
				if err != nil {
					t.Fatal(err)
				}
				after := b.passwordOf(t, name)
				if !strings.HasPrefix(after, "pbkdf2_sha256$5$") || after == before {
					t.Errorf("stored %q", after)
				}
				session := load(t, s, "")
				if err := s.Login(t.Context(), session, u); err != nil {
					t.Fatal(err)
				}
				if who, reason, err := s.Verdict(t.Context(), load(t, s, session.Key())); who.Username != name || err != nil {
					t.Errorf("after the login: %v, %v, %v", who, reason, err)
				}
				if _, err := s.Authenticate(t.Context(), name, "wonderland"); err != nil || b.passwordOf(t, name) != after {
					t.Errorf("again: %v, stored %q, was %q", err, b.passwordOf(t, name), after)
				}
			})
		}
		t.Run("what is up to date stays", func(t *testing.T) {
			before := b.passwordOf(t, "carol")
			if _, err := s.Authenticate(t.Context(), "carol", "wonderland"); err != nil || b.passwordOf(t, "carol") != before {
				t.Errorf("Authenticate = %v, stored %q", err, b.passwordOf(t, "carol"))
			}
		})
		t.Run("a password that was changed meanwhile stays", func(t *testing.T) {
			b.exec(t, "UPDATE auth_user SET password = $1 WHERE username = 'alice'", old)
			sessionstore.WhileHashing(s, func() { b.exec(t, "UPDATE auth_user SET password = 'changed' WHERE username = 'alice'") })
			if _, err := s.Authenticate(t.Context(), "alice", "wonderland"); err != nil || b.passwordOf(t, "alice") != "changed" {
				t.Errorf("Authenticate = %v, stored %q, want changed", err, b.passwordOf(t, "alice"))
			}
		})
	})
}

func TestAuthenticateOfWhoMayOnlyRead(t *testing.T) {
	b := postgresBed(t)
	old := hashed(t, hashers("", "md5"), "wonderland")
	b.addUser(t, 1, "alice", old, true)
	b.exec(t, "DROP ROLE IF EXISTS passwords_reader")
	b.exec(t, "CREATE ROLE passwords_reader LOGIN PASSWORD 'role'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO passwords_reader")
	t.Cleanup(func() {
		if err := run(context.Background(), b.owner, "DROP OWNED BY passwords_reader; DROP ROLE passwords_reader"); err != nil {
			t.Error(err)
		}
	})
	cfg := b.config()
	cfg.DatabaseURL = as(b.url, "passwords_reader", "role")
	cfg.Passwords = hashers("5.2", "pbkdf2_sha256", "md5")
	s := open(t, cfg)
	if u, err := s.Authenticate(t.Context(), "alice", "wonderland"); err != nil || u.Username != "alice" || b.passwordOf(t, "alice") != old {
		t.Errorf("Authenticate = %v, %v, stored %q", u, err, b.passwordOf(t, "alice"))
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v after that", err)
	}
}

// TestAuthenticateBesideDjango logs in with passwords that a real Django has made, and the other way round.
func TestAuthenticateBesideDjango(t *testing.T) {
	onDjango(t, djangotest.Config{}, func(t *testing.T, site djangoSite) {
		version := site.shell(t, `
import django
from django.contrib.auth.models import User
from django.contrib.auth.hashers import make_password
User.objects.create_user("alice", password="wonderland")
for name, hasher in (("sha1", "pbkdf2_sha1"), ("off", "default")):
    User.objects.create(username=name, password=make_password("wonderland", hasher=hasher), is_active=name != "off")
User.objects.create_user("unusable")
print(django.get_version())`)
		s := open(t, sessionstore.Config{
			DatabaseURL: djangocompat.NewSecret(site.url), Keys: djangocompat.NewKeys(secretKey),
			Passwords: djangocompat.HasherConfig{Django: version},
		})
		for _, tt := range []struct {
			name, username, password string
			right                    bool
		}{
			{"the password that Django made", "alice", "wonderland", true},
			{"another one", "alice", "x", false},
			{"an older hasher's", "sha1", "wonderland", true},
			{"an inactive user", "off", "wonderland", false},
			{"an unusable password", "unusable", "", false},
		} {
			if _, err := s.Authenticate(t.Context(), tt.username, tt.password); tt.right != (err == nil) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		site.shell(t, `
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import identify_hasher
from django.contrib.auth.models import User
user = User.objects.get(username="sha1")
hasher = identify_hasher(user.password)
assert hasher.algorithm == "pbkdf2_sha256" and not hasher.must_update(user.password), user.password
before = {u.username: u.password for u in User.objects.all()}
assert authenticate(username="sha1", password="wonderland") == user
assert authenticate(username="alice", password="wonderland")
assert before == {u.username: u.password for u in User.objects.all()}, "Django has encoded anew what Go encoded"`)
	})
}

// BenchmarkAuthenticate compares the classes of users of security row T08: the figures are to be alike.
func BenchmarkAuthenticate(b *testing.B) {
	bed := sqliteBed(b)
	cfg := bed.config()
	cfg.Passwords = djangocompat.HasherConfig{Iterations: 20_000}
	cfg.Tries = sessionstore.TryConfig{PerName: -1}
	right := hashed(b, cfg.Passwords, "wonderland")
	bed.addUser(b, 1, "alice", right, true)
	bed.addUser(b, 2, "off", right, false)
	bed.addUser(b, 3, "unusable", djangocompat.UnusablePassword(), true)
	s := open(b, cfg)
	for _, class := range []struct{ name, username, password string }{
		{"right", "alice", "wonderland"},
		{"wrong", "alice", "x"},
		{"unknown", "mallory", "wonderland"},
		{"inactive", "off", "wonderland"},
		{"unusable", "unusable", "wonderland"},
	} {
		b.Run(class.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Authenticate(b.Context(), class.username, class.password); (err == nil) != (class.name == "right") {
					b.Fatal(err)
				}
			}
		})
	}
}
