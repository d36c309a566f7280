package server_test

import (
	"bufio"
	"net"
	"os"
	"testing"
	"time"
)

// at is a server that listens elsewhere.
func at(addr string) *site { return &site{addr: addr} }

func TestT37AServerWithoutDescriptorsLivesOn(t *testing.T) {
	c := startChild(t, "server")
	var addr string
	c.do(t, "serve", serveArgs{Listen: "127.0.0.1:0", OpenFiles: 60, MaxConnections: 10_000}, &addr)
	s := at(addr)
	look := func() (f figures) {
		c.do(t, "look", nil, &f)
		return f
	}
	var witnesses []*peer
	for range 10 {
		witnesses = append(witnesses, s.open(t))
	}
	var crowd []net.Conn
	for range 100 { // the kernel takes more than the server can
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		crowd = append(crowd, nc)
	}
	before := figures{}
	eventually(t, "the server runs out of descriptors", func() bool { before = look(); return before.Exhausted > 0 })
	start := time.Now()
	for i, p := range witnesses { // who is there hears and is heard
		text := string(rune('a' + i))
		p.say(frame(fText, text))
		for _, other := range witnesses {
			if _, got := other.read(); got != text {
				t.Fatalf("message = %q, want %q", got, text)
			}
		}
	}
	var after figures
	eventually(t, "the server tries again", func() bool { after = look(); return after.Exhausted >= before.Exhausted+6 })
	took := time.Since(start)
	if used := after.CPU - before.CPU; used > took/2 {
		t.Errorf("the server used %v of CPU in %v, want it to wait", used, took)
	}
	if after.Logged != 1 {
		t.Errorf("%d lines were logged, want 1", after.Logged)
	}
	if after.Held < len(witnesses) {
		t.Errorf("%d connections are held, want at least the %d that were open", after.Held, len(witnesses))
	}

	for _, nc := range crowd {
		_ = nc.Close()
	}
	freed := time.Now()
	s.open(t)
	if took := time.Since(freed); took > 10*time.Second {
		t.Errorf("a new client waited for %v once descriptors were free again", took)
	}
}

func TestAnInheritedSocketIsListenedOn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			addr := map[string]string{"tcp": "127.0.0.1:0", "unix": t.TempDir() + "/s"}[network]
			l, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			f, err := l.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			c := startChild(t, "server", f)
			_ = f.Close()
			c.do(t, "serve", serveArgs{Listen: "fd:3"}, nil)
			nc, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			defer l.Close()
			_ = nc.SetDeadline(time.Now().Add(patience))
			p := &peer{t, nc, bufio.NewReader(nc)}
			p.say(goodHead)
			p.answer()
			p.say(frame(fText, "hi"))
			if _, got := p.read(); got != "hi" {
				t.Errorf("message = %q, want hi", got)
			}
		})
	}
}
