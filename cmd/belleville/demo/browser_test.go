package demo

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/belleville/belleville/internal/parts"
)

// running is a demo that runs.
type running struct {
	t      *testing.T
	url    string
	stop   context.CancelFunc
	result chan error
}

// lines passes on what is printed, as soon as a whole announcement is there.
type lines struct {
	mu       sync.Mutex // guards the field below
	text     bytes.Buffer
	complete chan struct{}
	once     sync.Once
}

func newLines() *lines { return &lines{complete: make(chan struct{})} }

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	if bytes.Contains(l.text.Bytes(), []byte("Ctrl-C")) {
		l.once.Do(func() { close(l.complete) })
	}
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// runDemo starts the command and waits until it says where it is.
func runDemo(t *testing.T, listen, dir string) (*running, string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out := newLines()
	r := &running{t: t, stop: stop, result: make(chan error, 1)}
	command := &Command{Listen: listen, Dir: dir}
	go func() { r.result <- command.Run(ctx, out, slog.New(slog.NewTextHandler(t.Output(), nil))) }()
	select {
	case <-out.complete:
	case err := <-r.result:
		stop()
		t.Fatal("the demo ended at once: ", err)
	}
	_, after, _ := strings.Cut(out.String(), "Open")
	r.url = strings.Fields(after)[0]
	return r, out.String()
}

// end ends the demo, as Ctrl-C does.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.result; err != nil {
		r.t.Error("the demo ended with ", err)
	}
}

// TestBrowser is the demo as two people see it.
func TestBrowser(t *testing.T) {
	chromium := startChromium(t)
	port, err := parts.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	listen, dir := net.JoinHostPort("127.0.0.1", fmt.Sprint(port)), t.TempDir()
	demo, _ := runDemo(t, listen, dir)
	defer func() { demo.end() }()
	alice := openWindow(t, chromium, "alice", chromedp.WithNewBrowserContext())
	bob := openWindow(t, chromium, "bob", chromedp.WithNewBrowserContext())

	logInByKeyboard(alice, demo.url)
	logInByButton(bob, demo.url)
	bothSeeEachOther(alice, bob)
	theyTalk(alice, bob)
	roomsAreApart(alice, bob)
	panelKnows(alice)
	keyboardReaches(alice)

	second := openWindow(t, alice.ctx, "alice's second tab")
	second.do(chromedp.Navigate(demo.url))
	second.until(`document.getElementById("state").dataset.state === "open"`)
	bob.untilText("#here", "2 tabs")

	alice.shoot("chat-light", desktop)
	alice.shoot("chat-dark", desktopDark)
	bob.shoot("chat-phone", phone)
	for _, w := range []*window{alice, bob, second} {
		w.quiet()
	}

	demo.end()
	connectionIsLost(alice, bob)
	demo, _ = runDemo(t, listen, dir)
	theyComeBack(alice, bob, second)

	aliceLeaves(alice, bob, second)
	for _, w := range []*window{alice, bob, second} {
		w.quiet()
	}
}

func logInByKeyboard(w *window, url string) {
	w.t.Helper()
	w.do(chromedp.Navigate(url))
	w.untilText("h1", "Belleville")
	w.shoot("login-light", desktop)
	w.shoot("login-phone-dark", phoneDark)
	w.until(`document.activeElement.id === "username"`)
	w.typeInto("#username", "alice")
	w.pressTab()
	w.until(`document.activeElement.id === "password"`)
	w.typeInto("#password", "wrong")
	w.pressEnter()
	w.untilText("[role=alert]", "do not belong together")
	w.until(`document.activeElement.id === "password" && document.getElementById("username").value === "alice"`)
	w.shoot("login-wrong", phone)
	w.typeInto("#password", "nuages")
	w.pressEnter()
	w.until(`location.pathname === "/chat/lobby/"`)
	w.untilText("#state-text", "Connected")
	w.untilText("#empty", "Nobody has said anything here yet.")
	w.shoot("chat-empty", desktop)
}

func logInByButton(w *window, url string) {
	w.t.Helper()
	w.do(chromedp.Navigate(url), chromedp.Click(chromedp.CSS(`button[data-username="bob"]`)))
	w.pressEnter() // the focus is on "Sign in" now
	w.untilText("#state-text", "Connected")
}

func bothSeeEachOther(alice, bob *window) {
	alice.t.Helper()
	alice.until(`[...document.querySelectorAll("#here li")].map((e) => e.innerText.replace(/\s+/g, " ")).join() === "A alice (you),B bob"`)
	bob.until(`[...document.querySelectorAll("#here li")].map((e) => e.innerText.replace(/\s+/g, " ")).join() === "A alice,B bob (you)"`)
	alice.untilText("#messages", "bob came in")
}

// say types a message and presses Enter.
func say(w *window, text string) {
	w.t.Helper()
	w.typeInto("#text", text)
	w.pressEnter()
}

