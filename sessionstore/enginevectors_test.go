package sessionstore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/redistest"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/cache"
)

// storedVector is a case of cache_sessions.json: what Django stored, and what it loads.
type storedVector struct {
	Name  string
	Input struct {
		Engine     string
		SessionKey string `json:"session_key"`
		RedisKey   string `json:"redis_key"`
		RedisValue []byte `json:"redis_value_b64"`
		CacheKey   string `json:"cache_key"`
		Value      string
		Expires    string
		FileName   string `json:"file_name"`
		File       []byte `json:"file_b64"`
		SecretKey  string `json:"secret_key"`
		Row        *struct {
			Data       string    `json:"session_data"`
			ExpireDate time.Time `json:"expire_date"`
		} `json:"django_session_row"`
		Config struct {
			Cache struct {
				KeyPrefix   string `json:"KEY_PREFIX"`
				Version     int    `json:"VERSION"`
				KeyFunction string `json:"KEY_FUNCTION"`
			}
		}
	}
	Expect struct {
		Value      json.RawMessage
		KeyKept    *bool `json:"session_key_kept"`
		CacheAfter *struct {
			RedisKey   string `json:"redis_key"`
			RedisValue []byte `json:"redis_value_b64"`
			TTL        int64  `json:"ttl_seconds"`
		} `json:"cache_after"`
	}
}

// writtenAt is when Django wrote the vectors.
var writtenAt = time.Unix(1712345678, 0)

// vectorBed is where the vectors are put.
type vectorBed struct {
	sqlite, postgres *bed
	redis            *redistest.Server
	dir              string
}

const createCacheTable = `CREATE TABLE django_cache (cache_key varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL, expires `

