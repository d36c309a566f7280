package config

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/djangocompat"
)

// set stores a value of the file, as the TOML parser gives it, in a field.
func (l *loader) set(path string, dst reflect.Value, v any) {
	switch p := dst.Addr().Interface().(type) {
	case *djangocompat.Secret:
		if s, ok := l.text(path, v, `a text in quotes`); ok {
			*p = djangocompat.NewSecret(s)
		}
	case *time.Duration:
		l.duration(path, p, v)
	case *Seconds:
		l.seconds(path, p, v)
	case *netip.Prefix:
		l.network(path, p, v)
	case *slog.Level:
		l.level(path, p, v)
	case *Addresses, *Locations:
		if n, port := v.(int64); port && dst.Type() == reflect.TypeFor[Addresses]() {
			l.mistakes.add(path, "it is a whole number", fmt.Sprintf(`write an address in quotes, as in ":%d"`, n))
			return
		}
		if _, one := v.(string); one {
			v = []any{v}
		}
		l.list(path, dst, v)
	case *[]channellayer.Capacity:
		l.capacities(path, p, v)
	case *map[string]any:
		l.scalars(path, p, v)
	default:
		l.basic(path, dst, v)
	}
}

// basic stores a value in a field of one of Go's own types.
func (l *loader) basic(path string, dst reflect.Value, v any) {
	switch dst.Kind() {
	case reflect.Bool:
		if b, ok := v.(bool); ok {
			dst.SetBool(b)
			return
		}
		l.wrongKind(path, v, "true or false, without quotes")
	case reflect.Int:
		if n, ok := v.(int64); ok {
			dst.SetInt(n)
			return
		}
		l.wrongKind(path, v, "a whole number, without quotes")
	case reflect.Slice:
		l.list(path, dst, v)
	default:
		if s, ok := l.text(path, v, "a text in quotes"); ok {
			dst.SetString(s)
		}
	}
}

// list stores a list, which replaces what dst holds.
func (l *loader) list(path string, dst reflect.Value, v any) {
	values, ok := v.([]any)
	if !ok {
		l.wrongKind(path, v, `a list, as in ["a", "b"]`)
		return
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(values), len(values)))
	for i, x := range values {
		l.set(fmt.Sprintf("%s[%d]", path, i), dst.Index(i), x)
	}
}

func (l *loader) text(path string, v any, wanted string) (string, bool) {
	s, ok := v.(string)
	if !ok {
		l.wrongKind(path, v, wanted)
	}
	return s, ok
}

func (l *loader) duration(path string, dst *time.Duration, v any) {
	s, ok := l.text(path, v, `a duration in quotes, as in "30s"`)
	if !ok {
		return
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		l.mistakes.add(path, quote(s)+" is no duration", `write a number with its unit, as in "30s", "1m30s" or "500ms"`)
		return
	}
	*dst = d
}

// maxSeconds is what a Seconds can hold.
const maxSeconds = math.MaxInt64 / int64(time.Second)

func (l *loader) seconds(path string, dst *Seconds, v any) {
	n, ok := v.(int64)
	switch {
	case !ok:
		l.wrongKind(path, v, "a whole number of seconds, without quotes")
	case n < 0 || n > maxSeconds:
		l.mistakes.add(path, "it is out of range", "write a positive number of seconds")
	default:
		*dst = Seconds(n) * Seconds(time.Second)
	}
}

func (l *loader) network(path string, dst *netip.Prefix, v any) {
	s, ok := l.text(path, v, `a network in quotes, as in "10.0.0.0/8"`)
	if !ok {
		return
	}
	p, err := netip.ParsePrefix(s)
	if a, addrErr := netip.ParseAddr(s); addrErr == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		l.mistakes.add(path, quote(s)+" is no network", `write an address or a network, as in "10.0.0.7" or "10.0.0.0/8"`)
		return
	}
	*dst = p.Masked()
}

