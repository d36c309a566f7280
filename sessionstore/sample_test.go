package sessionstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestAQueryOfTheSitesOwnIsTriedWithoutRunning(t *testing.T) {
	const notHere = "\x00" // whatever the database says
	tests := []struct {
		name       string
		query      string
		parameters int
		want       string // what the problem names; "" is no problem
	}{
		{"a right one", "SELECT 1 FROM auth_user WHERE id = $1", 1, ""},
		{"a table that is not there is named", "SELECT 1 FROM chat_membr WHERE id = $1", 1, "there is no table chat_membr"},
		{"a column that is not there is named", "SELECT 1 FROM auth_user WHERE room = $1", 1, "there is no column room"},
		{"a word in the wrong place is named", "SELECT 1 FORM auth_user", 0, "at auth_user"},
		{"a text is never shown", "SELECT 1 FROM auth_user WHERE 'canary' = 'canary' 'x", 0, notHere},
	}
	onBoth(t, func(t *testing.T, b *bed) {
		s := open(t, b.config())
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				query := tt.query
				if strings.HasPrefix(b.url.Reveal(), "sqlite") {
					query = strings.ReplaceAll(query, "$", "?")
				}
				err := s.TryQuery(t.Context(), query, tt.parameters)
				if tt.want == "" {
					if err != nil {
						t.Errorf("TryQuery = %v", err)
					}
					return
				}
				wrong, ok := errors.AsType[*sessionstore.QueryError](err)
				if !ok || tt.want != notHere && !strings.Contains(wrong.Problem, tt.want) || strings.Contains(err.Error(), "canary") {
					t.Errorf("TryQuery = %v, want a QueryError with %q", err, tt.want)
				}
			})
		}
	})
}

func TestSampleSaysWhichKeySignedWhatIsStored(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		present, old := djangocompat.NewKeys("present"), djangocompat.NewKeys("old")
		tests := []struct {
			name string
			keys djangocompat.Keys
			want sessionstore.Sample
		}{
			{"the key", old, sessionstore.Sample{Sessions: 2, Readable: 2}},
			{"a fallback", djangocompat.NewKeys("present", "old"), sessionstore.Sample{Sessions: 2, Readable: 2, ByFallback: 2}},
			{"neither", present, sessionstore.Sample{Sessions: 2, BadSignature: 2}},
		}
		cfg := b.config()
		cfg.Keys = old
		s := open(t, cfg)
		for range 2 {
			session, err := s.Load(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			session.Set("n", 1)
			if err := session.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				cfg := b.config()
				cfg.Keys = tt.keys
				first := present
				if tt.name == "the key" {
					first = old
				}
				got, err := open(t, cfg).Sample(t.Context(), 20, first)
				logins := got.Logins[sessionstore.NoLogin]
				got.Logins = nil
				if err != nil || got.Sessions != tt.want.Sessions || got.Readable != tt.want.Readable ||
					got.ByFallback != tt.want.ByFallback || got.BadSignature != tt.want.BadSignature || logins != tt.want.Readable {
					t.Errorf("Sample = %+v, %v (%d without a login), want %+v", got, err, logins, tt.want)
				}
			})
		}
	})
}

func TestSurveySaysWhoWeAre(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		v, err := open(t, b.config()).Survey(t.Context())
		sqlite := v.Kind == "SQLite" && v.Role == ""
		if err != nil || v.Version == "" || !sqlite && (v.Role == "" || v.Free < 1 || v.Pooled) {
			t.Errorf("Survey = %+v, %v", v, err)
		}
	})
}

func TestPasswordKindsNameWhatNoHasherIsThereFor(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		for i, encoded := range []string{"pbkdf2_sha256$1$salt$aGFzaA==", "md5$salt$canary", "!unusable", "canary-in-clear"} {
			b.exec(t, "INSERT INTO auth_user (id, username, password, is_active, is_staff, is_superuser, first_name, last_name, email, date_joined)"+
				" VALUES ($1, $2, $3, true, false, false, '', '', '', '2026-01-01 00:00:00')", i+1, "u"+encoded[:3], encoded)
		}
		cfg := b.config()
		cfg.Passwords.Hashers = []string{"pbkdf2_sha256"}
		unknown, users, err := open(t, cfg).PasswordKinds(t.Context(), 20)
		if err != nil || users != 4 || len(unknown) != 2 || unknown["md5"] != 1 || unknown[""] != 1 {
			t.Errorf("PasswordKinds = %v of %d, %v", unknown, users, err)
		}
	})
}
