package pglayer

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

func TestDatabase(t *testing.T) {
	secret := djangocompat.NewSecret
	tests := []struct {
		name string
		d    Database
		want []string // of the keywords
	}{
		{"Django's words", Database{Name: "site", User: "u", Password: secret(`p'\`), Host: "127.0.0.1", Port: "5433"}, []string{"dbname='site'", "user='u'", `password='p\'\\'`, "port='5433'", "sslmode='prefer'"}},
		{"a host that is away is verified", Database{Name: "site", Host: "db"}, []string{"sslmode='verify-full'"}},
		{"unless it is said otherwise", Database{Name: "site", Host: "db", Options: map[string]string{"sslmode": "require"}}, []string{"sslmode='require'"}},
		{"a socket is not away", Database{Name: "site", Host: "/run/postgresql"}, []string{"sslmode='prefer'", "host='/run/postgresql'"}},
		{"a URL", Database{URL: secret("postgres://u:p%40@db:77/site?sslmode=disable")}, []string{"host='db'", "port='77'", "user='u'", "password='p@'", "dbname='site'", "sslmode='disable'"}},
		{"a socket in a URL", Database{URL: secret("postgres://u@/site?host=/run/x&port=77")}, []string{"host='/run/x'", "port='77'", "sslmode='prefer'"}},
		{"what stands beside a URL counts for more", Database{URL: secret("postgres://u:p@db/site"), Name: "other"}, []string{"dbname='other'", "host='db'"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := tt.d.withURL()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if got := d.keywords(); !strings.Contains(got, want) {
					t.Errorf("keywords are %s, want %s among them", got, want)
				}
			}
		})
	}
}

func TestOptionsOfDjangoAlone(t *testing.T) {
	d := Database{Name: "site", Host: "127.0.0.1", Options: map[string]string{"isolation_level": "3", "pool": "true", "keepalives": "1"}}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
	for _, name := range djangoOnly {
		if got := d.keywords(); strings.Contains(got, name+"=") {
			t.Errorf("keywords are %s, want them without %s", got, name)
		}
	}
}

func TestConfigMistakes(t *testing.T) {
	const secret = "canary-4711"
	tests := []struct {
		name string
		c    Config
		want string
	}{
		{"a negative capacity", Config{Capacity: -1}, "capacity"},
		{"an expiry that is too short", Config{Expiry: 1}, "expiry"},
		{"an empty key", Config{SymmetricEncryptionKeys: []string{secret, ""}}, "key 1 is empty"},
		{"a prefix that is too long", Config{Prefix: strings.Repeat(secret, 9)}, "prefix"},
		{"a schema with a quote", Config{Schema: secret + "'"}, "schema"},
		{"a NUL", Config{Database: Database{Name: secret + "\x00"}}, "NUL"},
		{"a port that is none", Config{Database: Database{Name: "x", Port: secret}}, "port"},
		{"a URL that is none", Config{Database: Database{URL: djangocompat.NewSecret("postgres://u:" + secret + "%zz@h/x")}}, "URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := New(t.Context(), tt.c)
			if err == nil {
				_ = l.Close()
				t.Fatal("New succeeded")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("New: %v, want an error with %q and without the secret", err, tt.want)
			}
		})
	}
}
