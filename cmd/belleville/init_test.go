package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/internal/redistest"
)

// canary is in every secret of the projects below, and must be in nothing that is printed.
const canary = "canary"

// projectSettings begins the settings of the projects below. What a test adds comes behind it.
const projectSettings = `
SECRET_KEY = "canary-key # with \" quotes \\ and ümlauts, which a test made"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "people"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
print("canary: what a site prints at its start")
`

// projectModels are a user model with nothing where Django has it.
const projectModels = `
import uuid
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

class People(BaseUserManager):
    def create_user(self, **fields):
        password = fields.pop("password")
        person = self.model(**fields)
        person.set_password(password)
        person.save()
        return person

class Person(AbstractBaseUser):
    number = models.UUIDField(primary_key=True, default=uuid.uuid4, db_column="person_no")
    login = models.CharField(max_length=40, unique=True, db_column="login_name")
    email = models.EmailField(db_column="mail")
    objects = People()
    USERNAME_FIELD = "login"

    class Meta:
        db_table = "our people"
`

// customUser are the settings for projectModels.
const customUser = "AUTH_USER_MODEL = 'people.Person'\nSESSION_COOKIE_NAME = 'sessionid'\n"

// djangoProject is a project that a test made.
type djangoProject struct {
	dir, python string
}

// makeProject writes a project, and makes its database.
func makeProject(t *testing.T, settings string) djangoProject {
	t.Helper()
	any, err := djangotest.NewProject(t.Context(), "postgres://", djangotest.Config{})
	parts.Need(t, "Django", err)
	p := djangoProject{t.TempDir(), any.Command(t.Context()).Path}
	for name, text := range map[string]string{
		"tiny/__init__.py": "", "tiny/settings.py": projectSettings + settings,
		"people/__init__.py": "", "people/models.py": "",
	} {
		if name == "people/models.py" && strings.Contains(settings, "AUTH_USER_MODEL") {
			text = projectModels
		}
		path := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// run runs Python in the project.
func (p djangoProject) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.python, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "DJANGO_SETTINGS_MODULE=tiny.settings", "PYTHONPATH="+p.dir, "PYTHONDONTWRITEBYTECODE=1")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, &complaint)
	}
	return string(out)
}

// login makes a user, and a session of his, and returns its key.
func (p djangoProject) login(t *testing.T) string {
	t.Helper()
	p.run(t, "-m", "django", "migrate", "--run-syncdb", "-v0")
	out := p.run(t, "-c", `
import django; django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest
model = get_user_model()
user = model.objects.create_user(**{model.USERNAME_FIELD: "alice", "email": "a@example.com", "password": "canary"})
request = HttpRequest()
request.session = import_module(settings.SESSION_ENGINE).SessionStore()
login(request, user, settings.AUTHENTICATION_BACKENDS[0])
request.session.save()
print("\n" + request.session.session_key)`)
	lines := strings.Fields(out)
	return lines[len(lines)-1]
}

// init runs belleville init in the project, and returns what it wrote.
func (p djangoProject) init(t *testing.T, args ...string) (typed, string) {
	t.Helper()
	t.Chdir(p.dir)
	path := filepath.Join(p.dir, "belleville.toml")
	got := run(t, "", append([]string{"init", "--settings", "tiny.settings", "--python", p.python, "--output", path}, args...)...)
	if strings.Contains(got.out+got.err, canary) {
		t.Errorf("a secret was printed: %+v", got)
	}
	return got, path
}

