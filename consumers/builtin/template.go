package builtin

import (
	"errors"
	"strconv"
	"strings"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

var (
	// errMissing means that a template names a value that the connection has not.
	errMissing = errors.New("builtin: a value is missing")

	// errIllegal means that a value is no legal part of a group's name.
	errIllegal = errors.New("builtin: a value is no part of a group's name")
)

// template is the name of a group with values in it, as in "chat_{room}".
type template struct {
	// texts stand around the values: there is one more of them.
	texts  []string
	values []value
}

// CheckGroup returns the names of the values in the template of a group's name, or a [*SyntaxError].
func CheckGroup(text string) (names []string, err error) {
	t, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	for _, v := range t.values {
		names = append(names, v.name)
	}
	return names, nil
}

// parseTemplate reads the template of a group's name.
func parseTemplate(text string) (template, error) {
	var t template
	rest := text
	for {
		before, after, found := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return template{}, &SyntaxError{"a } closes nothing"}
		}
		t.texts = append(t.texts, before)
		if !found {
			break
		}
		name, after, found := strings.Cut(after, "}")
		if !found {
			return template{}, &SyntaxError{"a { is not closed"}
		}
		v, err := valueOf(name)
		if err != nil {
			return template{}, err
		}
		if isFlag(name) {
			return template{}, &SyntaxError{name + " is true or false, which is no part of a group's name"}
		}
		t.values = append(t.values, v)
		rest = after
	}
	if channellayer.CheckGroupName(strings.Join(t.texts, "x")) != nil {
		return template{}, &SyntaxError{"a group's name has at most 99 letters, digits, hyphens, underscores and periods"}
	}
	return t, nil
}

// group returns the group's name for one connection, or errMissing, or errIllegal.
func (t template) group(s *consumers.Scope) (string, error) {
	var b strings.Builder
	b.WriteString(t.texts[0])
	for i, v := range t.values {
		got, ok := v.get(s)
		if !ok {
			return "", errMissing
		}
		part, ok := groupPart(got)
		if !ok {
			return "", errIllegal
		}
		b.WriteString(part)
		b.WriteString(t.texts[i+1])
	}
	name := b.String()
	if channellayer.CheckGroupName(name) != nil {
		return "", errIllegal
	}
	return name, nil
}

// groupPart returns a value as a part of a group's name. It reports false where it is none.
func groupPart(v any) (string, bool) {
	switch v := eventValue(v).(type) {
	case string:
		return v, channellayer.CheckGroupName(v) == nil
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}