func (l *loader) level(path string, dst *slog.Level, v any) {
	s, ok := l.text(path, v, `"debug", "info", "warn" or "error"`)
	if !ok {
		return
	}
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[s]
	if !ok {
		l.mistakes.add(path, quote(s)+" is no level", `write "debug", "info", "warn" or "error"`)
		return
	}
	*dst = level
}

// capacities stores a table of globs and numbers. The first glob that matches counts, so their order in the
// file is kept.
func (l *loader) capacities(path string, dst *[]channellayer.Capacity, v any) {
	if ready, ok := v.([]channellayer.Capacity); ok { // from the environment
		*dst = ready
		return
	}
	table, ok := v.(map[string]any)
	if !ok {
		l.wrongKind(path, v, `a table, as in {"http.request" = 200}`)
		return
	}
	globs := make([]string, 0, len(table))
	for glob := range table {
		globs = append(globs, glob)
	}
	slices.SortFunc(globs, func(a, b string) int {
		return l.place(path, a) - l.place(path, b)
	})
	*dst = nil
	for _, glob := range globs {
		n, ok := table[glob].(int64)
		if !ok || n < 1 || n > math.MaxInt32 {
			l.mistakes.add(path+"."+plain(glob), "it is no whole number above 0", "write how many events may wait")
			continue
		}
		*dst = append(*dst, channellayer.Capacity{Glob: glob, Capacity: int(n)})
	}
}

// scalars stores a table of truth values, whole numbers and texts.
func (l *loader) scalars(path string, dst *map[string]any, v any) {
	table, ok := v.(map[string]any)
	if !ok {
		l.wrongKind(path, v, `a table, as in {deleted = false}`)
		return
	}
	for name, x := range table {
		switch x.(type) {
		case bool, int64, string:
		default:
			l.wrongKind(path+"."+plain(name), x, "true, false, a whole number or a text")
		}
	}
	*dst = table
}

// place returns where a key of a table stands in the file.
func (l *loader) place(path, name string) int {
	return slices.IndexFunc(l.order, func(k string) bool { return strings.EqualFold(k, path+"."+name) })
}

// wrongKind notes a value of the wrong kind, without the value.
func (l *loader) wrongKind(path string, v any, wanted string) {
	l.mistakes.add(path, "it is "+kind(v), "write "+wanted)
}

// kind names the kind of a TOML value.
func kind(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	default:
		return "a time"
	}
}

// parseText returns the text of an environment variable as the TOML parser would give a value for that field.
func parseText(text string, t reflect.Type) (v any, problem, remedy string) {
	switch {
	case t == reflect.TypeFor[[]channellayer.Capacity]():
		return parseCapacities(text)
	case t.Kind() == reflect.Map:
		return parseScalars(text)
	case t.Kind() == reflect.Slice:
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, "", ""
	case t.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, "it is neither true nor false", "write true or false"
		}
		return b, "", ""
	case t == reflect.TypeFor[int](), t == reflect.TypeFor[Seconds]():
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, "it is no whole number", "write digits alone"
		}
		return n, "", ""
	}
	return text, "", ""
}

// parseCapacities reads globs and numbers, as in "http.request=200,chat.*=50".
func parseCapacities(text string) (v any, problem, remedy string) {
	var list []channellayer.Capacity
	for part := range strings.SplitSeq(text, ",") {
		glob, number, _ := strings.Cut(part, "=")
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
		if err != nil || n < 1 {
			return nil, "it is no list of globs and numbers", "write it as in http.request=200,chat.*=50"
		}
		list = append(list, channellayer.Capacity{Glob: strings.TrimSpace(glob), Capacity: int(n)})
	}
	return list, "", ""
}

// parseScalars reads names and values, as in "deleted=false,site=3".
func parseScalars(text string) (v any, problem, remedy string) {
	table := make(map[string]any)
	for part := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(part, "=")
		if !found {
			return nil, "it is no list of names and values", "write it as in deleted=false,site=3"
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		table[name] = value
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			table[name] = n
		} else if value == "true" || value == "false" {
			table[name] = value == "true"
		}
	}
	return table, "", ""
}
