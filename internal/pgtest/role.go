package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	operations      = "docs/operations.md" // the page that has the SQL of the role, in the folder of the module
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// Restricted makes the role that docs/operations.md gives to Belleville in the database that the URL of its owner
// names, and returns the URL for that role. It runs the statements of the page, each where the tables and columns
// exist that it names; who makes tables later calls it again. A URL that is not the owner's comes back as it is: one of
// SQLite, or of the role.
func Restricted(t testing.TB, owner string) string {
	t.Helper()
	restricted, err := Restrict(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	return restricted
}

// Restrict is [Restricted] for programs that are no tests.
func Restrict(ctx context.Context, owner string) (string, error) {
	u, err := url.Parse(owner)
	if err != nil {
		return "", errors.New("the URL of the database cannot be read") // err shows it
	}
	if u.User.Username() != superuser {
		return owner, nil
	}
	err = asOwner(ctx, owner, func(conn *pgx.Conn) error {
		_, err := restrict(ctx, conn)
		return err
	})
	if err != nil {
		return "", err
	}
	password, _ := u.User.Password()
	u.User = url.UserPassword(roleOf(strings.TrimPrefix(u.Path, "/")), password)
	return u.String(), nil
}

// Grant gives the role of [Restricted] a right that the page leaves to the site, as in "SELECT ON chat_member" for a
// table that an allow_sql asks.
func Grant(t testing.TB, owner, right string) {
	t.Helper()
	Restricted(t, owner)
	err := asOwner(t.Context(), owner, func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), "GRANT "+right+" TO "+pgx.Identifier{roleOf(conn.Config().Database)}.Sanitize())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// roleOf is the role of a database. Roles belong to the cluster, so each database has its own.
func roleOf(database string) string { return "websockets_" + database }

func asOwner(ctx context.Context, owner string, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, owner)
	if err == nil {
		err = errors.Join(do(conn), conn.Close(ctx))
	}
	if err != nil {
		return fmt.Errorf("give the role its rights: %w", err)
	}
	return nil
}

// restrict runs the statements of the page, and returns those whose tables or columns do not exist.
func restrict(ctx context.Context, conn *pgx.Conn) (skipped []string, err error) {
	statements, err := roleSQL()
	if err != nil {
		return nil, err
	}
	role := roleOf(conn.Config().Database)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&exists); err != nil {
		return nil, err
	}
	quoted := pgx.Identifier{role}.Sanitize()
	names := strings.NewReplacer("'change me'", "'"+conn.Config().Password+"'",
		"DATABASE site", "DATABASE "+pgx.Identifier{conn.Config().Database}.Sanitize())
	for _, statement := range statements {
		if exists && strings.HasPrefix(statement, "CREATE ROLE") {
			continue
		}
		_, err := conn.Exec(ctx, names.Replace(regexp.MustCompile(`\bwebsockets\b`).ReplaceAllString(statement, quoted)))
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == undefinedTable || e.Code == undefinedColumn) {
			skipped = append(skipped, statement)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return skipped, nil
}

// roleSQL returns the statements of the page: all of its blocks of code that are SQL.
func roleSQL() ([]string, error) {
	_, here, _, _ := runtime.Caller(0) // a test may be in any folder
	page, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", operations))
	if err != nil {
		return nil, err
	}
	return sqlOf(string(page))
}

func sqlOf(page string) ([]string, error) {
	var statements []string
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(page, -1) {
		for statement := range strings.SplitSeq(block[1], ";") {
			if statement = strings.TrimSpace(statement); statement != "" {
				statements = append(statements, statement)
			}
		}
	}
	if len(statements) == 0 {
		return nil, errors.New(operations + " has no SQL")
	}
	return statements, nil
}
