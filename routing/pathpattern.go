package routing

import (
	"fmt"
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/routing/internal/pyregexp"
)

// segment is a part of a pattern for path(): a literal text, or a parameter.
type segment struct {
	literal string
	name    string // of a parameter; "" for a literal
	conv    converter
}

// segments are a whole pattern. No two literals are neighbours.
type segments []segment

// segments reads a pattern.
func (c Converters) segments(pattern string) (segments, error) {
	var all segments
	seen := map[string]bool{}
	for pattern != "" {
		literal, parameter, rest := cutParameter(pattern)
		if literal != "" {
			all = append(all, segment{literal: literal})
		}
		pattern = rest
		if parameter == "" {
			continue
		}
		seg, err := c.parameter(parameter)
		if err != nil {
			return nil, err
		}
		if seen[seg.name] {
			return nil, fmt.Errorf("two parameters are named %q", seg.name)
		}
		seen[seg.name] = true
		all = append(all, seg)
	}
	return all, nil
}

// cutParameter returns what stands before the first <…>, between its brackets, and behind it. Without one all
// is literal, and so is the bracket of <>.
func cutParameter(pattern string) (literal, parameter, rest string) {
	start := strings.IndexByte(pattern, '<')
	for start >= 0 {
		behind := pattern[start+1:]
		end := strings.IndexByte(behind, '>')
		if end > 0 {
			return pattern[:start], behind[:end], behind[end+1:]
		}
		next := strings.IndexByte(behind, '<')
		if end < 0 || next < 0 {
			break
		}
		start += 1 + next
	}
	return pattern, "", ""
}

// parameter reads what stands between < and >.
func (c Converters) parameter(text string) (segment, error) {
	if strings.ContainsAny(text, " \t\n\r\v\f") {
		return segment{}, fmt.Errorf("white space in the brackets of %q", text)
	}
	kind, name, ok := strings.Cut(text, ":")
	if !ok || kind == "" || name == "" {
		kind, name = "str", text
	}
	if !pyregexp.IsIdentifier(name) {
		return segment{}, fmt.Errorf("the parameter name %q is no Python identifier", name)
	}
	conv, err := c.find(kind)
	return segment{name: name, conv: conv}, err
}

// names returns the names of the parameters.
func (s segments) names() []string {
	var names []string
	for _, seg := range s {
		if seg.name != "" {
			names = append(names, seg.name)
		}
	}
	return names
}

// prefix returns the literal at the start, or "".
func (s segments) prefix() string {
	if len(s) == 0 {
		return ""
	}
	return s[0].literal
}

// newPathMatcher compiles a pattern: without a regular expression where no parameter could take more or less
// than all it can get.
func newPathMatcher(s segments, p part) (matcher, error) {
	if s.isPlain() {
		return newPlainPattern(s, p), nil
	}
	return newConvertedPattern(s, p)
}

// isPlain reports whether each parameter ends where the next segment must begin.
func (s segments) isPlain() bool {
	for i, seg := range s {
		switch {
		case seg.name == "" || seg.conv.fixed:
		case seg.conv.run == nil:
			return false
		case i == len(s)-1:
		case s[i+1].name != "" || seg.conv.run(s[i+1].literal) > 0:
			return false
		}
	}
	return true
}

// plainPattern is a pattern that is matched from left to right, without a second try.
type plainPattern struct {
	segments segments
	part     part
	suffix   string // with which every path ends that matches
}

func newPlainPattern(s segments, p part) *plainPattern {
	plain := &plainPattern{segments: s, part: p}
	if p == whole && len(s) > 0 {
		plain.suffix = s[len(s)-1].literal
	}
	return plain
}

func (p *plainPattern) match(path string) (found, bool) {
	if !strings.HasSuffix(path, p.suffix) {
		return found{}, false
	}
	texts := make([]string, 0, 8)
	for i := range p.segments {
		seg := &p.segments[i]
		if seg.name == "" {
			if !strings.HasPrefix(path, seg.literal) {
				return found{}, false
			}
			path = path[len(seg.literal):]
			continue
		}
		n := seg.conv.run(path)
		if n == 0 {
			return found{}, false
		}
		texts = append(texts, path[:n])
		path = path[n:]
	}
	if p.part == whole && path != "" {
		return found{}, false
	}
	kwargs, ok := p.segments.convert(texts)
	return found{rest: path, kwargs: kwargs}, ok
}

// convert returns the parameters' texts in their canonical form. It reports false where one has none.
func (s segments) convert(texts []string) (consumers.Kwargs, bool) {
	if len(texts) == 0 {
		return nil, true
	}
	kwargs := make(consumers.Kwargs, len(texts))
	next := 0
	for i := range s {
		seg := &s[i]
		if seg.name == "" {
			continue
		}
		text := texts[next]
		next++
		if seg.conv.canonical != nil {
			var err error
			if text, err = seg.conv.canonical(text); err != nil {
				return nil, false
			}
		}
		kwargs[seg.name] = text
	}
	return kwargs, true
}

// convertedPattern is a pattern that needs a regular expression, since a parameter may have to leave something
// for what follows it, or is a site's own.
type convertedPattern struct {
	re       *pyregexp.Regexp
	segments segments
	groups   []int // of the parameters
}

// newConvertedPattern compiles a pattern to the regular expression that Django makes of it.
func newConvertedPattern(s segments, p part) (*convertedPattern, error) {
	var b strings.Builder
	b.WriteByte('^')
	for _, seg := range s {
		if seg.name == "" {
			b.WriteString(pyregexp.Quote(seg.literal))
		} else {
			fmt.Fprintf(&b, "(?P<%s>%s)", seg.name, seg.conv.regexp)
		}
	}
	if p == whole {
		b.WriteString(`\Z`)
	}
	re, err := pyregexp.Search(b.String())
	if err != nil {
		return nil, err
	}
	c := &convertedPattern{re: re, segments: s}
	for group, name := range re.Names() {
		if name != "" {
			c.groups = append(c.groups, group)
		}
	}
	return c, nil
}

func (c *convertedPattern) match(path string) (found, bool) {
	loc := c.re.Match(path)
	if loc == nil {
		return found{}, false
	}
	texts := make([]string, len(c.groups))
	for i, group := range c.groups {
		texts[i] = path[loc[2*group]:loc[2*group+1]]
	}
	kwargs, ok := c.segments.convert(texts)
	return found{rest: path[loc[1]:], kwargs: kwargs}, ok
}
