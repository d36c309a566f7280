package authmw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// A Rule says whom Require lets through. "" lets anyone.
type Rule string

// The rules without a name in them.
const (
	Anyone        Rule = "anyone"
	Authenticated Rule = "authenticated" // who is logged in; Python: login_required
	Staff         Rule = "staff"         // an active user who is staff; Python: staff_member_required
	Superuser     Rule = "superuser"     // an active user who is a superuser
)

const (
	permPrefix  = "perm:"
	groupPrefix = "group:"

	maxRule = 256
)

// Perm is the rule for who has a permission, as "polls.add_choice". Python: permission_required.
func Perm(permission string) Rule { return Rule(permPrefix + permission) }

// Group is the rule for active users in a group. A superuser is not in all of them.
func Group(name string) Rule { return Rule(groupPrefix + name) }

// Rules returns the rules without a name in them.
func Rules() []Rule { return []Rule{Anyone, Authenticated, Staff, Superuser} }

// String returns the rule as a configuration names it.
func (r Rule) String() string { return string(r) }

// NeedsStore reports whether the database must be asked for the rule.
func (r Rule) NeedsStore() bool {
	return strings.HasPrefix(string(r), permPrefix) || strings.HasPrefix(string(r), groupPrefix)
}

// ParseRule returns the rule of a text: one of Rules, "perm:APP.CODENAME" or "group:NAME".
func ParseRule(text string) (Rule, error) {
	r := Rule(text)
	permission, isPerm := strings.CutPrefix(text, permPrefix)
	group, isGroup := strings.CutPrefix(text, groupPrefix)
	app, codename, _ := strings.Cut(permission, ".")
	switch {
	case len(text) > maxRule:
		return Superuser, fmt.Errorf("authmw: a rule is longer than %d bytes", maxRule)
	case slices.Contains(Rules(), r):
		return r, nil
	case isPerm && (app == "" || codename == "" || strings.TrimSpace(permission) != permission):
		return Superuser, fmt.Errorf(`authmw: rule %q names no permission: write it as in "perm:polls.add_choice"`, text)
	case isGroup && strings.TrimSpace(group) != group, isGroup && group == "":
		return Superuser, fmt.Errorf(`authmw: rule %q names no group: write it as in "group:editors"`, text)
	case isPerm, isGroup:
		return r, nil
	}
	return Superuser, fmt.Errorf(`authmw: there is no rule %q; use one of anyone, authenticated, staff, superuser, perm:APP.CODENAME, group:NAME`, text)
}

// A PermissionStore knows what users may do, as [*sessionstore.Store] does. An error that is
// [sessionstore.ErrUnavailable] means that it cannot say now.
type PermissionStore interface {
	// HasPerm reports whether a user has a permission, as "polls.add_choice".
	HasPerm(ctx context.Context, user *djangocompat.User, permission string) (bool, error)
	// InGroup reports whether an active user is in the group of a name.
	InGroup(ctx context.Context, user *djangocompat.User, name string) (bool, error)
}

// ErrNoPermissions means that a rule needs a PermissionStore, and the Store of Sessions is none.
var ErrNoPermissions = errors.New("authmw: a rule for permissions or groups needs Sessions or Auth with a PermissionStore around it")

// Require wraps an Application: who does not meet rule is answered 403. Perm and Group ask the Store of the Stack,
// Sessions or Auth that must be around it; where that cannot say now, the answer is 503.
func Require(app consumers.Application, rule Rule) consumers.Application {
	if rule.NeedsStore() {
		return permitted{app, rule}
	}
	return guarded{app, func(s *consumers.Scope) bool { return rule.met(s.User) }, unmet}
}

// unmet says why somebody does not meet a rule.
func unmet(s *consumers.Scope) consumers.Reason {
	if s.User.IsAnonymous() {
		return consumers.ReasonLogin
	}
	return consumers.ReasonRule
}

func (r Rule) met(u *djangocompat.User) bool {
	switch r {
	case Anyone, "":
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

// permitted is an Application for those who have a permission or are in a group.
type permitted struct {
	app  consumers.Application
	rule Rule
}

// Unwrap returns the Application inside, so that a route can see that it is a router.
func (p permitted) Unwrap() consumers.Application { return p.app }

// Open implements consumers.Application.
func (p permitted) Open(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
	if s.User.IsAnonymous() {
		return nil, unmet(s).Deny()
	}
	r, ok := s.Value(recogniserKey{}).(*recogniser)
	if !ok {
		return nil, ErrNoPermissions
	}
	store, ok := r.store.(PermissionStore)
	if !ok {
		return nil, ErrNoPermissions
	}
	met, err := p.ask(ctx, store, s.User)
	switch {
	case err != nil:
		return nil, r.refusal(err)
	case !met:
		return nil, unmet(s).Deny()
	}
	return p.app.Open(ctx, s)
}

func (p permitted) ask(ctx context.Context, store PermissionStore, user *djangocompat.User) (bool, error) {
	if permission, ok := strings.CutPrefix(string(p.rule), permPrefix); ok {
		return store.HasPerm(ctx, user, permission)
	}
	return store.InGroup(ctx, user, strings.TrimPrefix(string(p.rule), groupPrefix))
}
