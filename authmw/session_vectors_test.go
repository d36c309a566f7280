package authmw_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/wstest"
)

// cookieVector is what a session middleware of Django's or of Channels' made of a request.
type cookieVector struct {
	Name   string
	Django []string
	Input  struct {
		Settings map[string]any
		Cookie   *string `json:"session_cookie"`
		Stored   string  `json:"stored_session_key"`
		Action   string
		Status   int
		Now      int64
	}
	Expect struct {
		SetCookie []string `json:"set_cookie"`
		Vary      *string
		Key       *string `json:"session_key"`
		Raises    string
	}
}

// group returns the first part of the name, and the rest.
func (v cookieVector) group() (string, string) {
	group, rest, _ := strings.Cut(v.Name, "/")
	return group, rest
}

// config is the Config of the settings. A cookie that lives for no time at all is refused by package config.
func (v cookieVector) config() authmw.Config {
	text := func(name string) string {
		switch value := v.Input.Settings[name].(type) {
		case string:
			if value == "" {
				return authmw.Omit
			}
			return value
		default:
			if _, given := v.Input.Settings[name]; given {
				return authmw.Omit
			}
			return ""
		}
	}
	is := func(name string) bool { on, _ := v.Input.Settings[name].(bool); return on }
	age, _ := v.Input.Settings["SESSION_COOKIE_AGE"].(float64)
	readable, given := v.Input.Settings["SESSION_COOKIE_HTTPONLY"].(bool)
	name, _ := v.Input.Settings["SESSION_COOKIE_NAME"].(string)
	domain, _ := v.Input.Settings["SESSION_COOKIE_DOMAIN"].(string)
	return authmw.Config{
		CookieName: name, CookieDomain: domain, CookiePath: text("SESSION_COOKIE_PATH"), CookieSameSite: text("SESSION_COOKIE_SAMESITE"),
		CookieSecure: is("SESSION_COOKIE_SECURE"), CookieScriptable: given && !readable,
		SaveEveryRequest: is("SESSION_SAVE_EVERY_REQUEST"),
		Expiry: djangocompat.ExpirySettings{
			CookieAge:            time.Duration(age) * time.Second,
			ExpireAtBrowserClose: is("SESSION_EXPIRE_AT_BROWSER_CLOSE"),
			Now:                  func() time.Time { return time.Unix(v.Input.Now, 0) },
		},
	}
}

// act does to a session what the case says.
func (v cookieVector) act(t *testing.T, s *djangocompat.Session) {
	t.Helper()
	var err error
	switch v.Input.Action {
	case "set":
		s.Set("k", "v")
	case "expiry300":
		s.SetExpiryAge(300 * time.Second)
	case "close":
		s.SetExpiryAtBrowserClose()
	case "expiry_none":
		s.Set("k", "v")
		s.ResetExpiry()
	case "expiry_negative":
		s.SetExpiryAge(-10 * time.Second)
	case "expiry_dt":
		s.SetExpiryDate(time.Unix(v.Input.Now, 0).Add(2 * time.Hour))
	case "expiry_timedelta":
		s.SetExpiryDate(time.Unix(v.Input.Now, 0).Add(10 * time.Minute))
	case "flush":
		err = s.Flush(t.Context())
	case "clear":
		s.Clear()
	case "cycle":
		err = s.CycleKey(t.Context())
	case "read":
		s.Get("a")
	case "untouched":
	default:
		t.Fatalf("unknown action %q", v.Input.Action)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// want returns the Set-Cookie headers and the Vary header that Belleville sends where Django or Channels do
// otherwise, and why; ok is false where it sends the same.
func (v cookieVector) want(django map[string]cookieVector) (cookies []string, vary, why string, ok bool) {
	group, name := v.group()
	deletion := `sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax`
	switch {
	case name == "clear/unknown":
		return []string{deletion}, "Cookie", "the cookie of a session that is gone is deleted; Django answers 400", true
	case name == "save_every_request/untouched_unknown":
		return nil, "", "nobody gets an empty row (T21)", true
	case name == "save_every_request/untouched" && group == "django_session":
		return v.Expect.SetCookie, "Cookie", "what sets a cookie varies with it (T22)", true
	case v.Input.Status > 500 && v.Input.Action == "set":
		return nil, "Cookie", "no save on 5xx, as Django since 4.2", true
	case group == "channels_session":
		twin, found := django[name]
		if found && twin.Expect.SetCookie == nil && twin.Expect.Raises == "" || !found {
			twin.Expect.SetCookie = nil
		}
		vary := ""
		if twin.Expect.Vary != nil {
			vary = *twin.Expect.Vary
		}
		if name == "save_every_request/untouched" {
			vary = "Cookie"
		}
		return twin.Expect.SetCookie, vary, "responses of Channels' are those of Django's", true
	}
	return nil, "", "", false
}

func readCookieVectors(t *testing.T) []cookieVector {
	t.Helper()
	text, err := os.ReadFile("testdata/session_cookies.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []cookieVector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 300 {
		t.Errorf("%d cases, want 300", len(file.Cases))
	}
	return file.Cases
}

// TestSessionCookieLikeDjango is S7: what responses do to the cookie, and to what is stored.
func TestSessionCookieLikeDjango(t *testing.T) {
	vectors := readCookieVectors(t)
	django := make(map[string]cookieVector)
	for _, v := range vectors {
		if group, name := v.group(); group == "django_session" {
			django[name] = v
		}
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			if age, ok := v.Input.Settings["SESSION_COOKIE_AGE"]; ok && age == 0.0 {
				t.Log("a cookie that lives for no time is refused by package config")
				return
			}
			if raises := v.Expect.Raises; raises == "CookieError" || raises == "ValueError" || raises == "AssertionError" ||
				strings.Contains(v.Name, "samesite_bogus") {
				v.wantPanic(t)
				return
			}
			v.check(t, django)
		})
	}
}

