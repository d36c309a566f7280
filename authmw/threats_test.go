package authmw_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// TestT02CookieTossing has the probes of what Django makes of odd Cookie headers, and what two session cookies do.
func TestT02CookieTossing(t *testing.T) {
	tests := []struct{ name, header, want string }{
		{"the last duplicate wins", "sessionid=a; sessionid=b", "b"},
		{"an octal escape is undone", `sessionid="a\054b"`, "a,b"},
		{"a comma does not split", "sessionid=a,b", "a,b"},
		{"spaces around are no part", " sessionid = sp ", "sp"},
		{"a quote that is not closed stays", `sessionid="unterminated`, `"unterminated`},
		{"a semicolon ends even what is quoted", `sessionid="q;uoted"`, `"q`},
		{"the first = counts", "sessionid=a=b==", "a=b=="},
		{"a bare name has no value", "sessionid", ""},
		{"a percent sign is one", "sessionid=%41", "%41"},
		{"names are case-sensitive", "SessionID=x", ""},
		{"NUL passes", "sessionid=a\x00b", "a\x00b"},
		{"an empty pair is nothing", ";; sessionid=x;;", "x"},
		{"another name that ends alike is another", "xsessionid=y; sessionid=x", "x"},
		{"two headers are one", "sessionid=a\nsessionid=b", "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := enter(t, authmw.Cookies, visit(strings.Split(tt.header, "\n")...))
			if got := inner.Cookies["sessionid"]; got != tt.want {
				t.Errorf("sessionid = %q, want %q", got, tt.want)
			}
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T02", fmt.Sprintf("%d probes of odd Cookie headers through the middleware", len(tests)), "as Django reads them", "no difference")
}

// TestT03SessionFixation logs in with a key that an attacker has planted.
func TestT03SessionFixation(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	key := ""
	for _, again := range []func(...string) *consumers.Scope{visit, httpVisit} {
		planted := enter(t, s.stack(authmw.Config{}), visit())
		planted.Session.Set("planted", true)
		if err := planted.Session.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		old := planted.Session.Key()
		victim := enter(t, s.stack(authmw.Config{}), again(sessionCookie(old)))
		if err := authmw.Login(t.Context(), victim, s.user(1)); err != nil {
			t.Fatal(err)
		}
		attacker := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(old)))
		if attacker.User.IsAuthenticated() || attacker.Session.Len() != 0 || s.count(t, "django_session WHERE session_key = '"+old+"'") != 0 {
			t.Errorf("by the planted key: %q, %d values", attacker.User.Username, attacker.Session.Len())
		}
		key = victim.Session.Key()
	}
	// Who is logged in as alice, and logs in as bob, keeps nothing of alice's.
	inner := enter(t, s.stack(authmw.Config{}), visit(sessionCookie(key)))
	if err := authmw.Login(t.Context(), inner, s.user(2)); err != nil || inner.Session.Has("planted") || inner.Session.Key() == key {
		t.Errorf("Login = %v, planted = %v, key kept = %v", err, inner.Session.Has("planted"), inner.Session.Key() == key)
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T03", "a login with a planted key, over HTTP and over a WebSocket, and one as another user",
		"the old key is nobody's at once, its row is gone, nothing of another user's is kept", "the same")
}

// TestT07KeyRotation opens WebSockets while the key is rotated: nobody is logged out, no row is deleted.
func TestT07KeyRotation(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	keys := make([]string, 50)
	for i := range keys {
		keys[i] = s.loggedIn(t, int64(i%2+1))
	}
	for _, tt := range []struct {
		name string
		keys djangocompat.Keys
		want int
	}{
		{"with the old key as a fallback", djangocompat.NewKeys("new", secretKey), len(keys)},
		{"without it", djangocompat.NewKeys("new"), 0},
		{"with the old key back", djangocompat.NewKeys(secretKey), len(keys)},
	} {
		cfg := s.cfg
		cfg.Keys = tt.keys
		store, err := sessionstore.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		rotated := &site{store, s.db, cfg}
		known := 0
		for _, key := range keys {
			if enter(t, rotated.stack(authmw.Config{}), visit(sessionCookie(key))).User.IsAuthenticated() {
				known++
			}
		}
		store.Close()
		if rows := s.count(t, "django_session"); known != tt.want || rows != len(keys) {
			t.Errorf("%s: %d are known, %d rows, want %d, %d", tt.name, known, rows, tt.want, len(keys))
		}
	}
}

