package config

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/cache"
)

// Caches is Django's CACHES, of which the one that sessions are in counts.
type Caches struct {
	Default Cache `toml:"default"`
	// Others are those of other names.
	Others map[string]Cache
}

// Cache is one of CACHES.
type Cache struct {
	Backend string `toml:"backend"`
	// Location may hold a password.
	Location    Locations    `toml:"location"`
	KeyPrefix   string       `toml:"key_prefix"`
	Version     int          `toml:"version"`
	KeyFunction string       `toml:"key_function"`
	Timeout     Seconds      `toml:"timeout"`
	Options     CacheOptions `toml:"options"`
}

// Locations are where a cache is. In the file it is one text or a list of them.
type Locations []djangocompat.Secret

// CacheOptions are those of a cache's OPTIONS that count.
type CacheOptions struct {
	Username    string              `toml:"username"`
	Password    djangocompat.Secret `toml:"password"`
	DB          int                 `toml:"db"`
	ClientClass string              `toml:"client_class"`
	Serializer  string              `toml:"serializer"`
	Compressor  string              `toml:"compressor"`
}

// otherCache sets the keys of a cache that is not called default.
func (l *loader) otherCache(path, alias string, caches *Caches, v any) {
	t, ok := v.(map[string]any)
	if !ok {
		l.wrongKind(path, v, "["+path+"] and its keys below")
		return
	}
	var c Cache
	l.table(path, reflect.ValueOf(&c).Elem(), t)
	if caches.Others == nil {
		caches.Others = make(map[string]Cache)
	}
	caches.Others[alias] = c
}

// sessionCache returns the cache that SESSION_CACHE_ALIAS names, and whether there is one.
func (d Django) sessionCache() (cache.Config, bool) {
	c, ok := d.Caches.Default, true
	if d.SessionCacheAlias != "default" {
		c, ok = d.Caches.Others[d.SessionCacheAlias]
	}
	cfg := cache.Config{
		Backend: c.Backend, KeyPrefix: c.KeyPrefix, Version: c.Version, KeyFunction: c.KeyFunction,
		Options: cache.Options{
			Username: c.Options.Username, Password: c.Options.Password.Reveal(), DB: c.Options.DB,
			ClientClass: c.Options.ClientClass, Serializer: c.Options.Serializer, Compressor: c.Options.Compressor,
		},
	}
	for _, location := range c.Location {
		cfg.Location = append(cfg.Location, location.Reveal())
	}
	return cfg, ok
}

// engines are the session engines that there are.
var engines = []string{
	sessionstore.EngineDB, sessionstore.EngineCachedDB, sessionstore.EngineCache,
	sessionstore.EngineFile, sessionstore.EngineSignedCookies,
}

// sessionEngine checks where sessions are.
func (l *loader) sessionEngine() {
	d := l.config.Django
	if !slices.Contains(engines, d.SessionEngine) {
		if !l.mistakes.has("django.session_engine") {
			l.mistakes.add("django.session_engine", quote(d.SessionEngine)+" is not Django's, and only its own code knows where it has sessions",
				"write one of "+oneOf(engines)+", as the site has it, or let the site use one of them")
		}
		return
	}
	if d.SessionEngine != sessionstore.EngineCache && d.SessionEngine != sessionstore.EngineCachedDB {
		return
	}
	cfg, ok := d.sessionCache()
	if !ok {
		l.mistakes.add("django.session_cache_alias", "there is no [django.caches."+plain(d.SessionCacheAlias)+"]", "copy that entry of CACHES from the site's settings")
		return
	}
	if m, ok := cfg.Check().(*cache.Mistake); ok {
		path := "django.caches." + plain(d.SessionCacheAlias) + "." + m.Key
		if !l.mistakes.has(path) {
			l.mistakes.add(path, m.Problem, m.Remedy)
		}
	}
}

// usesDatabase returns what cannot do without the database; "" if nothing is.
func (c *Config) usesDatabase() string {
	cfg, _ := c.Django.sessionCache()
	if (sessionstore.Config{SessionEngine: c.Django.SessionEngine, SessionCache: cfg}).NeedsDatabase() {
		return "the sessions are there"
	}
	for i, r := range c.Routes {
		if r.AllowSQL != "" {
			return fmt.Sprintf("routes[%d].allow_sql asks it", i)
		}
	}
	return ""
}
