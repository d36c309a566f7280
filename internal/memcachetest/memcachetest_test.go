package memcachetest_test

import (
	"net"
	"testing"

	"github.com/belleville/belleville/internal/memcachetest"
)

func TestServer(t *testing.T) {
	first, second := memcachetest.Open(t), memcachetest.Open(t)
	if first.Address() == second.Address() {
		t.Fatal("two servers have one address")
	}
	first.Store(t, "k", 1, []byte("value"))
	address := first.Address()
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("a connection was accepted after Kill, want it refused")
	}
	if err := first.Kill(); err == nil {
		t.Error("a second Kill = nil, want an error")
	}
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first.Address() != address {
		t.Errorf("after Start it is at %s, want %s", first.Address(), address)
	}
}
