package consumers_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// ended is a Watch that notes when it is told.
type ended struct{ journal *journal }

func (e ended) Ended() { e.journal.add("through") }

// tenant is a consumer that decides what a logout means.
type tenant struct {
	site
	onEnded   func(ctx context.Context, c *consumers.Conn, cause consumers.EndCause) error
	onChanged func(ctx context.Context, c *consumers.Conn, before *djangocompat.User) error
}

func (tn *tenant) OnSessionEnded(ctx context.Context, c *consumers.Conn, cause consumers.EndCause) error {
	return tn.onEnded(ctx, c, cause)
}

func (tn *tenant) OnUserChanged(ctx context.Context, c *consumers.Conn, before *djangocompat.User) error {
	return tn.onChanged(ctx, c, before)
}

// alice and bob are users.
var (
	alice = &djangocompat.User{PK: djangocompat.IntPK(1), Username: "alice", IsActive: true}
	bob   = &djangocompat.User{PK: djangocompat.IntPK(2), Username: "bob", IsActive: true}
)

// as is an Application whose visitor is u.
func as(u *djangocompat.User, app consumers.Application) consumers.Application {
	return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		s.User = u
		return app.Open(ctx, s)
	})
}

func TestASessionThatEndsClosesAConsumerThatDoesNotDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		app := as(alice, (&site{connect: inRoom}).app(consumers.OnGroup(renderSaid)))
		socket, p := start(t, app, layer)
		groupSend(t, layer, "room", "chat.said", "before")
		socket.SessionEnded(consumers.EndedByLogout)
		groupSend(t, layer, "room", "chat.said", "after")
		socket.SessionEnded(consumers.EndedByLogout)
		p.journal.shows(t, "answer 101", "send before", "close 4401 session ended")
		socket.Disconnect(consumers.CloseSessionEnded)
		<-p.ended
	})
}

func TestASessionThatEndsBeforeTheServerBeginsClosesAfterConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		socket := open(t, as(alice, (&site{}).app()), newLayer())
		p := newPeer()
		socket.Watch(ended{p.journal})
		socket.SessionEnded(consumers.EndedByExpiry)
		socket.Start(t.Context(), p)
		socket.Disconnect(consumers.CloseSessionEnded)
		<-p.ended
		p.journal.shows(t, "answer 101", "close 4401 session ended", "through", "ended")
	})
}

func TestWhoIsClosedBeforeTheServerBeginsIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connects := 0
		socket := open(t, as(alice, (&site{connect: func(_ context.Context, c *consumers.Conn) error {
			connects++
			return c.Accept()
		}}).app()), newLayer())
		p := newPeer()
		socket.Watch(ended{p.journal})
		if err := socket.Close(4403, "kicked"); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if err := socket.Close(4403, "kicked"); err != consumers.ErrClosed {
			t.Errorf("Close once more = %v, want ErrClosed", err)
		}
		socket.Start(t.Context(), p)
		<-p.ended
		p.journal.shows(t, "answer 403", "through", "ended")
		if connects != 0 {
			t.Error("Connect was called")
		}
	})
}

func TestWhoWatchesAnInstanceLearnsThatItIsNeverBegun(t *testing.T) {
	apps := map[string]consumers.Application{
		"a WebSocket":     (&site{}).app(),
		"an HTTP request": (&page{handle: waitInRoom}).app(),
	}
	for name, app := range apps {
		t.Run(name, func(t *testing.T) {
			instance, err := app.Open(t.Context(), new(consumers.Scope))
			if err != nil {
				t.Fatal(err)
			}
			consumers.Abandon(instance) // nobody watches it yet
			j := new(journal)
			instance.(consumers.Watched).Watch(ended{j})
			consumers.Abandon(instance)
			j.shows(t, "through")
		})
	}
}

func TestAConsumerDecidesWhatALogoutMeans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		tn := &tenant{site: site{connect: inRoom}}
		decide := make(chan struct{})
		tn.onEnded = func(_ context.Context, c *consumers.Conn, cause consumers.EndCause) error {
			<-decide
			return c.SendText(cause.String() + " " + c.Scope().User.Username)
		}
		app := as(alice, consumers.New(func() *tenant { return tn }, consumers.OnGroup(renderSaid)))
		socket, p := start(t, app, layer)
		socket.SessionEnded(consumers.EndedByPassword)
		synctest.Wait()
		groupSend(t, layer, "room", "chat.said", "later")
		p.journal.shows(t, "answer 101")
		close(decide)
		synctest.Wait()
		p.journal.shows(t, "answer 101", "send password ", "send later")
		socket.Disconnect(consumers.CloseNormal)
		<-p.ended
	})
}

