package live_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// handshake is one whose visitor is recognised when the test says so.
type handshake struct {
	lab      *lab
	wire     *wire
	statuses []int

	read, opened chan struct{} // closed when the visitor is recognised, and when the Application inside is opened
	done         chan *consumers.Socket
}

func (h *handshake) Answer(r consumers.Response) error {
	h.statuses = append(h.statuses, r.Status)
	return nil
}

// begin begins a handshake as a user with a session key; a user without one has a token.
func (l *lab) begin(key string, u *djangocompat.User) *handshake {
	h := &handshake{lab: l, wire: new(wire), read: make(chan struct{}), opened: make(chan struct{}), done: make(chan *consumers.Socket, 1)}
	inside := consumers.New(newGuest)
	watched := l.live.Watch(consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		<-h.opened
		return inside.Open(ctx, s)
	}))
	app := l.live.Arriving(consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		s.Session, s.User = djangocompat.NewSession(key, djangocompat.SessionData{}, nil), u
		s.Session.Set(djangocompat.AuthBackendKey, u.Backend)
		<-h.read
		return watched.Open(ctx, s)
	}))
	go func() {
		instance, err := app.Open(l.t.Context(), new(consumers.Scope))
		if err != nil {
			l.t.Error(err)
		}
		h.done <- instance.(*consumers.Socket)
	}()
	synctest.Wait()
	return h
}

// at is a Transport that is the wire of a handshake, and notes its answer.
type at struct {
	*wire
	*handshake
}

func (a at) Answer(r consumers.Response) error { return a.handshake.Answer(r) }

func TestAKickReachesWhoIsAboutToOpen(t *testing.T) {
	kicks := map[string]live.Order{
		"by user": {User: int64(1)}, "by session": {Session: "k"}, "all": {All: true},
	}
	moments := []struct {
		name string
		kick func(h *handshake, kick func()) *consumers.Socket
	}{
		{"while the visitor is recognised", func(h *handshake, kick func()) *consumers.Socket {
			kick()
			close(h.read)
			close(h.opened)
			return <-h.done
		}},
		{"while the Application is opened", func(h *handshake, kick func()) *consumers.Socket {
			close(h.read)
			synctest.Wait()
			kick()
			close(h.opened)
			return <-h.done
		}},
		{"before the server begins", func(h *handshake, kick func()) *consumers.Socket {
			close(h.read)
			close(h.opened)
			s := <-h.done
			kick()
			return s
		}},
	}
	for _, m := range moments {
		for name, order := range kicks {
			t.Run(m.name+", "+name, func(t *testing.T) {
				inLab(t, live.Config{}, func(l *lab) {
					u := user(1, "alice")
					l.book.set("k", sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
					h := l.begin("k", u)
					h.wire.socket = m.kick(h, func() {
						if _, err := l.live.Execute(order); err != nil {
							t.Error(err)
						}
					})
					h.wire.socket.Start(context.Background(), at{h.wire, h})
					synctest.Wait()
					if want := []int{403}; !slices.Equal(h.statuses, want) {
						t.Errorf("the handshake was answered with %v, want %v", h.statuses, want)
					}
					if n := l.live.KickAll(4000, ""); n != 0 {
						t.Errorf("%d connections are left, want none", n)
					}
				})
			})
		}
	}
}

func TestAKickDoesNotReachWhoComesLater(t *testing.T) {
	tests := []struct {
		name  string
		order live.Order
		later bool // whether the handshake begins after the kick
	}{
		{"the user comes back", live.Order{User: int64(1)}, true},
		{"everybody comes back", live.Order{All: true}, true},
		{"another user is kicked", live.Order{User: int64(2)}, false},
		{"another session is kicked", live.Order{Session: "other"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inLab(t, live.Config{}, func(l *lab) {
				u := user(1, "alice")
				l.book.set("k", sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
				kick := func() {
					if _, err := l.live.Execute(tt.order); err != nil {
						t.Error(err)
					}
				}
				if tt.later {
					kick()
				}
				h := l.begin("k", u)
				if !tt.later {
					kick()
				}
				close(h.read)
				close(h.opened)
				h.wire.socket = <-h.done
				h.wire.socket.Start(context.Background(), at{h.wire, h})
				synctest.Wait()
				if want := []int{101}; !slices.Equal(h.statuses, want) {
					t.Errorf("the handshake was answered with %v, want %v", h.statuses, want)
				}
				h.wire.socket.Disconnect(consumers.CloseNormal)
			})
		})
	}
}

func TestAKickReachesWhoIsJustLoggingInOnTheSocket(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		u := user(1, "alice")
		l.book.set("k", sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
		w := l.open("k", newGuest)
		l.live.Moving(w.scope)
		l.live.KickUser(u.PK, 4403, "kicked")
		w.shows(t)
		l.live.Moved(w.scope)
		w.shows(t, "close 4403 kicked")
	})
}

func TestWhoIsAskedAboutAgainAfterAnythingMayHaveChanged(t *testing.T) {
	tests := []struct {
		name string
		come func(l *lab, u *djangocompat.User) *handshake
		want int
	}{
		{"nobody, where nobody had come yet", func(l *lab, u *djangocompat.User) *handshake {
			l.live.TouchAll()
			return l.begin("k", u)
		}, 0},
		{"who was being recognised", func(l *lab, u *djangocompat.User) *handshake {
			h := l.begin("k", u)
			l.live.TouchAll()
			return h
		}, 1},
		{"who was being recognised, for long", func(l *lab, u *djangocompat.User) *handshake {
			h := l.begin("k", u)
			l.live.TouchAll()
			pass(time.Minute)
			return h
		}, 1},
		{"who came soon, and may share a lookup that began before", func(l *lab, u *djangocompat.User) *handshake {
			l.open("other", newGuest)
			l.live.TouchAll()
			pass(4 * time.Second)
			return l.begin("k", u)
		}, 1},
		{"not who came later", func(l *lab, u *djangocompat.User) *handshake {
			l.open("other", newGuest)
			l.live.TouchAll()
			pass(6 * time.Second)
			return l.begin("k", u)
		}, 0},
		{"who came later, but was touched", func(l *lab, u *djangocompat.User) *handshake {
			l.open("other", newGuest)
			l.live.TouchAll()
			pass(6 * time.Second)
			l.live.SessionTouched(live.HashSession("k"), time.Now())
			return l.begin("k", u)
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inLab(t, live.Config{}, func(l *lab) {
				u := user(1, "alice")
				for _, key := range []string{"k", "other"} {
					l.book.set(key, sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
				}
				h := tt.come(l, u)
				l.book.forget()
				close(h.read)
				close(h.opened)
				h.wire.socket = <-h.done
				h.wire.socket.Start(context.Background(), at{h.wire, h})
				synctest.Wait() // the first look at a new session comes a second later
				if n := l.book.asked()["k"]; n != tt.want {
					t.Errorf("it was asked about %d times at once, want %d", n, tt.want)
				}
				h.wire.socket.Disconnect(consumers.CloseNormal)
			})
		})
	}
}

func TestWhoIsNotKnownToArriveIsAskedAboutForLonger(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		u := user(1, "alice")
		for _, key := range []string{"k", "other"} {
			l.book.set(key, sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
		}
		l.open("other", newGuest)
		l.live.TouchAll()
		pass(10 * time.Second)
		l.open("k", newGuest) // without Arriving
		synctest.Wait()
		if n := l.book.asked()["k"]; n != 1 {
			t.Errorf("it was asked about %d times at once, want 1", n)
		}
	})
}