// wantPanic wants a cookie that cannot be written to be refused at the start.
func (v cookieVector) wantPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Sessions took a cookie that cannot be written")
		}
	}()
	authmw.Sessions(app, newShelf("x"), v.config())
}

func (v cookieVector) check(t *testing.T, django map[string]cookieVector) {
	rows := newShelf(v.Input.Stored)
	var session *djangocompat.Session
	handler := consumers.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session = consumers.ScopeFrom(r.Context()).Session
		v.act(t, session)
		w.WriteHeader(v.Input.Status)
	}))
	cfg := v.config()
	name := cfg.CookieName
	if name == "" {
		name = "sessionid"
	}
	header := http.Header{}
	if v.Input.Cookie != nil {
		header.Set("Cookie", name+"="+*v.Input.Cookie)
	}
	wrapped := authmw.Cookies(authmw.Sessions(handler, rows, cfg))
	r := wstest.Request(t.Context(), wrapped, "GET", "/", nil, wstest.Config{Header: header})
	wantCookies, wantVary := v.Expect.SetCookie, ""
	if v.Expect.Vary != nil {
		wantVary = *v.Expect.Vary
	}
	if cookies, vary, why, ok := v.want(django); ok {
		t.Log(why)
		wantCookies, wantVary = cookies, vary
	}
	got := r.Header.Values("Set-Cookie")
	if !slices.EqualFunc(got, wantCookies, func(got, want string) bool { return got == v.fresh(want, name, session.Key()) }) {
		t.Errorf("Set-Cookie = %q, want %q", got, wantCookies)
	}
	if vary := r.Header.Get("Vary"); vary != wantVary {
		t.Errorf("Vary = %q, want %q", vary, wantVary)
	}
	if private := r.Header.Get("Cache-Control") == "private"; private != (len(got) > 0) {
		t.Errorf("Cache-Control = %q with %d cookies", r.Header.Get("Cache-Control"), len(got))
	}
	v.checkRows(t, rows, session)
}

// fresh returns a Set-Cookie header with the key that was made here in the place of Django's.
func (v cookieVector) fresh(want, name, key string) string {
	value, rest, _ := strings.Cut(strings.TrimPrefix(want, name+"="), ";")
	if value == `""` || value == v.Input.Stored {
		return want
	}
	return name + "=" + key + ";" + rest
}

// checkRows looks that nothing is stored that nobody has the key of, and that there is no empty row (T21).
func (v cookieVector) checkRows(t *testing.T, rows *shelf, session *djangocompat.Session) {
	for _, key := range rows.keys() {
		if key != v.Input.Stored && key != session.Key() {
			t.Errorf("a row under %q, which is no session's", key)
		}
		if key != v.Input.Stored && rows.rows[key].Len() == 0 && v.Input.Action != "cycle" {
			t.Error("an empty row was stored")
		}
	}
	known := v.Input.Cookie != nil && *v.Input.Cookie == v.Input.Stored
	if _, kept := rows.rows[v.Input.Stored]; kept == (known && (v.Input.Action == "flush" || v.Input.Action == "cycle")) {
		t.Errorf("row kept = %v after %s", kept, v.Input.Action)
	}
}
