package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

// effect is what the parts of a running process are given anew: the server, the middleware, the store.
func effect(c *Config) []any {
	d, store := c.Django, c.Sessions(nil, nil)
	return []any{
		c.Server(nil, nil), c.Visitors(nil), c.authentication(nil), store.Keys, store.Tokens,
		d.AllowedHosts, d.AllowedOrigins, d.Debug, c.Routes, c.Tokens,
	}
}

// valid are other values for keys where not every one will do.
var valid = map[string]any{
	"trusted_proxies":             []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	"root_path":                   "/site",
	"django.allowed_hosts":        []string{"example.org"},
	"django.allowed_origins":      []string{"https://example.org"},
	"limits.drain_code":           4000,
	"limits.max_age":              time.Hour,
	"authentication.first":        "token",
	"authentication.wrong_token":  "anonymous",
	"authentication.at_expiry":    "close",
	"limits.max_message":          1 << 10,
	"limits.pong_timeout":         20 * time.Second,
	"django.secret_key_fallbacks": []djangocompat.Secret{djangocompat.NewSecret("the old one")},
}

// change gives a key another value than it has.
func change(t *testing.T, c *Config, k Key) {
	t.Helper()
	v := reflect.ValueOf(c).Elem().FieldByIndex(k.index)
	if other, ok := valid[k.Path]; ok {
		v.Set(reflect.ValueOf(other))
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[djangocompat.Secret]():
		v.Set(reflect.ValueOf(djangocompat.NewSecret("another")))
	case v.Kind() == reflect.String:
		v.SetString(v.String() + "x")
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanInt() && v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(v.Int() + int64(time.Second))
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x"), reflect.New(v.Type().Elem()).Elem())
	default:
		t.Fatalf("%s is a %v: this test has no other value for it", k.Path, v.Type())
	}
}

func TestEveryKeyIsTakenOverByAReloadOrNamed(t *testing.T) {
	const text = `
[django]
secret_key = "a key"
database_url = "postgres://localhost/site"
allowed_hosts = ["example.com"]
[[routes]]
path = "a"
consumer = "echo"
[[tokens]]
kind = "authtoken"
`
	parse := func() *Config {
		c, err := Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	readAtLoad := []string{"django.secret_key_file"} // what is in it is django.secret_key
	for _, k := range Keys() {
		t.Run(k.Path, func(t *testing.T) {
			before, next := parse(), parse()
			if k.Path == "proxy_protocol" { // which stands on them
				before.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
				next.TrustedProxies = before.TrustedProxies
			}
			if k.list {
				whole(t, before, k)
				return
			}
			change(t, next, k)
			merged, restart, err := before.Reloaded(next)
			if err != nil {
				t.Fatalf("another value is refused: %v", err)
			}
			named := slices.Contains(restart, k.Path)
			if len(restart) > 1 || len(restart) == 1 && !named {
				t.Errorf("named for a restart: %v, want that key alone or none", restart)
			}
			changed := !reflect.DeepEqual(effect(before), effect(merged))
			switch {
			case slices.Contains(readAtLoad, k.Path):
			case named && changed:
				t.Error("it is named for a restart, and taken over")
			case !named && !changed:
				t.Error("it is neither named for a restart, nor given to any part")
			}
		})
	}
}

// whole sees that a key of a list of tables is taken over with its list.
func whole(t *testing.T, before *Config, k Key) {
	t.Helper()
	list, _, _ := strings.Cut(k.Path, ".")
	next := *before
	switch list {
	case "routes":
		next.Routes = append(slices.Clone(next.Routes), next.Routes[0])
		next.Routes[1].Path = "b"
	case "tokens":
		next.Tokens = append(slices.Clone(next.Tokens), next.Tokens[0])
		next.Tokens[1].Name = "other"
	default:
		t.Fatalf("this test does not know the list %s", list)
	}
	merged, restart, err := before.Reloaded(&next)
	if err != nil || len(restart) > 0 || !reflect.DeepEqual(merged.Routes, next.Routes) || !reflect.DeepEqual(merged.Tokens, next.Tokens) {
		t.Errorf("named for a restart: %v, %v; or it was not taken over", restart, err)
	}
}
