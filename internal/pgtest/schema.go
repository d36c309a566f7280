package pgtest

import (
	"embed"
	"testing"
)

//go:embed testdata/pg_3.2.sql testdata/pg_5.2.sql testdata/pg_data.sql
var schemas embed.FS

// A Site names the tables that Schema makes.
type Site string

// The sites are those of new Django projects with rest_framework.authtoken, after migrate.
const (
	Django32     Site = "3.2"  // Django 3.2: ids are serial columns
	Django52     Site = "5.2"  // Django 5.2: ids are identity columns
	Django52Data Site = "data" // the same with users, groups, permissions, tokens and sessions in it
)

// Schema makes the tables of site in d, which must be empty. Python is not needed.
func Schema(t testing.TB, d *Database, site Site) {
	t.Helper()
	sql, err := schemas.ReadFile("testdata/pg_" + string(site) + ".sql")
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	d.Exec(t, string(sql))
}
