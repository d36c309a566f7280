package authmw_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/belleville/belleville/authmw"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeStore has one session, that of alice, and counts what it is asked.
type fakeStore struct {
	loadErr, userErr error
	loads, users     int
}

var alice = &djangocompat.User{PK: djangocompat.IntPK(1), Username: "alice", IsActive: true}

func (f *fakeStore) Load(_ context.Context, key string) (*djangocompat.Session, error) {
	f.loads++
	if f.loadErr != nil {
		return nil, f.loadErr
	}
	if key != "alicessessionkey" {
		return new(djangocompat.Session), nil
	}
	return djangocompat.NewSession(key, djangocompat.SessionData{}, nil), nil
}

func (f *fakeStore) User(_ context.Context, s *djangocompat.Session) (*djangocompat.User, error) {
	f.users++
	switch {
	case f.userErr != nil:
		return nil, f.userErr
	case s.Key() == "":
		return new(djangocompat.User), nil
	}
	return alice, nil
}

// seen wraps an Application that keeps the Scope it was opened with.
func seen(scope **consumers.Scope) consumers.Application {
	return consumers.ApplicationFunc(func(_ context.Context, s *consumers.Scope) (consumers.Instance, error) {
		*scope = s
		return nil, nil
	})
}

// visit returns the Scope of a WebSocket with these Cookie headers.
func visit(cookies ...string) *consumers.Scope {
	s := &consumers.Scope{Type: consumers.TypeWebSocket}
	for _, c := range cookies {
		s.Header = append(s.Header, consumers.HeaderField{Name: "cookie", Value: c})
	}
	return s
}

func TestStack(t *testing.T) {
	tests := []struct {
		name    string
		cookies []string
		cfg     authmw.Config
		want    string
	}{
		{"no cookie is anonymous", nil, authmw.Config{}, ""},
		{"another cookie is anonymous", []string{"csrftoken=x"}, authmw.Config{}, ""},
		{"the session cookie is its user", []string{"sessionid=alicessessionkey"}, authmw.Config{}, "alice"},
		{"the last of two session cookies counts", []string{"sessionid=other; sessionid=alicessessionkey"}, authmw.Config{}, "alice"},
		{"the second Cookie header counts too", []string{"a=1", "sessionid=alicessessionkey"}, authmw.Config{}, "alice"},
		{"the cookie has the name of the settings", []string{"sid=alicessessionkey; sessionid=x"}, authmw.Config{CookieName: "sid"}, "alice"},
		{"names of cookies are case-sensitive", []string{"SESSIONID=alicessessionkey"}, authmw.Config{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outer := visit(tt.cookies...)
			var inner *consumers.Scope
			if _, err := authmw.Stack(seen(&inner), new(fakeStore), tt.cfg).Open(t.Context(), outer); err != nil {
				t.Fatal(err)
			}
			if inner.User.Username != tt.want || inner.Session == nil || inner.Cookies == nil {
				t.Errorf("user = %q, session = %v, cookies = %v, want %q, both set", inner.User.Username, inner.Session, inner.Cookies, tt.want)
			}
			if outer.User != nil || outer.Session != nil || outer.Cookies != nil {
				t.Error("the outer Scope was changed, want a clone changed")
			}
		})
	}
}

func TestCookiesOutliveTheRequest(t *testing.T) {
	buffer := []byte("sessionid=alicessessionkey")
	s := visit(string(buffer))
	var inner *consumers.Scope
	if _, err := authmw.Cookies(seen(&inner)).Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got, header := inner.Cookies["sessionid"], s.Header.Get("cookie"); sameMemory(got, header) {
		t.Error("a cookie shares the memory of the request's header")
	}
}

