package redislayer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/channellayer/redislayer"
)

func TestParseHost(t *testing.T) {
	sentinels := []any{[]any{"127.0.0.1", int64(26379)}, []any{"other", int64(26380)}}
	tests := []struct {
		name  string
		value any
		want  string // %+v of it
	}{
		{"a URL", "redis://example.com:7000/3", "{tcp example.com:7000 3   }"},
		{"a URL without anything", "redis://", "{tcp localhost:6379 0   }"},
		{"a URL with user and password", "redis://me:p%40ss@h", "{tcp h:6379 0 me p@ss }"},
		{"a URL with a password", "redis://:secret@h/1", "{tcp h:6379 1  secret }"},
		{"a URL with the database as an argument", "redis://h?db=2", "{tcp h:6379 2   }"},
		{"a URL for IPv6", "redis://[::1]:7000", "{tcp [::1]:7000 0   }"},
		{"a URL for TLS", "rediss://h?ssl_ca_certs=/ca.pem", "{tls h:6379 0   /ca.pem}"},
		{"a URL of a unix socket", "unix://:pw@/run/redis.sock?db=1", "{unix /run/redis.sock 1  pw }"},
		{"a pair", []any{"h", int64(7000)}, "{tcp h:7000 0   }"},
		{"an address in a table", map[string]any{"address": "redis://h", "password": "pw", "db": int64(4)}, "{tcp h:6379 4  pw }"},
		{"arguments in a table", map[string]any{"host": "h", "port": int64(1), "username": "me"}, "{tcp h:1 0 me  }"},
		{"TLS in a table", map[string]any{"host": "h", "ssl": true, "ssl_ca_certs": "/ca"}, "{tls h:6379 0   /ca}"},
		{"a socket in a table", map[string]any{"path": "/s"}, "{unix /s 0   }"},
		{
			"Sentinels",
			map[string]any{"sentinels": sentinels, "master_name": "m", "sentinel_kwargs": map[string]any{"password": "pw"}},
			"{tcp  0   } 127.0.0.1:26379,other:26380 m pw",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := redislayer.ParseHost(tt.value)
			got := fmt.Sprintf("{%s %s %d %s %s %s}", h.Network, h.Address, h.DB, h.Username, h.Password, h.CAFile)
			if h.MasterName != "" {
				got += fmt.Sprint(" ", strings.Join(h.Sentinels, ","), " ", h.MasterName, " ", h.SentinelPassword)
			}
			if err != nil || got != tt.want {
				t.Errorf("ParseHost = %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	for name, value := range map[string]any{
		"another scheme": "http://h", "no scheme": "localhost:6379", "a malformed URL": "redis://:secret%@h", "a socket without a path": "unix://",
		"a database that is no number": "redis://:secret@h/x", "a list of one": []any{"h"}, "a number": int64(1), "nothing": nil,
		"an unknown key":           map[string]any{"host": "h", "pasword": "secret"},
		"a port that is no number": map[string]any{"host": "h", "port": "x"},
		"Sentinels without a name": map[string]any{"sentinels": sentinels},
		"a password of a table":    map[string]any{"password": map[string]any{"secret": "secret"}},
	} {
		if h, err := redislayer.ParseHost(value); err == nil {
			t.Errorf("%s: ParseHost = %v, want an error", name, h)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: ParseHost = %v, want an error without the password", name, err)
		}
	}
}

func TestHostHidesSecrets(t *testing.T) {
	h, err := redislayer.ParseHost("redis://me:hidden@h:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, h); got != "redis://h:1" {
			t.Errorf("Sprintf(%s) = %s, want redis://h:1", verb, got)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]redislayer.Config{
		"an unknown serializer": {SerializerFormat: "pickle"},
		"too many lanes":        {Lanes: 100},
		"a negative capacity":   {Capacity: -1},
		"an expiry of nothing":  {Expiry: time.Millisecond},
		"an empty key":          {SymmetricEncryptionKeys: []string{"good", ""}},
		"a long prefix":         {RandomPrefixLength: 1 << 20},
		"a missing CA":          {Hosts: []redislayer.Host{{Network: "tls", Address: "h:1", CAFile: "/nonexistent"}}},
	} {
		if _, err := redislayer.New(t.Context(), c); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: New() = %v, want an error of one line", name, err)
		}
	}
}
