package sessionstore_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// vector is a case of auth_hash.json: what Django or Channels made of a session cookie.
type vector struct {
	Name   string
	Django []string
	Input  struct {
		Now      time.Time
		Settings struct {
			SecretKey string   `json:"SECRET_KEY"`
			Fallbacks []string `json:"SECRET_KEY_FALLBACKS"`
			Backends  []string `json:"AUTHENTICATION_BACKENDS"`
		}
		Users         []map[string]any
		Rows          []vectorRow `json:"session_rows"`
		Cookie        *string     `json:"session_cookie"`
		UserModel     string      `json:"user_model"`
		Action        string
		LoginUser     string `json:"login_user"`
		Backend       string
		SessionBefore json.RawMessage `json:"session_before"`
		KeyBefore     string          `json:"session_key_before"`
	}
	Expect struct {
		outcome
		WebSocket *outcome
	}
}

type vectorRow struct {
	Key        string    `json:"session_key"`
	Text       string    `json:"session_data"`
	ExpireDate time.Time `json:"expire_date"`
}

type outcome struct {
	User   *string
	Raises string
	Rows   []struct {
		Key        string `json:"session_key"`
		Data       json.RawMessage
		ExpireDate time.Time `json:"expire_date"`
	} `json:"rows_after"`
	LastLogin *time.Time `json:"last_login"`
}