// TestT10CrossSitePosts sends forged requests to what changes something here.
func TestT10CrossSitePosts(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	key := s.loggedIn(t, 1)
	logout := consumers.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := authmw.Logout(r.Context(), consumers.ScopeFrom(r.Context())); err != nil {
			t.Error(err)
		}
	}))
	app := authmw.Stack(authmw.CSRF(logout, newCSRF(t, djangocompat.CSRFConfig{}), authmw.CSRFConfig{}), s, authmw.Config{})
	tried := 0
	for _, origin := range []string{"", "null", "http://evil.com", "http://example.com.evil.com", "https://example.com:8443", "http://example.com"} {
		for _, token := range []string{"", djangosToken, strings.Repeat("x", 64)} {
			for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
				header := http.Header{"Host": {"example.com"}, "Cookie": {sessionCookie(key)}}
				for name, value := range map[string]string{"Origin": origin, "X-Csrftoken": token} {
					if value != "" {
						header.Set(name, value)
					}
				}
				r := wstest.Request(t.Context(), app, method, "/", nil, wstest.Config{Header: header}) // no CSRF cookie: another site has none
				if tried++; r.StatusCode != http.StatusForbidden {
					t.Errorf("%s from %q with token %q: %d, want 403", method, origin, token, r.StatusCode)
				}
				if vary := r.Header.Get("Vary"); vary != "Cookie" {
					t.Errorf("Vary = %q, want Cookie", vary)
				}
			}
		}
	}
	if s.count(t, "django_session") != 1 {
		t.Errorf("after %d forged requests the session is gone", tried)
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T10", fmt.Sprintf("%d requests from other sites that would log out", tried), "403 each, with Vary: Cookie; the session stays", "none accepted")
}

// TestT19OddCookies sends what no session key can be, and any bytes: nobody is answered 5xx, and nobody asks the database for
// a key that cannot be in it.
func TestT19OddCookies(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := openSite(t, sessionstore.Config{Registerer: reg})
	random := rand.New(rand.NewPCG(1, 2))
	wrapped := authmw.Stack(app, s, authmw.Config{})
	count, answers, impossible := chaos.Size(100_000, 10_000), make(map[int]int), 0
	try := func(key string) {
		scope := visit("sessionid=" + key)
		if random.IntN(2) == 0 {
			scope = httpVisit("sessionid=" + key)
		}
		status := http.StatusOK
		if _, err := wrapped.Open(t.Context(), scope); err != nil {
			status = consumers.DenialOf(err).Status
		}
		if answers[status/100]++; status >= 500 {
			t.Errorf("%q: %d", key, status)
		}
	}
	for impossible < count/2 {
		key := oddKey(random)
		if value, _ := djangocompat.CookieValue("sessionid="+key, "sessionid"); !djangocompat.PlausibleSessionKey(value) {
			impossible++
			try(key)
		}
	}
	asked := queries(t, reg)
	for range count - impossible {
		try(oddKey(random))
	}
	chaos.Row(t, asked == 0 && answers[5] == 0, "T19", fmt.Sprintf("%d odd session cookies, %d of them no key that can be", count, impossible),
		fmt.Sprintf("%d answered 5xx, %d let in as nobody; %d queries for the impossible ones, %d for the others", answers[5], answers[2], asked, queries(t, reg)-asked), "0 5xx, 0 queries for impossible ones")
	for _, key := range []string{"\x00\x00\x00\x00\x00\x00\x00\x00", strings.Repeat("k", 4096), "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", "short"} {
		if inner := enter(t, s.stack(authmw.Config{}), visit("sessionid="+key)); inner.User.IsAuthenticated() || inner.Session.Key() != "" {
			t.Errorf("%q has a session", key)
		}
	}
}

// oddKey is what no browser sends as a session key.
func oddKey(r *rand.Rand) string {
	good := djangocompat.NewSessionKey()
	switch r.IntN(6) {
	case 0: // as long as a header may be, or as short
		return strings.Repeat("k", r.IntN(5000))
	case 1:
		at := r.IntN(len(good))
		return good[:at] + "\x00" + good[at:]
	case 2: // a key with a byte in it that no key has
		at := r.IntN(len(good))
		return good[:at] + string([]byte{byte(r.UintN(256))}) + good[at+1:]
	case 3:
		return `"` + good[:r.IntN(len(good))] + fmt.Sprintf(`\%03o`, r.IntN(512)) + `"`
	}
	raw := make([]byte, r.IntN(60))
	for i := range raw {
		raw[i] = byte(r.UintN(256))
	}
	return string(raw)
}

