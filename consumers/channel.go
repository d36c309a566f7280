package consumers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/djangocompat"
)

// channel is a consumer's place on the channel layer. The name is asked for when it is first needed, since
// most connections are in groups or nowhere, and nobody can send to a name that was never told. Who takes its events is
// said by whoever asks, since each knows.
type channel struct {
	// Set at birth, never changed.
	watch Watch // nil where nobody does

	scope atomic.Pointer[Scope] // its own; or an outline, while nobody needs more than that and what stands below

	mu      sync.Mutex // guards the fields below
	name    string
	visitor visitor // what others do not have of the outline
}

// Scope says who is connected, and where. Once the visitor has been logged out or has become another user, it
// returns another Scope; so it may each time that the consumer is called.
func (ch *channel) Scope() *Scope {
	if s := ch.scope.Load(); s.owner != nil {
		return s
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	s := ch.scope.Load()
	if s.owner == nil {
		s = ch.visitor.complete(s, ch.watch)
		ch.own(s)
	}
	return s
}

// own makes s the Scope.
func (ch *channel) own(s *Scope) {
	s.owner = ch
	ch.scope.Store(s)
}

// rest keeps no more of the Scope than what other connections do not have, until it is asked for again. Only who has
// the claim on the consumer calls it.
func (ch *channel) rest(o *outlines) {
	s := ch.scope.Load()
	if s.owner == nil {
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	outline, own := o.share(s, ch.watch)
	if outline == nil {
		return
	}
	own.closed = ch.visitor.closed
	ch.visitor = own
	ch.scope.Store(outline)
}

// common returns a Scope of which only what all visitors share counts.
func (ch *channel) common() *Scope { return ch.scope.Load() }

// layer returns the site's channel layer, or nil.
func (ch *channel) layer() channellayer.Layer { return ch.common().Layer }

// user returns the visitor.
func (ch *channel) user() *djangocompat.User {
	if s := ch.scope.Load(); s.owner != nil {
		return s.User
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.visitor.user
}

// recognise replaces what is known of the visitor.
func (ch *channel) recognise(session *djangocompat.Session, user *djangocompat.User) {
	s := ch.Scope().Clone()
	s.Session, s.User = session, user
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.visitor.session, ch.visitor.user = session, user
	ch.own(s)
}

// became is recognise for a Scope that is or was this channel's, which becomes that of the visitor too.
func (ch *channel) became(s *Scope, session *djangocompat.Session, user *djangocompat.User) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	s.Session, s.User = session, user
	ch.visitor.session, ch.visitor.user = session, user
	if now := ch.scope.Load(); now.owner != nil && now != s {
		now = now.Clone()
		now.Session, now.User = session, user
		ch.own(now)
	}
}

// open returns the channel's name, opening it on the layer the first time, from when on r takes its events.
func (ch *channel) open(ctx context.Context, r channellayer.Receiver) (string, error) {
	if ch.layer() == nil {
		return "", ErrNoLayer
	}
	if name, err := ch.opened(); name != "" || err != nil {
		return name, err
	}
	name, err := ch.layer().NewChannel(ctx, r)
	if err != nil {
		return "", fmt.Errorf("open channel: %w", err)
	}
	kept, err := ch.keep(name)
	if kept != name {
		ch.layer().CloseChannel(name) // another one was opened meanwhile, or none is wanted any more
	}
	return kept, err
}

// opened returns the name of the channel, "" where there is none yet.
func (ch *channel) opened() (string, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.visitor.closed {
		return "", ErrClosed
	}
	return ch.name, nil
}

// keep makes name the channel's, unless it has one, and returns the one that it has.
func (ch *channel) keep(name string) (string, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.visitor.closed {
		return "", ErrClosed
	}
	if ch.name == "" {
		ch.name = name
	}
	return ch.name, nil
}

// leave gives the channel up, and with it all its memberships.
func (ch *channel) leave() {
	ch.mu.Lock()
	name := ch.name
	ch.visitor.closed = true
	ch.mu.Unlock()
	if name != "" {
		ch.layer().CloseChannel(name)
	}
}

// membership is what can be done about a channel's membership of a group: GroupAdd or GroupDiscard.
type membership func(l channellayer.Layer, ctx context.Context, group, channel string) error

// inGroup does something about the channel's membership of a group.
func (ch *channel) inGroup(ctx context.Context, r channellayer.Receiver, group string, do membership) error {
	name, err := ch.open(ctx, r)
	if err != nil {
		return err
	}
	err = do(ch.layer(), ctx, group, name)
	if _, gone := ch.opened(); gone != nil && errors.Is(err, channellayer.ErrNoChannel) {
		return gone // it was left meanwhile
	}
	return err
}

// groupSend sends an event to all members of a group.
func (ch *channel) groupSend(ctx context.Context, group string, e Event) error {
	ev, err := ch.event(e)
	if err != nil {
		return err
	}
	return ch.layer().GroupSend(ctx, group, ev)
}

// sendTo sends an event to one channel.
func (ch *channel) sendTo(ctx context.Context, channel string, e Event) error {
	ev, err := ch.event(e)
	if err != nil {
		return err
	}
	return ch.layer().Send(ctx, channel, ev)
}

// event returns e as the layer carries it.
func (ch *channel) event(e Event) (channellayer.Event, error) {
	if ch.layer() == nil {
		return nil, ErrNoLayer
	}
	return channellayer.NewEvent(e.EventType(), e)
}
