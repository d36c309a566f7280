package demo

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// testHost is where the site under test is.
const testHost = "127.0.0.1:8001"

// town is the demo without a network.
type town struct {
	site  *site
	app   consumers.Application
	layer *memlayer.Layer
	home  *home
}

func newTown(t *testing.T) *town {
	t.Helper()
	h, err := openHome(t.Context(), t.TempDir(), quickly())
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := sessionstore.Open(t.Context(), sessionstore.Config{
		DatabaseURL: databaseURL(h.database), Keys: h.keys, Passwords: djangocompat.HasherConfig{Iterations: quickly().Iterations},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sessions.Close)
	hosts := []string{"127.0.0.1", "localhost"}
	s := newSite(sessions, hosts, slog.New(slog.NewTextHandler(t.Output(), nil)))
	stop, err := s.follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &town{site: s, app: application(s, "8001"), layer: memlayer.New(memlayer.Config{}), home: h}
}

// browser keeps a session cookie.
type browser struct {
	t      *testing.T
	town   *town
	cookie string // the session key
}

func (tn *town) browser(t *testing.T) *browser { return &browser{t: t, town: tn} }

// answer is what came back, read.
type answer struct {
	*http.Response
	body string
}

// request makes a request from a page of the site itself, unless header says otherwise.
func (b *browser) request(method, target string, form url.Values, header http.Header) answer {
	b.t.Helper()
	h := http.Header{"Host": {testHost}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if b.cookie != "" {
		h.Set("Cookie", "theme=dark; "+sessionCookie+"="+b.cookie)
	}
	if method == http.MethodPost {
		h.Set("Origin", "http://"+testHost)
	}
	maps.Copy(h, header)
	r := wstest.Request(b.t.Context(), b.town.app, method, target, []byte(form.Encode()), wstest.Config{Header: h, Layer: b.town.layer})
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range r.Cookies() {
		if c.Name == sessionCookie {
			b.cookie = c.Value
		}
	}
	return answer{r, string(body)}
}

func (b *browser) get(target string) answer {
	b.t.Helper()
	return b.request(http.MethodGet, target, nil, nil)
}

func (b *browser) post(target string, form url.Values) answer {
	b.t.Helper()
	return b.request(http.MethodPost, target, form, nil)
}

// logIn logs one of the demo's accounts in.
func (b *browser) logIn(username string) {
	b.t.Helper()
	for _, a := range accounts() {
		if a.Username != username {
			continue
		}
		r := b.post("/login/", url.Values{"username": {a.Username}, "password": {a.Password}})
		if r.StatusCode != http.StatusSeeOther || b.cookie == "" {
			b.t.Fatalf("logging %s in: status %d, cookie set: %v", username, r.StatusCode, b.cookie != "")
		}
	}
}

// known reports whether the site takes the browser for somebody's.
func (b *browser) known() bool {
	b.t.Helper()
	switch body := strings.TrimSpace(b.get("/session/").body); body {
	case `{"authenticated":true}`:
		return true
	case `{"authenticated":false}`:
		return false
	default:
		b.t.Fatalf("/session/ says %s", body)
		return false
	}
}
