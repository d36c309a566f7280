package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/belleville/belleville/internal/parts"
)

// patience is how long a page may take for anything.
const patience = 30 * time.Second

// startChromium starts a browser with a profile of its own. Its windows are contexts under the one returned.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	path, err := findChromium()
	parts.Need(t, "Chromium", err)
	ctx, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "en-GB"),
		chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error("close Chromium: ", err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("start Chromium: ", err)
	}
	return ctx
}

func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("chromium, Debian's package chromium: %w", parts.ErrMissing)
}

// A window is one window of a browser.
type window struct {
	t    *testing.T
	ctx  context.Context
	name string

	mu       sync.Mutex // guards the field below
	messages []string   // errors and warnings on the console
}

// openWindow opens a window in the browser that ctx belongs to. With private, it shares nothing with others.
func openWindow(t *testing.T, ctx context.Context, name string, options ...chromedp.ContextOption) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx, options...)
	t.Cleanup(cancel)
	w := &window{t: t, ctx: ctx, name: name}
	console := chromedp.Console(ctx)
	var reading sync.WaitGroup
	t.Cleanup(reading.Wait)
	t.Cleanup(cancel)
	reading.Go(func() {
		for m, err := range console {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleWarning {
				w.mu.Lock()
				w.messages = append(w.messages, string(m.Type)+": "+m.Text)
				w.mu.Unlock()
			}
		}
	})
	return w
}

// console returns what was on the console since it was last asked.
func (w *window) console() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	messages := w.messages
	w.messages = nil
	return messages
}

// do performs actions.
func (w *window) do(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
}

// eval returns the value of a script.
func eval[T any](w *window, script string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		w.t.Fatalf("%s: %s: %v", w.name, script, err)
	}
	return v
}

// until waits until a script's value is true, also over a navigation.
func (w *window) until(condition string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	script := `new Promise((done) => {
		const check = () => {
			let is = false;
			try { is = ` + condition + `; } catch {}
			is ? done(true) : setTimeout(check, 25);
		};
		check();
	})`
	for {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err == nil {
			return
		}
		if ctx.Err() != nil { // any other error: the page went away while the script was waiting
			page, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			w.t.Fatalf("%s: it did not come true that %s; the page says\n%s\nthe console %q", w.name, condition, page, w.console())
		}
	}
}

// untilText waits until an element is shown, with a text.
func (w *window) untilText(selector, text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("((e) => e.checkVisibility() && e.innerText.includes(%q))(document.querySelector(%q))", text, selector))
}

// typeInto types into an element.
func (w *window) typeInto(selector, text string) {
	w.t.Helper()
	w.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press presses a key in whatever has the focus.
func (w *window) press(key input.DispatchKeyEventParams) {
	w.t.Helper()
	down, up := key, key
	down.Type = input.DispatchKeyEventTypeKeyDown
	up.Type, up.Text = input.DispatchKeyEventTypeKeyUp, ""
	w.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for _, p := range []input.DispatchKeyEventParams{down, up} {
			if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, p); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (w *window) pressEnter() {
	w.t.Helper()
	w.press(input.DispatchKeyEventParams{Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13})
}

func (w *window) pressTab() {
	w.t.Helper()
	w.press(input.DispatchKeyEventParams{Key: "Tab", Code: "Tab", WindowsVirtualKeyCode: 9})
}

// A look is how a page is looked at.
type look struct {
	width, height int64
	scheme        string // light or dark
}

var (
	desktop     = look{1280, 800, "light"}
	desktopDark = look{1280, 800, "dark"}
	phone       = look{390, 844, "light"}
	phoneDark   = look{390, 844, "dark"}
	narrow      = look{320, 568, "light"}
)

// shoot takes a picture into the test's artifacts, and checks that there is something on it, in the right
// colours, and nothing beside it.
func (w *window) shoot(name string, l look) {
	w.t.Helper()
	w.do(chromedp.EmulateViewport(l.width, l.height), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
		})
		return err
	}))
	w.until(fmt.Sprintf("innerWidth === %d && matchMedia('(prefers-color-scheme: %s)').matches", l.width, l.scheme))
	if wide := eval[int64](w, `Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll("main, header, form")]
		.filter((e) => e.scrollWidth > e.clientWidth && getComputedStyle(e).display !== "inline").map((e) => e.getBoundingClientRect().left + e.scrollWidth))`); wide > l.width {
		w.t.Errorf("%s: the page is %d pixels wide, %d too many", name, wide, wide-l.width)
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	data, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.t.ArtifactDir(), name+".png"), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		w.t.Fatal(err)
	}
	if size := picture.Bounds().Size(); int64(size.X) != l.width || int64(size.Y) != l.height {
		w.t.Errorf("%s: the picture is %v", name, size)
	}
	colours, brightness := survey(picture)
	if colours < 100 || (brightness > 0.5) != (l.scheme == "light") {
		w.t.Errorf("%s: %d colours of brightness %.2f: that is no page in %s", name, colours, brightness, l.scheme)
	}
}

// survey counts the colours of a picture, and returns how bright it is, from 0 to 1.
func survey(picture image.Image) (colours int, brightness float64) {
	seen := make(map[[3]uint32]bool)
	var sum, n float64
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
			sum += float64(r+g+b) / 3 / 0xffff
			n++
		}
	}
	return len(seen), sum / n
}

// quiet fails if anything was on the console but what is expected, by a part of its text.
func (w *window) quiet(expected ...string) {
	w.t.Helper()
	for _, message := range w.console() {
		if !containsAny(message, expected) {
			w.t.Errorf("%s: on the console: %s", w.name, message)
		}
	}
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
