package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// typed is what a run of the program left.
type typed struct {
	code     int
	out, err string
}

// run runs the program in this process, without an environment.
func run(t *testing.T, input string, args ...string) typed {
	t.Helper()
	return runWith(t, nil, input, args...)
}

// runWith is run with an environment.
func runWith(t *testing.T, environ []string, input string, args ...string) typed {
	t.Helper()
	var out, err bytes.Buffer
	p := program{in: strings.NewReader(input), out: &out, err: &err, environ: environ, lifetime: func() context.Context { return t.Context() }}
	code := p.run(args)
	return typed{code, out.String(), err.String()}
}

// everyCommand is what has a --help.
var everyCommand = [][]string{
	{},
	{"serve"},
	{"demo"},
	{"init"},
	{"check"},
	{"version"},
	{"migrate"},
	{"migrate", "up"},
	{"migrate", "down"},
	{"migrate", "status"},
	{"migrate", "sql"},
	{"kick"},
	{"session"},
	{"session", "show"},
	{"session", "decode"},
	{"session", "encode"},
	{"signing"},
	{"signing", "loads"},
	{"signing", "dumps"},
	{"password"},
	{"password", "check"},
	{"password", "hash"},
	{"send"},
	{"group-send"},
	{"layer"},
	{"layer", "groups"},
	{"layer", "inboxes"},
	{"layer", "leaks"},
	{"layer", "tail"},
	{"layer", "canary"},
	{"bench"},
	{"bench", "connect"},
	{"bench", "idle"},
	{"bench", "echo"},
	{"bench", "broadcast"},
}

func TestHelpHasAnExample(t *testing.T) {
	for _, args := range everyCommand {
		got := run(t, "", append(args, "--help")...)
		_, example, ok := strings.Cut(got.out, "Example:")
		if got.code != 0 || got.err != "" || !ok || !strings.Contains(example, "belleville") {
			t.Errorf("belleville %s --help: code %d, stderr %q, and an example: %v", strings.Join(args, " "), got.code, got.err, ok)
		}
	}
}

func TestUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		help string
		want string
	}{
		{"nothing", nil, "", `expected one of "serve", "demo", "init", "check", "kick", ...`},
		{"an unknown command", []string{"srve"}, "", "unexpected argument"},
		{"an unknown flag", []string{"serve", "--confg"}, " serve", `unknown flag --confg, did you mean "--config"?`},
		{"an unknown flag's value is not told", []string{"serve", "--key=canary"}, " serve", "unknown flag --key"},
		{"what was typed in the wrong place is not told", []string{"session", "decode", "canary"}, " session decode", "unexpected argument"},
		{"half a command", []string{"session"}, " session", `expected one of "show", "decode", "encode"`},
		{"a flag without a value", []string{"serve", "--config"}, " serve", `--config: expected string value but got "EOL" (<EOL>)`},
		{"no key to decode with", []string{"session", "decode"}, " session decode", "--secret-key is missing"},
		{"no key to sign with", []string{"signing", "dumps"}, " signing dumps", "--secret-key is missing"},
		{"an empty key", []string{"signing", "loads", "--secret-key="}, " signing loads", "--secret-key is missing"},
		{"an unknown serializer", []string{"session", "encode", "--secret-key=k", "--serializer=yaml"}, " session encode", `--serializer must be one of "json","pickle" but got "yaml"`},
		{"too much work", []string{"password", "hash", "--iterations=1000000000"}, " password hash", "--iterations is out of range"},
		{"no URL to measure", []string{"bench", "echo"}, " bench echo", "bench echo: --url is no URL, as in ws://127.0.0.1:8001/ws/echo/"},
		{"another URL than a WebSocket's", []string{"bench", "idle", "--url=http://h/"}, " bench idle", `bench idle: --url begins with "http://": it must be ws:// or wss://`},
		{"a cookie in the wrong form is not told", []string{"bench", "connect", "--url=ws://h/", "--cookie=canary"}, " bench connect", "bench connect: --cookie is no NAME=VALUE"},
		{"a header with a comma is one", []string{"bench", "connect", "--url=ws://h/", "--header=a,canary"}, " bench connect", "bench connect: --header is no NAME:VALUE"},
		{"no encoded password", []string{"password", "check"}, " password check", "ENCODED is missing, and standard input is no JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, "", tt.args...)
			want := typed{exitUsage, "", "belleville: " + tt.want + "; see belleville" + tt.help + " --help\n"}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	got := run(t, "", "version")
	if got.code != 0 || !strings.HasPrefix(got.out, "belleville ") || strings.Count(got.out, "\n") != 1 {
		t.Errorf("got %+v, want a line", got)
	}
}

func TestWrongConfiguration(t *testing.T) {
	env := []string{"BELLEVILLE_DJANGO_SECRET_KEY=canary", "BELLEVILLE_DJANGO_DATABASE_URL=mysql://a:canary@h/d"}
	t.Chdir(t.TempDir())
	tests := []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"a file that is not there", nil, []string{"serve", "--config", "none.toml"}, "belleville: none.toml: there is no such file; write one, or name it with --config\n"},
		{"each mistake has its line", env, []string{"serve"}, "belleville: django.database_url (BELLEVILLE_DJANGO_DATABASE_URL): databases of the kind \"mysql\" are not supported; only PostgreSQL and SQLite are\n" +
			"belleville: django.allowed_hosts: neither it nor django.allowed_origins says which sites may connect; copy ALLOWED_HOSTS from the site's settings\n"},
		{"also of session show", env[:1], []string{"session", "show", "key"}, "belleville: django.database_url: it is missing, and the sessions are there; write where the site's database is, as in \"postgres://user:password@host/name\" or \"sqlite:///path/db.sqlite3\"\n" +
			"belleville: django.allowed_hosts: neither it nor django.allowed_origins says which sites may connect; copy ALLOWED_HOSTS from the site's settings\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := runWith(t, tt.env, "", tt.args...), (typed{exitFailure, "", tt.want}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
