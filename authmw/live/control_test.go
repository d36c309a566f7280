package live_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
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
