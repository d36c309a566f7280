package main

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/internal/pgtest"
)

// tutorial is the second part of the tutorial in Debian's package of Channels' documentation.
const tutorial = "/usr/share/doc/python-django-channels-doc/html/_sources/tutorial/part_2.rst.txt"

// tutorialPage returns the tutorial's template of a room, as it stands there.
func tutorialPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(tutorial)
	if err != nil {
		err = errors.Join(parts.ErrMissing, err)
	}
	parts.Need(t, "Channels' documentation (python-django-channels-doc)", err)
	const first = "    <!-- chat/templates/chat/room.html -->\n"
	_, rest, found := strings.Cut(string(text), first)
	if !found {
		t.Fatal("the tutorial has no room.html any more")
	}
	var page strings.Builder
	for line := range strings.Lines(rest) {
		if code, indented := strings.CutPrefix(line, "    "); indented {
			page.WriteString(code)
		} else if strings.TrimSpace(line) != "" {
			break
		} else {
			page.WriteString(line)
		}
	}
	return page.String()
}

// rendered has Django render a template with the name of a room.
func rendered(t *testing.T, site *djangotest.Site, template, room string) string {
	t.Helper()
	return site.Shell(t, "import base64\nfrom django.template import engines\n"+
		"source = base64.b64decode('"+base64.StdEncoding.EncodeToString([]byte(template))+"').decode()\n"+
		"print(engines['django'].from_string(source).render({'room_name': '"+room+"'}))")
}

// front is one address for the page and for Belleville, as nginx would be.
func front(t *testing.T, page string, b *belleville) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/chat/lobby/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	mux.HandleFunc("/favicon.ico", func(http.ResponseWriter, *http.Request) {})
	target := &url.URL{Scheme: "http", Host: b.addr}
	mux.Handle("/ws/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// browser starts a headless Chromium and returns the context of its first tab.
func browser(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		err = errors.Join(parts.ErrMissing, err)
	}
	parts.Need(t, "Chromium", err)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

func TestThePageOfTheChannelsTutorialChats(t *testing.T) {
	page := tutorialPage(t)
	database := pgtest.Open(t).URL()
	site := djangotest.Start(t, database, djangotest.Config{SecretKey: siteKey})
	b := startBelleville(t, database)
	address := front(t, rendered(t, site, page, "lobby"), b) + "/chat/lobby/"

	one := browser(t)
	if err := open(one, address); err != nil {
		t.Fatal(err)
	}
	two, cancel := chromedp.NewContext(one)
	defer cancel()
	if err := open(two, address); err != nil {
		t.Fatal(err)
	}
	say := func(tab context.Context, text string) {
		t.Helper()
		err := chromedp.Do(tab,
			chromedp.SendKeys(chromedp.ID("chat-message-input"), text),
			chromedp.Click(chromedp.ID("chat-message-submit")))
		if err != nil {
			t.Fatal(err)
		}
	}
	hears := func(tab context.Context, want string) {
		t.Helper()
		script := `document.querySelector("#chat-log").value === ` + quoteJS(want)
		if _, err := chromedp.Run(tab, chromedp.Poll[bool](script)); err != nil {
			t.Fatalf("the log is not %q: %v", want, err)
		}
	}
	say(one, "hello from one")
	hears(two, "hello from one\n")
	say(two, "grüße <b>from</b> two")
	for _, tab := range []context.Context{one, two} {
		hears(tab, "hello from one\ngrüße <b>from</b> two\n")
	}
}

// open shows a page and waits until its socket is open.
func open(tab context.Context, address string) error {
	if err := chromedp.Do(tab, chromedp.Navigate(address)); err != nil {
		return err
	}
	_, err := chromedp.Run(tab, chromedp.Poll[bool](`chatSocket.readyState === WebSocket.OPEN`))
	return err
}

// quoteJS writes a string as JavaScript does.
func quoteJS(s string) string {
	return `"` + strings.NewReplacer("\n", `\n`, `"`, `\"`).Replace(s) + `"`
}
