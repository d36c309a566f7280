package bench

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// flags are good ones.
func flags(url string) crowdFlags {
	return crowdFlags{
		runFlags:    runFlags{targetFlags: targetFlags{URL: url, Timeout: 10 * time.Second}, AtOnce: 64, Duration: 300 * time.Millisecond},
		Clients:     10,
		ConnectTime: time.Minute,
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		name string
		make func(*broadcastCommand)
		want string
	}{
		{"no scheme", func(f *broadcastCommand) { f.URL = "127.0.0.1:8001" }, "--url is no URL, as in ws://127.0.0.1:8001/ws/echo/"},
		{"another scheme", func(f *broadcastCommand) { f.URL = "https://h/" }, `--url begins with "https://": it must be ws:// or wss://`},
		{"no host", func(f *broadcastCommand) { f.URL = "ws:///x" }, "--url is no URL, as in ws://127.0.0.1:8001/ws/echo/"},
		{"a password in the URL is not told", func(f *broadcastCommand) { f.URL = "ws://u:canary@h/" }, "--url has a user in it: name a session with --cookie, or a token with --header"},
		{"two kinds of cookies", func(f *broadcastCommand) { f.Cookie, f.CookieFile = "a=b", "f" }, "--cookie and --cookie-file cannot be used together"},
		{"a cookie without a name is not told", func(f *broadcastCommand) { f.Cookie = "canary" }, "--cookie is no NAME=VALUE"},
		{"a cookie with a line end", func(f *broadcastCommand) { f.Cookie = "a=b\r\nX: y" }, "--cookie is no NAME=VALUE"},
		{"an origin with a line end", func(f *broadcastCommand) { f.Origin = "http://h\n" }, "--origin or --subprotocol has a character that no header may have"},
		{"a header that is none", func(f *broadcastCommand) { f.Header = []string{"canary"} }, "--header is no NAME:VALUE"},
		{"a header with a line end", func(f *broadcastCommand) { f.Header = []string{"A: b\nC: d"} }, "--header is no NAME:VALUE"},
		{"a header that has its flag", func(f *broadcastCommand) { f.Header = []string{"cookie: canary"} }, "--header cannot set Cookie: use --cookie or --cookie-file"},
		{"a header of the handshake", func(f *broadcastCommand) { f.Header = []string{"Sec-WebSocket-Key: x"} }, `--header cannot set "Sec-WebSocket-Key": it is part of the handshake`},
		{"addresses of a unix socket", func(f *broadcastCommand) { f.Unix, f.Sources = "s", 2 }, "--sources and --unix cannot be used together: a unix socket has no addresses"},
		{"too many addresses", func(f *broadcastCommand) { f.Sources = 251 }, "--sources must be between 1 and 250"},
		{"no time for a handshake", func(f *broadcastCommand) { f.Timeout = 0 }, "--timeout must be between 1ns and 1h"},
		{"no clients", func(f *broadcastCommand) { f.Clients = 0 }, "--clients must be between 1 and 1000000"},
		{"too many clients", func(f *broadcastCommand) { f.Clients = 1_000_001 }, "--clients must be between 1 and 1000000"},
		{"no end", func(f *broadcastCommand) { f.Duration = 25 * time.Hour }, "--duration must be between 1ns and 24h0m0s"},
		{"no time to connect", func(f *broadcastCommand) { f.ConnectTime = 0 }, "--connect-time must be between 1ns and 24h0m0s"},
		{"none at once", func(f *broadcastCommand) { f.AtOnce = 0 }, "--at-once must be between 1 and 10000"},
		{"a rate below 0", func(f *broadcastCommand) { f.ConnectRate = -1 }, "--connect-rate must be between 0 and 10000000"},
		{"a size of nothing", func(f *broadcastCommand) { f.Size = 0 }, "--size must be between 1 and 1048576"},
		{"a template without a place", func(f *broadcastCommand) { f.Template = "x" }, `--template must have {} in it once, as in {"message": "{}"}`},
		{"a template that is a message", func(f *broadcastCommand) { f.Template = "bench:{}" }, `--template must not contain "bench:"`},
		{"more senders than clients", func(f *broadcastCommand) { f.Senders = 11 }, "--senders cannot be more than --clients"},
		{"too many senders", func(f *broadcastCommand) { f.Senders = 65 }, "--senders must be between 0 and 64"},
		{"nothing on its way", func(f *broadcastCommand) { f.InFlight = 0 }, "--in-flight must be between 1 and 1000"},
		{"a rate of nobody", func(f *broadcastCommand) { f.Senders, f.Rate = 0, 1 }, "--rate needs senders"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := broadcastCommand{flags("ws://h/"), messageFlags{Size: 128, Template: "{}"}, 1, 1}
			if err := f.Validate(); err != nil {
				t.Fatalf("before the mistake: %v", err)
			}
			tt.make(&f)
			if err := f.Validate(); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestTheRequest(t *testing.T) {
	f := targetFlags{
		URL: "wss://127.0.0.1/ws/a%20b/?token=canary", Subprotocol: "chat", Header: []string{"X-One: 1", "X-Two:2"}, Cookie: "a=b", Timeout: time.Second,
	}
	got, err := f.target(1)
	if err != nil {
		t.Fatal(err)
	}
	want := "GET /ws/a%20b/?token=canary HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Origin: https://127.0.0.1\r\nSec-WebSocket-Protocol: chat\r\nX-One: 1\r\nX-Two: 2\r\n"
	if got.head != want {
		t.Errorf("head %q, want %q", got.head, want)
	}
	if got.address != "127.0.0.1:443" || got.shown != "wss://127.0.0.1/ws/a%20b/" || !slices.Equal(got.cookies, []string{"a=b"}) {
		t.Errorf("got %s, shown as %s, with cookies %q", got.address, got.shown, got.cookies)
	}
}

func TestCookieFiles(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
		problem    string
	}{
		{"a cookie on each line", "# two\nsessionid=a; csrftoken=b\r\n\n sessionid=c \n", []string{"sessionid=a; csrftoken=b", "sessionid=c"}, ""},
		{"a line that is none is named, not told", "sessionid=a\ncanary\n", nil, "--cookie-file: line 2 is no NAME=VALUE, as in sessionid=…"},
		{"control characters", "sessionid=a\x00b", nil, "--cookie-file: line 1 is no NAME=VALUE, as in sessionid=…"},
		{"nothing", "# nobody\n", nil, "--cookie-file has no cookies in it"},
		{"a line without an end", "a=b\nc=" + strings.Repeat("d", maxCookieLine), nil, "--cookie-file: after 1 cookies: bufio.Scanner: token too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cookies")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readCookies(path)
			if !slices.Equal(got, tt.want) || (err == nil) != (tt.problem == "") || err != nil && err.Error() != tt.problem {
				t.Errorf("got %q, %v, want %q, %s", got, err, tt.want, tt.problem)
			}
		})
	}
}

func TestSources(t *testing.T) {
	tests := []struct {
		name, url       string
		wanted, clients int
		want            int // how many; -1: it is refused
	}{
		{"few clients need none of their own", "ws://127.0.0.1:1/", 0, 20_000, 0},
		{"many need more", "ws://127.0.0.1:1/", 0, 50_000, 3},
		{"as many as are wanted", "ws://127.0.0.1:1/", 5, 10, 5},
		{"elsewhere there is one", "ws://192.0.2.1:1/", 0, 50_000, 0},
		{"elsewhere none can be wanted", "ws://192.0.2.1:1/", 2, 10, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := targetFlags{URL: tt.url, Sources: tt.wanted, Timeout: time.Second}
			got, err := f.target(tt.clients)
			switch {
			case tt.want < 0:
				if err == nil {
					t.Error("it is not refused")
				}
				return
			case err != nil:
				t.Fatal(err)
			case len(got.sources) != tt.want:
				t.Fatalf("%d addresses, want %d", len(got.sources), tt.want)
			}
			for i, a := range got.sources {
				if want := net.IPv4(127, 0, 1, byte(i+1)).String() + ":0"; a.String() != want {
					t.Errorf("address %v, want %s", a, want)
				}
			}
		})
	}
}
