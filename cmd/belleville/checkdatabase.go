package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belleville/belleville/config"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/changes"
)

// databaseCheck is what is checked of the database, and of wherever else sessions are.
type databaseCheck struct {
	findings
	cfg   *config.Config
	store *sessionstore.Store
}

// checkDatabase checks everything that the sessions and users are in.
func checkDatabase(ctx context.Context, cfg *config.Config) findings {
	c := databaseCheck{cfg: cfg}
	log := &complaints{Handler: slog.DiscardHandler}
	store, err := sessionstore.Open(ctx, cfg.Sessions(nil, slog.New(log)))
	if err != nil {
		c.unopened(err)
		return c.findings
	}
	defer store.Close()
	c.store = store
	if err := store.Ready(ctx); err != nil {
		c.away(err)
		return c.findings
	}
	if cfg.Django.DatabaseURL.IsZero() {
		c.ok("sessions", "they are reachable; without a database everybody is anonymous")
		return c.findings
	}
	for _, text := range log.messages() {
		c.warn("database", text, "sslmode=verify-full in django.database_url lets nobody listen in between")
	}
	c.survey(ctx)
	c.ok("tables", "the tables of sessions and users are there, with the columns that are needed")
	c.sessions(ctx)
	c.passwords(ctx)
	c.permissions()
	c.queries(ctx)
	c.live(ctx)
	return c.findings
}

// complaints keeps what a logger was told that somebody should look at. Messages are constant; what comes with them is
// left out.
type complaints struct {
	slog.Handler // does nothing

	mu    sync.Mutex // guards the field below
	texts []string
}

// Enabled implements slog.Handler.
func (c *complaints) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle implements slog.Handler.
func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, "not verified") { // of the rest survey tells
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts = append(c.texts, r.Message)
	return nil
}

// messages returns what was kept.
func (c *complaints) messages() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.texts)
}

// unopened notes why there is no store.
func (c *databaseCheck) unopened(err error) {
	if e, ok := errors.AsType[*sessionstore.DatabaseError](err); ok && e.Fault == sessionstore.FaultSchema {
		c.fail("tables", detailOf(e), "run the site's manage.py migrate, or compare django.session_table, [django.user] and database.schema with the site's models")
		return
	}
	c.fail("database", told(err), "compare django.database_url with DATABASES in the site's settings")
}

