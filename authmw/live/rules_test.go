package live_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// doorkeeper is a rule that lets in who is staff, and notes how often it was asked about whom.
type doorkeeper struct {
	mu    sync.Mutex
	asked map[string]int
	err   error // what it says instead
}

func (d *doorkeeper) Open(_ context.Context, s *consumers.Scope) (consumers.Instance, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked[s.User.Username+" "+s.Kwargs["room"]]++
	if d.err == nil && !s.User.IsStaff {
		return nil, consumers.ErrDenied
	}
	return nil, d.err
}

// behind is a route whose rule is asked again.
func (l *lab) behind(d *doorkeeper) consumers.Application {
	return l.live.WatchRule(consumers.New(newGuest), d)
}

// enter connects with a session key to a room of a route.
func (l *lab) enter(key, room string, app consumers.Application) *wire {
	l.t.Helper()
	l.book.mu.Lock()
	u := l.book.entries[key].User
	l.book.mu.Unlock()
	session := djangocompat.NewSession(key, djangocompat.SessionData{}, nil)
	session.Set(djangocompat.AuthBackendKey, u.Backend)
	instance, err := app.Open(l.t.Context(), &consumers.Scope{Session: session, User: u, Kwargs: consumers.Kwargs{"room": room}})
	if err != nil {
		l.t.Fatal(err)
	}
	w := &wire{socket: instance.(*consumers.Socket)}
	w.socket.Start(context.Background(), w)
	l.t.Cleanup(func() { w.socket.Disconnect(consumers.CloseNormal) })
	return w
}

func staff(id int64, name string) *djangocompat.User {
	u := user(id, name)
	u.IsStaff = true
	return u
}

func TestARuleIsAskedOnceForAllWhoAreAlike(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		d := &doorkeeper{asked: make(map[string]int)}
		l.book.set("a", sessionstore.Standing{User: staff(1, "alice"), Reason: sessionstore.LoggedIn})
		l.book.set("b", sessionstore.Standing{User: staff(2, "bob"), Reason: sessionstore.LoggedIn})
		app := l.behind(d)
		for range 5 {
			l.enter("a", "one", app)
			l.enter("a", "two", app)
			l.enter("b", "one", app)
		}
		pass(interval + interval/2)
		want := "map[alice one:1 alice two:1 bob one:1]"
		if got := fmt.Sprint(d.asked); got != want {
			t.Errorf("asked %s, want %s", got, want)
		}
	})
}

func TestWhoIsNotLetInAnyMoreIsClosed(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		d := &doorkeeper{asked: make(map[string]int)}
		l.book.set("a", sessionstore.Standing{User: staff(1, "alice"), Reason: sessionstore.LoggedIn})
		l.book.set("b", sessionstore.Standing{User: staff(2, "bob"), Reason: sessionstore.LoggedIn})
		app := l.behind(d)
		alice, bob := l.enter("a", "one", app), l.enter("b", "one", app)
		pass(3 * interval)
		alice.shows(t)
		l.book.set("a", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		pass(2 * interval)
		alice.shows(t, "close 4403 not allowed any more")
		bob.shows(t)
	})
}

func TestARuleThatCannotSayEndsNothing(t *testing.T) {
	for _, err := range []error{&consumers.Denial{Status: http.StatusServiceUnavailable}, fmt.Errorf("away")} {
		inLab(t, live.Config{}, func(l *lab) {
			d := &doorkeeper{asked: make(map[string]int), err: err}
			l.book.set("a", sessionstore.Standing{User: staff(1, "alice"), Reason: sessionstore.LoggedIn})
			w := l.enter("a", "one", l.behind(d))
			pass(3 * interval)
			w.shows(t)
		})
	}
}

func TestARuleIsNotAskedAboutWhoHasGone(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		d := &doorkeeper{asked: make(map[string]int)}
		l.book.set("a", sessionstore.Standing{User: staff(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.enter("a", "one", l.behind(d))
		w.socket.Disconnect(consumers.CloseNormal)
		pass(3 * interval)
		if len(d.asked) != 0 {
			t.Errorf("asked %v, want nothing", d.asked)
		}
	})
}

// lodger is a guest that stays when its visitor is logged out.
type lodger struct{ guest }

func (lodger) OnSessionEnded(context.Context, *consumers.Conn, consumers.EndCause) error { return nil }

func TestARuleIsAskedAboutNobodyWhereTheSessionHasEnded(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		d := &doorkeeper{asked: make(map[string]int)}
		l.book.set("a", sessionstore.Standing{User: staff(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.enter("a", "one", l.live.WatchRule(consumers.New(func() consumers.Consumer { return lodger{} }), d))
		pass(interval + interval/2)
		l.book.remove("a")
		pass(2 * interval)
		w.shows(t, "close 4403 not allowed any more")
	})
}

func TestARuleIsAskedAboutNobodyWhereAConnectionHasLoggedOut(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		d := &doorkeeper{asked: make(map[string]int)}
		l.book.set("a", sessionstore.Standing{User: staff(1, "alice"), Reason: sessionstore.LoggedIn})
		var own *consumers.Scope
		inner := consumers.New(newGuest)
		app := l.live.WatchRule(consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
			own = s
			return inner.Open(ctx, s)
		}), d)
		w := l.enter("a", "one", app)
		l.live.Moving(own)
		own.Session, own.User = new(djangocompat.Session), anonymous
		l.live.Moved(own)
		pass(2 * interval)
		w.shows(t, "close 4403 not allowed any more")
	})
}
