package sessionstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
)

// TestPreparedStatementsAreGivenUp takes away what greet found out: the first statement that a pooler lost says
// it again.
func TestPreparedStatementsAreGivenUp(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	cfg := Config{
		DatabaseURL: djangocompat.NewSecret(pgtest.Bouncer(t, db, pgtest.TransactionPooling)),
		Keys:        djangocompat.NewKeys("key"),
	}
	for range 2 {
		s, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := s.db.(*postgres)
		if got := pgx.QueryExecMode(p.mode.Load()); got != pgx.QueryExecModeCacheDescribe {
			t.Errorf("mode behind pgbouncer = %v, want cache_describe", got)
		}
		p.mode.Store(int32(pgx.QueryExecModeCacheStatement))
		for range 10 {
			if _, err := s.Load(t.Context(), "asessionkeyofnobody"); err != nil {
				t.Errorf("Load = %v", err)
			}
		}
	}
}

func TestNoPoolerNoChange(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	s, err := Open(t.Context(), Config{DatabaseURL: djangocompat.NewSecret(pgtest.Restricted(t, db.URL())), Keys: djangocompat.NewKeys("key"), QueryTimeout: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := s.db.(*postgres)
	if got := pgx.QueryExecMode(p.mode.Load()); got != pgx.QueryExecModeCacheStatement {
		t.Errorf("mode = %v, want cache_statement", got)
	}
	for setting, want := range map[string]string{"statement_timeout": "1500ms", "application_name": "belleville"} {
		var got string
		if err := p.pool.QueryRow(t.Context(), "SHOW "+setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", setting, got, err, want)
		}
	}
}

// TestLookupsArePlannedOnce counts the plans that a connection's statements had.
func TestLookupsArePlannedOnce(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	db.Exec(t, "INSERT INTO django_session SELECT md5(i::text), repeat('x', 200), now() + '1 day' FROM generate_series(1, 2000) AS i")
	db.Exec(t, `INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
		SELECT i, i, repeat('x', 80), false, '', '', '', false, true, now() FROM generate_series(1, 2000) AS i`)
	db.Exec(t, "ANALYZE")
	s, err := Open(t.Context(), Config{
		DatabaseURL: djangocompat.NewSecret(pgtest.Restricted(t, db.URL())), Keys: djangocompat.NewKeys("key"), PoolSize: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 100 {
		keys, pks := make([]string, 1+i%5), make([]djangocompat.PK, 1+i%5)
		for j := range keys {
			keys[j], pks[j] = fmt.Sprintf("asessionkeyofnobody%d", i+j), djangocompat.IntPK(int64(i+j))
		}
		if _, err := s.fetchSessions(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		if _, err := s.fetchUsers(t.Context(), pks); err != nil {
			t.Fatal(err)
		}
	}
	var statements, anew int // PostgreSQL plans five times before it compares
	const plans = "SELECT count(*) FILTER (WHERE generic_plans >= 95), count(*) FILTER (WHERE custom_plans > 5) FROM pg_prepared_statements"
	if err := s.db.(*postgres).pool.QueryRow(t.Context(), plans).Scan(&statements, &anew); err != nil {
		t.Fatal(err)
	}
	if statements != 2 || anew != 0 {
		t.Errorf("%d statements have one plan, and %d were planned anew, want 2 and 0", statements, anew)
	}
}

func TestDatabaseURL(t *testing.T) {
	tests := []struct {
		name, url string
		want      []string // keywords
		without   string
	}{
		{"all parts", "postgres://u:p@db.example.com:6543/site", []string{"user='u'", "password='p'", "host='db.example.com'", "port='6543'", "dbname='site'"}, ""},
		{"a host that is away is verified", "postgresql://db/site", []string{"sslmode='verify-full'"}, ""},
		{"an address that is away is verified", "postgres://10.0.0.1/site", []string{"sslmode='verify-full'"}, ""},
		{"one of two hosts that is away is enough", "postgres://localhost,db/site", []string{"sslmode='verify-full'", "host='localhost,db'", "port='5432,5432'"}, ""},
		{"this machine is not", "postgres://localhost/site", []string{"sslmode='prefer'"}, ""},
		{"nor is its address", "postgres://127.0.0.1:1/site", []string{"sslmode='prefer'"}, ""},
		{"nor is its other address", "postgres://[::1]:77/site", []string{"sslmode='prefer'", "host='::1'", "port='77'"}, ""},
		{"nor is a unix socket", "postgres://%2Fvar%2Frun%2Fpostgresql/site", []string{"sslmode='prefer'", "host='/var/run/postgresql'"}, ""},
		{"nor is a unix socket among the options", "postgres:///site?host=/var/run/postgresql", []string{"sslmode='prefer'", "host='/var/run/postgresql'"}, ""},
		{"a host among the options is away", "postgres:///site?host=db", []string{"sslmode='verify-full'"}, ""},
		{"a sslmode that is named counts", "postgres://db/site?sslmode=disable", []string{"sslmode='disable'"}, ""},
		{"escapes are undone", "postgres://u%40x:p%3A%2F%27%5C@db/a%20b", []string{`user='u@x'`, `password='p:/\'\\'`, "dbname='a b'"}, ""},
		{"an @ in the password needs no escape", "postgres://u:p@q@db/site", []string{"password='p@q'", "host='db'"}, ""},
		{"what is libpq's own is left out", "postgres://db/site?keepalives=1&conn_max_age=600&connect_timeout=3", []string{"connect_timeout='3'"}, "keepalives"},
		{"the program has a name", "pgsql://db/site", []string{"application_name='belleville'"}, ""},
		{"which may be another one", "postgis://db/site?application_name=x", []string{"application_name='x'"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := parseDatabaseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := u.keywords()
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("keywords %s, want %s", got, want)
				}
			}
			if tt.without != "" && strings.Contains(got, tt.without) {
				t.Errorf("keywords %s, want no %s", got, tt.without)
			}
		})
	}
}

func FuzzDatabaseURL(f *testing.F) {
	for _, url := range []string{
		"postgres://u:p@db.example.com:6543/site?sslmode=disable", "sqlite:////abs/db.sqlite3", "sqlite:///rel", "postgres://[::1]:77,h2/x",
		"postgres://%2Fvar%2Frun/site", "postgres:///?host=a", "://", "a://%zz", "postgres://@:/?",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		u, err := parseDatabaseURL(url)
		if err != nil {
			if len(url) > 20 && strings.Contains(err.Error(), url[8:]) {
				t.Errorf("the error quotes the URL: %v", err)
			}
			return
		}
		keywords, _ := u.keywords()
		if pc, err := pgx.ParseConfig(keywords); err == nil && u.options.Get("user") == "" && u.user != "" && pc.User != u.user {
			t.Errorf("user = %q, want %q", pc.User, u.user)
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, text := range []string{"2026-01-02 03:04:05.678901", "2026-01-02 03:04:05", "", "infinity", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := parseTime(text, time.UTC)
		if at.IsZero() || at.Year() < 1 || at.Year() > 9999 {
			return
		}
		if again := parseTime(formatTime(at, time.UTC), time.UTC); !again.Equal(at.Truncate(time.Microsecond)) {
			t.Errorf("%q is %v, and %v when it is written and read again", text, at, again)
		}
	})
}