// detailOf says what kind of trouble there is.
func detailOf(e *sessionstore.DatabaseError) string {
	text := e.Fault.String()
	if e.Detail != "" {
		text = e.Detail
		if e.Fault != sessionstore.FaultSchema {
			text = e.Fault.String() + ": " + e.Detail
		}
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// away notes why nothing can be asked.
func (c *databaseCheck) away(err error) {
	if e, ok := errors.AsType[*sessionstore.StorageError](err); ok {
		remedy := "compare [django.caches] and django.session_cache_alias with CACHES in the site's settings, and see that the cache runs"
		if e.Storage == "folder" {
			remedy = "compare django.session_file_path with the site's settings, and run Belleville as the user that Django runs as"
		}
		c.fail("session "+e.Storage, e.Fault.String(), remedy)
		return
	}
	e, ok := errors.AsType[*sessionstore.DatabaseError](err)
	if !ok {
		c.fail("database", told(err), "")
		return
	}
	remedy := "see that it runs, and compare host and port in django.database_url with DATABASES in the site's settings"
	switch e.Fault {
	case sessionstore.FaultAuthorization:
		remedy = "compare user, password and name in django.database_url with DATABASES in the site's settings"
	case sessionstore.FaultForbidden:
		remedy = "GRANT the role SELECT on the tables of sessions and users"
	case sessionstore.FaultFull:
		remedy = "raise max_connections of the server, or lower database.pool_size"
	}
	if strings.HasPrefix(c.cfg.Django.DatabaseURL.Reveal(), "sqlite") {
		remedy = "see that django.database_url names the file in DATABASES of the site's settings, and that this user may write into its folder"
	}
	c.fail("database", detailOf(e), remedy)
}

// survey notes what the database says of itself.
func (c *databaseCheck) survey(ctx context.Context) {
	v, err := c.store.Survey(ctx)
	if err != nil {
		c.away(err)
		return
	}
	text := v.Kind + " " + v.Version + " answers"
	if v.Role != "" {
		text += fmt.Sprintf(", as the role %q", v.Role)
	}
	if v.Pooled {
		text += ", through a pooler that gives each transaction another connection"
	}
	c.ok("database", text)
	if v.Superuser {
		c.warn("database role", "it is a superuser, and nothing is forbidden to it", "connect as a role that may SELECT the tables of sessions and users, and change them only where logins come from Go")
	}
	if size := c.cfg.Database.PoolSize; v.Connections > 0 && v.Free < max(size, 1) {
		c.warn("database.pool_size", fmt.Sprintf("the server takes %d clients, and only %d more now", v.Connections, v.Free), "lower it, or raise max_connections of the server")
	}
}

// sessionSample and userSample are how many rows are looked at.
const (
	sessionSample = 20
	userSample    = 50
)

// sessions reads some sessions with the keys of the configuration.
func (c *databaseCheck) sessions(ctx context.Context) {
	present := c.cfg.PresentKey()
	s, err := c.store.Sample(ctx, sessionSample, present)
	wrong := s.Sessions - s.Readable
	latest := "of the " + count(s.Sessions, "latest session")
	remedy := "copy SECRET_KEY, SECRET_KEY_FALLBACKS and SESSION_SERIALIZER from the site's settings; a site with a SessionStore class of another name needs django.session_salt"
	switch {
	case err != nil:
		c.away(err)
	case s.Sessions == 0:
		c.ok("sessions", "there is none that could be read to try django.secret_key out")
	case s.Readable == 0 && s.BadSignature == s.Sessions:
		c.fail("sessions", "none "+latest+" is signed with django.secret_key or a fallback: the key or the salt is wrong", remedy)
	case s.Readable == 0:
		c.fail("sessions", "none "+latest+" can be read: "+unreadable(s), remedy)
	case wrong > 0:
		c.warn("sessions", fmt.Sprintf("%d %s cannot be read: %s", wrong, latest, unreadable(s)), "a key that the site has replaced goes into django.secret_key_fallbacks, as into SECRET_KEY_FALLBACKS")
	case s.ByFallback == s.Sessions:
		c.warn("sessions", "all "+latest+" are signed with a fallback", "see that django.secret_key is the site's present SECRET_KEY")
	default:
		c.ok("sessions", fmt.Sprintf("all %s can be read, %d of them by a fallback", latest, s.ByFallback))
	}
	c.logins(s.Logins)
}

// unreadable says why sessions cannot be read.
func unreadable(s sessionstore.Sample) string {
	var why []string
	for _, w := range []struct {
		n    int
		text string
	}{
		{s.BadSignature, "signed with none of the keys"},
		{s.Pickled, "pickles, and django.session_serializer is JSON"},
		{s.Malformed, "not what django.session_serializer writes"},
		{s.TooLarge, "larger than database.max_session_size"},
	} {
		if w.n > 0 {
			why = append(why, fmt.Sprintf("%d %s", w.n, w.text))
		}
	}
	return strings.Join(why, ", ")
}

// logins notes where users who are logged in on the site would be nobody here.
func (c *databaseCheck) logins(by map[sessionstore.Reason]int) {
	in := by[sessionstore.LoggedIn] + by[sessionstore.LoggedInByFallback]
	if n := by[sessionstore.BackendNotConfigured]; n > 0 {
		c.warn("logins", count(n, "session")+" of the sample came from a backend that is not in django.authentication_backends, and anonymous here", "copy AUTHENTICATION_BACKENDS from the site's settings")
	}
	if n := by[sessionstore.HashMismatch] + by[sessionstore.HashMissing]; n > 0 && in == 0 {
		c.warn("logins", "nobody of the sample is logged in: the auth hashes are of another key or password", "see that django.secret_key is the site's; a user model with a get_session_auth_hash of its own needs a program in Go")
	}
	if n := by[sessionstore.NoSuchUser] + by[sessionstore.BadPK]; n > 0 && in == 0 {
		c.warn("logins", "nobody of the sample is in the user table", "compare [django.user] with the site's AUTH_USER_MODEL")
	}
	if in > 0 {
		c.ok("logins", count(in, "session")+" of the sample has a user who is known here")
	}
}

// passwords notes which users could not log in through Belleville.
func (c *databaseCheck) passwords(ctx context.Context) {
	unknown, users, err := c.store.PasswordKinds(ctx, userSample)
	if err != nil {
		c.away(err)
		return
	}
	for _, algorithm := range slices.Sorted(maps.Keys(unknown)) {
		name := algorithm
		if name == "" {
			name = "an algorithm that is none of Django's"
		}
		c.warn("django.password_hashers", fmt.Sprintf("%d of the %s looked at have a password by %s, which no hasher checks", unknown[algorithm], count(users, "user"), name),
			"copy PASSWORD_HASHERS from the site's settings; it counts for logins through Belleville alone")
	}
	if len(unknown) == 0 {
		c.ok("passwords", "there is a hasher for each password of the "+count(users, "user")+" looked at")
	}
}

// permissions notes whether the routes' rules can be answered.
func (c *databaseCheck) permissions() {
	err := c.store.PermissionsKnown()
	needed := false
	for i, r := range c.cfg.Routes {
		if !strings.HasPrefix(r.Allow, "perm:") && !strings.HasPrefix(r.Allow, "group:") {
			continue
		}
		needed = true
		if e, ok := errors.AsType[*sessionstore.DatabaseError](err); ok {
			c.fail(fmt.Sprintf("routes[%d].allow", i), detailOf(e), "name the tables in [django.user], and GRANT SELECT on them")
		}
	}
	if needed && err == nil {
		c.ok("permissions", "the tables of permissions and groups can be read")
	}
}

// queries has each allow_sql planned.
func (c *databaseCheck) queries(ctx context.Context) {
	wrong, err := c.cfg.TryQueries(ctx, c.store)
	if err != nil {
		c.away(err)
		return
	}
	c.mistakesOf(wrong)
	for i, r := range c.cfg.Routes {
		what := fmt.Sprintf("routes[%d].allow_sql", i)
		if r.AllowSQL != "" && !slices.ContainsFunc(wrong, func(m config.Mistake) bool { return m.Key == what }) {
			c.ok(what, "the database can answer it")
		}
	}
}

// mistakesOf notes mistakes.
func (c *databaseCheck) mistakesOf(list config.Mistakes) {
	for _, m := range list {
		c.fail(m.Key, m.Problem, m.Remedy)
	}
}

// livePatience is how long it takes at most until changes are heard of.
const livePatience = 5 * time.Second

// live listens for changes for a moment.
func (c *databaseCheck) live(ctx context.Context) {
	const what = "live.triggers"
	if c.cfg.Live.Triggers == config.TriggersOff {
		c.ok(what, `it is "off": sessions that end are found by asking again`)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, livePatience)
	defer cancel()
	l, err := c.store.Changes(changes.Config{})
	if err != nil {
		c.fail(what, told(err), "see database.listen_url")
		return
	}
	heard := false
	err = l.Run(ctx, func(changes.Change) { heard = true; cancel() })
	switch {
	case heard && l.HearsSaves():
		c.ok(what, "changes of sessions and users are heard of at once, and also what is saved into them")
	case heard:
		c.ok(what, "changes of sessions and users are heard of at once")
	case errors.Is(err, changes.ErrDeaf):
		c.fail(what, "LISTEN was taken, but nothing is heard: a pooler stands in between", `name PostgreSQL itself in database.listen_url, or write triggers = "off"`)
	case errors.Is(err, changes.ErrNoTriggers) && c.cfg.Live.Triggers == config.TriggersRequired:
		c.fail(what, "they are not in the database", "run belleville migrate up live_sessions")
	case errors.Is(err, changes.ErrNoTriggers):
		c.warn(what, "they are not in the database: that a session has ended is seen after "+c.cfg.Live.RecheckInterval.String(), "run belleville migrate up live_sessions, or write triggers = \"off\"")
	default:
		c.warn(what, "nothing was heard of in "+livePatience.String(), "see that database.listen_url, or django.database_url, can be connected to")
	}
}
