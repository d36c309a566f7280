package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/pickle"
)

// cacheVector is a case of cache_sessions.json: what Django stored.
type cacheVector struct {
	Name  string
	Input struct {
		Key         string `json:"cache_key_without_prefix"`
		RedisKey    string `json:"redis_key"`
		RedisValue  []byte `json:"redis_value_b64"`
		Value       []byte `json:"value_b64"` // locmem
		RowKey      string `json:"cache_key"`
		FileName    string `json:"file_name"`
		FileContent []byte `json:"file_b64"`
		Config      struct {
			Cache struct {
				KeyPrefix   string `json:"KEY_PREFIX"`
				Version     int    `json:"VERSION"`
				KeyFunction string `json:"KEY_FUNCTION"`
			}
		}
	}
	Expect struct {
		FullKey string `json:"full_key"`
		Value   json.RawMessage
	}
}

func readCacheVectors(t testing.TB) []cacheVector {
	t.Helper()
	text, err := os.ReadFile("testdata/cache_sessions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []cacheVector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// at is when Django wrote the vectors.
var at = time.Unix(1712345678, 0)

func TestVectors(t *testing.T) {
	for _, v := range readCacheVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			in := v.Input
			cfg := Config{
				Backend: FileBased, Location: []string{"/cache"},
				KeyPrefix: in.Config.Cache.KeyPrefix, Version: in.Config.Cache.Version, KeyFunction: in.Config.Cache.KeyFunction,
			}
			if cfg.KeyFunction != "" { // the site's own code
				if err := cfg.Check(); err == nil {
					t.Error("Check = nil, want the key function refused")
				}
				return
			}
			if got := cfg.FullKey(in.Key); v.Expect.FullKey != "" && got != v.Expect.FullKey {
				t.Errorf("FullKey = %q, want %q", got, v.Expect.FullKey)
			}
			if in.FileName != "" {
				if got := newFiles(cfg).path(in.Key); got != "/cache/"+in.FileName {
					t.Errorf("path = %q, want %q", got, in.FileName)
				}
			}
			if e, ok := v.entry(); ok {
				v.check(t, e)
			}
		})
	}
}

// entry decodes what is stored in a case, if that is something for this package.
func (v cacheVector) entry() (Entry, bool) {
	in := v.Input
	switch {
	case in.RedisKey != "":
		return redisValue{limit: 1 << 20, compressor: identityCompressor}.decode(in.RedisValue), true
	case in.FileName != "":
		return decodeFile(in.FileContent, 1<<20, at)
	case in.Value != nil:
		return Entry{Value: in.Value}, true
	}
	return Entry{}, false
}

// check compares a value with Django's. Where Django has an empty session because it cannot read the value, it
// must not be readable here, or be no dict.
func (v cacheVector) check(t *testing.T, e Entry) {
	t.Helper()
	if strings.HasPrefix(v.Name, "redis/cached_db_delete") || len(v.Expect.Value) == 0 {
		return
	}
	var shown []byte
	value, err := pickle.Decode(e.Value, pickle.Config{})
	if err == nil {
		shown, err = pickle.AppendJSON(nil, value, 1<<20)
	}
	if string(v.Expect.Value) == "{}" && strings.HasPrefix(v.Name, "redis/bad_value/") {
		if err == nil && value != nil {
			t.Errorf("value = %s, want none", shown)
		}
		return
	}
	if err != nil || !reflect.DeepEqual(parsed(t, shown), parsed(t, v.Expect.Value)) {
		t.Errorf("value = %s, %v, want %s", shown, err, v.Expect.Value)
	}
}

