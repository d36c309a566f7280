package main

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

func TestSIGHUPReadsTheConfigurationAgain(t *testing.T) {
	front := "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n"
	database := djangoDatabase(t)
	path := configuration(t, database, front, "")
	cmd, line, log := child(t, path)
	m := regexp.MustCompile(bannerFormat).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("belleville did not start: %q\n%s", line, log)
	}
	s := &serving{belleville: &belleville{addr: m[1], admin: m[2]}}
	ws, _ := s.open(t, s.addr, "/ws/echo/", testOrigin, "")
	again := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	status := func(path string) int {
		opened, got := s.open(t, s.addr, path, testOrigin, "")
		if opened != nil {
			_ = opened.CloseNow()
		}
		return got
	}
	later := "[[routes]]\npath = \"ws/later/\"\nconsumer = \"echo\"\n"

	if got := status("/ws/later/"); got != http.StatusNotFound {
		t.Errorf("before: status = %d, want 404", got)
	}
	again(strings.Replace(string(was), "admin_listen", "debug_listen = \"127.0.0.1:0\"\nadmin_listen", 1) + later)
	eventually(t, "it was read again", func() bool { return strings.Contains(log.String(), "the configuration was read again") })
	if got := status("/ws/later/"); got != http.StatusSwitchingProtocols {
		t.Errorf("afterwards: status = %d, want 101\n%s", got, log)
	}
	if !strings.Contains(log.String(), "counts after a restart") || !strings.Contains(log.String(), "key=debug_listen") {
		t.Errorf("nothing was said of debug_listen:\n%s", log)
	}

	again(string(was) + "[[routes]]\npath = \"ws/last/\"\nconsumer = \"ekho\"\n[limits]\nmax_head = -1\n")
	eventually(t, "both mistakes are logged", func() bool {
		return strings.Contains(log.String(), "routes[3].consumer") && strings.Contains(log.String(), "limits.max_head")
	})
	if got := status("/ws/later/"); got != http.StatusSwitchingProtocols {
		t.Errorf("after a wrong one: status = %d, want 101", got)
	}

	if err := ws.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := ws.Read(t.Context()); string(got) != "still here" || err != nil {
		t.Errorf("the socket that was open: %q, %v", got, err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_, _, _ = ws.Read(t.Context()) // answers the close frame
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v\n%s", err, log)
	}
}

func TestSIGHUPRotatesTheKeyAndTakesOverTokens(t *testing.T) {
	front := "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n"
	path := configuration(t, djangoDatabase(t), front, "")
	cmd, line, log := child(t, path)
	m := regexp.MustCompile(bannerFormat).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("belleville did not start: %q\n%s", line, log)
	}
	s := &serving{belleville: &belleville{addr: m[1], admin: m[2]}}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	times := 0
	again := func(text, want string) {
		t.Helper()
		before := strings.Count(log.String(), want)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, want, func() bool { return strings.Count(log.String(), want) > before })
		times++
	}
	const done = "the configuration was read again"
	key := "secret_key = '" + djangoKey + "'\n"
	rotated := strings.Replace(string(was), key, "secret_key = 'another key'\nsecret_key_fallbacks = ['"+djangoKey+"']\n", 1)
	ws, _ := s.open(t, s.addr, "/ws/chat/lobby/", testOrigin, aliceCookie)
	if ws == nil {
		t.Fatalf("alice is not let in\n%s", log)
	}
	enters := func(want int) {
		t.Helper()
		opened, got := s.open(t, s.addr, "/ws/chat/lobby/", testOrigin, aliceCookie)
		if opened != nil {
			_ = opened.CloseNow()
		}
		if got != want {
			t.Errorf("after %d reloads alice is answered %d, want %d\n%s", times, got, want, log)
		}
	}

	again(rotated, done)
	enters(http.StatusSwitchingProtocols)
	again(rotated+"[[tokens]]\nkind = \"authtoken\"\ntable = \"nowhere\"\n", `there is no table \"nowhere\"`)
	enters(http.StatusSwitchingProtocols)
	again(rotated+"[[tokens]]\nkind = \"simplejwt\"\nuser_id_field = \"email\"\n", done)
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"message": "still here"}`)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := ws.Read(t.Context()); !strings.Contains(string(got), "still here") {
		t.Errorf("the socket that was open: %q, %v", got, err)
	}

	again(strings.Replace(string(was), key, "secret_key = 'another key'\n", 1), done)
	_, _, err = ws.Read(t.Context())
	if websocket.CloseStatus(err) != 4401 {
		t.Errorf("the old key was dropped: %v, want a close with 4401", err)
	}
	enters(http.StatusForbidden)
}