func theyTalk(alice, bob *window) {
	alice.t.Helper()
	say(alice, "Hello Bob, do you hear me?")
	say(alice, "Your session came from Django's table.")
	for _, w := range []*window{alice, bob} {
		w.untilText("#messages", "Your session came from Django's table.")
	}
	say(bob, `Yes, and <b onclick="alert(1)">this</b> is only text.`)
	for _, w := range []*window{alice, bob} {
		w.untilText("#messages", `<b onclick="alert(1)">this</b>`)
		w.until(`document.querySelectorAll(".words *").length === 0`)
		w.until(`document.getElementById("empty").hidden`)
	}
	alice.until(`document.getElementById("text").value === ""`)
	alice.until(`document.querySelectorAll(".mine").length === 2 && document.querySelectorAll(".message").length === 3`)
	bob.until(`document.querySelectorAll(".mine").length === 1 && document.querySelectorAll(".message").length === 3`)
	if live := eval[string](alice, `document.getElementById("log").getAttribute("role")`); live != "log" {
		alice.t.Errorf("the messages are in a %q, which is not read out", live)
	}
}

func roomsAreApart(alice, bob *window) {
	alice.t.Helper()
	alice.do(chromedp.Click(chromedp.CSS(`a[href="/chat/music/"]`)))
	alice.until(`location.pathname === "/chat/music/" && document.title.startsWith("music")`)
	alice.untilText("#state-text", "Connected")
	bob.untilText("#messages", "alice left")
	say(bob, "Where is she?")
	alice.typeInto("#other", "swing_42")
	alice.pressEnter()
	alice.until(`location.pathname === "/chat/swing_42/"`)
	alice.untilText("#state-text", "Connected")
	alice.do(chromedp.Click(chromedp.CSS(`a[href="/chat/lobby/"]`)))
	alice.untilText("#messages", "Where is she?") // which was said before
	alice.until(`document.querySelectorAll(".message").length === 4`)
	bob.until(`document.querySelector("#messages li:last-child").innerText === "alice came in"`)
}

func panelKnows(w *window) {
	w.t.Helper()
	for _, fact := range []string{
		"alice, id 1", "Alice Reinhardt", "django.contrib.auth.backends.ModelBackend", "sessionid",
		"chat.lobby", "127.0.0.1:",
	} {
		w.untilText("#facts", fact)
	}
	const twoWeeks = `(() => {
		const said = [...document.querySelectorAll("#facts div")].find((e) => e.firstChild.innerText === "Session ends").lastChild.innerText;
		const days = (Date.parse(said.replace(" at ", " ")) - Date.now()) / 86400000;
		return days > 13.9 && days < 14.1;
	})()`
	w.until(twoWeeks)
}

// keyboardReaches goes through the page with Tab alone, and looks whether the focus can be seen.
func keyboardReaches(w *window) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.CSS("#room")))
	eval[bool](w, `document.activeElement.blur(), getSelection().removeAllRanges(), document.querySelector(".skip").focus(), true`)
	var order []string
	for range 40 {
		name := eval[string](w, `(() => {
			const e = document.activeElement;
			if (e === document.body) return "";
			const style = getComputedStyle(e);
			const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
			return (e.id || e.innerText.trim()) + (seen ? "" : " (unseen)");
		})()`)
		if name == "" {
			break
		}
		order = append(order, name)
		w.pressTab()
	}
	const want = "Skip to the message field, Log out, lobby, music, paris, other, Go, log, text, send, What Belleville knows about you, drop"
	if got := strings.Join(order, ", "); got != want {
		w.t.Errorf("Tab goes\n%s, want\n%s", got, want)
	}
}

func connectionIsLost(alice, bob *window) {
	alice.t.Helper()
	for _, w := range []*window{alice, bob} {
		w.untilText("#lost", "Connection lost.")
		w.untilText("#state-text", "Reconnecting")
	}
	say(alice, "This is kept.")
	alice.untilText("#say-note", "Not sent")
	alice.shoot("lost-light", desktop)
	bob.shoot("lost-narrow", narrow)
	bob.shoot("lost-phone-dark", phoneDark)
}

func theyComeBack(alice, bob, second *window) {
	alice.t.Helper()
	eval[bool](alice, `document.getElementById("retry").click(), true`)
	for _, w := range []*window{alice, bob, second} {
		w.untilText("#state-text", "Connected")
		w.until(`document.getElementById("lost").hidden`)
		// The browser itself notes each attempt that failed.
		w.quiet("WebSocket connection to", "net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET")
	}
	alice.until(`document.getElementById("text").value === "This is kept."`)
	alice.do(chromedp.Click(chromedp.CSS("#send")))
	bob.untilText("#messages", "This is kept.")
	bob.until(`document.querySelectorAll(".message").length === 5`) // none twice

	const channel = `[...document.querySelectorAll("#facts div")].find((e) => e.firstChild.textContent === "Channel name").lastChild.textContent`
	before := eval[string](bob, channel)
	eval[bool](bob, `document.getElementById("drop").click(), true`)
	bob.until(fmt.Sprintf("%s !== %q", channel, before)) // it is another connection
	say(bob, "Back again.")
	alice.untilText("#messages", "Back again.")
}

func aliceLeaves(alice, bob, second *window) {
	alice.t.Helper()
	alice.do(chromedp.Click(chromedp.CSS(".log-out button")))
	alice.until(`location.pathname === "/login/"`)
	second.untilText("#lost", "You are logged out.")
	second.untilText("#lost", "The server closed this socket: session ended.")
	second.until(`document.querySelectorAll("#here li").length === 0`)
	second.shoot("logged-out", phone)
	bob.untilText("#messages", "alice left")
	bob.until(`document.querySelectorAll("#here li").length === 1`)
	second.do(chromedp.Click(chromedp.CSS("#again")))
	second.until(`location.pathname === "/login/"`)
}
