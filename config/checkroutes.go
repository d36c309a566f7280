package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers/builtin"
	"github.com/belleville/belleville/routing"
)

// The built-in consumers.
const (
	relayConsumer  = "relay"
	echoConsumer   = "echo"
	whoAmIConsumer = "whoami"
	bridgeConsumer = "bridge"
)

// userAttributes are what templates and queries may name of a user, besides further columns.
var userAttributes = []string{
	"pk", "username", "first_name", "last_name", "email", "is_authenticated", "is_active", "is_staff", "is_superuser",
}

// routes checks the routes one by one, and that none stands in another one's way.
func (l *loader) routes() {
	patterns := make(map[string]int)
	for i, r := range l.config.Routes {
		c := routeCheck{l, fmt.Sprintf("routes[%d]", i), r}
		names := c.pattern()
		pattern := "path " + r.Path
		if r.RePath != "" {
			pattern = "re_path " + r.RePath
		}
		if first, taken := patterns[pattern]; taken {
			l.mistakes.add(c.path, fmt.Sprintf("routes[%d] has the same pattern and wins", first), "take one of them out")
		} else {
			patterns[pattern] = i
		}
		c.consumer()
		c.allow(names)
		c.relay(names)
		c.wire()
		c.bridge()
	}
}

// routeCheck checks one route.
type routeCheck struct {
	*loader
	path  string
	route Route
}

// given reports whether a key of the route was set.
func (c routeCheck) given(key string) bool { return c.wasGiven(c.path + "." + key) }

// add notes a mistake in a key of the route, unless there is one already.
func (c routeCheck) add(key, problem, remedy string) {
	if path := c.path + "." + key; !c.mistakes.has(path) {
		c.mistakes.add(path, problem, remedy)
	}
}

// pattern checks the route's pattern and returns the names that it captures.
func (c routeCheck) pattern() []string {
	key, pattern := "path", c.route.Path
	if c.given("re_path") {
		key, pattern = "re_path", c.route.RePath
	}
	switch {
	case c.given("path") && c.given("re_path"):
		c.add("re_path", "there is a path too", "keep one of them")
		return nil
	case !c.given(key):
		c.add("path", "it is missing", `write which path the route is for, as in "ws/chat/<slug:room>/"`)
		return nil
	case key == "path" && strings.HasPrefix(pattern, "/"), strings.HasPrefix(pattern, "^/"):
		c.add(key, "it begins with a slash, and would match nothing", "take the slash out, as in Django")
		return nil
	case key == "path" && oddPath(pattern) != "":
		c.add(key, quote(oddPath(pattern))+" stands for itself in a path", `write a value as "<slug:room>", or use re_path for a regular expression`)
		return nil
	}
	parse := routing.ParsePath
	if key == "re_path" {
		parse = routing.ParseRePath
	}
	r, err := parse(pattern, builtin.Echo())
	if err != nil {
		c.add(key, strings.TrimPrefix(err.Error(), "routing: "), "write it as in Django's urlpatterns")
		return nil
	}
	return r.Names()
}

// values are what a path captures.
var values = regexp.MustCompile(`<[^<>/]*>`)

// oddPath returns what in a path was meant for a regular expression or for a template, if anything: it would match
// itself, and so nothing. Django: the checks urls.W001 and 2_0.W001.
func oddPath(pattern string) string {
	for _, odd := range []string{"(?P<", "{", "}", "<", ">"} {
		if strings.Contains(values.ReplaceAllString(pattern, ""), odd) || odd == "(?P<" && strings.Contains(pattern, odd) {
			return odd
		}
	}
	switch {
	case strings.HasPrefix(pattern, "^"):
		return "^"
	case strings.HasSuffix(pattern, "$"):
		return "$"
	}
	return ""
}

// consumer checks the name of the consumer.
func (c routeCheck) consumer() {
	switch known := []string{relayConsumer, bridgeConsumer, echoConsumer, whoAmIConsumer}; {
	case c.route.Consumer == "":
		c.add("consumer", "it is missing", "write one of "+oneOf(known))
	case !slices.Contains(known, c.route.Consumer):
		c.add("consumer", quote(c.route.Consumer)+" is not known", "write one of "+oneOf(known))
	}
}

