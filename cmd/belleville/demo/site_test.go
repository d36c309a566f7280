package demo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

func TestPagesForStrangers(t *testing.T) {
	tn := newTown(t)
	tests := []struct {
		name, target string
		status       int
		location     string
		contains     string
	}{
		{"the root leads to the first room", "/", 303, "/chat/lobby/", ""},
		{"a room leads to the login and back", "/chat/music/", 303, "/login/?room=music", ""},
		{"a room whose name is no slug is none", "/chat/a.b/", 404, "", ""},
		{"a room with a long name is none", "/chat/" + strings.Repeat("r", maxRoomName+1) + "/", 404, "", ""},
		{"a typed room becomes a path", "/chat/?room=jazz_42", 303, "/chat/jazz_42/", ""},
		{"what is no room leads to the first one", "/chat/?room=//evil.example/", 303, "/chat/lobby/", ""},
		{"the login page shows the passwords", "/login/", 200, "", "minor-swing"},
		{"the login page remembers the room", "/login/?room=music", 200, "", `name="room" value="music"`},
		{"the login page remembers no other place", "/login/?room=https://evil.example/", 200, "", `name="room" value="lobby"`},
		{"nobody is logged in", "/session/", 200, "", `"authenticated":false`},
		{"scripts are there", "/static/chat.js", 200, "", "Reconnecting"},
		{"templates are no secret", "/static/login.html", 200, "", "{{"},
		{"logging out takes a POST", "/logout/", 405, "", ""},
		{"there is nothing else", "/admin/", 404, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tn.browser(t)
			r := b.get(tt.target)
			if r.StatusCode != tt.status || r.Header.Get("Location") != tt.location {
				t.Errorf("status %d to %q, want %d to %q", r.StatusCode, r.Header.Get("Location"), tt.status, tt.location)
			}
			if !strings.Contains(r.body, tt.contains) {
				t.Errorf("the page does not contain %q", tt.contains)
			}
			if b.cookie != "" {
				t.Error("a stranger got a session")
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff",
				"Cache-Control": "no-store", "Vary": "Cookie",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestStaticTypes(t *testing.T) {
	tn := newTown(t)
	for target, want := range map[string]string{
		"/static/chat.js": "text/javascript", "/static/demo.css": "text/css", "/static/icon.svg": "image/svg+xml",
	} {
		if got := tn.browser(t).get(target).Header.Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q, want %q", target, got, want)
		}
	}
}

func TestLogin(t *testing.T) {
	tn := newTown(t)
	tests := []struct {
		name     string
		form     url.Values
		location string
		contains string
	}{
		{"the right password", url.Values{"username": {"alice"}, "password": {"nuages"}}, "/chat/lobby/", ""},
		{"and the room", url.Values{"username": {"bob"}, "password": {"minor-swing"}, "room": {"music"}}, "/chat/music/", ""},
		{"no other place", url.Values{"username": {"bob"}, "password": {"minor-swing"}, "room": {"/evil.example"}}, "/chat/lobby/", ""},
		{"the password of somebody else", url.Values{"username": {"alice"}, "password": {"minor-swing"}}, "", "do not belong together"},
		{"an unknown user, shown as text", url.Values{"username": {`"><script>`}, "password": {"x"}}, "", `value="&#34;&gt;&lt;script&gt;"`},
		{"nothing at all", nil, "", "do not belong together"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tn.browser(t)
			r := b.post("/login/", tt.form)
			if r.Header.Get("Location") != tt.location || !strings.Contains(r.body, tt.contains) {
				t.Errorf("status %d to %q with\n%s", r.StatusCode, r.Header.Get("Location"), r.body)
			}
			if welcome := tt.location != ""; b.known() != welcome {
				t.Errorf("known = %v, want %v", b.known(), welcome)
			}
			if strings.Contains(r.body, `type="password" value`) {
				t.Error("the page gives the password back")
			}
		})
	}
}

func TestLoginCookie(t *testing.T) {
	b := newTown(t).browser(t)
	r := b.post("/login/", url.Values{"username": {"alice"}, "password": {"nuages"}})
	c := r.Cookies()[0]
	if c.Name != "sessionid" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 1209600 {
		t.Errorf("cookie %s with Path %s, Max-Age %d, SameSite %d, HttpOnly %v", c.Name, c.Path, c.MaxAge, c.SameSite, c.HttpOnly)
	}
	if len(c.Value) != 32 {
		t.Errorf("the session key has %d characters", len(c.Value))
	}
	r = b.get("/chat/lobby/")
	for _, want := range []string{`data-username="alice"`, `data-room="lobby"`, `href="/chat/lobby/" aria-current="page"`} {
		if !strings.Contains(r.body, want) {
			t.Errorf("the page does not contain %s", want)
		}
	}
	if strings.Contains(r.body, c.Value) {
		t.Error("the page shows the session key")
	}
}

func TestLogout(t *testing.T) {
	tn := newTown(t)
	b := tn.browser(t)
	b.logIn("alice")
	stolen := tn.browser(t)
	stolen.cookie = b.cookie
	if r := b.post("/logout/", nil); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/login/" || b.cookie != "" {
		t.Errorf("status %d to %q, cookie kept: %v", r.StatusCode, r.Header.Get("Location"), b.cookie != "")
	}
	if stolen.known() {
		t.Error("the old cookie is still good")
	}
	if r := b.post("/logout/", nil); r.StatusCode != http.StatusSeeOther {
		t.Errorf("a second logout is answered with %d", r.StatusCode)
	}
}

func TestLoginAsSomebodyElse(t *testing.T) {
	tn := newTown(t)
	b := tn.browser(t)
	b.logIn("alice")
	before := b.cookie
	socket := wstest.New(tn.app, "/ws/chat/lobby/", wstest.Config{
		Layer:  tn.layer,
		Header: http.Header{"Cookie": {sessionCookie + "=" + before}, "Origin": {"http://" + testHost}},
	})
	if r, err := socket.Connect(t.Context()); err != nil || r.Status != http.StatusSwitchingProtocols {
		t.Fatalf("handshake answered with %d, error %v", r.Status, err)
	}
	b.logIn("bob")
	if b.cookie == before || !strings.Contains(b.get("/chat/lobby/").body, `data-username="bob"`) {
		t.Error("the browser is not bob's with a new key")
	}
	b.cookie = before
	if b.known() {
		t.Error("alice's cookie is still good")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		_, err := socket.Receive(ctx)
		if closed, ok := errors.AsType[*wstest.CloseError](err); ok {
			if closed.Code != consumers.CloseSessionEnded {
				t.Errorf("alice's socket was closed with %d", closed.Code)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := socket.Close(t.Context(), consumers.CloseGoingAway); err != nil {
		t.Error(err)
	}
}

func TestForgedPosts(t *testing.T) {
	tn := newTown(t)
	tests := []struct {
		name   string
		header http.Header
	}{
		{"another site", http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}},
		{"another port of this machine", http.Header{"Origin": {"http://127.0.0.1:9999"}, "Sec-Fetch-Site": {"same-site"}}},
		{"a browser without Sec-Fetch-Site", http.Header{"Origin": {"http://127.0.0.1:9999"}}},
		{"an opaque origin", http.Header{"Origin": {"null"}}},
		{"no origin, but Sec-Fetch-Site", http.Header{"Origin": nil, "Sec-Fetch-Site": {"cross-site"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tn.browser(t)
			form := url.Values{"username": {"alice"}, "password": {"nuages"}}
			if r := b.request(http.MethodPost, "/login/", form, tt.header); r.StatusCode != http.StatusForbidden || b.cookie != "" {
				t.Errorf("login answered with %d, cookie set: %v", r.StatusCode, b.cookie != "")
			}
			b.logIn("alice")
			if r := b.request(http.MethodPost, "/logout/", nil, tt.header); r.StatusCode != http.StatusForbidden || !b.known() {
				t.Errorf("logout answered with %d, still logged in: %v", r.StatusCode, b.known())
			}
		})
	}
}

func TestOtherHostsAndOrigins(t *testing.T) {
	tn := newTown(t)
	b := tn.browser(t)
	if r := b.request(http.MethodGet, "/login/", nil, http.Header{"Host": {"evil.example:8001"}}); r.StatusCode != http.StatusBadRequest {
		t.Errorf("another host is answered with %d", r.StatusCode)
	}
	b.logIn("alice")
	tests := []struct {
		name, origin string
		want         int
	}{
		{"the page's own", "http://127.0.0.1:8001", 101},
		{"the same under another name", "http://localhost:8001", 101},
		{"another port", "http://127.0.0.1:9999", 403},
		{"another site", "http://evil.example:8001", 403},
		{"an opaque one", "null", 403},
		{"none", "", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{"Cookie": {sessionCookie + "=" + b.cookie}}
			if tt.origin != "" {
				header.Set("Origin", tt.origin)
			}
			socket := wstest.New(tn.app, "/ws/chat/lobby/", wstest.Config{Layer: tn.layer, Header: header})
			if r, err := socket.Connect(t.Context()); err != nil || r.Status != tt.want {
				t.Errorf("handshake answered with %d, error %v, want %d", r.Status, err, tt.want)
			}
			_ = socket.Close(t.Context(), consumers.CloseGoingAway)
		})
	}
}

func TestLoginAttemptsAreBounded(t *testing.T) {
	tn := newTown(t)
	tn.site.logins = pace{burst: 1, interval: time.Hour}
	b := tn.browser(t)
	b.post("/login/", url.Values{"username": {"alice"}, "password": {"wrong"}})
	r := b.post("/login/", url.Values{"username": {"alice"}, "password": {"nuages"}})
	if !strings.Contains(r.body, "Too many attempts") || b.cookie != "" {
		t.Errorf("status %d, cookie set: %v, page\n%s", r.StatusCode, b.cookie != "", r.body)
	}
}

func TestASocketEndsWithTheRowOfItsSession(t *testing.T) {
	tn := newTown(t)
	b := tn.browser(t)
	b.logIn("alice")
	socket := wstest.New(tn.app, "/ws/chat/lobby/", wstest.Config{
		Layer:  tn.layer,
		Header: http.Header{"Cookie": {sessionCookie + "=" + b.cookie}, "Origin": {"http://" + testHost}},
	})
	if r, err := socket.Connect(t.Context()); err != nil || r.Status != http.StatusSwitchingProtocols {
		t.Fatalf("handshake answered with %d, error %v", r.Status, err)
	}
	if err := tn.site.sessions.Delete(t.Context(), b.cookie); err != nil { // as somebody else would
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, err := socket.Receive(ctx)
		if closed, ok := errors.AsType[*wstest.CloseError](err); ok {
			if closed.Code != consumers.CloseSessionEnded {
				t.Errorf("closed with %d, want %d", closed.Code, consumers.CloseSessionEnded)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := socket.Close(t.Context(), consumers.CloseSessionEnded); err != nil {
		t.Error(err)
	}
}
