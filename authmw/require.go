package authmw

import (
	"fmt"
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// A Rule says whom Require lets through. The zero Rule lets anyone.
type Rule uint8

// The rules.
const (
	Anyone        Rule = iota
	Authenticated      // who is logged in; Python: login_required
	Staff              // an active user who is staff; Python: staff_member_required
	Superuser          // an active user who is a superuser
)

var ruleNames = [...]string{Anyone: "anyone", Authenticated: "authenticated", Staff: "staff", Superuser: "superuser"}

// String returns the rule as a configuration names it.
func (r Rule) String() string {
	if int(r) < len(ruleNames) {
		return ruleNames[r]
	}
	return "unknown"
}

// ParseRule returns the rule of a name.
func ParseRule(name string) (Rule, error) {
	for r, known := range ruleNames {
		if name == known {
			return Rule(r), nil
		}
	}
	if strings.HasPrefix(name, "perm:") || strings.HasPrefix(name, "group:") {
		return Superuser, fmt.Errorf("authmw: rule %q is not supported yet; use one of %s", name, strings.Join(ruleNames[:], ", "))
	}
	return Superuser, fmt.Errorf("authmw: there is no rule %q; use one of %s", name, strings.Join(ruleNames[:], ", "))
}

// Require wraps an Application: who does not meet rule is answered 403.
func Require(app consumers.Application, rule Rule) consumers.Application {
	return guarded{app, func(s *consumers.Scope) bool { return rule.met(s.User) }}
}

func (r Rule) met(u *djangocompat.User) bool {
	switch r {
	case Anyone:
		return true
	case Authenticated:
		return u.IsAuthenticated()
	case Staff:
		return u.IsAuthenticated() && u.IsActive && u.IsStaff
	case Superuser:
		return u.IsAuthenticated() && u.IsActive && u.IsSuperuser
	default:
		return false
	}
}