// parsed reads JSON without loss.
func parsed(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPickledInt(t *testing.T) {
	tests := []struct {
		name, text, want string // "" is no int
	}{
		{"digits", "12", "12"},
		{"a sign", "-12", "-12"},
		{"a plus", "+12", "12"},
		{"spaces around", " 12\n", "12"},
		{"underscores between", "1_2", "12"},
		{"more than 64 bits", "18446744073709551616", `{"$type":"int","value":"18446744073709551616"}`},
		{"nothing", "", ""},
		{"a sign alone", "-", ""},
		{"two signs", "--1", ""},
		{"an underscore in front", "_1", ""},
		{"an underscore at the end", "1_", ""},
		{"two underscores", "1__2", ""},
		{"a pickle", "I1\n.", ""},
		{"a fraction", "1.0", ""},
		{"other digits", "١", ""},
		{"more digits than Python takes", strings.Repeat("9", 4301), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, ok := pickledInt([]byte(tt.text))
			if ok != (tt.want != "") {
				t.Fatalf("pickledInt(%q) = %v, want %v", tt.text, ok, tt.want != "")
			}
			if !ok {
				return
			}
			v, err := pickle.Decode(data, pickle.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := pickle.AppendJSON(nil, v, 100); string(got) != tt.want || err != nil {
				t.Errorf("int = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestReadDate(t *testing.T) {
	tests := []struct {
		name, data string
		want       float64
		ok         bool
	}{
		{"a float", "\x80\x04\x95\n\x00\x00\x00\x00\x00\x00\x00GA\xd9\x84\x14\x93\x80\x00\x00.rest", 1712345678, true},
		{"a float without a frame", "\x80\x03GA\xd9\x84\x14\x93\x80\x00\x00.rest", 1712345678, true},
		{"a float of protocol 1", "GA\xd9\x84\x14\x93\x80\x00\x00.rest", 1712345678, true},
		{"an int of four bytes", "\x80\x05\x95\x06\x00\x00\x00\x00\x00\x00\x00JN\xc7\x22f.rest", 1713555278, true},
		{"an int below 0", "\x80\x02J\xff\xff\xff\xff.rest", -1, true},
		{"an int of two bytes", "\x80\x02M\x00\x01.rest", 256, true},
		{"an int of one byte", "\x80\x02K\x07.rest", 7, true},
		{"a long int", "\x80\x02\x8a\x05\x00\x00\x00\x00\x01.rest", 1 << 32, true},
		{"a long int below 0", "\x80\x02\x8a\x01\xff.rest", -1, true},
		{"never", "\x80\x04N.rest", math.Inf(1), true},
		{"NaN", "\x80\x04G\x7f\xf8\x00\x00\x00\x00\x00\x00.rest", 0, false},
		{"a text", "\x80\x04\x8c\x01a.rest", 0, false},
		{"too long an int", "\x80\x02\x8a\x09aaaaaaaaa.", 0, false},
		{"a pickle that goes on", "\x80\x02K\x07K\x08.", 0, false},
		{"a pickle that ends", "\x80\x02K", 0, false},
		{"nothing", "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, rest, ok := readDate([]byte(tt.data))
			if ok != tt.ok || ok && (got != tt.want || string(rest) != "rest") {
				t.Errorf("readDate = %v, %q, %v, want %v", got, rest, ok, tt.want)
			}
		})
	}
}

func TestDecodeItem(t *testing.T) {
	dict := []byte("}.")
	tests := []struct {
		name  string
		data  []byte
		flags uint32
		want  string
		err   error
	}{
		{"a pickle", dict, flagPickle, "}.", nil},
		{"a compressed pickle", deflate(dict), flagPickle | flagZlib, "}.", nil},
		{"an int", []byte("5"), flagInteger, "K\x05.", nil},
		{"a long int", []byte("5"), flagLong, "K\x05.", nil},
		{"an int that is none", []byte("x"), flagInteger, "", ErrMalformed},
		{"a text", dict, flagText, "", ErrMalformed},
		{"bytes", dict, 0, "", ErrMalformed},
		{"flags that nobody sets", dict, flagPickle | 1<<10, "", ErrMalformed},
		{"what is not compressed", dict, flagPickle | flagZlib, "", ErrMalformed},
		{"a bomb", deflate(bytes.Repeat([]byte("x"), 1<<20)), flagPickle | flagZlib, "", ErrTooLarge},
		{"what is too long", bytes.Repeat([]byte("x"), 5000), flagPickle, "", ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := decodeItem(tt.data, tt.flags, 4096)
			if !errors.Is(e.Err, tt.err) || !strings.HasSuffix(string(e.Value), tt.want) || (tt.err != nil) != (e.Value == nil) {
				t.Errorf("decodeItem = %q, %v, want %q, %v", e.Value, e.Err, tt.want, tt.err)
			}
		})
	}
}

// FuzzValue gives any bytes to all the decoders: they return, and nothing is larger than the bound.
func FuzzValue(f *testing.F) {
	for _, v := range readCacheVectors(f) {
		f.Add(v.Input.RedisValue, uint32(flagPickle))
		f.Add(v.Input.FileContent, uint32(flagPickle|flagZlib))
	}
	f.Add([]byte("12"), uint32(flagInteger))
	f.Add(deflate(bytes.Repeat([]byte("x"), 1<<16)), uint32(flagPickle|flagZlib))
	f.Add(zip([]byte("}.")), uint32(flagPickle))
	f.Fuzz(func(t *testing.T, data []byte, flags uint32) {
		const limit = 1 << 12
		for _, compressor := range []string{identityCompressor, zlibCompressor, gzipCompressor} {
			checkEntry(t, redisValue{limit, compressor}.decode(data), limit)
		}
		checkEntry(t, decodeItem(data, flags, limit), limit)
		if e, ok := decodeFile(data, limit, at); ok {
			checkEntry(t, e, limit)
		}
	})
}

func checkEntry(t *testing.T, e Entry, limit int) {
	t.Helper()
	if len(e.Value) > limit {
		t.Errorf("a value of %d bytes, want at most %d", len(e.Value), limit)
	}
	if e.Err != nil && e.Value != nil {
		t.Errorf("a value beside the error %v", e.Err)
	}
	if e.Err != nil && !errors.Is(e.Err, ErrTooLarge) && !errors.Is(e.Err, ErrMalformed) {
		t.Errorf("error = %v, want ErrTooLarge or ErrMalformed", e.Err)
	}
}

// FuzzConfig gives any text as a location: a refusal shows nothing of it.
func FuzzConfig(f *testing.F) {
	f.Add("redis://:secretsecret@127.0.0.1:6379/1?db=x")
	f.Add("rediss://a:b%zz@h")
	f.Add("unix:/run/secretsecret")
	f.Add("127.0.0.1:11211;b")
	f.Fuzz(func(t *testing.T, location string) {
		for _, backend := range []string{Redis, DjangoRedis, PyMemcache, FileBased} {
			err := Config{Backend: backend, Location: []string{location}}.Check()
			if err != nil && strings.Contains(err.Error(), "secretsecret") {
				t.Errorf("Check = %v, which shows the location", err)
			}
		}
	})
}

func TestConfigHidesSecrets(t *testing.T) {
	c := Config{Backend: Redis, Location: []string{"redis://:canary@h"}, Options: Options{Password: "canary"}}
	if text := c.String() + c.GoString(); strings.Contains(text, "canary") {
		t.Errorf("Config prints as %s", text)
	}
}