// queries returns how many queries for sessions and users there were.
func queries(t *testing.T, reg *prometheus.Registry) (n uint64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sessions_batch_keys" {
			for _, m := range f.GetMetric() {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}

// counting counts the sessions that are asked for.
type counting struct {
	authmw.LoginStore
	loads int
}

// Load implements authmw.Store.
func (c *counting) Load(ctx context.Context, key string) (*djangocompat.Session, error) {
	if djangocompat.PlausibleSessionKey(key) {
		c.loads++
	}
	return c.LoginStore.Load(ctx, key)
}

// TestT20UnknownKeys floods the session table with keys that are nobody's.
func TestT20UnknownKeys(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	asked := &counting{LoginStore: s}
	wrapped := authmw.Stack(app, asked, authmw.Config{MaxUnknownKeys: 10})
	from := func(address, key string) int {
		scope := visit(sessionCookie(key))
		scope.Client = netip.AddrPortFrom(netip.MustParseAddr(address), 1)
		if _, err := wrapped.Open(t.Context(), scope); err != nil {
			return consumers.DenialOf(err).Status
		}
		return http.StatusOK
	}
	began := time.Now()
	refused := 0
	for range 5000 {
		if from("203.0.113.7", djangocompat.NewSessionKey()) == http.StatusTooManyRequests {
			refused++
		}
	}
	if most := 20 + int(10*time.Since(began).Seconds()+1); asked.loads > most || refused != 5000-asked.loads {
		t.Errorf("%d of 5000 keys were looked up, want %d at most; %d were refused", asked.loads, most, refused)
	}
	key := s.loggedIn(t, 1)
	for _, address := range []string{"203.0.113.8", "127.0.0.1", "2001:db8::1"} {
		if status := from(address, key); status != http.StatusOK {
			t.Errorf("a good key from %s: %d, want it let in", address, status)
		}
	}
	for range 100 {
		from("2001:db8:1:2::"+fmt.Sprintf("%x", rand.UintN(1<<16)), djangocompat.NewSessionKey())
	}
	if status := from("2001:db8:1:2:ffff::1", key); status != http.StatusTooManyRequests {
		t.Errorf("from the same IPv6 network: %d, want 429", status)
	}
}

// TestT20Passes is in a bubble, where time passes at once.
func TestT20Passes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrapped := authmw.Stack(app, newShelf("alicessessionkey"), authmw.Config{MaxUnknownKeys: 10})
		from := func(key string) bool {
			scope := visit(sessionCookie(key))
			scope.Client = netip.MustParseAddrPort("203.0.113.7:1")
			_, err := wrapped.Open(t.Context(), scope)
			return err == nil
		}
		for range 20 {
			from(djangocompat.NewSessionKey())
		}
		if from("alicessessionkey") {
			t.Error("let in at once, want 429")
		}
		<-time.After(time.Second)
		if !from("alicessessionkey") {
			t.Error("a second later: still refused")
		}
	})
}

// TestT21NobodyFillsTheTable visits and logs out, anonymously: no session is stored.
func TestT21NobodyFillsTheTable(t *testing.T) {
	s := openSite(t, sessionstore.Config{})
	visits, logouts := 0, 0
	for range chaos.Size(100_002, 600) / 6 {
		for _, cfg := range []authmw.Config{{}, {SaveEveryRequest: true}, {FlushStale: true}} {
			for _, key := range []string{"", djangocompat.NewSessionKey()} {
				s.request(t, cfg, key, func(ctx context.Context, _ http.ResponseWriter, scope *consumers.Scope) {
					if err := authmw.Logout(ctx, scope); err != nil {
						t.Error(err)
					}
				})
				s.request(t, cfg, key, func(context.Context, http.ResponseWriter, *consumers.Scope) {})
				visits, logouts = visits+1, logouts+1
			}
		}
	}
	rows := s.count(t, "django_session")
	chaos.Row(t, rows == 0, "T21", fmt.Sprintf("%d anonymous visits and %d anonymous logouts", visits, logouts), fmt.Sprintf("%d rows", rows), "0")
}
