package consumers_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/wstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a consumer whose methods a test gives. Without connect it accepts, without the others it does nothing.
type site struct {
	connect    func(ctx context.Context, c *consumers.Conn) error
	receive    func(ctx context.Context, c *consumers.Conn, m consumers.Message) error
	disconnect func(ctx context.Context, c *consumers.Conn, code consumers.CloseCode) error
	event      func(ctx context.Context, c *consumers.Conn, e channellayer.Event) error
}

func (s *site) Connect(ctx context.Context, c *consumers.Conn) error {
	if s.connect == nil {
		return c.Accept()
	}
	return s.connect(ctx, c)
}

func (s *site) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	if s.receive == nil {
		return nil
	}
	return s.receive(ctx, c, m)
}

func (s *site) Disconnect(ctx context.Context, c *consumers.Conn, code consumers.CloseCode) error {
	if s.disconnect == nil {
		return nil
	}
	return s.disconnect(ctx, c, code)
}

func (s *site) handle(ctx context.Context, c *consumers.Conn, e channellayer.Event) error {
	return s.event(ctx, c, e)
}

// app makes an Application of s. Where s has a function for events, it handles those that no other handler does.
func (s *site) app(events ...*consumers.EventHandler) consumers.Application {
	if s.event != nil {
		events = append(events, consumers.OnAny((*site).handle))
	}
	return consumers.New(func() *site { return s }, events...)
}

// grouped is a site that is in groups from the beginning.
type grouped struct {
	site
	groups func() []string
}

func (g *grouped) Groups() []string { return g.groups() }

// said is an event, and what On and OnGroup make of it.
type said struct {
	Text string `json:"text"`
}

func (said) EventType() string { return "chat.said" }

// note is an event that nothing renders for a whole group.
type note struct {
	Text string `json:"text"`
}

func (note) EventType() string { return "chat.note" }

func renderSaid(e said) (consumers.Message, error) { return consumers.TextMessage(e.Text), nil }

// journal notes what happens, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// shows fails the test unless exactly these lines were noted.
func (j *journal) shows(t *testing.T, want ...string) {
	t.Helper()
	if got := j.all(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// journalLayer notes who joins and leaves.
type journalLayer struct {
	channellayer.Layer
	journal *journal
}

func (l journalLayer) GroupAdd(ctx context.Context, group, channel string) error {
	l.journal.add("add %s", group)
	return l.Layer.GroupAdd(ctx, group, channel)
}

func (l journalLayer) GroupDiscard(ctx context.Context, group, channel string) error {
	l.journal.add("discard %s", group)
	return l.Layer.GroupDiscard(ctx, group, channel)
}

func (l journalLayer) CloseChannel(name string) {
	l.journal.add("leave")
	l.Layer.CloseChannel(name)
}

// dial connects, and fails the test unless the handshake was accepted. The connection ends with the test.
func dial(t *testing.T, app consumers.Application, layer channellayer.Layer) *wstest.Communicator {
	t.Helper()
	c := wstest.New(app, "/ws/", wstest.Config{Layer: layer})
	r, err := c.Connect(t.Context())
	if err != nil || r.Status != http.StatusSwitchingProtocols {
		t.Fatalf("got status %d, error %v; want 101", r.Status, err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background(), consumers.CloseGoingAway) }) // it may have failed on purpose
	return c
}

// hears fails the test unless text is the next thing that comes.
func hears(t *testing.T, c *wstest.Communicator, text string) {
	t.Helper()
	if got, err := c.ReceiveText(t.Context()); got != text || err != nil {
		t.Errorf("got %q, error %v; want %q", got, err, text)
	}
}

// says fails the test unless text can be sent.
func says(t *testing.T, c *wstest.Communicator, text string) {
	t.Helper()
	if err := c.SendText(text); err != nil {
		t.Errorf("send %q: %v", text, err)
	}
}

// groupSend sends an event to a group, and waits until all that follows from it has happened.
func groupSend(t *testing.T, l channellayer.Layer, group, eventType, text string) {
	t.Helper()
	if err := l.GroupSend(t.Context(), group, channellayer.Event{"type": eventType, "text": text}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// newLayer returns a layer that nobody else uses.
func newLayer() *memlayer.Layer { return memlayer.New(memlayer.Config{}) }
