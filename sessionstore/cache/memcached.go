package cache

import (
	"context"
	"errors"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// The flags by which Python's clients say what a value is; they are the same in all of them.
const (
	flagPickle = 1 << iota
	flagInteger
	flagLong
	flagZlib
	flagText
)

// memcached is the cache in a memcached. Python: django.core.cache.backends.memcached.
type memcached struct {
	cfg    Config
	client *memcache.Client
}

// server is the address of a memcached, whose name is looked up whenever it is dialled.
type server struct{ network, address string }

// Network implements net.Addr.
func (s server) Network() string { return s.network }

// String implements net.Addr.
func (s server) String() string { return s.address }

// PickServer implements memcache.ServerSelector.
func (s server) PickServer(string) (net.Addr, error) { return s, nil }

// Each implements memcache.ServerSelector.
func (s server) Each(f func(net.Addr) error) error { return f(s) }

// parseServer reads a LOCATION.
func parseServer(location string) (server, error) {
	path, isUnix := strings.CutPrefix(location, "unix:")
	if isUnix || strings.HasPrefix(location, "/") {
		if path == "" {
			return server{}, errLocation
		}
		return server{"unix", path}, nil
	}
	host, port, err := net.SplitHostPort(location)
	if err != nil {
		host, port = location, "11211"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" || strings.ContainsAny(host, "/@ ") {
		return server{}, errLocation
	}
	return server{"tcp", net.JoinHostPort(host, port)}, nil
}

func newMemcached(cfg Config) (*memcached, error) {
	s, err := parseServer(cfg.servers()[0])
	if err != nil {
		return nil, err
	}
	client := memcache.NewFromSelector(s)
	client.Timeout = cfg.Timeout
	client.MaxIdleConns = 4
	return &memcached{cfg, client}, nil
}

// GetMany implements Cache.
func (m *memcached) GetMany(_ context.Context, keys []string) (map[string]Entry, error) {
	full := make([]string, 0, len(keys))
	short := make(map[string]string, len(keys))
	for _, key := range keys {
		if k := m.cfg.FullKey(key); legal(k) { // Django refuses others, and then has no session
			full = append(full, k)
			short[k] = key
		}
	}
	if len(full) == 0 {
		return nil, nil
	}
	items, err := m.client.GetMulti(full)
	if err != nil && networkFault(err) == FaultConnection {
		_ = m.client.Close() // the connections may have been old ones; the client makes others
		items, err = m.client.GetMulti(full)
	}
	if err != nil {
		return nil, &Error{networkFault(err)}
	}
	found := make(map[string]Entry, len(items))
	for k, item := range items {
		if key, ok := short[k]; ok {
			e := decodeItem(item.Value, item.Flags, m.cfg.MaxValue)
			e.Token = item.CasID
			found[key] = e
		}
	}
	return found, nil
}

// decodeItem returns the Entry of what is stored with flags. Python: python_memcache_deserializer of pymemcache,
// and what pylibmc has in C.
func decodeItem(data []byte, flags uint32, limit int) Entry {
	if len(data) > limit {
		return Entry{Err: ErrTooLarge}
	}
	if flags&flagZlib != 0 {
		plain, err := inflate(data, limit)
		if err != nil {
			return Entry{Err: err}
		}
		data = plain
	}
	switch flags &^ flagZlib {
	case flagPickle:
		return Entry{Value: data}
	case flagInteger, flagLong:
		if pickled, ok := pickledInt(data); ok {
			return Entry{Value: pickled}
		}
	}
	return Entry{Err: ErrMalformed} // a text, or bytes: nothing that is kept in a session cache
}

// legal reports whether memcached takes a key. Python: memcache_key_warnings.
func legal(key string) bool {
	if len(key) > 250 {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return false
		}
	}
	return true
}

// item makes what is stored under key.
func (m *memcached) item(key string, value []byte, life time.Duration) (*memcache.Item, error) {
	full := m.cfg.FullKey(key)
	switch {
	case len(value) > m.cfg.MaxValue:
		return nil, ErrTooLarge
	case !legal(full):
		return nil, ErrMalformed
	}
	return &memcache.Item{Key: full, Value: value, Flags: flagPickle, Expiration: m.expiration(life)}, nil
}

// longest is the longest time that memcached does not take for a date.
const longest = 30 * 24 * 60 * 60

// expiration is life in seconds, or the date of a long one. Below 0 it is over.
func (m *memcached) expiration(life time.Duration) int32 {
	n := seconds(life)
	switch {
	case n == 0:
		return -1
	case n > longest:
		n += m.cfg.Now().Unix()
	}
	return int32(min(n, math.MaxInt32))
}

// Add implements Cache.
func (m *memcached) Add(_ context.Context, key string, value []byte, life time.Duration) (bool, error) {
	item, err := m.item(key, value, life)
	if err != nil {
		return false, err
	}
	return stored(m.client.Add(item))
}

// Swap implements Cache.
func (m *memcached) Swap(_ context.Context, key string, old Entry, value []byte, life time.Duration) (bool, error) {
	item, err := m.item(key, value, life)
	if err != nil {
		return false, err
	}
	item.CasID, _ = old.Token.(uint64)
	return stored(m.client.CompareAndSwap(item))
}

// stored says how a conditional command ended.
func stored(err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, memcache.ErrNotStored), errors.Is(err, memcache.ErrCASConflict), errors.Is(err, memcache.ErrCacheMiss):
		return false, nil
	default:
		return false, &Error{networkFault(err)}
	}
}

// Set implements Cache.
func (m *memcached) Set(_ context.Context, key string, value []byte, life time.Duration) error {
	item, err := m.item(key, value, life)
	if err != nil {
		return err
	}
	if err := m.client.Set(item); err != nil {
		return &Error{networkFault(err)}
	}
	return nil
}

// Delete implements Cache.
func (m *memcached) Delete(_ context.Context, key string) error {
	full := m.cfg.FullKey(key)
	if !legal(full) {
		return nil
	}
	if err := m.client.Delete(full); err != nil && !errors.Is(err, memcache.ErrCacheMiss) {
		return &Error{networkFault(err)}
	}
	return nil
}

// Close implements Cache.
func (m *memcached) Close() { _ = m.client.Close() }
