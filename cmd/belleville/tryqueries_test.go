package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belleville/belleville/internal/pgtest"
)

// Fault row F39: a query of a route that the database will never answer is one line at the start.
func TestF39AWrongAllowSQLIsToldAtTheStart(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	path := filepath.Join(t.TempDir(), "belleville.toml")
	text := strings.ReplaceAll(siteConfig, "FROM auth_user", "FROM chat_membr")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"BELLEVILLE_DJANGO_DATABASE_URL=" + pgtest.Restricted(t, db.URL()), "BELLEVILLE_DJANGO_SECRET_KEY=" + siteKey}
	got := runWith(t, env, "", "serve", "--config", path)
	last := got.err[strings.LastIndex(strings.TrimSpace(got.err), "\n")+1:]
	if got.code != exitFailure || !strings.HasPrefix(last, "belleville: routes[3].allow_sql: there is no table chat_membr (42P01); ") {
		t.Errorf("exit %d, and %q", got.code, last)
	}
}

func TestAWrongAllowSQLIsToldWhenTheDatabaseFirstAnswers(t *testing.T) {
	cluster := pgtest.OpenCluster(t)
	db := cluster.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	url := pgtest.Restricted(t, db.URL())
	if err := cluster.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := startBelleville(t, url, "BELLEVILLE_ROUTES_3_ALLOW_SQL=SELECT 1 FROM chat_membr")
	if strings.Contains(b.log.String(), "chat_membr") {
		t.Error("it was told before anybody could know")
	}
	if err := cluster.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a line in the log", func() bool {
		return strings.Contains(b.log.String(), "a route is wrong") && strings.Contains(b.log.String(), "routes[3].allow_sql: there is no table chat_membr")
	})
}