// allow checks who may connect.
func (c routeCheck) allow(names []string) {
	var known []string
	for _, r := range authmw.Rules() {
		known = append(known, r.String())
	}
	rule, _, _ := strings.Cut(c.route.Allow, ":")
	switch _, err := authmw.ParseRule(c.route.Allow); {
	case err == nil:
	case rule == "perm":
		c.add("allow", quote(c.route.Allow)+" names no permission", `write it as in "perm:polls.add_choice"`)
	case rule == "group":
		c.add("allow", quote(c.route.Allow)+" names no group", `write it as in "group:editors"`)
	default:
		c.add("allow", quote(c.route.Allow)+" is not known", "write one of "+oneOf(known)+`, "perm:APP.CODENAME", "group:NAME"`)
	}
	if c.route.AllowSQL == "" {
		if c.given("allow_sql") {
			c.add("allow_sql", "it is empty", "write a query, or take it out")
		}
		return
	}
	q, err := builtin.ParseQuery(c.route.AllowSQL, c.config.dialect())
	if err != nil {
		c.add("allow_sql", problemOf(err), `write it as in "SELECT 1 FROM chat_member WHERE room = {room} AND user_id = {user.pk}"`)
		return
	}
	c.names("allow_sql", q.Names(), names)
}

// relay checks what only a relay has.
func (c routeCheck) relay(names []string) {
	r := c.route
	if r.Consumer != relayConsumer {
		for _, key := range []string{"groups", "publish", "stamp"} {
			if c.given(key) {
				c.add(key, "only a relay has it", "take it out, or write consumer = \"relay\"")
			}
		}
		return
	}
	for i, g := range r.Groups {
		key := "groups[" + strconv.Itoa(i) + "]"
		of, err := builtin.CheckGroup(g)
		if err != nil {
			c.add(key, problemOf(err), `write it as in "chat_{room}"`)
			continue
		}
		c.names(key, of, names)
	}
	if err := builtin.CheckPublish(r.Publish); err != nil && c.given("publish") {
		c.add("publish", problemOf(err), "name the type that Django's consumers handle, or take it out")
	}
	if r.Publish != "" && len(r.Groups) == 0 {
		c.add("publish", "there is no group to publish to", `write groups, as in ["chat_{room}"]`)
	}
	if r.Publish == "" && len(r.Stamp) > 0 {
		c.add("stamp", "nothing is published", "write publish, or take it out")
	}
	for i, s := range r.Stamp {
		key := "stamp[" + strconv.Itoa(i) + "]"
		if err := builtin.CheckName(s); err != nil {
			c.add(key, problemOf(err), `write it as in "user.username"`)
			continue
		}
		c.names(key, []string{s}, names)
	}
}

// names checks that the route has the values that a key names. Whether a path has a first or second unnamed
// value is seen only when it matches.
func (c routeCheck) names(key string, named, captured []string) {
	for _, n := range named {
		attribute, ofUser := strings.CutPrefix(n, "user.")
		_, err := strconv.Atoi(n)
		switch {
		case ofUser && (slices.Contains(userAttributes, attribute) || slices.Contains(c.config.Django.User.Columns, attribute)):
		case ofUser:
			c.add(key, "a user has no "+quote(attribute), "write it without a mistake, or name the column in django.user.columns")
		case slices.Contains(captured, n), err == nil && len(captured) == 0 && c.given("re_path"), c.patternFailed():
		default:
			remedy := "the path captures nothing"
			if len(captured) > 0 {
				remedy = "the path captures " + strings.Join(captured, ", ")
			}
			c.add(key, quote(n)+" is no value of this route", remedy)
		}
	}
}

// patternFailed reports whether it is not known what the path captures.
func (c routeCheck) patternFailed() bool {
	return c.mistakes.has(c.path+".path") || c.mistakes.has(c.path+".re_path")
}

// dialect returns how the configured database writes parameters.
func (c *Config) dialect() builtin.Dialect {
	scheme, _, _ := strings.Cut(c.Django.DatabaseURL.Reveal(), ":")
	if strings.HasPrefix(scheme, "sqlite") || scheme == "spatialite" {
		return builtin.SQLite
	}
	return builtin.Postgres
}

// problemOf returns what a SyntaxError says.
func problemOf(err error) string {
	if e, ok := errors.AsType[*builtin.SyntaxError](err); ok {
		return e.Problem
	}
	return "it cannot be understood"
}
