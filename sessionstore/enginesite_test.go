package sessionstore_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/memcachetest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/cache"
)

// engineSite is a way in which a site keeps its sessions.
type engineSite struct {
	name  string
	cfg   sessionstore.Config // without keys and database
	cache map[string]any      // the entry of CACHES
}

// cacheLibraries are what Django needs for caches that it does not speak to itself.
var cacheLibraries = map[string]string{cache.DjangoRedis: "django_redis", cache.PyMemcache: "pymemcache", cache.PyLibMC: "pylibmc"}

// withCache makes an engineSite of a cache.
func withCache(name, engine, backend, location string) engineSite {
	c := cache.Config{Backend: backend, Location: []string{location}, KeyPrefix: "site" + strconv.Itoa(len(name)), Version: 3}
	return engineSite{
		name: name,
		cfg:  sessionstore.Config{SessionEngine: engine, SessionCache: c},
		cache: map[string]any{
			"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": c.KeyPrefix, "VERSION": 3,
			"OPTIONS": map[string]any{},
		},
	}
}

// compressed makes django-redis compress.
func (e engineSite) compressed() engineSite {
	const zlib = "django_redis.compressors.zlib.ZlibCompressor"
	e.cfg.SessionCache.Options.Compressor = zlib
	e.cache["OPTIONS"] = map[string]any{"COMPRESSOR": zlib}
	return e
}

// pickled makes the site's serializer PickleSerializer.
func (e engineSite) pickled() engineSite {
	e.name += ", pickled"
	e.cfg.SessionSerializer = djangocompat.PickleSerializer
	return e
}

// engineSites are all the ways, on real parts.
func engineSites(t *testing.T) []engineSite {
	redis, memcached := redistest.Open(t), memcachetest.Open(t)
	plain := func(name, engine string) engineSite {
		return engineSite{name: name, cfg: sessionstore.Config{SessionEngine: engine}}
	}
	files := plain("file", sessionstore.EngineFile)
	files.cfg.SessionFilePath = t.TempDir()
	redisURL := strings.TrimSuffix(redis.URL(), "/0")
	return []engineSite{
		plain("db", sessionstore.EngineDB), plain("db", sessionstore.EngineDB).pickled(),
		files, files.pickled(),
		plain("signed_cookies", sessionstore.EngineSignedCookies), plain("signed_cookies", sessionstore.EngineSignedCookies).pickled(),
		withCache("cache in django-redis", sessionstore.EngineCache, cache.DjangoRedis, redisURL+"/1"),
		withCache("cache in django-redis with zlib", sessionstore.EngineCache, cache.DjangoRedis, redisURL+"/2").compressed().pickled(),
		withCache("cache in pymemcache", sessionstore.EngineCache, cache.PyMemcache, memcached.Address()),
		withCache("cache in pylibmc", sessionstore.EngineCache, cache.PyLibMC, memcached.Address()),
		withCache("cache in files", sessionstore.EngineCache, cache.FileBased, t.TempDir()),
		withCache("cache in the database", sessionstore.EngineCache, cache.Database, "django_cache"),
		withCache("cached_db in django-redis", sessionstore.EngineCachedDB, cache.DjangoRedis, redisURL+"/3"),
		withCache("cached_db in pymemcache", sessionstore.EngineCachedDB, cache.PyMemcache, memcached.Address()).pickled(),
		withCache("cached_db in files", sessionstore.EngineCachedDB, cache.FileBased, t.TempDir()),
		withCache("cached_db in the database", sessionstore.EngineCachedDB, cache.Database, "django_cache"),
	}
}

// django is a Django in Python that runs until the test ends.
type django struct {
	in  io.Writer
	out *bufio.Scanner
}

// startDjango starts a Django with the engine of e on the database at path.
func startDjango(t *testing.T, e engineSite, path string) *django {
	t.Helper()
	caches := map[string]any{}
	if e.cache != nil {
		caches["sessions"] = e.cache
	}
	text, err := json.Marshal(caches)
	if err != nil {
		t.Fatal(err)
	}
	project, err := djangotest.NewProject(t.Context(), "sqlite:///"+path, djangotest.Config{
		SecretKey: secretKey, Engine: e.cfg.SessionEngine, Serializer: e.cfg.SessionSerializer.String(),
		Env: []string{"CACHES=" + string(text), "SESSION_FILE_PATH=" + e.cfg.SessionFilePath},
	})
	parts.Need(t, "Django", err)
	if library := cacheLibraries[e.cfg.SessionCache.Backend]; library != "" {
		if err := project.Command(t.Context(), "-c", "import "+library).Run(); err != nil {
			parts.Need(t, library, fmt.Errorf("%w: %s", parts.ErrMissing, library))
		}
	}
	script, err := os.ReadFile("testdata/engines.py")
	if err != nil {
		t.Fatal(err)
	}
	return keepRunning(t, project, string(script))
}

// keepRunning runs a Python script that reads lines and answers in lines, until the test ends.
func keepRunning(t *testing.T, project *djangotest.Project, script string) *django {
	t.Helper()
	cmd := project.Command(t.Context(), "-W", "ignore", "-c", script)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &django{in, bufio.NewScanner(out)}
}

// run runs Python code, with values in place of its verbs, and returns its result.
func (d *django) run(t *testing.T, code string, values ...any) any {
	t.Helper()
	for i, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		values[i] = string(text)
	}
	line, err := json.Marshal(fmt.Sprintf(code, values...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	if !d.out.Scan() {
		t.Fatalf("Django ended: %v", d.out.Err())
	}
	var answer struct {
		Result any
		Error  string
	}
	if err := json.Unmarshal(d.out.Bytes(), &answer); err != nil || answer.Error != "" {
		t.Fatalf("Django: %v %s", err, answer.Error)
	}
	return answer.Result
}

// text is run for a result that is a text.
func (d *django) text(t *testing.T, code string, values ...any) string {
	t.Helper()
	text, ok := d.run(t, code, values...).(string)
	if !ok {
		t.Fatalf("Django's result of %q is no text", code)
	}
	return text
}

// migrated makes a database with Django's tables, the cache's too, and alice in it.
func migrated(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.sqlite3")
	d := startDjango(t, withCache("setup", sessionstore.EngineDB, cache.Database, "django_cache"), path)
	d.run(t, `from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("createcachetable")
from django.contrib.auth.models import User
User.objects.create_user("alice", password="wonderland")`)
	return path
}
