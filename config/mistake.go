package config

import (
	"slices"
	"strconv"
	"strings"
)

// A Mistake is one thing that is wrong with a configuration.
type Mistake struct {
	// Key is where it is, as in "routes[2].allow".
	Key string
	// Problem says what is wrong, Remedy what to do. No secret is in them.
	Problem, Remedy string
}

// Error returns the mistake in one line.
func (m Mistake) Error() string { return m.Key + ": " + m.Problem + "; " + m.Remedy }

// Mistakes is everything that is wrong with a configuration.
type Mistakes []Mistake

// Error returns the mistakes, each in its line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// add notes a mistake, once.
func (ms *Mistakes) add(key, problem, remedy string) {
	m := Mistake{key, problem, remedy}
	if !slices.Contains(*ms, m) {
		*ms = append(*ms, m)
	}
}

// has reports whether something is wrong with key or with a part of it.
func (ms Mistakes) has(key string) bool {
	return slices.ContainsFunc(ms, func(m Mistake) bool {
		return m.Key == key || strings.HasPrefix(m.Key, key+".") || strings.HasPrefix(m.Key, key+"[")
	})
}

// maxQuoted is how much of a value, or of the name of a key, a mistake shows.
const maxQuoted = 60

// quote shows a value that cannot be a secret.
func quote(v string) string {
	if len(v) > maxQuoted {
		return strconv.QuoteToASCII(v[:maxQuoted]) + "…"
	}
	return strconv.QuoteToASCII(v)
}

// plain shows the name of a key, quoted where it is an odd one.
func plain(name string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}
	if name == "" || len(name) > maxQuoted || strings.ContainsFunc(name, odd) {
		return quote(name)
	}
	return name
}

// oneOf lists what a value may be.
func oneOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return strings.Join(quoted, ", ")
}