func TestStackRefuses(t *testing.T) {
	unavailable := fmt.Errorf("load session: %w", sessionstore.ErrUnavailable)
	tests := []struct {
		name   string
		scope  *consumers.Scope
		store  fakeStore
		cfg    authmw.Config
		status int
	}{
		{"an unavailable session is 503", visit(), fakeStore{loadErr: unavailable}, authmw.Config{}, 503},
		{"an unavailable user is 503", visit("sessionid=alicessessionkey"), fakeStore{userErr: unavailable}, authmw.Config{}, 503},
		{"another error is 500", visit(), fakeStore{loadErr: errors.New("bug")}, authmw.Config{}, 500},
		{"a huge Cookie header is 431", visit(strings.Repeat("a=1; ", 20_000)), fakeStore{}, authmw.Config{}, 431},
		{
			"two session cookies are 400 where that is wanted", visit("sessionid=a; sessionid=b"),
			fakeStore{},
			authmw.Config{RefuseTossed: true},
			400,
		},
		{
			"two session cookies in two headers are 400, too", visit("sessionid=a", "sessionid=b"),
			fakeStore{},
			authmw.Config{RefuseTossed: true},
			400,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := authmw.Stack(app, &tt.store, tt.cfg).Open(t.Context(), tt.scope)
			if err == nil {
				t.Fatal("let in")
			}
			d := consumers.DenialOf(err)
			if d.Status != tt.status {
				t.Errorf("status = %d, want %d", d.Status, tt.status)
			}
			if retry := d.Header.Get("Retry-After"); (retry != "") != (tt.status == 503) {
				t.Errorf("Retry-After = %q at %d", retry, d.Status)
			}
		})
	}
}

func TestRetryAfterIsSpread(t *testing.T) {
	store := &fakeStore{loadErr: sessionstore.ErrUnavailable}
	stack := authmw.Stack(app, store, authmw.Config{RetryAfter: 4 * time.Second})
	counts := make(map[int]int)
	for range 400 {
		_, err := stack.Open(t.Context(), visit())
		seconds, parseErr := strconv.Atoi(consumers.DenialOf(err).Header.Get("Retry-After"))
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		counts[seconds]++
	}
	if len(counts) != 4 || counts[1] == 0 || counts[4] == 0 {
		t.Errorf("Retry-After is %v, want 1 to 4", counts)
	}
}

func TestRefusedOriginsAskNobody(t *testing.T) {
	store := new(fakeStore)
	wrapped := authmw.AllowedHosts(authmw.Stack(app, store, authmw.Config{}), []string{"example.com"})
	s := visit("sessionid=alicessessionkey")
	s.Header = append(s.Header, consumers.HeaderField{Name: "origin", Value: "https://evil.com"})
	if _, err := wrapped.Open(t.Context(), s); !errors.Is(err, consumers.ErrDenied) {
		t.Errorf("Open = %v, want ErrDenied", err)
	}
	if store.loads+store.users != 0 {
		t.Errorf("the store was asked %d times, want never", store.loads+store.users)
	}
}

func TestMiddlewareOrder(t *testing.T) {
	t.Run("Sessions without Cookies is an error", func(t *testing.T) {
		_, err := authmw.Sessions(app, new(fakeStore), authmw.Config{}).Open(t.Context(), visit())
		if !errors.Is(err, authmw.ErrNoCookies) {
			t.Errorf("Open = %v, want ErrNoCookies", err)
		}
	})
	t.Run("Auth without Sessions is an error", func(t *testing.T) {
		if _, err := authmw.Auth(app, new(fakeStore)).Open(t.Context(), visit()); !errors.Is(err, authmw.ErrNoSession) {
			t.Errorf("Open = %v, want ErrNoSession", err)
		}
	})
	t.Run("a second Sessions does nothing", func(t *testing.T) {
		inner, outer := new(fakeStore), new(fakeStore)
		twice := authmw.Cookies(authmw.Sessions(authmw.Sessions(app, inner, authmw.Config{}), outer, authmw.Config{}))
		if _, err := twice.Open(t.Context(), visit()); err != nil || inner.loads != 0 || outer.loads != 1 {
			t.Errorf("Open = %v, %d and %d loads, want 0 inside and 1 outside", err, inner.loads, outer.loads)
		}
	})
}

