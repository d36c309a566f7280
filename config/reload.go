package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// reloadable are the keys that a running process can change, by how they begin.
var reloadable = []string{
	"routes.", "tokens.", "authentication.", "limits.", "trusted_proxies", "root_path", "proxy_protocol",
	"django.allowed_hosts", "django.allowed_origins", "django.debug", "django.secret_key",
}

// fixed are those of them that it cannot: what they make exists from the start.
var fixed = []string{"limits.loops", "limits.tcp_user_timeout", "limits.max_hashing"}

// canReload reports whether a running process can change a key.
func canReload(path string) bool {
	return !slices.Contains(fixed, path) && slices.ContainsFunc(reloadable, func(p string) bool { return strings.HasPrefix(path, p) })
}

// Reloaded returns what a process that runs with c can take over of next at once: routes, tokens, origins, limits,
// trusted proxies, SECRET_KEY and its fallbacks; and the keys of next that count after a restart only. An error is [Mistakes]: what is taken over
// does not go with what stays.
func (c *Config) Reloaded(next *Config) (merged *Config, restart []string, err error) {
	m := *c
	have, want := reflect.ValueOf(&m).Elem(), reflect.ValueOf(next).Elem()
	for _, k := range Keys() {
		if k.list {
			continue // routes and tokens are taken over whole
		}
		mine, its := have.FieldByIndex(k.index), want.FieldByIndex(k.index)
		switch {
		case reflect.DeepEqual(mine.Interface(), its.Interface()):
		case canReload(k.Path):
			mine.Set(its)
		default:
			restart = append(restart, k.Path)
		}
	}
	if !reflect.DeepEqual(c.Django.Caches, next.Django.Caches) && !slices.ContainsFunc(restart, func(p string) bool { return strings.HasPrefix(p, "django.caches") }) {
		restart = append(restart, "django.caches")
	}
	m.Routes, m.Tokens = next.Routes, next.Tokens
	l := loader{config: &m}
	for i, r := range m.Routes {
		l.given = append(l.given, changedKeys(fmt.Sprintf("routes[%d]", i), r, DefaultRoute())...)
		if r.RePath == "" {
			l.given = append(l.given, fmt.Sprintf("routes[%d].path", i)) // it may be empty
		}
	}
	for i, t := range m.Tokens {
		l.given = append(l.given, changedKeys(fmt.Sprintf("tokens[%d]", i), t, DefaultToken())...)
	}
	l.check()
	if len(l.mistakes) > 0 {
		return nil, restart, l.mistakes
	}
	return &m, restart, nil
}

// SameVerdicts reports whether both find the same of whoever comes with a session or a token: their keys and kinds of
// tokens are the same.
func (c *Config) SameVerdicts(next *Config) bool {
	return reflect.DeepEqual(c.Django.SecretKey, next.Django.SecretKey) &&
		reflect.DeepEqual(c.Django.SecretKeyFallbacks, next.Django.SecretKeyFallbacks) && reflect.DeepEqual(c.Tokens, next.Tokens)
}

// changedKeys returns the keys of a table that do not have their defaults: those were given.
func changedKeys(path string, table, defaults any) (given []string) {
	have, usual := reflect.ValueOf(table), reflect.ValueOf(defaults)
	for i := range have.NumField() {
		name := have.Type().Field(i).Tag.Get("toml")
		if name != "" && !reflect.DeepEqual(have.Field(i).Interface(), usual.Field(i).Interface()) {
			given = append(given, path+"."+name)
		}
	}
	return given
}
