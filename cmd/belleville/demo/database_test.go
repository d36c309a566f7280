package demo

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// quickly makes passwords that are not worth much: a test checks many.
func quickly() djangocompat.PasswordConfig { return djangocompat.PasswordConfig{Iterations: 1000} }

func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// described returns a database's tables, columns and indexes, one in a line.
func described(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.Query(`
		SELECT m.tbl_name || ' ' || m.type || ' ' || m.name || ' ' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk
		FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.name NOT LIKE 'sqlite_%'
		UNION ALL
		SELECT m.name || ' index ' || i."unique" || ' ' || i.origin || ' ' || c.seqno || ' ' || c.name
		FROM sqlite_schema m, pragma_index_list(m.name) i, pragma_index_info(i.name) c WHERE m.type = 'table'
		UNION ALL
		SELECT m.name || ' refers ' || f."from" || ' ' || f."table" || ' ' || f."to"
		FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

func TestDatabaseHasTheTablesOfDjango(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	if err := createDatabase(t.Context(), path, quickly()); err != nil {
		t.Fatal(err)
	}
	migrated := openDB(t, filepath.Join(t.TempDir(), "django.sqlite3"))
	statements, err := os.ReadFile("testdata/sqlite_5.2.sql") // what migrate of Django 5.2 made
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrated.Exec(string(statements)); err != nil {
		t.Fatal(err)
	}
	got, want := described(t, openDB(t, path)), described(t, migrated)
	if !slices.Equal(got, want) {
		t.Errorf("the database has\n%q\nwant\n%q", got, want)
	}
}

func TestDatabaseHasTheAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.sqlite3")
	if err := createDatabase(t.Context(), path, quickly()); err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts() {
		var encoded string
		var active bool
		row := openDB(t, path).QueryRow(`SELECT password, is_active FROM auth_user WHERE username = ?`, a.Username)
		if err := row.Scan(&encoded, &active); err != nil {
			t.Fatal(err)
		}
		if ok, err := djangocompat.CheckPassword(a.Password, encoded); !ok || err != nil || !active {
			t.Errorf("%s: CheckPassword = %v, %v, active = %v", a.Username, ok, err, active)
		}
	}
}

func TestDatabaseKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder?#%41", "db.sqlite3")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := createDatabase(t.Context(), path, quickly()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("the database is elsewhere: ", err)
	}
	db, err := sql.Open("sqlite", fileName(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE auth_user SET password = 'changed' WHERE username = 'alice'`); err != nil {
		t.Fatal(err)
	}
	if err := createDatabase(t.Context(), path, quickly()); err != nil {
		t.Fatal("the second time: ", err)
	}
	var users, changed int
	row := db.QueryRow(`SELECT count(*), count(*) FILTER (WHERE password = 'changed') FROM auth_user`)
	if err := row.Scan(&users, &changed); err != nil {
		t.Fatal(err)
	}
	if users != len(accounts()) || changed != 1 {
		t.Errorf("%d users, %d of them as they were changed, want %d and 1", users, changed, len(accounts()))
	}
}
