// Package djangotest runs a real Django for tests: the site in examples/django, on a database of the test's choice.
//
// Start with [Start]. [Connect] is a WebSocket client in Python, independent of everything in Go. [NewProject] is for
// programs that are no tests.
//
// It uses the Python and the Django of the machine and installs nothing.
package djangotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "embed"

	"github.com/belleville/belleville/internal/parts"
)

//go:embed shell.py
var shellScript string

// Config is what the site's settings are. The zero Config is the site's own choice, which is Django's, but for the
// secret key.
type Config struct {
	// SecretKey is SECRET_KEY. Default: a fixed one for tests.
	SecretKey string
	// Fallbacks are SECRET_KEY_FALLBACKS, which Django heeds from 4.1 on.
	Fallbacks []string
	// Engine is SESSION_ENGINE. Default: django.contrib.sessions.backends.db.
	Engine string
	// Serializer is SESSION_SERIALIZER. Default: django.contrib.sessions.serializers.JSONSerializer.
	Serializer string
	// Env are more variables of the site's environment, as in NAME=value: see its settings.py.
	Env []string
}

func (c Config) withDefaults() Config {
	if c.SecretKey == "" {
		c.SecretKey = "a-secret-key-that-is-used-by-tests-and-by-nothing-else"
	}
	if c.Engine == "" {
		c.Engine = "django.contrib.sessions.backends.db"
	}
	if c.Serializer == "" {
		c.Serializer = "django.contrib.sessions.serializers.JSONSerializer"
	}
	return c
}

// A Project is the example site with its settings, and a Python that can run it.
type Project struct {
	// Dir is the folder with manage.py.
	Dir string

	python string
	env    []string
}

// NewProject finds the site in the module that the working directory belongs to, and a Python with Django and what
// Django needs for the database. databaseURL is postgres://… or sqlite:////absolute/path.
func NewProject(ctx context.Context, databaseURL string, config Config) (*Project, error) {
	config = config.withDefaults()
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	needs := []library{django}
	if !strings.HasPrefix(databaseURL, "sqlite:") {
		needs = append(needs, psycopg)
	}
	python, err := findPython(ctx, needs...)
	if err != nil {
		return nil, err
	}
	p := &Project{Dir: filepath.Join(root, "examples", "django"), python: python}
	p.env = append(os.Environ(),
		"ALLOWED_HOSTS=localhost,127.0.0.1,[::1]",
		"WEBSOCKETS_URL=",
		"CHANNEL_LAYER_URL=",
		"CSRF_TRUSTED_ORIGINS=",
		"DATABASE_URL="+databaseURL,
		"DEBUG=1",
		"DJANGO_SETTINGS_MODULE=mysite.settings",
		"PYTHONDONTWRITEBYTECODE=1",
		"PYTHONUNBUFFERED=1",
		"SECRET_KEY="+config.SecretKey,
		"SECRET_KEY_FALLBACKS="+strings.Join(config.Fallbacks, ","),
		"SESSION_ENGINE="+config.Engine,
		"SESSION_SERIALIZER="+config.Serializer,
	)
	p.env = append(p.env, config.Env...)
	return p, nil
}

// Command is Python with args, in the site's folder and with its settings; it has not started.
func (p *Project) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.python, args...)
	cmd.Dir = p.Dir
	cmd.Env = p.env
	return cmd
}

// Manage runs manage.py with args and returns what it printed.
func (p *Project) Manage(ctx context.Context, args ...string) (string, error) {
	return output(p.Command(ctx, append([]string{"manage.py"}, args...)...))
}

// Shell runs Python code in the site, with Django set up, and returns what it printed.
func (p *Project) Shell(ctx context.Context, code string) (string, error) {
	return output(p.Command(ctx, "-c", shellScript, code))
}

// output runs cmd. What it wrote to stderr, as a traceback, is in the error.
func output(cmd *exec.Cmd) (string, error) {
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("python: %w\n%s", err, complaint.Bytes())
	}
	return string(out), nil
}

// A library is something that a Python can import, under the name of the Debian package that has it.
type library string

// What the site and the client need.
const (
	django     library = "python3-django"
	psycopg    library = "python3-psycopg2"
	websockets library = "python3-websockets"
)

// imports are Python statements that raise where the library is missing.
func (l library) imports() string {
	if l == psycopg {
		return "try: import psycopg2\nexcept ImportError: import psycopg"
	}
	return "import " + strings.TrimPrefix(string(l), "python3-")
}

// findPython finds an interpreter that has all the libraries: the one that the environment variable PYTHON names or,
// without that, python3 or Debian's.
func findPython(ctx context.Context, needs ...library) (string, error) {
	candidates := []string{"python3", "/usr/bin/python3"}
	if chosen := os.Getenv("PYTHON"); chosen != "" {
		candidates = []string{chosen}
	}
	var imports, packages []string
	for _, l := range needs {
		imports = append(imports, l.imports())
		packages = append(packages, string(l))
	}
	for _, python := range candidates {
		if exec.CommandContext(ctx, python, "-c", strings.Join(imports, "\n")).Run() == nil {
			return python, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%w: what is in Debian's packages %s, for %s (the environment variable PYTHON names another)",
		parts.ErrMissing, strings.Join(packages, " and "), strings.Join(candidates, " or "))
}

// moduleRoot is the folder of the go.mod that the working directory belongs to.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the example site: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir && errors.Is(err, os.ErrNotExist) {
			dir = parent
			continue
		}
		return "", fmt.Errorf("find the example site: %w", err)
	}
}
