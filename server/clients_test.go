package server_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/parts"
	"github.com/belleville/belleville/server"
)

// talker echoes, chooses a subprotocol, and closes when it is told to.
type talker struct{ ended chan<- consumers.CloseCode }

func (tk *talker) Connect(_ context.Context, c *consumers.Conn) error {
	var a consumers.Acceptance
	if slices.Contains(c.Scope().Subprotocols, "chat") {
		a.Subprotocol = "chat"
	}
	return c.AcceptWith(a)
}

func (tk *talker) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	if m.Text() == "close" {
		return c.Close(4001, "as äsked")
	}
	return c.Send(m)
}

func (tk *talker) Disconnect(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	tk.ended <- code
	return nil
}

// conversation is what a client heard.
type conversation struct {
	Subprotocol string `json:"subprotocol"`
	Text        string `json:"text"`
	Empty       bool   `json:"empty"`
	Binary      string `json:"binary"` // in hex
	LargeText   bool   `json:"largeText"`
	LargeBinary bool   `json:"largeBinary"`
	Fragments   string `json:"fragments"`
	Code        int    `json:"code"` // with which the server closed
	Reason      string `json:"reason"`
	Answer      int    `json:"answer"` // to the client's own close
}

func TestIndependentClients(t *testing.T) {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	want := conversation{
		"chat", "grüße ☃ \U0001f30d", true, hex.EncodeToString(all[:]), true, true, "fragmented", 4001, "as äsked", 4321,
	}
	clients := []struct {
		name string
		talk func(t *testing.T, url string) conversation
	}{
		{"coder/websocket", talkWithCoder},
		{"Python's websockets", talkWithPython},
		{"Chromium", talkWithChromium},
	}
	for _, client := range clients {
		t.Run(client.name, func(t *testing.T) {
			ended := make(chan consumers.CloseCode, 4)
			app := func() consumers.Application { return consumers.New(func() *talker { return &talker{ended} }) }
			onBoth(t, app, server.Config{}, func(t *testing.T, s *site) {
				if got := client.talk(t, "ws://"+s.addr+"/"); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				codes := []consumers.CloseCode{<-ended, <-ended} // of two connections, in any order
				slices.Sort(codes)
				if want := []consumers.CloseCode{4001, 4321}; !slices.Equal(codes, want) {
					t.Errorf("Disconnect got %d, want %d", codes, want)
				}
			})
		})
	}
}

// talkWithPython runs testdata/conversation.py.
func talkWithPython(t *testing.T, url string) (heard conversation) {
	python := "/usr/bin/python3"
	if chosen := os.Getenv("PYTHON"); chosen != "" {
		python = chosen
	}
	err := exec.CommandContext(t.Context(), python, "-c", "import websockets").Run()
	if err != nil {
		err = fmt.Errorf("%w: Debian's package python3-websockets (the environment variable PYTHON names another Python)", parts.ErrMissing)
	}
	parts.Need(t, "Python's websockets", err)
	cmd := exec.CommandContext(t.Context(), python, "testdata/conversation.py", url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(out, &heard); err != nil {
		t.Fatal(err)
	}
	return heard
}

// talkWithChromium runs testdata/conversation.js in a headless browser.
func talkWithChromium(t *testing.T, url string) (heard conversation) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		err = fmt.Errorf("%w: Debian's package chromium", parts.ErrMissing)
	}
	parts.Need(t, "Chromium", err)
	script, err := os.ReadFile("testdata/conversation.js")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(program), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.UserDataDir(t.TempDir()))
	defer stop()
	ctx, closeBrowser := chromedp.NewContext(ctx)
	defer closeBrowser()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf("%s(%q)", script, url), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &heard); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Cancel(ctx); err != nil {
		t.Errorf("close Chromium: %v", err)
	}
	return heard
}

// talkWithCoder has the conversation in Go.
func talkWithCoder(t *testing.T, url string) (heard conversation) {
	dial := func() *websocket.Conn {
		ws, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{Subprotocols: []string{"chat"}})
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(1 << 21)
		return ws
	}
	ws := dial()
	defer ws.CloseNow()
	ask := func(kind websocket.MessageType, message string) string {
		if err := ws.Write(t.Context(), kind, []byte(message)); err != nil {
			t.Fatal(err)
		}
		got, answer, err := ws.Read(t.Context())
		if err != nil || got != kind {
			t.Fatalf("Read = %v, %v, want %v", got, err, kind)
		}
		return string(answer)
	}
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	large := strings.Repeat("0123456789abcdef", 1<<16)
	heard.Subprotocol = ws.Subprotocol()
	heard.Text = ask(websocket.MessageText, "grüße ☃ \U0001f30d")
	heard.Empty = ask(websocket.MessageText, "") == ""
	heard.Binary = hex.EncodeToString([]byte(ask(websocket.MessageBinary, string(all[:]))))
	heard.LargeText = ask(websocket.MessageText, large) == large
	heard.LargeBinary = ask(websocket.MessageBinary, large) == large
	heard.Fragments = talkInFragments(t, ws)
	if err := ws.Write(t.Context(), websocket.MessageText, []byte("close")); err != nil {
		t.Fatal(err)
	}
	_, _, err := ws.Read(t.Context())
	closed, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		t.Fatalf("Read: %v, want a close", err)
	}
	heard.Code, heard.Reason = int(closed.Code), closed.Reason
	ws = dial()
	if err := ws.Close(4321, "bye"); err == nil { // it checks the answer
		heard.Answer = 4321
	}
	return heard
}

// talkInFragments sends one message in three frames.
func talkInFragments(t *testing.T, ws *websocket.Conn) string {
	t.Helper()
	w, err := ws.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"frag", "men", "ted"} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, answer, err := ws.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
