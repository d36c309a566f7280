package consumers_test

import (
	"context"
	"sync"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
)

// peer is a Transport that notes what it is asked for. Its answers can be chosen.
type peer struct {
	journal   *journal
	onAnswer  func(r consumers.Response) error
	onSend    func()
	ended     chan struct{}
	endedOnce sync.Once
}

func newPeer() *peer { return &peer{journal: new(journal), ended: make(chan struct{})} }

func (p *peer) Answer(r consumers.Response) error {
	p.journal.add("answer %d", r.Status)
	if p.onAnswer != nil {
		return p.onAnswer(r)
	}
	return nil
}

func (p *peer) Send(m consumers.Message, _ *consumers.Frames) error {
	p.journal.add("send %s", m.Data)
	if p.onSend != nil {
		p.onSend()
	}
	return nil
}

func (p *peer) Close(code consumers.CloseCode, reason string) error {
	p.journal.add("close %d %s", code, reason)
	return nil
}

func (p *peer) Resume()          { p.journal.add("resume") }
func (p *peer) Report(err error) { p.journal.add("report %v", err) }

// Ended notes a second call, which must not happen.
func (p *peer) Ended() {
	p.journal.add("ended")
	p.endedOnce.Do(func() { close(p.ended) })
}

// open opens a Socket, which the test starts.
func open(t *testing.T, app consumers.Application, layer channellayer.Layer) *consumers.Socket {
	t.Helper()
	instance, err := app.Open(t.Context(), &consumers.Scope{Type: consumers.TypeWebSocket, Layer: layer})
	if err != nil {
		t.Fatal(err)
	}
	socket, ok := instance.(*consumers.Socket)
	if !ok {
		t.Fatalf("got a %T, want a Socket", instance)
	}
	return socket
}

// start opens a Socket and starts it on a peer.
func start(t *testing.T, app consumers.Application, layer channellayer.Layer) (*consumers.Socket, *peer) {
	t.Helper()
	s, p := open(t, app, layer), newPeer()
	s.Start(context.Background(), p)
	return s, p
}
