package demo

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCommandServesUntilItIsEnded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	r, out := runDemo(t, "127.0.0.1:0", dir)
	response, err := http.Get(r.url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), "Who you can be") {
		t.Errorf("status %d, error %v, page\n%s", response.StatusCode, err, body)
	}
	key, err := os.ReadFile(filepath.Join(dir, "secret_key"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, string(key)) {
		t.Error("the secret key is printed")
	}
	for _, want := range []string{"alice, password nuages", "bob, password minor-swing", filepath.Join(dir, "db.sqlite3") + ", kept"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in what is printed:\n%s", want, out)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	r.end()
	if _, err := http.Get(r.url); err == nil {
		t.Error("the demo still answers")
	}
}

func TestCommandRemovesItsTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, out := runDemo(t, "127.0.0.1:0", "")
	if !strings.Contains(out, "removed at the end") {
		t.Errorf("it is not said that the database will be removed:\n%s", out)
	}
	r.end()
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

func TestCommandRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		Command
	}{
		{"a port that is taken", Command{Listen: taken.Addr().String()}},
		{"what is no address", Command{Listen: "nowhere"}},
		{"a unix socket, which no browser opens", Command{Listen: "unix:" + filepath.Join(t.TempDir(), "socket")}},
		{"a folder that is none", Command{Listen: "127.0.0.1:0", Dir: file}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.Run(t.Context(), io.Discard, slog.New(slog.DiscardHandler))
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line", err)
			}
		})
	}
}

func TestHostNames(t *testing.T) {
	tests := []struct {
		name, listen, bound string
		want                []string
	}{
		{"loopback", "127.0.0.1:8001", "127.0.0.1:8001", []string{"127.0.0.1", "localhost", "[::1]"}},
		{"loopback by its name", "localhost:8001", "127.0.0.1:8001", []string{"localhost", "127.0.0.1", "[::1]"}},
		{"loopback of IPv6", "[::1]:8001", "[::1]:8001", []string{"[::1]", "127.0.0.1", "localhost"}},
		{"one address", "192.0.2.7:8001", "192.0.2.7:8001", []string{"192.0.2.7"}},
		{"a name is one too, in small letters", "Box.example:8001", "192.0.2.7:8001", []string{"box.example", "192.0.2.7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bound, err := net.ResolveTCPAddr("tcp", tt.bound)
			if err != nil {
				t.Fatal(err)
			}
			if got := hostNames(tt.listen, bound); !slices.Equal(got, tt.want) {
				t.Errorf("hostNames = %q, want %q", got, tt.want)
			}
		})
	}
	everywhere := hostNames(":8001", &net.TCPAddr{IP: net.IPv6unspecified, Port: 8001})
	for _, own := range append(ownAddresses(), "127.0.0.1", "localhost", "[::1]") {
		if !slices.Contains(everywhere, own) {
			t.Errorf("listening everywhere, it is not %s: %q", own, everywhere)
		}
	}
}

func TestAnnounceWarnsOfStrangers(t *testing.T) {
	tests := []struct {
		name  string
		hosts []string
		want  bool
	}{
		{"nobody else reaches loopback", []string{"127.0.0.1", "localhost", "[::1]"}, false},
		{"others reach an address", []string{"127.0.0.1", "localhost", "[::1]", "192.0.2.7"}, true},
		{"others reach a name", []string{"box.example"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			if err := announce(&out, tt.hosts, "8001", &home{}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "Careful"); got != tt.want {
				t.Errorf("warned = %v, want %v:\n%s", got, tt.want, out.String())
			}
		})
	}
}