func TestRequire(t *testing.T) {
	user := func(change func(*djangocompat.User)) *djangocompat.User {
		u := *alice
		change(&u)
		return &u
	}
	tests := []struct {
		name string
		rule string
		user *djangocompat.User
		want bool
	}{
		{"anyone is anyone", "anyone", nil, true},
		{"nobody is not authenticated", "authenticated", nil, false},
		{"AnonymousUser is not authenticated", "authenticated", new(djangocompat.User), false},
		{"alice is authenticated", "authenticated", alice, true},
		{"alice is not staff", "staff", alice, false},
		{"staff is staff", "staff", user(func(u *djangocompat.User) { u.IsStaff = true }), true},
		{"inactive staff is not staff", "staff", user(func(u *djangocompat.User) { u.IsStaff, u.IsActive = true, false }), false},
		{"staff is no superuser", "superuser", user(func(u *djangocompat.User) { u.IsStaff = true }), false},
		{"a superuser is one", "superuser", user(func(u *djangocompat.User) { u.IsSuperuser = true }), true},
		{"an anonymous superuser is none", "superuser", &djangocompat.User{IsSuperuser: true, IsActive: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule, err := authmw.ParseRule(tt.rule)
			if err != nil || rule.String() != tt.rule {
				t.Fatalf("ParseRule(%q) = %v, %v", tt.rule, rule, err)
			}
			_, err = authmw.Require(app, rule).Open(t.Context(), &consumers.Scope{User: tt.user})
			if got := err == nil; got != tt.want {
				t.Errorf("let in = %v, want %v", got, tt.want)
			}
			if err != nil && !errors.Is(err, consumers.ErrDenied) {
				t.Errorf("Open = %v, want ErrDenied", err)
			}
		})
	}
	for _, name := range []string{"", "Anyone", "perm:", "perm:view_room", "perm:chat.", "perm:.x", "perm: chat.x", "group:", "group: x", "group:" + strings.Repeat("x", 300), "everybody"} {
		if rule, err := authmw.ParseRule(name); err == nil || rule == authmw.Anyone {
			t.Errorf("ParseRule(%q) = %v, %v, want an error and no open door", name, rule, err)
		}
	}
}

func TestCookiesLikeChannels(t *testing.T) {
	text, err := os.ReadFile("testdata/cookies.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name   string
			Input  struct{ Headers [][2]string }
			Expect struct{ Cookies map[string]string }
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 96 {
		t.Errorf("%d cases, want 96", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			s := new(consumers.Scope)
			for _, h := range c.Input.Headers {
				value, err := base64.StdEncoding.DecodeString(h[1])
				if err != nil {
					t.Fatal(err)
				}
				s.Header = append(s.Header, consumers.HeaderField{Name: h[0], Value: string(value)})
			}
			want := c.Expect.Cookies
			if c.Name == "channels_headers/two_headers" { // S1: Channels reads the first one only; we join them
				want = map[string]string{"a": "1", "b": "2"}
			}
			var inner *consumers.Scope
			if _, err := authmw.Cookies(seen(&inner)).Open(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(inner.Cookies, want) {
				t.Errorf("cookies = %q, want %q", inner.Cookies, want)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	store := new(fakeStore)
	cfg := authmw.Config{Registerer: reg}
	for _, stack := range []consumers.Application{authmw.Stack(app, store, cfg), authmw.Stack(app, store, cfg)} {
		for _, cookie := range []string{"", "sessionid=alicessessionkey", "sessionid=x; sessionid=alicessessionkey"} {
			if _, err := stack.Open(t.Context(), visit(cookie)); err != nil {
				t.Fatal(err)
			}
		}
	}
	store.loadErr = sessionstore.ErrUnavailable
	if _, err := authmw.Stack(app, store, cfg).Open(t.Context(), visit()); err == nil {
		t.Error("let in without a database")
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	want := `# HELP auth_session_cookies_tossed_total Requests with two different session cookies.
# TYPE auth_session_cookies_tossed_total counter
auth_session_cookies_tossed_total 2
# HELP auth_visitors_total Visitors who were looked up, by result.
# TYPE auth_visitors_total counter
auth_visitors_total{result="anonymous"} 2
auth_visitors_total{result="authenticated"} 4
auth_visitors_total{result="unavailable"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "auth_visitors_total", "auth_session_cookies_tossed_total"); err != nil {
		t.Error(err)
	}
}
