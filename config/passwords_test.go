package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// sessionsOf is the store's Config of good with more in its table [django].
func sessionsOf(t *testing.T, more string) sessionstore.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "belleville.toml")
	if err := os.WriteFile(path, []byte(with(more)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Sessions(nil, slog.New(slog.DiscardHandler))
}

func TestPasswordsOfTheSite(t *testing.T) {
	s := sessionsOf(t, "version = \"4.2\"\npassword_hashers = [\"argon2\"]\n[django.password_cost]\nargon2_time = 3\n[limits]\nmax_hashing = 5")
	if p := s.Passwords; p.Django != "4.2" || len(p.Hashers) != 1 || p.Argon2Time != 3 || s.MaxHashing != 5 {
		t.Errorf("%+v, %d may wait", p, s.MaxHashing)
	}
	if _, err := djangocompat.NewPasswordHashers(s.Passwords); err != nil {
		t.Error(err)
	}
}

func TestSitesOfOldDjangos(t *testing.T) {
	for version, old := range map[string]bool{"2.2": true, "3.0": true, "3.2": false, "": false} {
		s := sessionsOf(t, `version = "`+version+`"`)
		if s.WriteLegacy != old || (s.AuthHash != nil) != old {
			t.Errorf("version %q: WriteLegacy %v, AuthHash %v, want %v", version, s.WriteLegacy, s.AuthHash != nil, old)
		}
		if old && s.AuthHash(nil, "x") != djangocompat.LegacySessionAuthHash(s.Keys, "x") {
			t.Errorf("version %q: AuthHash is another one", version)
		}
	}
}
