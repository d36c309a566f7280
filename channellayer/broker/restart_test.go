package broker_test

import (
	"context"
	"net"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/broker"
)

// serveAt opens a broker at an address, until it is stopped.
func serveAt(t *testing.T, address string) (l *broker.Layer, at string, stop func()) {
	t.Helper()
	l, err := broker.New(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- l.Serve(ctx, listener) }()
	return l, listener.Addr().String(), func() {
		t.Helper()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve = %v, want nil where its context is done", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDjangoOutlivesARestart(t *testing.T) {
	for _, form := range []string{"core", "pubsub"} {
		t.Run(form, func(t *testing.T) {
			first, address, stop := serveAt(t, "127.0.0.1:0")
			django := startPeer(t, form, map[string]any{"hosts": []string{"redis://" + address}})
			_, q := channel(t, first, "room")
			django.call(t, "group_send", `{'type': 'before'}`, "room")
			want(t, q, channellayer.Event{"type": "before"})
			stop()
			if err := first.Ready(t.Context()); err == nil {
				t.Error("a layer that was closed is ready")
			}
			second, _, stop := serveAt(t, address)
			defer stop()
			_, q = channel(t, second, "room")
			django.call(t, "group_send", `{'type': 'after'}`, "room")
			want(t, q, channellayer.Event{"type": "after"})
		})
	}
}
