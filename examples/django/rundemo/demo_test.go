package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
)

func freeAddresses(t *testing.T) addresses {
	t.Helper()
	var free [3]string
	for i := range free {
		port, err := parts.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		free[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return addresses{django: free[0], belleville: free[1], admin: free[2]}
}

func TestDemo(t *testing.T) {
	where := freeAddresses(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, where, w)
		w.CloseWithError(io.EOF)
		ended <- err
	}()
	said := readUntil(r, "Ctrl-C")
	if !strings.Contains(said, "Ctrl-C") {
		cancel()
		parts.Need(t, "the demo", <-ended)
		t.Fatalf("the demo ended too early; it said:\n%s", said)
	}
	go io.Copy(io.Discard, r) // ends with the demo
	visit(t, said, where)

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run() = %v, want nil", err)
	}
	for _, address := range []string{where.django, where.belleville, where.admin} {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Errorf("somebody answers at %s after the end", address)
		}
	}
}

// readUntil reads lines up to the one that holds the word, or all there are.
func readUntil(r io.Reader, word string) string {
	var said strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), word) {
			break
		}
	}
	return said.String()
}

// visit does what the demo invites to.
func visit(t *testing.T, said string, where addresses) {
	t.Helper()
	for _, link := range []string{"http://" + where.django + "/", "http://" + where.admin + "/metrics"} {
		if !strings.Contains(said, link) {
			t.Errorf("the demo does not name %s:\n%s", link, said)
		}
		response, err := http.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d, want 200", link, response.StatusCode)
		}
	}
	site := djangotest.Site{URL: "http://" + where.django}
	header := http.Header{
		"Origin": {site.URL},
		"Cookie": {djangotest.SessionCookie + "=" + site.Login(t, "alice", password)},
	}
	who := djangotest.Connect(t, "ws://"+where.belleville+"/ws/whoami/", header)
	if got := who.Receive(t); !strings.Contains(got, `"alice"`) {
		t.Errorf("whoami says %s, want alice", got)
	}
	room := djangotest.Connect(t, "ws://"+where.belleville+"/ws/chat/lobby/", header)
	room.Send(t, `{"message": "hello"}`)
	if got := room.Receive(t); !strings.Contains(got, "hello") {
		t.Errorf("the room heard %s, want hello", got)
	}
	room.Close(t, 1000, "")
}

func TestDemoRefusesTakenAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	where := freeAddresses(t)
	where.belleville = taken.Addr().String()
	err = run(t.Context(), where, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "choose another address with -belleville") {
		t.Errorf("run() = %v, want an error that says what to do", err)
	}
}
