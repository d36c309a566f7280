package cache

import (
	"errors"
	"fmt"
	"slices"
)

// A Mistake is what is wrong with a Config. It shows no location and no secret.
type Mistake struct {
	// Key is the setting, as in "backend" or "options.compressor".
	Key string
	// Problem says what is wrong, Remedy what to do.
	Problem, Remedy string
}

// Error implements error.
func (m *Mistake) Error() string { return "cache: " + m.Key + ": " + m.Problem + "; " + m.Remedy }

// refused are the backends that Django has and that cannot be shared, by what is wrong with them.
var refused = map[string]string{
	"django.core.cache.backends.locmem.LocMemCache":       "each process of the site has it for itself, so sessions in it cannot be shared",
	"django.core.cache.backends.dummy.DummyCache":         "it keeps nothing",
	"django.core.cache.backends.memcached.MemcachedCache": "Django itself dropped it in 4.1",
}

var backends = []string{Redis, DjangoRedis, PyMemcache, PyLibMC, FileBased, Database}

// Check returns the first [*Mistake] in the Config; nil if there is none.
func (c Config) Check() error {
	for _, check := range []func() *Mistake{c.checkBackend, c.checkLocation, c.checkKeys, c.checkOptions} {
		if m := check(); m != nil {
			return m
		}
	}
	return nil
}

func (c Config) checkBackend() *Mistake {
	const remedy = "move the sessions to one of Redis, memcached, a file or a database cache, or to another session engine"
	if problem, ok := refused[c.Backend]; ok {
		return &Mistake{"backend", quote(c.Backend) + ": " + problem, remedy}
	}
	switch {
	case c.Backend == "":
		return &Mistake{"backend", "it is missing", "copy BACKEND from CACHES in the site's settings"}
	case !slices.Contains(backends, c.Backend):
		return &Mistake{"backend", quote(c.Backend) + " is not known", remedy}
	}
	return nil
}

func (c Config) checkLocation() *Mistake {
	servers := c.servers()
	switch c.Backend {
	case Redis, DjangoRedis:
		if len(servers) == 0 {
			return &Mistake{"location", "it is missing", `write where Redis is, as in "redis://127.0.0.1:6379/1"`}
		}
		if _, err := parseURL(servers[0]); err != nil {
			return &Mistake{"location", err.Error(), `write it as in "redis://:password@127.0.0.1:6379/1", "rediss://…" or "unix:///run/redis.sock?db=1"`}
		}
	case PyMemcache, PyLibMC:
		if len(servers) == 0 {
			return &Mistake{"location", "it is missing", `write where memcached is, as in "127.0.0.1:11211" or "unix:/run/memcached.sock"`}
		}
		if len(servers) > 1 {
			return &Mistake{"location", "it names several servers, over which Python's clients spread keys each in their own way", "keep the sessions in a cache of one server"}
		}
		if _, err := parseServer(servers[0]); err != nil {
			return &Mistake{"location", err.Error(), `write it as in "127.0.0.1:11211" or "unix:/run/memcached.sock"`}
		}
	case FileBased, Database:
		if len(c.Location) != 1 || c.Location[0] == "" {
			return &Mistake{"location", "it does not name one folder or table", "copy LOCATION from CACHES in the site's settings"}
		}
	}
	return nil
}

func (c Config) checkKeys() *Mistake {
	if c.KeyFunction != "" && c.KeyFunction != "django.core.cache.backends.base.default_key_func" {
		return &Mistake{"key_function", quote(c.KeyFunction) + " is the site's own code, which is not run", "keep the sessions in a cache without a KEY_FUNCTION"}
	}
	if c.Version < 0 {
		return &Mistake{"version", "it is below 0", "copy VERSION from CACHES in the site's settings"}
	}
	return nil
}

func (c Config) checkOptions() *Mistake {
	d, o := c.withDefaults().Options, c.Options
	if c.Backend != DjangoRedis && (o.ClientClass != "" || o.Serializer != "" || o.Compressor != "") {
		return &Mistake{"options", "client_class, serializer and compressor are django-redis's", "take them out"}
	}
	if c.Backend != Redis && c.Backend != DjangoRedis && o != (Options{}) {
		return &Mistake{"options", "this backend has none that count here", "take them out"}
	}
	switch {
	case d.ClientClass != defaultClient:
		return &Mistake{"options.client_class", quote(d.ClientClass) + " is not supported", "only " + defaultClient + " is"}
	case d.Serializer != pickleSerializer:
		return &Mistake{"options.serializer", quote(d.Serializer) + " is not supported", "only " + pickleSerializer + " is"}
	case !slices.Contains([]string{identityCompressor, zlibCompressor, gzipCompressor}, d.Compressor):
		return &Mistake{"options.compressor", quote(d.Compressor) + " is not supported", "only " + identityCompressor + ", " + zlibCompressor + " and " + gzipCompressor + " are"}
	case o.DB < 0:
		return &Mistake{"options.db", "it is below 0", "write the number of a database"}
	}
	return nil
}

// maxQuoted is how much of a setting a Mistake shows.
const maxQuoted = 100

func quote(s string) string {
	if len(s) > maxQuoted {
		return fmt.Sprintf("%+q…", s[:maxQuoted])
	}
	return fmt.Sprintf("%+q", s)
}

var errLocation = errors.New("it is malformed; a password in it must be percent-encoded")
