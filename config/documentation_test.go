package config_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/djangocompat"
)

// documentation reads docs/configuration.md.
func documentation(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documented are the keys of the tables, with the default as it is written there.
func documented(t *testing.T) map[string]string {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\| (.*?) \\|")
	keys := make(map[string]string)
	for _, m := range row.FindAllStringSubmatch(documentation(t), -1) {
		if _, twice := keys[m[1]]; twice {
			t.Errorf("%s is documented twice", m[1])
		}
		keys[m[1]] = m[2]
	}
	return keys
}

func TestEveryKeyIsDocumented(t *testing.T) {
	docs := documented(t)
	for _, k := range config.Keys() {
		if _, ok := docs[k.Path]; !ok {
			t.Errorf("%s is not in docs/configuration.md", k.Path)
		}
		delete(docs, k.Path)
	}
	for path := range docs {
		t.Errorf("docs/configuration.md has %s, which is no key", path)
	}
}

// written returns a default as the documentation writes it, or "" for the zero value of what a part decides.
func written(v any) string {
	switch v := v.(type) {
	case config.Addresses:
		return fmt.Sprintf("`%q`", v[0])
	case config.Seconds:
		return fmt.Sprintf("`%d`", time.Duration(v)/time.Second)
	case djangocompat.Secret, time.Duration:
		return ""
	case string:
		return fmt.Sprintf("`%q`", v)
	case bool:
		return fmt.Sprintf("`%v`", v)
	case int:
		if v == 0 {
			return ""
		}
		return fmt.Sprintf("`%d`", v)
	case []string:
		if len(v) > 0 {
			return fmt.Sprintf("`[%q]`", v[0])
		}
	}
	switch r := reflect.ValueOf(v); {
	case r.Kind() == reflect.Slice && r.Len() == 0 && !strings.Contains(r.Type().Elem().String(), "Capacity"):
		return "`[]`"
	case r.Kind() == reflect.Slice || r.Kind() == reflect.Map:
		return "`{}`"
	}
	return fmt.Sprintf("`%q`", strings.ToLower(fmt.Sprint(v)))
}

func TestDefaultsAreDocumented(t *testing.T) {
	docs := documented(t)
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			path := strings.TrimPrefix(prefix+"."+v.Type().Field(i).Tag.Get("toml"), ".")
			f := v.Field(i)
			if f.Kind() == reflect.Struct && f.NumField() > 0 && f.Type().Field(0).Tag.Get("toml") != "" {
				walk(path, f)
				continue
			}
			got, want := docs[path], written(f.Interface())
			bySomebodyElse := f.IsZero() && !strings.HasPrefix(got, "`") || strings.Contains(got, "required") || strings.Contains(got, "if there is one")
			if want != "" && got != want && !bySomebodyElse {
				t.Errorf("%s: documented %s, is %s", path, got, want)
			}
		}
	}
	c := config.Default()
	c.Routes, c.Tokens = nil, nil
	walk("", reflect.ValueOf(c))
	walk("routes", reflect.ValueOf(config.DefaultRoute()))
	walk("tokens", reflect.ValueOf(config.DefaultToken()))
}

func TestTheDocumentedExampleIsRight(t *testing.T) {
	_, example, ok := strings.Cut(documentation(t), "## An example\n\n```toml\n")
	example, _, closed := strings.Cut(example, "```")
	if !ok || !closed {
		t.Fatal("there is no example")
	}
	example = strings.Replace(example, `secret_key_file = "/run/secrets/django"`, `secret_key = "k"`, 1)
	if _, err := config.Parse([]byte(example), nil); err != nil {
		t.Error(err)
	}
}
