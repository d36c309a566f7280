package redistest_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/internal/redistest"
)

func TestServer(t *testing.T) {
	first, second := redistest.Open(t), redistest.Open(t)

	t.Run("servers do not see each other's keys", func(t *testing.T) {
		first.Do(t, "SET", "k", "first")
		if got := second.Do(t, "GET", "k"); got != "" {
			t.Errorf("the second server has %q, want nothing", got)
		}
	})
	t.Run("several values come as lines", func(t *testing.T) {
		first.Do(t, "RPUSH", "list", "a", "b")
		if got := first.DoLines(t, "LRANGE", "list", "0", "-1"); len(got) != 2 || got[1] != "b" {
			t.Errorf("LRANGE = %q, want a and b", got)
		}
	})
	t.Run("a killed server comes back empty on its port", func(t *testing.T) {
		url := first.URL()
		if err := first.Kill(); err != nil {
			t.Fatal(err)
		}
		if conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(first.Port())); err == nil {
			conn.Close()
			t.Error("a connection was accepted after Kill, want it refused")
		}
		if err := first.Kill(); err == nil {
			t.Error("a second Kill() = nil, want an error")
		}
		if err := first.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := first.Do(t, "GET", "k"); got != "" || first.URL() != url {
			t.Errorf("after Start k = %q at %s, want nothing at %s", got, first.URL(), url)
		}
	})
	t.Run("a stopped server starts again", func(t *testing.T) {
		if err := second.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := second.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		second.Do(t, "PING")
	})
	t.Run("a frozen server answers when it is thawed", func(t *testing.T) {
		if err := second.Freeze(); err != nil {
			t.Fatal(err)
		}
		if err := second.Thaw(); err != nil {
			t.Fatal(err)
		}
		if got := second.Do(t, "PING"); got != "PONG" {
			t.Errorf("PING = %q, want PONG", got)
		}
	})
}

func TestPassword(t *testing.T) {
	s := redistest.OpenWith(t, redistest.Config{Password: redistest.Password()})
	if got := s.Do(t, "PING"); got != "PONG" {
		t.Errorf("PING with the password = %q, want PONG", got)
	}
	if !strings.HasPrefix(s.URL(), "redis://:") || !strings.HasPrefix(s.SocketURL(), "unix://:") {
		t.Errorf("the URLs have no password, want one")
	}
}

func TestTLS(t *testing.T) {
	s := redistest.OpenWith(t, redistest.Config{TLS: true})
	pem, err := os.ReadFile(s.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := tls.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.Port()), &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	word := make([]byte, 5)
	if _, err := conn.Read(word); err != nil || string(word) != "+PONG" {
		t.Errorf("PING over TLS = %q, %v, want +PONG", word, err)
	}
}

func TestSentinel(t *testing.T) {
	master := redistest.Open(t)
	replica := redistest.OpenReplica(t, master)
	sentinel := redistest.OpenSentinel(t, master)
	waitUntil(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.Do(t, "SENTINEL", "REPLICAS", redistest.MasterName), strconv.Itoa(replica.Port()))
	})
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the replica is the master", func() bool {
		got := sentinel.DoLines(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", redistest.MasterName)
		return len(got) == 2 && got[1] == strconv.Itoa(replica.Port())
	})
}

func TestServersLeaveNothing(t *testing.T) {
	redistest.Open(t) // skips where there is no Redis
	t.Setenv("TMPDIR", t.TempDir())
	t.Run("a test", func(t *testing.T) { redistest.Open(t) })
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "redistest-*")); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v, want nothing", left, err)
	}
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("waited 30 s in vain until %s", what)
		}
	}
}
