package pglayer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/pglayer"
)

func TestClose(t *testing.T) {
	d := site(t)
	running := goleak.IgnoreCurrent()
	l, err := pglayer.New(t.Context(), at(role(t, d)))
	must(t, err)
	name, q := channel(t, l, "room")
	listening := make(chan error)
	go func() { listening <- l.Listen(t.Context(), "jobs", q) }()
	if n := d.Value(t, "SELECT count(*) FROM channels_postgres_groupchannel"); n != int64(1) {
		t.Errorf("%v memberships, want 1", n)
	}
	for range 2 {
		must(t, l.Close())
	}
	if n := d.Value(t, "SELECT count(*) FROM channels_postgres_groupchannel"); n != int64(0) {
		t.Errorf("%v memberships after Close, want none", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, errNew := l.NewChannel(ctx, q)
	for call, err := range map[string]error{
		"Listen":       <-listening,
		"Ready":        l.Ready(ctx),
		"NewChannel":   errNew,
		"Send":         l.Send(ctx, name, said(1)),
		"GroupSend":    l.GroupSend(ctx, "room", said(1)),
		"GroupAdd":     l.GroupAdd(ctx, "room", name),
		"GroupDiscard": l.GroupDiscard(ctx, "room", name),
	} {
		if !errors.Is(err, channellayer.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", call, err)
		}
	}
	goleak.VerifyNone(t, running)
}
