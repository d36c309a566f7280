package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
)

func TestDjangoSharesTheLogins(t *testing.T) {
	tn := newTown(t)
	key, err := os.ReadFile(filepath.Join(filepath.Dir(tn.home.database), "secret_key"))
	if err != nil {
		t.Fatal(err)
	}
	database := databaseURL(tn.home.database)
	project, err := djangotest.NewProject(t.Context(), database.Reveal(), djangotest.Config{SecretKey: string(key)})
	parts.Need(t, "Django", err)
	python := func(code string) string {
		t.Helper()
		out, err := project.Shell(t.Context(), `
from django.contrib.auth import authenticate, get_user, login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
request = HttpRequest()
`+code)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	b := tn.browser(t)
	b.logIn("alice")
	if got := python(`
request.session = SessionStore("` + b.cookie + `")
print(get_user(request).username, "demo_logged_in" in request.session)`); got != "alice True" {
		t.Errorf("of the demo's session Django says %q", got)
	}
	b.cookie = python(`
request.session = SessionStore()
login(request, authenticate(username="bob", password="minor-swing"))
request.session.save()
print(request.session.session_key)`)
	if r := b.get("/chat/lobby/"); !strings.Contains(r.body, `data-username="bob"`) {
		t.Errorf("of Django's session the demo says %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
}
