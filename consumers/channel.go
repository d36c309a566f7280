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
// most connections are in groups or nowhere, and nobody can send to a name that was never told.
type channel struct {
	// Set at birth, never changed.
	receiver channellayer.Receiver
	watch    Watch // nil where nobody does

	scope atomic.Pointer[Scope] // nil while nobody needs more of it than stands below

	mu      sync.Mutex // guards the fields below
	name    string
	outline *Scope  // what others have too; nil while scope is all there is
	visitor visitor // what they have not
	closed  bool
}

// Scope says who is connected, and where. Once the visitor has been logged out or has become another user, it
// returns another Scope; so it may each time that the consumer is called.
func (ch *channel) Scope() *Scope {
	if s := ch.scope.Load(); s != nil {
		return s
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if s := ch.scope.Load(); s != nil {
		return s
	}
	s := ch.visitor.complete(ch.outline, ch.watch)
	ch.own(s)
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
	if s == nil {
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	outline, own := o.share(s, ch.watch)
	if outline == nil {
		return
	}
	ch.outline, ch.visitor = outline, own
	ch.scope.Store(nil)
}

// common returns a Scope of which only what all visitors share counts.
func (ch *channel) common() *Scope {
	if s := ch.scope.Load(); s != nil {
		return s
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.outline
}

// layer returns the site's channel layer, or nil.
func (ch *channel) layer() channellayer.Layer { return ch.common().Layer }

// user returns the visitor.
func (ch *channel) user() *djangocompat.User {
	if s := ch.scope.Load(); s != nil {
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
	if now := ch.scope.Load(); now != nil && now != s {
		now = now.Clone()
		now.Session, now.User = session, user
		ch.own(now)
	}
}

// ChannelName returns the consumer's own channel name, to which anyone on the layer may send, or "" where
// there is no layer. Python: self.channel_name.
func (ch *channel) ChannelName() string {
	name, _ := ch.open(context.Background())
	return name
}

// open returns the channel's name, opening it on the layer the first time.
func (ch *channel) open(ctx context.Context) (string, error) {
	if ch.layer() == nil {
		return "", ErrNoLayer
	}
	if name, err := ch.opened(); name != "" || err != nil {
		return name, err
	}
	name, err := ch.layer().NewChannel(ctx, ch.receiver)
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
	if ch.closed {
		return "", ErrClosed
	}
	return ch.name, nil
}

// keep makes name the channel's, unless it has one, and returns the one that it has.
func (ch *channel) keep(name string) (string, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.closed {
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
	ch.closed = true
	ch.mu.Unlock()
	if name != "" {
		ch.layer().CloseChannel(name)
	}
}

// GroupAdd makes this connection a member of a group. It leaves its groups by itself when it ends.
// Python: channel_layer.group_add(group, self.channel_name).
func (ch *channel) GroupAdd(ctx context.Context, group string) error {
	return ch.inGroup(ctx, group, channellayer.Layer.GroupAdd)
}

// GroupDiscard takes this connection out of a group. Python: channel_layer.group_discard.
func (ch *channel) GroupDiscard(ctx context.Context, group string) error {
	return ch.inGroup(ctx, group, channellayer.Layer.GroupDiscard)
}

// inGroup does something about the channel's membership of a group.
func (ch *channel) inGroup(
	ctx context.Context, group string, do func(l channellayer.Layer, ctx context.Context, group, channel string) error,
) error {
	name, err := ch.open(ctx)
	if err != nil {
		return err
	}
	err = do(ch.layer(), ctx, group, name)
	if _, gone := ch.opened(); gone != nil && errors.Is(err, channellayer.ErrNoChannel) {
		return gone // it was left meanwhile
	}
	return err
}

// GroupSend sends an event to all members of a group, in Go and in Django, this connection among them if
// it is one. Python: channel_layer.group_send.
func (ch *channel) GroupSend(ctx context.Context, group string, e Event) error {
	ev, err := ch.event(e)
	if err != nil {
		return err
	}
	return ch.layer().GroupSend(ctx, group, ev)
}

// SendTo sends an event to one channel. Python: channel_layer.send.
func (ch *channel) SendTo(ctx context.Context, channel string, e Event) error {
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
