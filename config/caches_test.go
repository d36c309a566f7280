package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/sessionstore/cache"
)

func TestSessionCache(t *testing.T) {
	tests := []struct {
		name  string
		lines string
		want  cache.Config
	}{
		{
			"the default one", "[django.caches.default]\nBACKEND = \"django_redis.cache.RedisCache\"\nLOCATION = \"redis://127.0.0.1:6379/1\"\nKEY_PREFIX = \"site\"\nVERSION = 7\n" +
				"[django.caches.default.OPTIONS]\nPASSWORD = \"" + canaryPassword + "\"\n",
			cache.Config{
				Backend: cache.DjangoRedis, Location: []string{"redis://127.0.0.1:6379/1"}, KeyPrefix: "site", Version: 7,
				Options: cache.Options{Password: canaryPassword},
			},
		},
		{
			"one of another name", "session_cache_alias = \"Sessions\"\n[django.caches.Sessions]\nbackend = \"" + cache.FileBased + "\"\nlocation = [\"/var/cache/site\"]\n",
			cache.Config{Backend: cache.FileBased, Location: []string{"/var/cache/site"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse([]byte(with(`session_engine = "django.contrib.sessions.backends.cached_db"`+"\n"+tt.lines)), nil)
			if err != nil {
				t.Fatal(err)
			}
			s := c.Sessions(nil, nil)
			got := s.SessionCache
			if got.Backend != tt.want.Backend || !slices.Equal(got.Location, tt.want.Location) || got.KeyPrefix != tt.want.KeyPrefix ||
				got.Version != tt.want.Version || got.Options != tt.want.Options {
				t.Errorf("SessionCache = %s %s %d, want %s %s %d", got.Backend, got.KeyPrefix, got.Version, tt.want.Backend, tt.want.KeyPrefix, tt.want.Version)
			}
			for _, verb := range []string{"%v", "%+v", "%#v"} {
				if text := fmt.Sprintf(verb, s); strings.Contains(text, canaryPassword) {
					t.Errorf("%s shows the password", verb)
				}
			}
		})
	}
}

func TestWithoutDatabase(t *testing.T) {
	c, err := config.Parse([]byte(without("database_url")+`session_engine = "django.contrib.sessions.backends.signed_cookies"`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "django.database_url: it is missing, so users cannot be looked up and everybody is anonymous"
	if !slices.Contains(c.Warnings(), want) {
		t.Errorf("Warnings = %q, want %q among them", c.Warnings(), want)
	}
}
