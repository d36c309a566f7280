package cache

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// redialAfter is how long nobody tries again to reach a Redis that could not be reached.
const redialAfter = 200 * time.Millisecond

// redisCache is the cache in a Redis. Python: django.core.cache.backends.redis, and django_redis.cache.
type redisCache struct {
	// Set at birth, never changed.
	cfg    Config
	value  redisValue
	option rueidis.ClientOption
	swap   *rueidis.Lua

	// Shared.
	mu     sync.Mutex // guards the fields below
	client rueidis.Client
	tried  time.Time // when it could not be reached
	fault  Fault     // why not
	closed bool
}

// swapScript sets a key that holds what it held. Its arguments are that, the value, and the seconds that it
// lives; with 0 of them the key is removed.
const swapScript = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1`

func newRedis(cfg Config) (*redisCache, error) {
	u, err := parseURL(cfg.servers()[0])
	if err != nil {
		return nil, err
	}
	r := &redisCache{
		cfg:   cfg,
		value: redisValue{cfg.MaxValue, cfg.Options.Compressor},
		swap:  rueidis.NewLuaScript(swapScript),
		option: rueidis.ClientOption{
			InitAddress: []string{u.address},
			Username:    orDefault(u.username, cfg.Options.Username),
			Password:    orDefault(u.password, cfg.Options.Password),
			SelectDB:    orDefault(u.db, cfg.Options.DB),
			Dialer:      net.Dialer{Timeout: cfg.DialTimeout},

			ForceSingleClient:   true,
			DisableCache:        true,
			DisableRetry:        true, // GetMany tries once more by itself
			ConnWriteTimeout:    cfg.DialTimeout,
			RingScaleEachConn:   8,
			ReadBufferEachConn:  64 << 10,
			WriteBufferEachConn: 64 << 10,
			PipelineMultiplex:   -1, // one connection: batches are made before
		},
	}
	switch u.scheme {
	case "unix":
		r.option.DialCtxFn = func(ctx context.Context, address string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", address)
		}
	case "rediss":
		if r.option.TLSConfig, err = u.tlsConfig(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// tlsConfig trusts who the URL says.
func (u redisURL) tlsConfig() (*tls.Config, error) {
	host, _, _ := net.SplitHostPort(u.address)
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: u.skipVerify}
	if u.caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(u.caFile)
	c.RootCAs = x509.NewCertPool()
	if err != nil || !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("cache: the file of ssl_ca_certs in the location holds no certificate that can be read")
	}
	return c, nil
}

// open returns the client, which connects by itself again once it has been connected.
func (r *redisCache) open() (rueidis.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, &Error{FaultConnection}
	case r.client != nil:
		return r.client, nil
	case time.Since(r.tried) < redialAfter:
		return nil, &Error{r.fault}
	}
	client, err := rueidis.NewClient(r.option)
	if err != nil {
		r.tried, r.fault = time.Now(), redisFault(err)
		return nil, &Error{r.fault}
	}
	r.client = client
	return client, nil
}

// GetMany implements Cache. All keys are asked for at once, each up to the bound.
func (r *redisCache) GetMany(ctx context.Context, keys []string) (map[string]Entry, error) {
	found, err := r.getMany(ctx, keys)
	if e, ok := errors.AsType[*Error](err); ok && e.Fault == FaultConnection && ctx.Err() == nil {
		return r.getMany(ctx, keys) // the connection may have been an old one
	}
	return found, err
}

func (r *redisCache) getMany(ctx context.Context, keys []string) (map[string]Entry, error) {
	client, err := r.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	commands := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		commands[i] = client.B().Getrange().Key(r.cfg.FullKey(key)).Start(0).End(int64(r.cfg.MaxValue)).Build()
	}
	found := make(map[string]Entry, len(keys))
	for i, answer := range client.DoMulti(ctx, commands...) {
		text, err := answer.ToString()
		switch {
		case err != nil && isWrongType(err):
			found[keys[i]] = Entry{Err: ErrMalformed}
		case err != nil:
			return nil, &Error{redisFault(err)}
		case text != "": // an empty value is no pickle, so that it need not be told from none
			e := r.value.decode([]byte(text))
			e.Token = text
			found[keys[i]] = e
		}
	}
	return found, nil
}

// Add implements Cache.
func (r *redisCache) Add(ctx context.Context, key string, value []byte, life time.Duration) (bool, error) {
	stored, err := r.bounded(value)
	if err != nil {
		return false, err
	}
	client, err := r.open()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	full := r.cfg.FullKey(key)
	if seconds(life) == 0 {
		n, err := client.Do(ctx, client.B().Exists().Key(full).Build()).AsInt64()
		return n == 0, r.wrapped(err)
	}
	err = client.Do(ctx, client.B().Set().Key(full).Value(stored).Nx().ExSeconds(seconds(life)).Build()).Error()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	return err == nil, r.wrapped(err)
}

// Swap implements Cache.
func (r *redisCache) Swap(ctx context.Context, key string, old Entry, value []byte, life time.Duration) (bool, error) {
	before, _ := old.Token.(string)
	stored, err := r.bounded(value)
	if err != nil {
		return false, err
	}
	client, err := r.open()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	args := []string{before, stored, strconv.FormatInt(seconds(life), 10)}
	n, err := r.swap.Exec(ctx, client, []string{r.cfg.FullKey(key)}, args).AsInt64()
	return n == 1, r.wrapped(err)
}

// Set implements Cache.
func (r *redisCache) Set(ctx context.Context, key string, value []byte, life time.Duration) error {
	if seconds(life) == 0 {
		return r.Delete(ctx, key)
	}
	stored, err := r.bounded(value)
	if err != nil {
		return err
	}
	client, err := r.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	set := client.B().Set().Key(r.cfg.FullKey(key)).Value(stored).ExSeconds(seconds(life)).Build()
	return r.wrapped(client.Do(ctx, set).Error())
}

// Delete implements Cache.
func (r *redisCache) Delete(ctx context.Context, key string) error {
	client, err := r.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	return r.wrapped(client.Do(ctx, client.B().Del().Key(r.cfg.FullKey(key)).Build()).Error())
}

// Close implements Cache.
func (r *redisCache) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.client != nil {
		r.client.Close()
	}
}

// bounded returns what is stored for a value, unless it is too large to be read again.
func (r *redisCache) bounded(value []byte) (string, error) {
	stored := r.value.encode(value)
	if max(len(value), len(stored)) > r.cfg.MaxValue {
		return "", ErrTooLarge
	}
	return string(stored), nil
}

func (r *redisCache) wrapped(err error) error {
	if err == nil {
		return nil
	}
	return &Error{redisFault(err)}
}

// redisFault sorts errors by the first word that Redis says.
func redisFault(err error) Fault {
	e, ok := rueidis.IsRedisErr(err)
	if !ok {
		return networkFault(err)
	}
	switch firstWord(e.Error()) {
	case "NOAUTH", "WRONGPASS":
		return FaultAuthorization
	case "NOPERM":
		return FaultForbidden
	case "READONLY", "MISCONF":
		return FaultReadOnly
	case "OOM":
		return FaultFull
	case "LOADING", "MASTERDOWN", "CLUSTERDOWN":
		return FaultConnection
	default:
		return FaultOther
	}
}

func isWrongType(err error) bool {
	e, ok := rueidis.IsRedisErr(err)
	return ok && firstWord(e.Error()) == "WRONGTYPE"
}
