package cache

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cache is one of the CACHES of a site. Keys are those that are given to Django's cache, without its prefix and
// version; values are pickles. A value that lives no time is removed instead of being stored. A Cache may be
// used concurrently.
type Cache interface {
	// GetMany returns what is stored under keys, as far as there is something.
	GetMany(ctx context.Context, keys []string) (map[string]Entry, error)
	// Add stores a value unless something is stored under key, and reports whether it did.
	Add(ctx context.Context, key string, value []byte, life time.Duration) (bool, error)
	// Swap stores a value in place of old, and reports whether it did: not if something else, or nothing,
	// is there by now.
	Swap(ctx context.Context, key string, old Entry, value []byte, life time.Duration) (bool, error)
	// Set stores a value, whatever is there.
	Set(ctx context.Context, key string, value []byte, life time.Duration) error
	// Delete removes what is stored under key, if anything is.
	Delete(ctx context.Context, key string) error
	// Close ends the connections.
	Close()
}

// An Entry is what is stored under a key.
type Entry struct {
	// Value is the pickle.
	Value []byte
	// Err says why there is no Value: ErrTooLarge or ErrMalformed.
	Err error
	// Token is how the Cache knows this version of the value, for Swap.
	Token any
}

// The dotted paths of the backends.
const (
	Redis       = "django.core.cache.backends.redis.RedisCache"
	DjangoRedis = "django_redis.cache.RedisCache"
	PyMemcache  = "django.core.cache.backends.memcached.PyMemcacheCache"
	PyLibMC     = "django.core.cache.backends.memcached.PyLibMCCache"
	FileBased   = "django.core.cache.backends.filebased.FileBasedCache"
	Database    = "django.core.cache.backends.db.DatabaseCache"
)

// What a site's django-redis may be made of.
const (
	defaultClient    = "django_redis.client.DefaultClient"
	pickleSerializer = "django_redis.serializers.pickle.PickleSerializer"

	identityCompressor = "django_redis.compressors.identity.IdentityCompressor"
	zlibCompressor     = "django_redis.compressors.zlib.ZlibCompressor"
	gzipCompressor     = "django_redis.compressors.gzip.GzipCompressor"
)

// Config is an entry of CACHES. Backend and Location are needed. It prints without its secrets.
type Config struct {
	// Backend is BACKEND: one of the dotted paths that this package has.
	Backend string
	// Location is LOCATION: URLs of Redis servers, of which the first counts, the one that takes changes;
	// one server of memcached, as in "127.0.0.1:11211" or "unix:/run/memcached.sock"; a folder.
	Location []string
	// KeyPrefix is KEY_PREFIX.
	KeyPrefix string
	// Version is VERSION. Default: 1.
	Version int
	// KeyFunction is KEY_FUNCTION. Default, and the only one: Django's own.
	KeyFunction string
	// Options are those of OPTIONS that say what is where, and how it is written.
	Options Options

	// MaxValue bounds a value, uncompressed, in bytes. Default: 1 MiB.
	MaxValue int
	// DialTimeout bounds the dialling of one connection. Default: 5 s.
	DialTimeout time.Duration
	// Timeout bounds one command. Default: 2 s.
	Timeout time.Duration
	// Now is the clock of what expires by date. Default: time.Now.
	Now func() time.Time
}

// Options are the OPTIONS of a Redis cache.
type Options struct {
	// Username, Password and DB are for servers whose URL does not name them.
	Username, Password string
	DB                 int
	// ClientClass, Serializer and Compressor are django-redis's CLIENT_CLASS, SERIALIZER and COMPRESSOR.
	// Default: its DefaultClient, PickleSerializer, IdentityCompressor.
	ClientClass, Serializer, Compressor string
}

// String names the backend alone: a location may hold a password.
func (c Config) String() string { return c.Backend }

// GoString keeps secrets out of %#v too.
func (c Config) GoString() string { return strconv.Quote(c.Backend) }

func (c Config) withDefaults() Config {
	c.Version = orDefault(c.Version, 1)
	c.Options.ClientClass = orDefault(c.Options.ClientClass, defaultClient)
	c.Options.Serializer = orDefault(c.Options.Serializer, pickleSerializer)
	c.Options.Compressor = orDefault(c.Options.Compressor, identityCompressor)
	c.MaxValue = orDefault(c.MaxValue, 1<<20)
	c.DialTimeout = orDefault(c.DialTimeout, 5*time.Second)
	c.Timeout = orDefault(c.Timeout, 2*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Open makes a Cache. It fails if cfg cannot be right, not because the cache is away. Close the Cache when it is
// no longer needed.
func Open(cfg Config) (Cache, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	switch cfg.Backend {
	case Redis, DjangoRedis:
		return newRedis(cfg)
	case PyMemcache, PyLibMC:
		return newMemcached(cfg)
	case FileBased:
		return newFiles(cfg), nil
	default:
		return nil, fmt.Errorf("cache: %s is not opened here", cfg.Backend)
	}
}

// FullKey returns the key under which the server knows key. Python: default_key_func.
func (c Config) FullKey(key string) string {
	return c.KeyPrefix + ":" + strconv.Itoa(orDefault(c.Version, 1)) + ":" + key
}

// servers returns Location with what Django would split split.
func (c Config) servers() []string {
	var list []string
	for _, l := range c.Location {
		for part := range strings.FieldsFuncSeq(l, func(r rune) bool { return r == ',' || r == ';' }) {
			list = append(list, strings.TrimSpace(part))
		}
	}
	return list
}

// seconds is life as Django counts it: 0 is none.
func seconds(life time.Duration) int64 { return max(0, int64(life/time.Second)) }