func TestNothingIsSentBetweenALogoutAndTheDecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tn := &tenant{}
		busy, release := make(chan struct{}), make(chan struct{})
		tn.receive = func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
			close(busy)
			<-release
			if err := c.SendText("secret"); err != consumers.ErrClosed {
				t.Errorf("SendText = %v, want ErrClosed", err)
			}
			return nil
		}
		tn.onEnded = func(_ context.Context, c *consumers.Conn, _ consumers.EndCause) error {
			return c.Close(4000, "bye")
		}
		socket, p := start(t, as(alice, consumers.New(func() *tenant { return tn })), newLayer())
		socket.Message(consumers.TextMessage("x"))
		<-busy
		socket.SessionEnded(consumers.EndedInactive)
		close(release)
		synctest.Wait()
		p.journal.shows(t, "answer 101", "close 4000 bye")
		socket.Disconnect(4000)
		<-p.ended
	})
}

func TestAUserWhoChanges(t *testing.T) {
	renamed := &djangocompat.User{PK: alice.PK, Username: "alicia", IsActive: true}
	tests := []struct {
		name   string
		before *djangocompat.User
		now    *djangocompat.User
		asks   bool
		want   []string
	}{
		{"a consumer that asks is told of a new name", alice, renamed, true, []string{"answer 101", "send alice to alicia"}},
		{"one that does not goes on with it", alice, renamed, false, []string{"answer 101", "send alicia"}},
		{"a consumer that asks is told of a login", new(djangocompat.User), alice, true, []string{"answer 101", "send  to alice"}},
		{"one that does not goes on with the new user", new(djangocompat.User), alice, false, []string{"answer 101", "send alice"}},
		{"a consumer that asks is told of another user", alice, bob, true, []string{"answer 101", "send alice to bob"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plain := &site{receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
					return c.SendText(c.Scope().User.Username)
				}}
				app := plain.app()
				if tt.asks {
					app = consumers.New(func() *tenant {
						return &tenant{onChanged: func(_ context.Context, c *consumers.Conn, before *djangocompat.User) error {
							return c.SendText(before.Username + " to " + c.Scope().User.Username)
						}}
					})
				}
				socket, p := start(t, as(tt.before, app), newLayer())
				socket.UserChanged(new(djangocompat.Session), tt.now)
				synctest.Wait()
				if !tt.asks {
					socket.Message(consumers.TextMessage("who"))
					synctest.Wait()
				}
				p.journal.shows(t, tt.want...)
				socket.Disconnect(consumers.CloseNormal)
				<-p.ended
			})
		})
	}
}

// watched has its requests watched; each is sent to instances.
func watched(app consumers.Application, instances chan<- consumers.Watched) consumers.Application {
	return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		instance, err := app.Open(ctx, s)
		if err == nil {
			w := instance.(consumers.Watched)
			w.Watch(ended{new(journal)})
			instances <- w
		}
		return instance, err
	})
}

func TestASessionThatEndsFinishesALongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instances := make(chan consumers.Watched, 1)
		app := (&page{handle: waitInRoom}).app(consumers.On((*page).onNote))
		w := serveHTTP(t, watched(app, instances), newLayer())
		go func() { (<-instances).SessionEnded(consumers.EndedByLogout) }()
		if status, got := w.whole("POST", http.NoBody); status != http.StatusUnauthorized || got != "Unauthorized\n" {
			t.Errorf("got %d %q, want 401", status, got)
		}
	})
}

func TestAHandlerMayAskWhetherTheSessionHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instances := make(chan consumers.Watched, 1)
		app := consumers.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			<-consumers.SessionEnds(r.Context())
			_, _ = rw.Write([]byte("bye"))
		}))
		w := serveHTTP(t, watched(app, instances), newLayer())
		go func() { (<-instances).SessionEnded(consumers.EndedByLogout) }()
		if status, got := w.whole("POST", http.NoBody); status != http.StatusOK || got != "bye" {
			t.Errorf("got %d %q, want 200 bye", status, got)
		}
	})
}