func TestInitWritesWhatCheckAcceptsAndServeRuns(t *testing.T) {
	tests := []struct {
		name     string
		settings func(t *testing.T) string
		written  []string
	}{
		{
			"SQLite and Django's own choices",
			func(*testing.T) string { return "" },
			[]string{`database_url = "sqlite:////`, `version = "`, "# ALLOWED_HOSTS"},
		},
		{
			"PostgreSQL, Redis as the layer, a fallback key",
			func(t *testing.T) string {
				redis := redistest.OpenWith(t, redistest.Config{Password: canary + "/:@ word"})
				return postgresSettings(t) + `SECRET_KEY_FALLBACKS = ["canary-old"]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {
    "hosts": [{"address": "` + redis.URL() + `"}], "capacity": 200, "channel_capacity": {"http.*": 50},
    "symmetric_encryption_keys": [SECRET_KEY]}}}
`
			},
			[]string{"secret_key_fallbacks", `capacity = 200`, `channel_capacity = {"http.*" = 50}`, "symmetric_encryption_keys"},
		},
		{
			"a user model of the site's own, sessions in Redis",
			func(t *testing.T) string {
				return customUser + `SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_CACHE_ALIAS = "the sessions"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}, "the sessions": {
    "BACKEND": "django_redis.cache.RedisCache", "LOCATION": "` + redistest.Open(t).URL() + `", "KEY_PREFIX": "s",
    "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"}}}
`
			},
			[]string{`table = "our people"  # the table of people.Person`, `pk = "person_no"`, `username = "login_name"`, `[django.caches."the sessions"]`},
		},
		{
			"tokens, a pickle serializer, local times",
			func(*testing.T) string {
				return `INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken"]
SESSION_SERIALIZER = "django.contrib.sessions.serializers.PickleSerializer"
USE_TZ = False
TIME_ZONE = "Europe/Berlin"
SESSION_COOKIE_AGE = 3600
SESSION_COOKIE_SAMESITE = "Strict"
SIMPLE_JWT = {"SIGNING_KEY": "canary-jwt", "LEEWAY": 5, "ISSUER": "https://issuer.example"}
`
			},
			[]string{`kind = "authtoken"`, `kind = "simplejwt"`, "use_tz = false", `time_zone = "Europe/Berlin"`, "session_cookie_age = 3600", `session_cookie_samesite = "Strict"`, "leeway = 5"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := makeProject(t, tt.settings(t))
			key := p.login(t)
			got, path := p.init(t)
			if got.code != 0 {
				t.Fatalf("init: %+v", got)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.written {
				if !strings.Contains(string(text), want) {
					t.Errorf("it did not write %q:\n%s", want, text)
				}
			}
			for _, file := range []string{path, filepath.Join(p.dir, "belleville.secret_key")} {
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v, want it for its owner alone", file, info, err)
				}
			}
			env := []string{
				"BELLEVILLE_LISTEN=127.0.0.1:0", "BELLEVILLE_ADMIN_LISTEN=localhost:0",
				"BELLEVILLE_ROUTES_1_PATH=ws/whoami/", "BELLEVILLE_ROUTES_1_CONSUMER=whoami",
			}
			// The site's user is the owner of its tables; Belleville has another one on the same database.
			if written := regexp.MustCompile(`(?m)^database_url = "(postgres://[^"]+)"`).FindStringSubmatch(string(text)); written != nil {
				env = append(env, "BELLEVILLE_DJANGO_DATABASE_URL="+pgtest.Restricted(t, written[1]))
			}
			checked := runWith(t, env, "", "check", "--config", path)
			if checked.code != 0 || strings.Contains(checked.out+checked.err, canary) {
				t.Errorf("check: %+v", checked)
			}
			b := serveFile(t, path, env)
			if got := b.whoami(t, key); got != "alice" {
				t.Errorf("whoami = %q, want alice; check said\n%s", got, checked.out)
			}
		})
	}
}

// postgresSettings are those of a database in PostgreSQL.
func postgresSettings(t *testing.T) string {
	t.Helper()
	var user, password, host, name string
	var port int
	url := pgtest.Open(t).URL()
	authority, path, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "/")
	credentials, address, _ := strings.Cut(authority, "@")
	user, password, _ = strings.Cut(credentials, ":")
	if _, err := fmt.Sscanf(strings.ReplaceAll(address, ":", " "), "%s %d", &host, &port); err != nil {
		t.Fatal(err)
	}
	name, _, _ = strings.Cut(path, "?")
	return fmt.Sprintf("DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': %q, 'USER': %q, 'PASSWORD': %q, 'HOST': %q, 'PORT': %d}}\n",
		name, user, password, host, port)
}

