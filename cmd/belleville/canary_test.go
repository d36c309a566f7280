package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The canaries: what nobody but the program may ever see.
const (
	canaryKey      = "canary-key-4fq"
	canaryFallback = "canary-fallback-9zt"
	canaryPassword = "canary-password-2xk"
	canaryCookie   = "canarycookie7ab4canarycookie7ab4"
	canaryText     = "canary-message-1wm"
)

// sings fails the test if a text holds a canary, in itself or as it would be escaped.
func sings(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range []string{canaryKey, canaryFallback, canaryPassword, canaryCookie, canaryText} {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows %s:\n%s", where, canary, text)
		}
	}
}

func TestCommandsPrintNoSecret(t *testing.T) {
	good := fmt.Sprintf("[django]\nsecret_key = %q\nsecret_key_fallbacks = [%q]\ndatabase_url = \"postgres://app:%s@127.0.0.1:1/site\"\nallowed_hosts = [\"a.example\"]\n[database]\nconnect_timeout = \"500ms\"\n",
		canaryKey, canaryFallback, canaryPassword)
	hidden := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	files := map[string]string{
		"a database that is away":         good,
		"a key without quotes":            hidden(`"`+canaryKey+`"`, canaryKey),
		"a key that is open":              hidden(`"`+canaryKey+`"`, `"`+canaryKey),
		"a key with a bad escape":         hidden(canaryKey, canaryKey+`\q`),
		"a key as a number":               hidden(`"`+canaryKey+`"`, "7"+canaryKey),
		"a key in a list":                 hidden(`"`+canaryKey+`"`, `["`+canaryKey+`"]`),
		"a key under a wrong name":        hidden("secret_key =", "sekret_key ="),
		"a database under a wrong scheme": hidden("postgres://", "mysql://"),
		"a database without a scheme":     hidden("postgres://app:", ""),
		"a database with a bad port":      hidden(":1/site", ":x/site"),
		"a database with a bad escape":    hidden(canaryPassword, canaryPassword+"%zz"),
		"a database with bad options":     hidden("/site", "/site?sslmode=%zz"+canaryPassword),
		"a database with an odd sslmode":  hidden("/site", "/site?sslmode="+canaryPassword),
		"a database with odd options":     hidden("/site", "/site?"+canaryPassword+"=1"),
		"a password with a slash":         hidden(canaryPassword, canaryPassword+"/x"),
		"a password with a hash":          hidden(canaryPassword, "#"+canaryPassword),
		"a keyword string":                hidden("postgres://app:"+canaryPassword+"@127.0.0.1:1/site", "host=a password="+canaryPassword),
		"a file of SQLite":                hidden("postgres://app:"+canaryPassword+"@127.0.0.1:1/site", "sqlite:////nowhere/"+canaryPassword),
	}
	for name, text := range files {
		path := filepath.Join(t.TempDir(), "belleville.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := run(t, "", "session", "show", "--config", path, canaryCookie)
		sings(t, name, got.out+got.err)
		if got.code != exitFailure || strings.Count(got.err, "\n") < 1 {
			t.Errorf("%s: %+v, want a failure with its reason", name, got)
		}
	}

	env := []string{"BELLEVILLE_DJANGO_SECRET_KEY=" + canaryKey, "BELLEVILLE_DJANGO_DATABASE_URL=" + canaryPassword, "BELLEVILLE_TOKEN=" + canaryFallback}
	got := runWith(t, env, "", "serve")
	sings(t, "the environment", got.out+got.err)

	for _, args := range [][]string{
		{"session", "decode", "--secret-key", canaryKey, "--fallback", canaryFallback},
		{"session", "encode", "--secret-key", canaryKey},
		{"signing", "loads", "--secret-key", canaryKey},
		{"signing", "dumps", "--secret-key", canaryKey},
		{"session", "decode", canaryCookie},
		{"signing", "loads", "--secret=" + canaryKey},
		{"password", "check", canaryPassword},
		{"password", "check", "--lines"},
		{"session", "decode", "--lines", "--secret-key", canaryKey},
	} {
		got := run(t, canaryText, args...)
		sings(t, strings.Join(args[:2], " "), got.out+got.err)
	}
}

func TestServePrintsNoSecret(t *testing.T) {
	databases := map[string]string{
		"a database that is there": djangoDatabase(t),
		"a database that is away":  "postgres://app:" + canaryPassword + "@127.0.0.1:1/site",
	}
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			path := configuration(t, url, "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n",
				"[database]\nconnect_timeout = \"500ms\"\n[log]\nlevel = \"debug\"\n")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), djangoKey, canaryKey, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			s := serve(t, path)
			for _, p := range []string{"/ws/whoami/", "/ws/chat/" + canaryText + "/", "/ws/" + canaryText, "/ws/echo/?token=" + canaryText} {
				for _, origin := range []string{testOrigin, "http://" + canaryText} {
					if ws, _ := s.open(t, s.addr, p, origin, canaryCookie); ws != nil {
						_ = ws.CloseNow()
					}
				}
			}
			ws, status := s.open(t, s.addr, "/ws/echo/", testOrigin, "")
			if ws == nil {
				t.Fatalf("echo: status %d", status)
			}
			say(t, ws, canaryText)
			hear(t, ws)
			_ = ws.CloseNow()
			_, metrics := s.get(t, "/metrics")
			_, ready := s.get(t, "/readyz")
			sings(t, "/metrics", metrics)
			sings(t, "/readyz", ready)
			if code := s.stop(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			sings(t, "the log", s.log.String())
		})
	}
}
