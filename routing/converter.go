package routing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing/internal/pyregexp"
)

// A Converter is a kind of parameter that Django does not have of itself.
//
// Python: a class for django.urls.register_converter.
type Converter struct {
	// Name is used in patterns as <Name:parameter>.
	Name string
	// Regexp matches the text of a parameter, in the syntax of Python's re. It has no named groups.
	Regexp string
	// Canonical returns the text that goes into Kwargs for a text that Regexp matched; after an error the
	// route does not match. Default: the text as it is. Python: str(self.to_python(text)).
	Canonical func(text string) (string, error)
}

// Converters are a site's own converters, beside which those of Django are known. The first of a name counts.
type Converters []Converter

// Path is [Path] for patterns that may use c.
func (c Converters) Path(pattern string, app consumers.Application) Route {
	return must(c.ParsePath(pattern, app))
}

// ParsePath is [ParsePath] for patterns that may use c.
func (c Converters) ParsePath(pattern string, app consumers.Application) (Route, error) {
	if err := check(pattern, app); err != nil {
		return Route{}, err
	}
	segments, err := c.segments(pattern)
	if err != nil {
		return Route{}, fmt.Errorf("routing: path %q: %w", pattern, err)
	}
	m, err := newPathMatcher(segments, partOf(app))
	if err != nil {
		return Route{}, fmt.Errorf("routing: path %q: %w", pattern, err)
	}
	return Route{pattern: pattern, prefix: segments.prefix(), matcher: m, names: segments.names(), app: app}, nil
}

// converter is a Converter in use.
type converter struct {
	regexp    string
	canonical func(string) (string, error)
	// run returns how many bytes at the start of a text the converter takes at most, 0 for none. It is nil
	// for a site's own converter.
	run func(string) int
	// fixed says that the converter takes what run says or nothing, and never less.
	fixed bool
}

// find returns the converter of a name.
func (c Converters) find(name string) (converter, error) {
	for _, own := range c {
		if own.Name == name {
			return own.check()
		}
	}
	switch name {
	case "str":
		return converter{regexp: "[^/]+", run: runStr}, nil
	case "int":
		return converter{regexp: "[0-9]+", run: runInt, canonical: canonicalInt}, nil
	case "slug":
		return converter{regexp: "[-a-zA-Z0-9_]+", run: runSlug}, nil
	case "path":
		return converter{regexp: ".+", run: runPath}, nil
	case "uuid":
		const hex = "[0-9a-f]"
		return converter{regexp: hex + "{8}-" + hex + "{4}-" + hex + "{4}-" + hex + "{4}-" + hex + "{12}", run: runUUID, fixed: true}, nil
	}
	return converter{}, fmt.Errorf("no converter %q: there are str, int, slug, uuid and path", name)
}

// check returns the Converter for use in patterns.
func (own Converter) check() (converter, error) {
	re, err := pyregexp.Search(own.Regexp)
	if err != nil {
		return converter{}, fmt.Errorf("converter %q: regular expression %q: %w", own.Name, own.Regexp, err)
	}
	if strings.Join(re.Names(), "") != "" {
		return converter{}, fmt.Errorf("converter %q: regular expression %q has named groups", own.Name, own.Regexp)
	}
	return converter{regexp: own.Regexp, canonical: own.Canonical}, nil
}

// prefixLen returns how many bytes at the start of s are in a class.
func prefixLen(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

// before returns how many bytes stand before the first c, or all there are.
func before(s string, c byte) int {
	if i := strings.IndexByte(s, c); i >= 0 {
		return i
	}
	return len(s)
}

func runStr(s string) int { return before(s, '/') }

func runPath(s string) int { return before(s, '\n') }

func runInt(s string) int { return prefixLen(s, isDigit) }

func runSlug(s string) int {
	return prefixLen(s, func(c byte) bool {
		return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_'
	})
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// runUUID takes a whole UUID in lower case or nothing.
func runUUID(s string) int {
	const form = "00000000-0000-0000-0000-000000000000"
	if len(s) < len(form) {
		return 0
	}
	for i := range len(form) {
		isHex := isDigit(s[i]) || 'a' <= s[i] && s[i] <= 'f'
		if isDash := form[i] == '-'; isDash && s[i] != '-' || !isDash && !isHex {
			return 0
		}
	}
	return len(form)
}

// maxDigits is from how many digits on Python refuses to make an int of a text.
// Python: sys.get_int_max_str_digits().
const maxDigits = 4300

// canonicalInt returns digits as Python writes the number.
func canonicalInt(digits string) (string, error) {
	if len(digits) > maxDigits {
		return "", errors.New("routing: too many digits")
	}
	if s := strings.TrimLeft(digits, "0"); s != "" {
		return s, nil
	}
	return "0", nil
}
