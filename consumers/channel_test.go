package consumers_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// slowLayer waits before it does something.
type slowLayer struct {
	channellayer.Layer
	newChannel, groupAdd chan struct{} // closed when it goes on; nil does not wait
	failed               error
}

func (l *slowLayer) NewChannel(ctx context.Context, r channellayer.Receiver) (string, error) {
	if l.newChannel != nil {
		<-l.newChannel
	}
	if l.failed != nil {
		return "", l.failed
	}
	return l.Layer.NewChannel(ctx, r)
}

func (l *slowLayer) GroupAdd(ctx context.Context, group, channel string) error {
	if l.groupAdd != nil {
		<-l.groupAdd
	}
	return l.Layer.GroupAdd(ctx, group, channel)
}

// conn starts a consumer and returns its Conn.
func conn(t *testing.T, l channellayer.Layer) (*consumers.Conn, *consumers.Socket, *peer) {
	t.Helper()
	var conn *consumers.Conn
	s := &site{connect: func(_ context.Context, c *consumers.Conn) error { conn = c; return c.Accept() }}
	socket, p := start(t, s.app(), l)
	return conn, socket, p
}

func TestAChannelIsOpenedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, slow := new(journal), &slowLayer{Layer: newLayer(), newChannel: make(chan struct{})}
		c, socket, p := conn(t, journalLayer{slow, j})
		names := make([]string, 3)
		var all sync.WaitGroup
		for i := range names {
			all.Go(func() { names[i] = c.ChannelName() })
		}
		synctest.Wait()
		close(slow.newChannel)
		all.Wait()
		if names[0] == "" || names[0] != names[1] || names[0] != names[2] {
			t.Errorf("got %q, want one name", names)
		}
		j.shows(t, "leave", "leave") // the others
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		j.shows(t, "leave", "leave", "leave")
	})
}

func TestAChannelIsNotOpenedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, slow := new(journal), &slowLayer{Layer: newLayer(), newChannel: make(chan struct{})}
		c, socket, p := conn(t, journalLayer{slow, j})
		var late sync.WaitGroup
		late.Go(func() {
			if err := c.GroupAdd(t.Context(), "room"); !errors.Is(err, consumers.ErrClosed) {
				t.Errorf("got error %v, want ErrClosed", err)
			}
		})
		synctest.Wait()
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		close(slow.newChannel)
		late.Wait()
		j.shows(t, "leave")
	})
}

func TestAGroupIsNotJoinedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowLayer{Layer: newLayer(), groupAdd: make(chan struct{})}
		c, socket, p := conn(t, slow)
		var late sync.WaitGroup
		late.Go(func() {
			if err := c.GroupAdd(t.Context(), "room"); !errors.Is(err, consumers.ErrClosed) {
				t.Errorf("got error %v, want ErrClosed", err)
			}
		})
		synctest.Wait()
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
		close(slow.groupAdd)
		late.Wait()
	})
}

func TestALayerThatFailsSaysWhy(t *testing.T) {
	failing := &slowLayer{Layer: newLayer(), failed: errSite}
	c, socket, p := conn(t, failing)
	if err := c.GroupAdd(t.Context(), "room"); !errors.Is(err, errSite) {
		t.Errorf("got error %v, want the layer's", err)
	}
	if got := c.ChannelName(); got != "" {
		t.Errorf("got name %q, want none", got)
	}
	socket.Disconnect(consumers.CloseNormal)
	<-p.ended
}
