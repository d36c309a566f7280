package builtin_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// visitor is the client's end of one connection, in memory.
type visitor struct {
	t      *testing.T
	socket *consumers.Socket

	status chan int
	heard  chan string // as in "1 text", "2 bytes" and "closed 1000 reason", in order
	ended  chan struct{}

	mu       sync.Mutex // guards the field below
	reported []error
}

// visit opens a connection to app and waits until its handshake is answered. It returns the HTTP status.
func visit(t *testing.T, app consumers.Application, s consumers.Scope) (*visitor, int) {
	t.Helper()
	v := &visitor{
		t: t, status: make(chan int, 1), heard: make(chan string, 100), ended: make(chan struct{}),
	}
	s.Type = consumers.TypeWebSocket
	instance, err := app.Open(t.Context(), &s)
	if err != nil {
		return v, consumers.DenialOf(err).Status
	}
	v.socket = instance.(*consumers.Socket)
	v.socket.Start(t.Context(), v)
	status := <-v.status
	t.Cleanup(func() {
		v.socket.Disconnect(consumers.CloseGoingAway)
		<-v.ended
	})
	return v, status
}

// Answer implements consumers.Transport.
func (v *visitor) Answer(r consumers.Response) error { v.status <- r.Status; return nil }

// Send implements consumers.Transport.
func (v *visitor) Send(m consumers.Message, _ *consumers.Frames) error {
	v.heard <- fmt.Sprintf("%d %s", m.Kind, m.Data)
	return nil
}

// Close implements consumers.Transport.
func (v *visitor) Close(code consumers.CloseCode, reason string) error {
	v.heard <- fmt.Sprintf("closed %d %s", code, reason)
	return nil
}

// Resume implements consumers.Transport.
func (v *visitor) Resume() {}

// Report implements consumers.Transport.
func (v *visitor) Report(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reported = append(v.reported, err)
}

// Ended implements consumers.Transport.
func (v *visitor) Ended() { close(v.ended) }

// says sends a text message.
func (v *visitor) says(text string) { v.socket.Message(consumers.TextMessage(text)) }

// hears fails the test unless this is the next thing that comes.
func (v *visitor) hears(want string) {
	v.t.Helper()
	select {
	case got := <-v.heard:
		if got != want {
			v.t.Errorf("heard %q, want %q", got, want)
		}
	case <-v.t.Context().Done():
		v.t.Fatalf("heard nothing, want %q", want)
	}
}

// alice is a user like others.
func alice() *djangocompat.User {
	return &djangocompat.User{PK: djangocompat.IntPK(7), Username: "alice", IsActive: true}
}

// inRoom is the scope of someone who came in by the path "ws/chat/<slug:room>/".
func inRoom(room string, u *djangocompat.User, l channellayer.Layer) consumers.Scope {
	return consumers.Scope{Kwargs: consumers.Kwargs{"room": room}, User: u, Layer: l}
}

// newLayer returns an empty layer.
func newLayer() channellayer.Layer { return memlayer.New(memlayer.Config{}) }
