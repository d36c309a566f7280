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