func TestInitRefusesInALineWhatBellevilleCannot(t *testing.T) {
	tests := []struct {
		name     string
		settings string
		want     string
	}{
		{"an engine of the site's own", "SESSION_ENGINE = 'tiny.engine'\n", "the site cannot be set up: it raises ModuleNotFoundError"},
		{"a serializer of the site's own", "class Serializer: pass\nSESSION_SERIALIZER = 'tiny.settings.Serializer'\n", `django.session_serializer: "tiny.settings.Serializer" is not Django's`},
		{"a cache that cannot be shared", "SESSION_ENGINE = 'django.contrib.sessions.backends.cache'\n", "django.caches.default.backend: "},
		{"a database of another kind", "DATABASES['default']['ENGINE'] = 'django.db.backends.oracle'\n", "the site cannot be set up"},
		{"a layer that is not known", "CHANNEL_LAYERS = {'default': {'BACKEND': 'tiny.Layer', 'CONFIG': {'password': 'canary'}}}\n", `channel_layers.default.backend: "tiny.Layer" is not known`},
		{"hosts that a URL cannot say", "CHANNEL_LAYERS = {'default': {'BACKEND': 'channels_redis.core.RedisChannelLayer', 'CONFIG': {'hosts': [{'sentinels': [], 'password': 'canary'}]}}}\n", "a host of CHANNEL_LAYERS has options that a URL cannot say"},
		{"no hosts at all", "ALLOWED_HOSTS = []\n", "django.allowed_hosts: "},
		{"settings that raise", "raise ValueError('canary')\n", "the settings cannot be imported: they raise ValueError"},
		{"settings that end the process", "import os\nos._exit(3)\n", "the site's Python did not get to its end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := makeProject(t, tt.settings)
			got, path := p.init(t)
			if got.code != exitFailure || !strings.Contains(got.err, "belleville: "+tt.want) || got.out != "" {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("it wrote a file all the same")
			}
		})
	}
}

func TestInitReplacesNothingUnlessForced(t *testing.T) {
	p := makeProject(t, "")
	if got, _ := p.init(t); got.code != 0 {
		t.Fatalf("init: %+v", got)
	}
	got, path := p.init(t)
	if got.code != exitFailure || !strings.Contains(got.err, "is there already; --force replaces it") {
		t.Errorf("again: %+v", got)
	}
	if got, _ := p.init(t, "--force"); got.code != 0 {
		t.Errorf("by force: %+v", got)
	}
	if got, _ := p.init(t, "--force", "--secret-key=environment"); got.code != 0 {
		t.Errorf("without the key: %+v", got)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), canary) || !strings.Contains(string(text), "BELLEVILLE_DJANGO_SECRET_KEY") {
		t.Errorf("without the key it wrote %s, %v", text, err)
	}
}

func TestInitSaysWhenThePythonIsWrong(t *testing.T) {
	t.Chdir(t.TempDir())
	got := run(t, "", "init", "--settings=a.b", "--python=/no/python")
	if want := "belleville: /no/python cannot be started; name the site's own Python with --python, as in .venv/bin/python\n"; got.code != exitFailure || got.err != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

func TestTheThreeCommandsOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "## Beside your own site\n")
	_, commands, _ := strings.Cut(section, "```sh\n")
	commands, _, ok := strings.Cut(commands, "```")
	lines := strings.Split(strings.TrimSpace(commands), "\n")
	if !ok || len(lines) != 3 || lines[2] != "belleville serve" {
		t.Fatalf("the commands are %q", lines)
	}
	p := makeProject(t, "")
	key := p.login(t)
	if err := os.MkdirAll(filepath.Join(p.dir, ".venv/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{".venv/bin/python": p.python, "mysite": "tiny"} {
		if err := os.Symlink(target, filepath.Join(p.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(p.dir)
	env := []string{
		"BELLEVILLE_LISTEN=127.0.0.1:0", "BELLEVILLE_ADMIN_LISTEN=localhost:0",
		"BELLEVILLE_ROUTES_1_PATH=ws/whoami/", "BELLEVILLE_ROUTES_1_CONSUMER=whoami",
	}
	for i, line := range lines[:2] {
		var environ []string // init runs in the environment of the test
		if i > 0 {
			environ = env
		}
		if got := runWith(t, environ, "", strings.Fields(line)[1:]...); got.code != 0 {
			t.Fatalf("%s: %+v", line, got)
		}
	}
	if got := serveFile(t, config.DefaultPath, env).whoami(t, key); got != "alice" {
		t.Errorf("whoami = %q, want alice", got)
	}
}
