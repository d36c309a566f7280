package sessionstore_test

import (
	"errors"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// exchange is a site's Django and a Store that share its sessions.
type exchange struct {
	site   engineSite
	django *django
	store  *sessionstore.Store
}

// TestEnginesWithDjango lets Django and Go write and read each other's sessions.
func TestEnginesWithDjango(t *testing.T) {
	path := migrated(t)
	for _, site := range engineSites(t) {
		t.Run(site.name, func(t *testing.T) {
			cfg := site.cfg
			cfg.DatabaseURL, cfg.Keys = sqliteURL(path), djangocompat.NewKeys(secretKey)
			x := &exchange{site, startDjango(t, site, path), open(t, cfg)}
			t.Run("what Django wrote Go reads, and changes, and Django reads", x.testValues)
			t.Run("who logs in at Django is known to Go, until the logout", x.testDjangoLogin)
			t.Run("who logs in at Go is known to Django, until the logout", x.testGoLogin)
			t.Run("what expires does so for both", x.testExpiry)
			t.Run("a test cookie that one sets works for the other", x.testTestCookie)
			if site.cfg.SessionEngine == sessionstore.EngineSignedCookies {
				return // what is in a cookie nobody else changes or takes away
			}
			t.Run("a save does not bring back what Django deleted", x.testGone)
			t.Run("a save leaves what Django changed meanwhile", x.testMeanwhile)
			t.Run("Django does not bring back what Go flushed", x.testFlushed)
			t.Run("what Django stores in place of a session is an empty one", x.testNonsense)
		})
	}
}

// stores returns the session that Django has made of values().
func (x *exchange) stores(t *testing.T) *djangocompat.Session {
	t.Helper()
	return load(t, x.store, x.django.text(t, "result = store(values())"))
}

func (x *exchange) testValues(t *testing.T) {
	session := x.stores(t)
	if got := string(session.Data().JSON()); got != x.wantValues(session.Data().IsPickled()) {
		t.Errorf("session = %s, want %s", got, x.wantValues(session.Data().IsPickled()))
	}
	session.Set("int", int64(8))
	session.Set("go", "ünï")
	session.Delete("gone")
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	ok := x.django.run(t, `
before = values()
before.pop("gone")
before |= {"int": 8, "go": "ünï"}
after = Store(%s)
after.load()
result = "" if same(dict(after.items()), before) else repr(dict(after.items()))`, session.Key())
	if ok != "" {
		t.Errorf("Django has %v", ok)
	}
}

// wantValues is what a session of values() is in JSON; a pickle is shown with the types that JSON has not.
func (x *exchange) wantValues(pickled bool) string {
	long, more := "1208925819614629174706176", ""
	if pickled {
		long = `{"$type":"int","value":"` + long + `"}`
	}
	if x.pickles() {
		more = `,"when":{"$type":"datetime","value":"2026-02-03T04:05:06.000789+00:00","tz":{"kind":"utc"}},"day":{"$type":"date","value":"2026-02-03"},` +
			`"price":{"$type":"Decimal","value":"1.10"},"tuple":{"$type":"tuple","items":[1,"a"]},"set":{"$type":"set","items":[1,2]},` +
			`"bytes":{"$type":"bytes","b64":"AP8="},"mixed":{"$type":"dict","items":[[5,"five"]]},"took":{"$type":"timedelta","days":0,"seconds":1,"microseconds":500000}`
	}
	return `{"int":7,"long":` + long + `,"float":1.0,"tiny":5e-324,"text":"caf\u00e9 \u2028 \ud83d\ude00","none":null,"true":true,` +
		`"list":[1,[2.5,"x"],{}],"dict":{"b":1,"a":[null]},"gone":"soon"` + more + "}"
}

// pickles reports whether the site's sessions may hold what JSON has not.
func (x *exchange) pickles() bool {
	return x.site.cfg.SessionSerializer == djangocompat.PickleSerializer || x.site.cfg.SessionEngine == sessionstore.EngineCache
}

// user is the name of the user who is logged in with a cookie.
func (x *exchange) user(t *testing.T, cookie string) string {
	t.Helper()
	u, err := x.store.User(t.Context(), load(t, x.store, cookie))
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func (x *exchange) testDjangoLogin(t *testing.T) {
	cookie := x.django.text(t, `result = login("alice", "wonderland")`)
	if got := x.user(t, cookie); got != "alice" {
		t.Errorf("user = %q, want alice", got)
	}
	x.django.run(t, `visitor(%s).post("/accounts/logout/")`, cookie)
	want := ""
	if x.site.cfg.SessionEngine == sessionstore.EngineSignedCookies {
		want = "alice" // who has kept the cookie is in, as in Django
	}
	if got := x.user(t, cookie); got != want {
		t.Errorf("user after the logout = %q, want %q", got, want)
	}
}

func (x *exchange) testGoLogin(t *testing.T) {
	alice, err := x.store.Authenticate(t.Context(), "alice", "wonderland")
	if err != nil {
		t.Fatal(err)
	}
	session := x.stores(t) // an anonymous one, which keeps its data
	before := session.Key()
	if err := x.store.Login(t.Context(), session, alice); err != nil {
		t.Fatal(err)
	}
	cookie := session.Key()
	if got := x.django.run(t, "result = whoami(%s)", cookie); got != "alice" || cookie == before {
		t.Errorf("Django's user = %v, want alice", got)
	}
	if got := x.django.run(t, `result = Store(%s).get("int")`, cookie); got != 7.0 {
		t.Errorf("what was in the session = %v, want 7", got)
	}
	if err := x.store.Logout(t.Context(), session); err != nil || session.Key() != "" {
		t.Errorf("Logout = %v, key %q, want no key", err, session.Key())
	}
	if x.site.cfg.SessionEngine == sessionstore.EngineSignedCookies {
		return
	}
	for _, key := range []string{before, cookie} {
		if got := x.django.run(t, "result = whoami(%s)", key); got != "" {
			t.Errorf("Django's user after the logout = %v, want nobody", got)
		}
		if got := x.django.run(t, "result = bool(Store().exists(%s))", key); got != false {
			t.Errorf("a session remains under a key that was left")
		}
	}
}

func (x *exchange) testExpiry(t *testing.T) {
	cookie := x.django.text(t, `s = Store()
s["a"] = 1
s.set_expiry(-5)
s.save()
result = s.session_key`)
	session := load(t, x.store, cookie)
	kept := x.site.cfg.SessionEngine == sessionstore.EngineSignedCookies // it does not look there
	if session.Has("a") != kept {
		t.Errorf("an expired session has its value: %v, want %v", session.Has("a"), kept)
	}
	alive := load(t, x.store, "")
	alive.Set("a", int64(1))
	alive.SetExpiryAtBrowserClose()
	if err := alive.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := x.django.run(t, `s = Store(%s)
result = [s.get("a"), s.get_expire_at_browser_close()]`, alive.Key()); len(got.([]any)) != 2 || got.([]any)[0] != 1.0 || got.([]any)[1] != true {
		t.Errorf("Django has %v, want 1 and true", got)
	}
}

func (x *exchange) testTestCookie(t *testing.T) {
	session := x.stores(t)
	session.SetTestCookie()
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := x.django.run(t, "result = Store(%s).test_cookie_worked()", session.Key()); got != true {
		t.Errorf("Django's test_cookie_worked = %v, want true", got)
	}
	theirs := load(t, x.store, x.django.text(t, `s = Store()
s.set_test_cookie()
s.save()
result = s.session_key`))
	if !theirs.TestCookieWorked() {
		t.Error("TestCookieWorked = false, want true")
	}
	theirs.DeleteTestCookie()
	if err := theirs.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := x.django.run(t, "result = Store(%s).test_cookie_worked()", theirs.Key()); got != false {
		t.Errorf("Django's test_cookie_worked = %v, want false", got)
	}
}

func (x *exchange) testGone(t *testing.T) {
	session := x.stores(t)
	key := session.Key()
	session.Set("late", true)
	x.django.run(t, "Store(%s).delete()", key)
	if err := session.Save(t.Context()); !errors.Is(err, djangocompat.ErrSessionGone) {
		t.Errorf("Save = %v, want ErrSessionGone", err)
	}
	if got := x.django.run(t, "result = bool(Store().exists(%s))", key); got != false {
		t.Error("the session is there again")
	}
	if s := load(t, x.store, key); s.Key() != "" {
		t.Error("Load finds the session again")
	}
}

func (x *exchange) testMeanwhile(t *testing.T) {
	session := x.stores(t)
	session.Set("ours", "a")
	session.Set("int", int64(9))
	x.django.run(t, `s = Store(%s)
s["theirs"] = "b"
s["int"] = 5
del s["float"]
s.save()`, session.Key())
	if err := session.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := x.django.run(t, `s = Store(%s)
result = "%%s %%s %%s %%s" %% (s.get("ours"), s.get("theirs"), s.get("int"), "float" in s)`, session.Key())
	if got != "a b 9 False" {
		t.Errorf("Django has %v, want a b 9 False", got)
	}
}

func (x *exchange) testFlushed(t *testing.T) {
	session := x.stores(t)
	key := session.Key()
	x.django.run(t, `kept = Store(%s)
kept["late"] = 1`, key)
	if err := session.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := x.django.run(t, `
from django.contrib.sessions.backends.base import UpdateError
try:
    kept.save()
    result = "saved"
except UpdateError:
    result = "refused"`)
	if got != "refused" {
		t.Errorf("Django's save = %v, want refused", got)
	}
	if s := load(t, x.store, key); s.Key() != "" {
		t.Error("Load finds the session again")
	}
}

// testNonsense puts what is no session where one should be.
func (x *exchange) testNonsense(t *testing.T) {
	key := x.stores(t).Key()
	nonsense := map[string]string{
		sessionstore.EngineDB:       `from django.contrib.sessions.models import Session; Session.objects.filter(pk=%s).update(session_data="nonsense")`,
		sessionstore.EngineFile:     `open(Store(%s)._key_to_file(), "w").write("nonsense")`,
		sessionstore.EngineCache:    `s = Store(%s); s._cache.set(s.cache_key, ["no", "dict"])`,
		sessionstore.EngineCachedDB: `s = Store(%s); s._cache.set(s.cache_key, 5)`,
	}[x.site.cfg.SessionEngine]
	x.django.run(t, nonsense, key)
	s := load(t, x.store, key)
	if x.site.cfg.SessionEngine == sessionstore.EngineCachedDB {
		if !s.Has("int") { // the row counts
			t.Error("the session is empty, want the one of the row")
		}
		return
	}
	if s.Key() != "" || s.Len() > 0 {
		t.Errorf("session = %s, want an empty one", s.Data().JSON())
	}
	old := djangocompat.NewSession(key, djangocompat.SessionData{}, x.store)
	old.Set("a", int64(1))
	if err := old.Save(t.Context()); !errors.Is(err, sessionstore.ErrConflict) {
		t.Errorf("Save over it = %v, want ErrConflict", err)
	}
}
