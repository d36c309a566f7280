package builtin

import (
	"strconv"
	"strings"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// A SyntaxError is a template, a query or a name that cannot be understood.
type SyntaxError struct {
	// Problem says what is wrong, without what the text holds besides names.
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string { return "builtin: " + e.Problem }

// value is one value of a connection, by its name.
type value struct {
	name string
	// get returns nil, a bool, a text, an integer, a djangocompat.PK, or what a further column holds. It
	// reports false where the connection has no such value, as for a visitor who is not known.
	get func(s *consumers.Scope) (v any, ok bool)
}

// CheckName returns a [*SyntaxError] unless name is one that the package's table shows.
func CheckName(name string) error {
	_, err := valueOf(name)
	return err
}

// valueOf finds the value of a name.
func valueOf(name string) (value, error) {
	column, ofUser := strings.CutPrefix(name, "user.")
	switch {
	case ofUser && isName(column):
		return value{name, userValue(column)}, nil
	case isName(name):
		return value{name, func(s *consumers.Scope) (any, bool) {
			v, ok := s.Kwargs[name]
			return v, ok
		}}, nil
	}
	if n, err := strconv.Atoi(name); err == nil && 0 <= n && n < 100 && name[0] != '+' {
		return value{name, func(s *consumers.Scope) (any, bool) {
			if n >= len(s.Args) {
				return nil, false
			}
			return s.Args[n], true
		}}, nil
	}
	return value{}, &SyntaxError{strconv.QuoteToASCII(clip(name)) + " is no name of a value"}
}

// clip keeps an error short.
func clip(s string) string { return s[:min(len(s), 40)] }

// isName reports whether s is a name as in Python, of ASCII letters.
func isName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// userValue returns how to get an attribute of the user.
func userValue(attribute string) func(*consumers.Scope) (any, bool) {
	ofText := func(field func(*djangocompat.User) string) func(*consumers.Scope) (any, bool) {
		return func(s *consumers.Scope) (any, bool) {
			if !s.User.IsAuthenticated() {
				return "", false
			}
			text := field(s.User)
			return text, text != ""
		}
	}
	ofFlag := func(field func(*djangocompat.User) bool) func(*consumers.Scope) (any, bool) {
		return func(s *consumers.Scope) (any, bool) {
			known := s.User.IsAuthenticated()
			return known && field(s.User), known
		}
	}
	switch attribute {
	case "pk":
		return func(s *consumers.Scope) (any, bool) {
			if !s.User.IsAuthenticated() {
				return nil, false
			}
			return s.User.PK, true
		}
	case "username":
		return ofText(func(u *djangocompat.User) string { return u.Username })
	case "first_name":
		return ofText(func(u *djangocompat.User) string { return u.FirstName })
	case "last_name":
		return ofText(func(u *djangocompat.User) string { return u.LastName })
	case "email":
		return ofText(func(u *djangocompat.User) string { return u.Email })
	case "is_authenticated":
		return ofFlag((*djangocompat.User).IsAuthenticated)
	case "is_active":
		return ofFlag(func(u *djangocompat.User) bool { return u.IsActive })
	case "is_staff":
		return ofFlag(func(u *djangocompat.User) bool { return u.IsStaff })
	case "is_superuser":
		return ofFlag(func(u *djangocompat.User) bool { return u.IsSuperuser })
	}
	return func(s *consumers.Scope) (any, bool) {
		if !s.User.IsAuthenticated() {
			return nil, false
		}
		v := s.User.Extra[attribute]
		return v, v != nil && v != ""
	}
}

// isFlag reports whether a name is one of the values that are true or false.
func isFlag(name string) bool { return strings.HasPrefix(name, "user.is_") }

// eventValue returns a value as an event holds it: the key as a number or text, nothing as nil.
func eventValue(v any) any {
	if pk, ok := v.(djangocompat.PK); ok {
		if n, isInt := pk.Int64(); isInt {
			return n
		}
		return pk.String()
	}
	known, err := channellayer.ValueOf(v)
	if err != nil {
		return nil // a column that no layer can carry
	}
	return known
}
