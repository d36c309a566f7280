package main

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
)

// superuserWarning is in the log where the role may do everything.
const superuserWarning = "the database role is a superuser"

// TestServeHasTheRoleOfTheOperationsPage runs the server with the role whose SQL docs/operations.md has.
func TestServeHasTheRoleOfTheOperationsPage(t *testing.T) {
	db := pgtest.Open(t)
	site := djangotest.Start(t, db.URL(), djangotest.Config{SecretKey: siteKey})
	liveTriggers(t, db.URL())
	b := startBelleville(t, db.URL(), "BELLEVILLE_LIVE_TRIGGERS=required", "BELLEVILLE_LIVE_RECHECK_INTERVAL=1h")
	key := site.Login(t, djangotest.Bob, djangotest.Password)
	ws := b.stay(t, key)
	site.Logout(t, key)
	if e := closed(t, ws); e.Code != 4401 {
		t.Errorf("closed with %d, want 4401", e.Code)
	}
	if status, body := b.ready(t); status != 200 {
		t.Errorf("ready: %d, %s", status, body)
	}
	b.servesSeries(t)
	if said := b.log.String(); strings.Contains(said, superuserWarning) {
		t.Errorf("warned of a superuser: %s", said)
	}
}

// asSuperuser returns the URL of a database for another superuser than its owner.
func asSuperuser(t *testing.T, db *pgtest.Database) string {
	t.Helper()
	u, err := url.Parse(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	role, password := "boss_of_"+db.Name, rand.Text()
	db.Exec(t, "CREATE ROLE "+role+" SUPERUSER LOGIN PASSWORD '"+password+"'")
	u.User = url.UserPassword(role, password)
	return u.String()
}

func TestCheckWarnsOfASuperuser(t *testing.T) {
	b := newCheckBed(t)
	b.db.Exec(t, "DELETE FROM django_session")
	const want = "warning database role: it is a superuser"
	for url, warned := range map[string]bool{asSuperuser(t, b.db): true, pgtest.Restricted(t, b.db.URL()): false} {
		code, lines := b.check(t, "BELLEVILLE_DJANGO_DATABASE_URL="+url)
		if text := strings.Join(lines, "\n"); code != 0 || strings.Contains(text, want) != warned {
			t.Errorf("exit %d, want a warning: %v\n%s", code, warned, text)
		}
	}
}

func TestASuperuserIsWarnedOfOnce(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Schema(t, db, pgtest.Django52)
	b := startBelleville(t, asSuperuser(t, db))
	db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'belleville' AND datname = current_database()")
	eventually(t, "ready", func() bool { status, _ := b.ready(t); return status == 200 })
	if n := strings.Count(b.log.String(), superuserWarning); n != 1 {
		t.Errorf("warned %d times, want once: %s", n, b.log)
	}
}

// blocks returns the blocks of code of a language that docs/operations.md has.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("there is no %s on the page", language)
	}
	return found
}

func TestNginxTakesTheOperationsPage(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			parts.Need(t, "nginx", fmt.Errorf("%w: nginx (Debian's package nginx)", parts.ErrMissing))
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	text := "pid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" + blocks(t, "nginx")[0] + "}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-t", "-e", "stderr", "-c", file).CombinedOutput(); err != nil {
		t.Errorf("nginx -t: %v\n%s", err, out)
	}
}

// servesSeries looks for the series that the page names.
func (b *belleville) servesSeries(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	served := b.scrape(t)
	for _, name := range regexp.MustCompile("belleville_[a-z_]+").FindAllString(string(page), -1) {
		if !strings.Contains(served, "\n# HELP "+name+" ") {
			t.Errorf("%s is on the page, and is not served", name)
		}
	}
}