// readVectors returns the cases whose names begin with a prefix.
func readVectors(t testing.TB, prefix string) []vector {
	t.Helper()
	packed, err := os.Open("testdata/auth_hash.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	from, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []vector }
	if err := json.NewDecoder(from).Decode(&file); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(file.Cases, func(v vector) bool { return !strings.HasPrefix(v.Name, prefix) })
}

// userModels are the user models of the vectors: their tables and what a Config says of them.
var userModels = map[string]struct {
	create string // %s is the type of a UUID
	users  sessionstore.UserTable
}{
	"":      {"", sessionstore.UserTable{}},
	"proxy": {"", sessionstore.UserTable{}},
	"uuid": {
		"CREATE TABLE vecapp_uuiduser (id %s PRIMARY KEY, password varchar(128), username varchar(150), email varchar(254), is_active bool)",
		sessionstore.UserTable{Table: "vecapp_uuiduser"},
	},
	"charpk": {
		"CREATE TABLE members (login varchar(40) PRIMARY KEY, password varchar(128))",
		sessionstore.UserTable{Table: "members", PK: "login", Username: "login"},
	},
	"acct": {
		"CREATE TABLE crm_account (acct bigint PRIMARY KEY, pw_hash varchar(128), email varchar(254))",
		sessionstore.UserTable{Table: "crm_account", PK: "acct", Username: "email", Password: "pw_hash"},
	},
	"soft": {
		"CREATE TABLE vecapp_softuser (id integer PRIMARY KEY, password varchar(128), username varchar(150), email varchar(254), is_active bool, deleted bool)",
		sessionstore.UserTable{Table: "vecapp_softuser", Where: map[string]any{"deleted": false}},
	},
	"slug": {
		"CREATE TABLE vecapp_sluguser (id integer PRIMARY KEY, password varchar(128), username varchar(150), email varchar(254), is_active bool)",
		sessionstore.UserTable{Table: "vecapp_sluguser"},
	},
}

// addModels makes the tables of userModels.
func (b *bed) addModels(t testing.TB, uuidType string) {
	t.Helper()
	for name, model := range userModels {
		switch {
		case model.create == "":
		case name == "uuid":
			b.exec(t, fmt.Sprintf(model.create, uuidType))
		default:
			b.exec(t, model.create)
		}
		if table := model.users.Table; table != "" {
			b.grant(t, "SELECT, UPDATE ON "+table)
		}
	}
}

// fill puts what a case begins with into the tables.
func (b *bed) fill(t testing.TB, v vector, uuidType string) {
	t.Helper()
	users := userModels[v.Input.UserModel].users
	table := users.Table
	if table == "" {
		table = "auth_user"
	}
	b.exec(t, "DELETE FROM django_session")
	b.exec(t, "DELETE FROM "+table)
	for _, u := range v.Input.Users {
		columns, values := map[string]any{}, []any{}
		maps.Copy(columns, u)
		if table == "auth_user" {
			for _, field := range []string{"first_name", "last_name"} {
				columns[field] = ""
			}
			columns["is_superuser"], columns["is_staff"], columns["date_joined"] = false, false, "2024-01-01 00:00:00+00"
		}
		var names, marks []string
		for _, field := range sortedKeys(columns) {
			value := columns[field]
			switch {
			case field == "pk" && users.PK == "login": // the same column as login
				continue
			case field == "pk" && users.PK != "":
				field = users.PK
			case field == "pk":
				field = "id"
			case field == "password" && users.Password != "":
				field = users.Password
			}
			if uuidType == "char(32)" && field == "id" && v.Input.UserModel == "uuid" {
				value = strings.ReplaceAll(value.(string), "-", "")
			}
			names, values = append(names, field), append(values, value)
			marks = append(marks, fmt.Sprintf("$%d", len(values)))
		}
		b.exec(t, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", values...)
	}
	for _, row := range v.Input.Rows {
		b.exec(t, "INSERT INTO django_session VALUES ($1, $2, $3)", row.Key, row.Text, djangoTime(row.ExpireDate))
	}
}

// djangoTime writes a time as Django writes it into SQLite; PostgreSQL of the tests reads it as UTC.
func djangoTime(t time.Time) string {
	t = t.UTC()
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("2006-01-02 15:04:05.000000")
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// config is the Config of the site that answered a case; legacy says that it was Django 3.2.
func (v vector) config(b *bed, legacy bool) sessionstore.Config {
	cfg := sessionstore.Config{
		DatabaseURL:            b.url,
		Keys:                   djangocompat.NewKeys(v.Input.Settings.SecretKey, v.Input.Settings.Fallbacks...),
		AuthenticationBackends: v.Input.Settings.Backends,
		Users:                  userModels[v.Input.UserModel].users,
		RefuseLegacy:           !legacy,
		PoolSize:               2,
		Now:                    func() time.Time { return v.Input.Now },
	}
	if v.Input.UserModel == "slug" {
		cfg.AuthHash = func(u *djangocompat.User, _ string) string { return "v2$" + u.Username }
	}
	return cfg
}

// versions says in which ways a case is to be run: as Django 3.2, as a later one.
func (v vector) versions() []bool {
	var ways []bool
	if slices.Contains(v.Django, "3.2") {
		ways = append(ways, true)
	}
	if len(v.Django) > 1 || v.Django[0] != "3.2" {
		ways = append(ways, false)
	}
	return ways
}

// outcome is what the original said.
func (v vector) outcome() outcome {
	if v.Expect.WebSocket != nil {
		return *v.Expect.WebSocket
	}
	return v.Expect.outcome
}

// difference is where Belleville gives another answer than the original, and why.
type difference struct {
	name   string // of the case, without what is before the first "/" and what follows "@"
	only   string // where the original is this: "channels/" or the version "@4.2a"
	user   string // whom we see
	reason string
}

var differences = []difference{
	{"fallback_hash_first", "channels/", "", "A5: fallback keys are accepted, as Django does"},
	{"fallback_hash_second", "channels/", "", "A5"},
	{"fallback_session_new_hash_old", "channels/", "", "A5"},
	{"fallback_with_browser_close", "channels/", "", "A5"},
	{"fallback_with_expiry_300", "channels/", "", "A5"},
	{"fallback_hash_first", "@4.2a", "", "Django before ticket 34384 did not accept a hash of a fallback key"},
	{"fallback_hash_second", "@4.2a", "", "ticket 34384"},
	{"fallback_session_new_hash_old", "@4.2a", "", "ticket 34384"},
	{"fallback_with_browser_close", "@4.2a", "", "ticket 34384"},
	{"fallback_with_expiry_300", "@4.2a", "", "ticket 34384"},
	{"backend_not_importable_configured", "", "659", "a backend is a name here: that Python cannot import it is not seen"},
	{"backend_returns_none", "", "659", "a site's own backend is taken for a ModelBackend"},
	{"backend_user_without_auth_hash", "", "", "a session without a hash is nobody's, whatever the backend's user can do"},
}

// want returns whom we are to see.
func (v vector) want() string {
	_, name, _ := strings.Cut(v.Name, "/")
	name, at, _ := strings.Cut(name, " @")
	if model := v.Input.UserModel; model != "" {
		name = strings.TrimPrefix(name, model+"/")
	}
	for _, d := range differences {
		if d.name == name && (d.only == "" || strings.HasPrefix(v.Name, d.only) || "@"+at == d.only) {
			if d.user == "" && d.only != "" {
				return v.Input.Users[0]["pk"].(string) // the one who is logged in
			}
			return d.user
		}
	}
	return orEmpty(v.outcome().User) // nobody where Python raised
}

func (v vector) check(t *testing.T, b *bed, uuidType string, legacy bool) {
	b.fill(t, v, uuidType)
	s := open(t, v.config(b, legacy))
	before := b.dump(t)
	session := load(t, s, v.key())
	u, reason, err := s.Verdict(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	if want := v.want(); u.PK.String() != want {
		t.Errorf("user = %q (%v), want %q", u.PK, reason, want)
	}
	if (reason >= sessionstore.LoggedIn) != u.IsAuthenticated() {
		t.Errorf("reason = %v for the user %q", reason, u.PK)
	}
	if after := b.dump(t); after != before {
		t.Errorf("the sessions were changed:\n%s\nwant\n%s", after, before)
	}
}

// key returns the session key in the cookie. Channels reads the Cookie header as Latin-1; Django was handed the
// cookie as it is.
func (v vector) key() string {
	cookie := orEmpty(v.Input.Cookie)
	if strings.HasPrefix(v.Name, "channels/") {
		cookie, _ = djangocompat.CookieValue("sessionid="+cookie, "sessionid")
	}
	return cookie
}

// dump returns all sessions as text.
func (b *bed) dump(t testing.TB) string {
	t.Helper()
	const sqlite = "SELECT coalesce(group_concat(session_key || session_data || expire_date), '') FROM django_session"
	const postgres = "SELECT coalesce(string_agg(session_key || session_data || expire_date, ',' ORDER BY session_key), '') FROM django_session"
	if strings.HasPrefix(b.url.Reveal(), "sqlite") {
		return b.value(t, sqlite).(string)
	}
	return b.value(t, postgres).(string)
}

func runVectors(t *testing.T, b *bed, uuidType, prefix string, want int) {
	b.addModels(t, uuidType)
	vectors := readVectors(t, prefix)
	if len(vectors) != want {
		t.Errorf("%d cases of %s, want %d", len(vectors), prefix, want)
	}
	for _, v := range vectors {
		for _, legacy := range v.versions() {
			name := v.Name
			if legacy {
				name += " (3.2)"
			}
			t.Run(name, func(t *testing.T) { v.check(t, b, uuidType, legacy) })
		}
	}
}

func TestVerdictsLikeDjango(t *testing.T) {
	runVectors(t, sqliteBed(t), "char(32)", "get_user/", 183)
}

func TestVerdictsLikeChannels(t *testing.T) {
	runVectors(t, sqliteBed(t), "char(32)", "channels/", 171)
}

func TestVerdictsLikeDjangoOnPostgres(t *testing.T) {
	runVectors(t, postgresBed(t), "uuid", "get_user_postgres/", 70)
}
