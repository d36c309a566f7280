package pgtest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// operations is the page that has the SQL of the role, in the folder of the module.
const operations = "docs/operations.md"

// Restricted makes the role that docs/operations.md gives to Belleville, for a database with Django's tables, and
// returns the URL of the database for that role.
func Restricted(t testing.TB, d *Database) string {
	t.Helper()
	sql, err := roleSQL()
	if err != nil {
		t.Fatal(err)
	}
	role := "websockets_" + d.Name
	sql = regexp.MustCompile(`\bwebsockets\b`).ReplaceAllString(sql, role)
	sql = strings.NewReplacer("'change me'", "'"+d.cluster.password+"'", "DATABASE site", "DATABASE "+pgx.Identifier{d.Name}.Sanitize()).Replace(sql)
	d.Exec(t, sql)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleaning)
		defer cancel()
		_ = d.cluster.maintain(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+role+"'") // the cluster may have ended
	})
	u, err := url.Parse(d.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, d.cluster.password)
	return u.String()
}

// roleSQL returns the SQL of the page: all of its blocks of code that are SQL.
func roleSQL() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		page, err := os.ReadFile(filepath.Join(dir, operations))
		if err == nil {
			return sqlOf(string(page))
		}
		if !errors.Is(err, os.ErrNotExist) || filepath.Dir(dir) == dir {
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}

func sqlOf(page string) (string, error) {
	var sql strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(page, -1) {
		sql.WriteString(block[1])
	}
	if sql.Len() == 0 {
		return "", errors.New(operations + " has no SQL")
	}
	return sql.String(), nil
}
