package sessionstore_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unpacked copies a compressed file of testdata into a folder of the test's own and returns its path.
func unpacked(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := unpack(filepath.Join("testdata", name+".gz"), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func unpack(from, to string) error {
	packed, err := os.Open(from)
	if err != nil {
		return err
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// open opens a Store that is closed with the test.
func open(t testing.TB, cfg sessionstore.Config) *sessionstore.Store {
	t.Helper()
	s, err := sessionstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// sqliteURL is the DATABASE_URL of a file.
func sqliteURL(path string) djangocompat.Secret { return djangocompat.NewSecret("sqlite:///" + path) }

// site is what an expect*.json file says about a database that Django filled.
type site struct {
	Settings struct {
		SecretKey string   `json:"SECRET_KEY"`
		Fallbacks []string `json:"SECRET_KEY_FALLBACKS"`
		CookieAge int64    `json:"SESSION_COOKIE_AGE"`
		Backends  []string `json:"AUTHENTICATION_BACKENDS"`
		Now       time.Time
	}
	Users []struct {
		ID          string    `json:"id"`
		Username    string    `json:"username"`
		Password    string    `json:"password_plain"`
		FirstName   string    `json:"first_name"`
		LastName    string    `json:"last_name"`
		Email       string    `json:"email"`
		IsActive    bool      `json:"is_active"`
		IsStaff     bool      `json:"is_staff"`
		IsSuperuser bool      `json:"is_superuser"`
		LastLogin   time.Time `json:"last_login"`
		DateJoined  time.Time `json:"date_joined"`
	}
	Sessions []struct {
		Label   string
		Cookie  string `json:"session_cookie"`
		Stored  json.RawMessage
		Decoded json.RawMessage
		Expect  struct{ User *string }
	}
}

func readSite(t testing.TB, name string) *site {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	s := new(site)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// config is the Config of the site, in the database at url, at the time when it was made.
func (s *site) config(url djangocompat.Secret) sessionstore.Config {
	return sessionstore.Config{
		DatabaseURL:            url,
		Keys:                   djangocompat.NewKeys(s.Settings.SecretKey, s.Settings.Fallbacks...),
		CookieAge:              time.Duration(s.Settings.CookieAge) * time.Second,
		AuthenticationBackends: s.Settings.Backends,
		Now:                    func() time.Time { return s.Settings.Now },
	}
}

// check compares every session and its user with what Django said, when they are asked for one by one and when they
// come together.
func (s *site) check(t *testing.T, store *sessionstore.Store) {
	standings := make([]sessionstore.Standing, len(s.Sessions))
	var visitors sync.WaitGroup
	for i, session := range s.Sessions {
		visitors.Go(func() {
			var err error
			if standings[i], err = store.Visitor(t.Context(), session.Cookie); err != nil {
				t.Errorf("%s: %v", session.Label, err)
			}
		})
	}
	if visitors.Wait(); t.Failed() {
		return
	}
	for i, session := range s.Sessions {
		t.Run(session.Label+", as a visitor", func(t *testing.T) {
			loaded, err := store.Load(t.Context(), session.Cookie)
			if err != nil {
				t.Fatal(err)
			}
			u, reason, err := store.Verdict(t.Context(), loaded)
			if err != nil {
				t.Fatal(err)
			}
			v := standings[i]
			if v.User != u || v.Reason != reason || v.Session.Key() != loaded.Key() || !v.Session.Data().Equal(loaded.Data()) {
				t.Errorf("Visitor = %v, %v, %q, want %v, %v, %q", v.User, v.Reason, v.Session.Key(), u, reason, loaded.Key())
			}
			if !v.Session.Accessed() {
				t.Error("the session was not accessed, but what is answered depends on it")
			}
		})
	}
	for _, session := range s.Sessions {
		t.Run(session.Label, func(t *testing.T) {
			loaded, err := store.Load(t.Context(), session.Cookie)
			if err != nil {
				t.Fatal(err)
			}
			u, reason, err := store.Verdict(t.Context(), loaded)
			if err != nil {
				t.Fatal(err)
			}
			if want := orEmpty(session.Expect.User); u.PK.String() != want {
				t.Errorf("user = %q (%v), want %q", u.PK, reason, want)
			}
			if u.IsAuthenticated() {
				s.checkUser(t, u)
			}
			want := session.Decoded
			if len(want) == 0 || string(want) == "null" || session.Label == "alice_expired_row" {
				want = json.RawMessage("{}")
			}
			wantData, err := djangocompat.ParseSessionData(want)
			if err != nil {
				t.Fatal(err)
			}
			for key, value := range wantData.All() {
				sameJSON(t, key, loaded, value)
			}
			if loaded.Len() != wantData.Len() {
				t.Errorf("session has %d keys, want %d", loaded.Len(), wantData.Len())
			}
			if (loaded.Len() == 0) != (loaded.Key() == "") {
				t.Errorf("a session of %d keys has the key %q", loaded.Len(), loaded.Key())
			}
		})
	}
}

func sameJSON(t *testing.T, key string, loaded *djangocompat.Session, want any) {
	t.Helper()
	got, _ := loaded.Get(key)
	gotText, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	wantText, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(gotText) != string(wantText) {
		t.Errorf("session[%q] = %s, want %s", key, gotText, wantText)
	}
}

func (s *site) checkUser(t *testing.T, got *djangocompat.User) {
	for _, u := range s.Users {
		if u.ID != got.PK.String() {
			continue
		}
		want := djangocompat.User{
			PK: got.PK, Username: u.Username, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email,
			IsActive: u.IsActive, IsStaff: u.IsStaff, IsSuperuser: u.IsSuperuser,
			LastLogin: u.LastLogin.UTC(), DateJoined: u.DateJoined.UTC(), Backend: got.Backend,
		}
		if a, b := mustJSON(t, got), mustJSON(t, &want); a != b {
			t.Errorf("user = %s, want %s", a, b)
		}
		return
	}
	t.Errorf("user %s is not in the site", got.PK)
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestSQLiteSites(t *testing.T) {
	tests := []struct {
		name   string
		file   string
		expect string
		users  sessionstore.UserTable
	}{
		{"a site of Django 5.2", "db.sqlite3", "expect.json", sessionstore.UserTable{}},
		{"a site of Django 3.2", "db_3.2.sqlite3", "expect_3.2.json", sessionstore.UserTable{}},
		{"a user model with a UUID", "uuid.sqlite3", "expect_uuid.json", sessionstore.UserTable{Table: "vecapp_uuiduser"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := readSite(t, tt.expect)
			cfg := s.config(sqliteURL(unpacked(t, tt.file)))
			cfg.Users = tt.users
			s.check(t, open(t, cfg))
		})
	}
}