func TestCacheVectors(t *testing.T) {
	text, err := os.ReadFile("cache/testdata/cache_sessions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []storedVector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	b := vectorBed{sqliteBed(t), postgresBed(t), redistest.Open(t), t.TempDir()}
	b.sqlite.exec(t, createCacheTable+"datetime NOT NULL)")
	b.postgres.exec(t, createCacheTable+"timestamptz NOT NULL)")
	b.postgres.grant(t)
	for _, v := range file.Cases {
		kind, _, _ := strings.Cut(v.Name, "/")
		if kind == "locmem" || strings.HasPrefix(v.Name, "redis/plain_value/") || v.Input.Config.Cache.KeyFunction != "" {
			continue // package cache has these: they are no sessions that can be shared
		}
		t.Run(v.Name, func(t *testing.T) { b.check(t, v) })
	}
}

// check puts a case where its cache is, and loads it.
func (b vectorBed) check(t *testing.T, v storedVector) {
	db := b.sqlite
	cfg := cache.Config{KeyPrefix: v.Input.Config.Cache.KeyPrefix, Version: v.Input.Config.Cache.Version}
	switch kind, _, _ := strings.Cut(v.Name, "/"); {
	case strings.HasPrefix(kind, "redis"):
		cfg.Backend, cfg.Location = cache.Redis, []string{b.redis.URL()}
		if len(v.Input.RedisValue) > 0 {
			b.redis.DoRaw(t, "SET", v.Input.RedisKey, string(v.Input.RedisValue))
		}
	case kind == "file":
		cfg.Backend, cfg.Location = cache.FileBased, []string{b.dir}
		if err := os.WriteFile(filepath.Join(b.dir, v.Input.FileName), v.Input.File, 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		if kind == "db_postgres" {
			db = b.postgres
		}
		cfg.Backend, cfg.Location = cache.Database, []string{"django_cache"}
		db.exec(t, "INSERT INTO django_cache VALUES ($1, $2, $3)", v.Input.CacheKey, v.Input.Value, v.Input.Expires)
	}
	store := open(t, sessionstore.Config{
		DatabaseURL: db.url, Keys: djangocompat.NewKeys(orText(v.Input.SecretKey, secretKey)), SessionEngine: v.engine(), SessionCache: cfg,
		Now: func() time.Time { return writtenAt },
	})
	if row := v.Input.Row; row != nil {
		expires := row.ExpireDate
		if expires.IsZero() {
			expires = writtenAt.Add(time.Hour)
		}
		db.exec(t, "DELETE FROM django_session WHERE session_key = '"+v.Input.SessionKey+"'")
		db.exec(t, "INSERT INTO django_session VALUES ($1, $2, $3)", v.Input.SessionKey, row.Data, expires.UTC().Format(time.DateTime))
	}
	if strings.HasSuffix(v.Name, "/cached_db_delete") {
		b.checkDelete(t, v, store)
		return
	}
	v.check(t, load(t, store, v.Input.SessionKey))
	if v.Expect.CacheAfter != nil {
		b.checkCache(t, v)
	}
}

// engine is the session engine of the case; those without a word of it are named so.
func (v storedVector) engine() string {
	if v.Input.Engine == "cached_db" || strings.Contains(v.Name, "cached_db_") {
		return sessionstore.EngineCachedDB
	}
	return sessionstore.EngineCache
}

// check compares a session with Django's. A value that is no dict is no session here, whatever Django hands out.
func (v storedVector) check(t *testing.T, got *djangocompat.Session) {
	t.Helper()
	want := v.Expect.Value
	if want[0] != '{' || bytes.HasPrefix(want, []byte(`{"$type"`)) && !bytes.Contains(want, []byte(`"dict"`)) {
		want = json.RawMessage("{}")
		if got.Key() != "" {
			t.Error("what is no dict has a session key")
		}
	} else if v.Expect.KeyKept != nil && (got.Key() != "") != *v.Expect.KeyKept {
		t.Errorf("key = %q, want that it is kept: %v", got.Key(), *v.Expect.KeyKept)
	}
	if text := got.Data().JSON(); !reflect.DeepEqual(exactly(t, text), exactly(t, want)) {
		t.Errorf("session = %s, want %s", text, want)
	}
}

// checkCache looks at what the cache holds after a session was loaded from its row.
func (b vectorBed) checkCache(t *testing.T, v storedVector) {
	want := v.Expect.CacheAfter
	encoded := b.redis.Do(t, "EVAL", "local s = redis.call('GET', KEYS[1]) local h = '' for i = 1, #s do h = h .. string.format('%02x', s:byte(i)) end return h", "1", want.RedisKey)
	var pickled []byte
	if _, err := fmt.Sscanf(encoded, "%x", &pickled); err != nil {
		t.Fatal(err)
	}
	data, err := djangocompat.ParsePickledSession(pickled, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	django, err := djangocompat.ParsePickledSession(want.RedisValue, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, data, string(django.JSON()))
	ttl, err := strconv.ParseInt(b.redis.Do(t, "TTL", want.RedisKey), 10, 64)
	if err != nil || ttl > want.TTL || ttl < want.TTL-60 {
		t.Errorf("TTL = %d, %v, want %d", ttl, err, want.TTL)
	}
}

// checkDelete deletes what the case before has left.
func (b vectorBed) checkDelete(t *testing.T, v storedVector, store *sessionstore.Store) {
	if s := load(t, store, v.Input.SessionKey); s.Key() == "" {
		t.Fatal("the session is not there before it is deleted")
	}
	if err := store.Delete(t.Context(), v.Input.SessionKey); err != nil {
		t.Fatal(err)
	}
	if got := b.redis.Do(t, "EXISTS", ":1:django.contrib.sessions.cached_db"+v.Input.SessionKey); got != "0" {
		t.Error("the cache has the session still")
	}
	if n := b.sqlite.value(t, "SELECT count(*) FROM django_session WHERE session_key = '"+v.Input.SessionKey+"'"); n != int64(0) {
		t.Error("the row is there still")
	}
}

// exactly reads JSON without loss. An int is one however it is shown.
func exactly(t *testing.T, text []byte) any {
	t.Helper()
	text = longInt.ReplaceAll(text, []byte("$1"))
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

var longInt = regexp.MustCompile(`\{"\$type": ?"int", ?"value": ?"(-?[0-9]+)"\}`)

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// cookieVector is a case of signed_cookies_sessions.json.
type cookieVector struct {
	Name   string
	Django []string
	Input  struct {
		SecretKey  string   `json:"secret_key"`
		Fallbacks  []string `json:"secret_key_fallbacks"`
		Salt       string
		Serializer string
		Cookie     *string
		Now        float64
		Age        *float64 `json:"SESSION_COOKIE_AGE"`
		Settings   map[string]any
		Action     string
		Status     int
	}
	Expect struct {
		Value     json.RawMessage
		Tagged    json.RawMessage `json:"value_tagged"`
		Modified  bool            `json:"modified_by_load"`
		JSON      *string         `json:"json_text"`
		Before    json.RawMessage `json:"session_before"`
		NewValue  json.RawMessage `json:"new_value"`
		SetCookie []string        `json:"set_cookie"`
	}
}

func TestSignedCookieVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/signed_cookies_sessions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []cookieVector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Cases {
		t.Run(v.Name, func(t *testing.T) {
			if v.Input.Salt != "django.contrib.sessions.backends.signed_cookies" {
				t.Fatalf("salt = %q, which is another one", v.Input.Salt)
			}
			if strings.HasPrefix(v.Name, "middleware/") {
				v.checkAction(t)
				return
			}
			v.checkLoad(t)
		})
	}
}

// store opens a Store that has no database.
func (v cookieVector) store(t *testing.T) *sessionstore.Store {
	t.Helper()
	cfg := sessionstore.Config{
		SessionEngine: sessionstore.EngineSignedCookies, Keys: djangocompat.NewKeys(v.Input.SecretKey, v.Input.Fallbacks...),
		RefuseLegacy: !slices.Contains(v.Django, "3.2"),
		Now:          func() time.Time { return time.UnixMicro(int64(v.Input.Now * 1e6)) },
	}
	if v.Input.Serializer == "pickle" {
		cfg.SessionSerializer = djangocompat.PickleSerializer
	}
	if v.Input.Age != nil {
		cfg.CookieAge = time.Duration(*v.Input.Age * float64(time.Second))
	}
	if cfg.CookieAge == 0 && v.Input.Age != nil {
		cfg.CookieAge = time.Nanosecond // 0 is the default
	}
	return open(t, cfg)
}

func (v cookieVector) checkLoad(t *testing.T) {
	cookie := ""
	if v.Input.Cookie != nil {
		cookie = *v.Input.Cookie
	}
	session := load(t, v.store(t), cookie)
	if (session.Key() == "") != v.Expect.Modified { // Django makes a new session where it cannot read the cookie
		t.Errorf("key = %q, want that it is a new session: %v", session.Key(), v.Expect.Modified)
	}
	if session.Key() != "" && session.Key() != cookie {
		t.Error("the key is another one than the cookie")
	}
	got := session.Data().JSON()
	switch {
	case v.Expect.JSON != nil:
		same := string(got) == *v.Expect.JSON || strings.HasPrefix(v.Name, "json/duplicate_keys") && // of which the last counts
			reflect.DeepEqual(exactly(t, got), exactly(t, []byte(*v.Expect.JSON)))
		if !same {
			t.Errorf("session = %s, want %s", got, *v.Expect.JSON)
		}
	case !reflect.DeepEqual(exactly(t, got), exactly(t, v.Expect.Value)):
		t.Errorf("session = %s, want %s", got, v.Expect.Value)
	}
}

// checkAction does what a view does, and compares the session before and after, and the cookie if it is set.
// When and how it is set is the business of the HTTP side; an empty session is not saved there.
func (v cookieVector) checkAction(t *testing.T) {
	store := v.store(t)
	cookie := ""
	if v.Input.Cookie != nil {
		cookie = *v.Input.Cookie
	}
	session := load(t, store, cookie)
	if before := v.Expect.Before; len(before) > 0 && string(before) != "null" {
		if got := session.Data().JSON(); !reflect.DeepEqual(exactly(t, got), exactly(t, before)) {
			t.Errorf("session before = %s, want %s", got, before)
		}
	}
	actions := map[string]func() error{
		"untouched": func() error { return nil },
		"read":      func() error { session.Has("x"); return nil },
		"set":       func() error { session.Set("new", int64(1)); return nil },
		"flush":     func() error { return session.Flush(t.Context()) },
		"cycle":     func() error { return session.CycleKey(t.Context()) },
		"clear":     func() error { session.Clear(); return nil },
		"expiry":    func() error { session.SetExpiryAge(300 * time.Second); return nil },
		"expiry_dt": func() error { session.SetExpiryDate(writtenAt.Add(time.Hour).UTC()); return nil },
		"close":     func() error { session.SetExpiryAtBrowserClose(); return nil },
	}
	act, ok := actions[v.Input.Action]
	if !ok {
		t.Fatalf("action %q is none of %v", v.Input.Action, slices.Collect(maps.Keys(actions)))
	}
	if err := act(); err != nil {
		t.Fatal(err)
	}
	if len(v.Expect.NewValue) == 0 || string(v.Expect.NewValue) == "null" {
		return
	}
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(strings.TrimPrefix(v.Expect.SetCookie[0], "sessionid="), ";")
	if session.Key() != want {
		t.Errorf("cookie = %q, want %q", session.Key(), want)
	}
	if got := load(t, store, session.Key()).Data().JSON(); !reflect.DeepEqual(exactly(t, got), exactly(t, v.Expect.NewValue)) {
		t.Errorf("session after = %s, want %s", got, v.Expect.NewValue)
	}
}
