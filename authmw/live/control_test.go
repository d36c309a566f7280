package live_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestOrders(t *testing.T) {
	tests := []struct {
		name  string
		order live.Order
		n     int
		err   error
		want  []string
	}{
		{"a user, by a number", live.Order{User: int64(1)}, 1, nil, []string{"close 4403 kicked"}},
		{"a user, by a number of JSON", live.Order{User: 1.0, Code: 1000, Reason: "bye"}, 1, nil, []string{"close 1000 bye"}},
		{"a user, by text", live.Order{User: "1", Code: 4999}, 1, nil, []string{"close 4999 kicked"}},
		{"a session", live.Order{Session: "k"}, 1, nil, []string{"close 4403 kicked"}},
		{"everybody", live.Order{All: true}, 1, nil, []string{"close 4403 kicked"}},
		{"a message to a user", live.Order{User: int64(1), Text: "hi"}, 1, nil, []string{"send hi"}},
		{"a user who is not there", live.Order{User: int64(2)}, 0, nil, nil},
		{"nobody is named", live.Order{}, 0, live.ErrOrder, nil},
		{"two are named", live.Order{User: int64(1), All: true}, 0, live.ErrOrder, nil},
		{"a code that no frame may carry", live.Order{User: int64(1), Code: 1006}, 0, live.ErrOrder, nil},
		{"a code out of range", live.Order{User: int64(1), Code: 70000}, 0, live.ErrOrder, nil},
		{"a user who is no key", live.Order{User: []any{}}, 0, live.ErrOrder, nil},
		{"a user without a key", live.Order{User: ""}, 0, live.ErrOrder, nil},
		{"a fraction of a user", live.Order{User: 1.5}, 0, live.ErrOrder, nil},
		{"a message to everybody", live.Order{All: true, Text: "hi"}, 0, live.ErrOrder, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inLab(t, live.Config{}, func(l *lab) {
				l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
				w := l.open("k", newGuest)
				if n, err := l.live.Execute(tt.order); n != tt.n || !errors.Is(err, tt.err) {
					t.Errorf("Execute = %d, %v, want %d, %v", n, err, tt.n, tt.err)
				}
				w.shows(t, tt.want...)
			})
		})
	}
}

func TestASiteControlsConnectionsOverItsLayer(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		layer := memlayer.New(memlayer.Config{})
		ctx, stop := context.WithCancel(l.t.Context())
		done := make(chan error)
		go func() { done <- l.live.Obey(ctx, layer) }()
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.open("k", newGuest)
		synctest.Wait()
		for _, e := range []channellayer.Event{
			{"type": "kick"},
			{"type": "dance", "user": int64(1)},
			{"type": "send", "user": int64(1)},
			{"type": "send", "user": int64(1), "text": "soon"},
			{"type": "kick", "user": "1", "code": int64(4000), "reason": "out"},
		} {
			if err := layer.GroupSend(ctx, live.ControlGroup, e); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		w.shows(t, "send soon", "close 4000 out")
		stop()
		if err := <-done; err != nil {
			t.Errorf("Obey = %v, want nil", err)
		}
	})
}

// latecomer is a layer that is away at first.
type latecomer struct {
	channellayer.Layer
	misses int
}

func (l *latecomer) GroupAdd(ctx context.Context, group, channel string) error {
	if l.misses--; l.misses >= 0 {
		return errors.New("away")
	}
	return l.Layer.GroupAdd(ctx, group, channel)
}

func TestOrdersAreObeyedOnceTheLayerIsThere(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		layer := &latecomer{Layer: memlayer.New(memlayer.Config{}), misses: 3}
		ctx, stop := context.WithCancel(l.t.Context())
		done := make(chan error, 1)
		go func() { done <- l.live.Obey(ctx, layer) }()
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.open("k", newGuest)
		pass(5 * time.Second)
		if err := layer.GroupSend(ctx, live.ControlGroup, channellayer.Event{"type": "kick", "user": int64(1)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.shows(t, "close 4403 kicked")
		stop()
		if err := <-done; err != nil {
			t.Errorf("Obey = %v, want nil", err)
		}
	})
}

func TestOrdersReachWhoIsKnownByATokenAndNotWhoIsNobody(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		u := user(1, "alice")
		l.book.set("k", sessionstore.Standing{User: anonymous})
		nobody := l.open("k", newCurious)
		byToken := l.openWithToken(u)
		left := l.openWithToken(u)
		left.socket.Disconnect(consumers.CloseNormal)
		for _, tt := range []struct {
			order live.Order
			n     int
		}{
			{live.Order{User: int64(2)}, 0},
			{live.Order{User: int64(1), Text: "hi"}, 1},
			{live.Order{User: int64(1)}, 1},
			{live.Order{User: int64(1)}, 0},
			{live.Order{All: true}, 0},
		} {
			if n, err := l.live.Execute(tt.order); n != tt.n || err != nil {
				t.Errorf("Execute(%+v) = %d, %v, want %d, nil", tt.order, n, err, tt.n)
			}
			synctest.Wait()
		}
		byToken.shows(t, "send hi", "close 4403 kicked")
		other := l.openWithToken(u)
		if n, err := l.live.Execute(live.Order{All: true}); n != 1 || err != nil {
			t.Errorf("Execute = %d, %v, want 1, nil", n, err)
		}
		other.shows(t, "close 4403 kicked")
		nobody.shows(t)
	})
}

// openWithToken connects a user who has no session.
func (l *lab) openWithToken(u *djangocompat.User) *wire {
	l.t.Helper()
	app := l.live.Watch(consumers.New(newGuest))
	instance, err := app.Open(l.t.Context(), &consumers.Scope{Session: new(djangocompat.Session), User: u})
	if err != nil {
		l.t.Fatal(err)
	}
	w := &wire{socket: instance.(*consumers.Socket)}
	w.socket.Start(context.Background(), w)
	l.t.Cleanup(func() { w.socket.Disconnect(consumers.CloseNormal) })
	return w
}
