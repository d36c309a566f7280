package demo

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/belleville/belleville/djangocompat"
)

//go:embed schema.sql
var schema string

// An account is one of the demo's users. Its password is no secret: the login page shows it.
type account struct {
	Username, Password  string
	FirstName, LastName string
}

func accounts() []account {
	return []account{
		{"alice", "nuages", "Alice", "Reinhardt"},
		{"bob", "minor-swing", "Bob", "Grappelli"},
	}
}

// createDatabase makes the database of a Django site at path, with the demo's accounts. What is there
// already stays as it is.
func createDatabase(ctx context.Context, path string, hashing djangocompat.PasswordConfig) error {
	db, err := sql.Open("sqlite", fileName(path))
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	for _, a := range accounts() {
		if err := createUser(ctx, tx, a, hashing); err != nil {
			return fmt.Errorf("create user %s: %w", a.Username, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// createUser does what User.objects.create_user does, unless there is a user of that name.
func createUser(ctx context.Context, tx *sql.Tx, a account, hashing djangocompat.PasswordConfig) error {
	var exists bool
	row := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM auth_user WHERE username = ?)`, a.Username)
	if err := row.Scan(&exists); err != nil || exists {
		return err
	}
	password := djangocompat.HashPassword(a.Password, hashing)
	const insert = `INSERT INTO auth_user (username, password, first_name, last_name, email,
		is_active, is_staff, is_superuser, date_joined) VALUES (?, ?, ?, ?, ?, 1, 0, 0, ?)`
	_, err := tx.ExecContext(ctx, insert, a.Username, password, a.FirstName, a.LastName,
		a.Username+"@example.com", time.Now().UTC().Format("2006-01-02 15:04:05.000000"))
	return err
}

// fileName names the database at path for the driver.
func fileName(path string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "_pragma=busy_timeout(5000)&_txlock=immediate"}
	return u.String()
}

// databaseURL names the database at path, which is absolute, as dj-database-url does.
func databaseURL(path string) djangocompat.Secret {
	u := url.URL{Scheme: "sqlite", Path: "/" + filepath.ToSlash(path)}
	return djangocompat.NewSecret(u.String())
}
