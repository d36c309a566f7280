package live_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// interval is how often the tests' sessions are asked about.
const interval = 30 * time.Second

// book is a Store whose standings a test writes.
type book struct {
	mu      sync.Mutex // guards the fields below
	entries map[string]sessionstore.Standing
	err     error
	queries [][]string
	during  func() // called while a query is out, once
}

func newBook() *book { return &book{entries: make(map[string]sessionstore.Standing)} }

var anonymous = new(djangocompat.User)

func (b *book) Standings(_ context.Context, keys []string) ([]sessionstore.Standing, error) {
	b.mu.Lock()
	b.queries = append(b.queries, slices.Clone(keys))
	all := make([]sessionstore.Standing, len(keys))
	for i, key := range keys {
		st, ok := b.entries[key]
		if !ok {
			st = sessionstore.Standing{Session: new(djangocompat.Session), User: anonymous}
		}
		all[i] = st
	}
	err, during := b.err, b.during
	b.during = nil
	b.mu.Unlock()
	if during != nil {
		during()
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// TokenStandings has the standing of a token under the primary key of its user.
func (b *book) TokenStandings(ctx context.Context, grounds []sessionstore.TokenGround) ([]sessionstore.Standing, error) {
	keys := make([]string, len(grounds))
	for i, g := range grounds {
		keys[i] = "token of " + g.PK.String()
	}
	return b.Standings(ctx, keys)
}

// set makes a handshake with a key find a user.
func (b *book) set(key string, st sessionstore.Standing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st.Session == nil {
		st.Session = djangocompat.NewSession(key, djangocompat.SessionData{}, nil)
	}
	b.entries[key] = st
}

func (b *book) remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, key)
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// asked returns how often each key was asked about.
func (b *book) asked() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := make(map[string]int)
	for _, keys := range b.queries {
		for _, key := range keys {
			n[key]++
		}
	}
	return n
}

func (b *book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queries = nil
}

// wire is the network's end of a socket, which notes how it was closed.
type wire struct {
	socket *consumers.Socket
	scope  *consumers.Scope

	mu    sync.Mutex
	notes []string
}

func (w *wire) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

func (w *wire) Answer(consumers.Response) error { return nil }
func (w *wire) Send(m consumers.Message, _ *consumers.Frames) error {
	w.note("send %s", m.Data)
	return nil
}
func (w *wire) Resume()          {}
func (w *wire) Report(err error) { w.note("report %v", err) }
func (w *wire) Ended()           {}

func (w *wire) Close(code consumers.CloseCode, reason string) error {
	w.note("close %d %s", code, reason)
	w.socket.Disconnect(code)
	return nil
}

func (w *wire) shows(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.notes, want) {
		t.Errorf("got %q, want %q", w.notes, want)
	}
}

// guest accepts, and tells its name when it is another one.
type guest struct{}

func (guest) Connect(_ context.Context, c *consumers.Conn) error                     { return c.Accept() }
func (guest) Receive(context.Context, *consumers.Conn, consumers.Message) error      { return nil }
func (guest) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

// curious is a guest that wants to know who it is.
type curious struct{ guest }

func (curious) OnUserChanged(_ context.Context, c *consumers.Conn, before *djangocompat.User) error {
	return c.SendText(before.Username + " to " + c.Scope().User.Username)
}

// lab is a Live that runs, and its store.
type lab struct {
	t    *testing.T
	book *book
	live *live.Live
	reg  *prometheus.Registry
}

// inLab calls f in a bubble of fake time.
func inLab(t *testing.T, cfg live.Config, f func(*lab)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, book: newBook(), reg: prometheus.NewPedanticRegistry()}
		cfg.RecheckInterval, cfg.Registerer = interval, l.reg
		l.live = live.New(l.book, cfg)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.live.Run(ctx) }()
		f(l)
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// open connects with a session key, as the user whom the book has for it.
func (l *lab) open(key string, newConsumer func() consumers.Consumer) *wire {
	l.t.Helper()
	l.book.mu.Lock()
	st := l.book.entries[key]
	l.book.mu.Unlock()
	return l.openAs(key, st.User, newConsumer)
}

func (l *lab) openAs(key string, u *djangocompat.User, newConsumer func() consumers.Consumer) *wire {
	l.t.Helper()
	session := djangocompat.NewSession(key, djangocompat.SessionData{}, nil)
	if u.IsAuthenticated() {
		session.Set(djangocompat.AuthBackendKey, u.Backend)
	}
	w := new(wire)
	inner := consumers.New(newConsumer)
	app := l.live.Watch(consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
		w.scope = s
		return inner.Open(ctx, s)
	}))
	instance, err := app.Open(l.t.Context(), &consumers.Scope{Session: session, User: u})
	if err != nil {
		l.t.Fatal(err)
	}
	w.socket = instance.(*consumers.Socket)
	w.socket.Start(context.Background(), w)
	l.t.Cleanup(func() { w.socket.Disconnect(consumers.CloseNormal) })
	return w
}

func newGuest() consumers.Consumer   { return guest{} }
func newCurious() consumers.Consumer { return curious{} }

func user(id int64, name string) *djangocompat.User {
	return &djangocompat.User{PK: djangocompat.IntPK(id), Username: name, IsActive: true, Backend: "some.Backend"}
}

// pass lets time pass, and waits for what that brings.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAnOpenSessionIsAskedAboutOnceAnInterval(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		for i := range 100 {
			key := fmt.Sprint("key", i)
			l.book.set(key, sessionstore.Standing{User: user(int64(i), "u"), Reason: sessionstore.LoggedIn})
			l.open(key, newGuest)
		}
		pass(4 * time.Second) // the first look, at which it is learned when they expire
		if got := l.book.asked(); len(got) != 100 {
			t.Fatalf("%d sessions were asked about, want 100", len(got))
		}
		l.book.forget()
		pass(interval)
		got := l.book.asked()
		for _, key := range slices.Sorted(maps.Keys(got)) {
			if got[key] != 1 {
				t.Errorf("%s was asked about %d times in an interval, want 1", key, got[key])
			}
		}
		if len(got) != 100 {
			t.Errorf("%d sessions were asked about, want 100", len(got))
		}
	})
}

func TestOneQueryAsksAboutManySessions(t *testing.T) {
	inLab(t, live.Config{BatchSize: 40}, func(l *lab) {
		for i := range 100 {
			key := fmt.Sprint("key", i)
			l.book.set(key, sessionstore.Standing{User: user(int64(i), "u"), Reason: sessionstore.LoggedIn})
			l.open(key, newGuest)
		}
		l.live.TouchAll()
		synctest.Wait()
		var sizes []int
		for _, keys := range l.book.queries {
			sizes = append(sizes, len(keys))
		}
		if want := []int{40, 40, 20}; !slices.Equal(sizes, want) {
			t.Errorf("asked about %v sessions at a time, want %v", sizes, want)
		}
	})
}

func TestQueriesAreFewThoughSessionsAreSpread(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		const n = 3000
		for i := range n {
			key := fmt.Sprint("key", i)
			l.book.set(key, sessionstore.Standing{User: user(int64(i), "u"), Reason: sessionstore.LoggedIn})
			l.open(key, newGuest)
		}
		pass(4 * time.Second)
		l.book.forget()
		pass(10 * interval)
		if got, most := len(l.book.queries), 10*2*(n/1000); got > most {
			t.Errorf("%d queries in 10 intervals, want %d at most", got, most)
		}
	})
}

func TestTheEndOfALoginEndsItsSockets(t *testing.T) {
	reasons := []struct {
		reason sessionstore.Reason
		cause  string
	}{
		{sessionstore.NoLogin, "logout"},
		{sessionstore.HashMismatch, "password"},
		{sessionstore.HashMissing, "password"},
		{sessionstore.Inactive, "inactive"},
		{sessionstore.BackendNotConfigured, "inactive"},
		{sessionstore.NoSuchUser, "no_user"},
	}
	for _, tt := range reasons {
		t.Run(tt.reason.String(), func(t *testing.T) {
			inLab(t, live.Config{}, func(l *lab) {
				l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
				one, two := l.open("k", newGuest), l.open("k", newGuest)
				pass(2 * interval)
				one.shows(t)
				l.book.set("k", sessionstore.Standing{User: anonymous, Reason: tt.reason})
				pass(interval)
				one.shows(t, "close 4401 session ended")
				two.shows(t, "close 4401 session ended")
				l.wantEnded(tt.cause, 2)
			})
		})
	}
}

// wantEnded fails the test unless n connections have ended for a cause.
func (l *lab) wantEnded(cause string, n float64) {
	l.t.Helper()
	families, err := l.reg.Gather()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "live_ended_total" && m.GetLabel()[0].GetValue() == cause && m.GetCounter().GetValue() != n {
				l.t.Errorf("%v connections ended by %s, want %v", m.GetCounter().GetValue(), cause, n)
			}
		}
	}
}

func TestASessionEndsWhenItExpires(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		expires := time.Now().Add(10 * time.Second)
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn, Expires: expires})
		w := l.open("k", newGuest)
		pass(time.Until(expires) - time.Millisecond)
		w.shows(t)
		l.book.remove("k")
		pass(500 * time.Millisecond)
		w.shows(t, "close 4401 session ended")
		l.wantEnded("expiry", 1)
	})
}

func TestASessionThatWasProlongedDoesNotEnd(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		st := sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn, Expires: time.Now().Add(10 * time.Second)}
		l.book.set("k", st)
		w := l.open("k", newGuest)
		pass(5 * time.Second)
		st.Expires = time.Now().Add(time.Hour)
		l.book.set("k", st)
		pass(10 * time.Minute)
		w.shows(t)
	})
}

func TestATouchIsLookedAtAtOnce(t *testing.T) {
	alice := user(1, "alice")
	tests := []struct {
		name  string
		touch func(*live.Live)
	}{
		{"of the session", func(l *live.Live) { l.SessionTouched(live.HashSession("k"), time.Time{}) }},
		{"of the user", func(l *live.Live) { l.UserTouched(live.HashUser(alice.PK), time.Time{}) }},
		{"of anything", (*live.Live).TouchAll},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inLab(t, live.Config{}, func(l *lab) {
				l.book.set("k", sessionstore.Standing{User: alice, Reason: sessionstore.LoggedIn})
				l.book.set("other", sessionstore.Standing{User: alice, Reason: sessionstore.LoggedIn})
				w, other := l.open("k", newGuest), l.open("other", newGuest)
				pass(interval)
				l.book.remove("k")
				tt.touch(l.live)
				synctest.Wait() // no time passes
				w.shows(t, "close 4401 session ended")
				other.shows(t)
			})
		})
	}
}

func TestATouchDuringTheHandshakeIsNotMissed(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		alice := user(1, "alice")
		l.live.SessionTouched(live.HashSession("k"), time.Time{}) // the row was read before, and is gone
		pass(5 * time.Second)
		w := l.openAs("k", alice, newGuest)
		synctest.Wait()
		w.shows(t, "close 4401 session ended")
	})
}

func TestATouchWhileTheStoreIsAskedIsNotMissed(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.open("k", newGuest)
		l.book.mu.Lock()
		l.book.during = func() { // the answer is on its way and does not know it yet
			l.book.remove("k")
			l.live.SessionTouched(live.HashSession("k"), time.Time{})
		}
		l.book.mu.Unlock()
		l.live.TouchAll()
		pass(2 * time.Second / 10)
		w.shows(t, "close 4401 session ended")
	})
}

func TestNothingEndsWhileTheStoreCannotSay(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.open("k", newGuest)
		l.book.remove("k")
		l.book.fail(errors.New("away"))
		pass(time.Hour)
		w.shows(t)
		l.book.fail(nil)
		pass(2 * time.Second)
		w.shows(t, "close 4401 session ended")
	})
}

func TestAUserWhoIsAnotherRowIsTold(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.open("k", newCurious)
		pass(interval)
		l.book.set("k", sessionstore.Standing{User: user(1, "alicia"), Reason: sessionstore.LoggedIn})
		pass(interval)
		w.shows(t, "send alice to alicia")
		pass(10 * interval)
		w.shows(t, "send alice to alicia")
	})
}

func TestASessionOfSomebodyElseEndsWhoDoesNotAsk(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		asks, does := l.open("k", newCurious), l.open("k", newGuest)
		pass(interval)
		l.book.set("k", sessionstore.Standing{User: user(2, "bob"), Reason: sessionstore.LoggedIn})
		pass(interval)
		asks.shows(t, "send alice to bob")
		does.shows(t, "close 4401 session ended")
	})
}

func TestOfTwoUsersUnderOneKeyWhoDoesNotAskIsEnded(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		bob := user(2, "bob")
		l.book.set("k", sessionstore.Standing{User: bob, Reason: sessionstore.LoggedIn})
		l.open("k", newGuest)
		late := l.openAs("k", user(1, "alice"), newGuest) // read before the session was bob's
		pass(interval)
		late.shows(t, "close 4401 session ended")
	})
}

func TestWhoMovesItsSessionFollowsTheNewKey(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("old", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		mover, other := l.open("old", newGuest), l.open("old", newGuest)
		scope := mover.scope
		l.live.Moving(scope)
		l.book.remove("old")
		l.live.SessionTouched(live.HashSession("old"), time.Time{})
		synctest.Wait()
		bob := user(2, "bob")
		l.book.set("new", sessionstore.Standing{User: bob, Reason: sessionstore.LoggedIn})
		session := djangocompat.NewSession("new", djangocompat.SessionData{}, nil)
		session.Set(djangocompat.AuthBackendKey, bob.Backend)
		scope.Session, scope.User = session, bob
		l.live.Moved(scope)
		pass(2 * interval)
		mover.shows(t)
		other.shows(t, "close 4401 session ended")
		l.book.remove("new")
		pass(interval)
		mover.shows(t, "close 4401 session ended")
	})
}

func TestWhoEndsWhileItMovesIsForgotten(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		w := l.open("k", newGuest)
		l.live.Moving(w.scope)
		w.socket.Disconnect(consumers.CloseNormal)
		synctest.Wait()
		l.live.Moved(w.scope)
		l.book.forget()
		pass(10 * interval)
		if got := l.book.asked(); len(got) != 0 {
			t.Errorf("asked about %v, want nothing", got)
		}
	})
}

func TestAVisitorWhoLogsInIsTold(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("k", sessionstore.Standing{User: anonymous})
		asks, does := l.open("k", newCurious), l.open("k", newGuest)
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		pass(interval)
		asks.shows(t, "send  to alice")
		does.shows(t)
	})
}

func TestAVisitorWithoutASessionIsNotAskedAbout(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.openAs("", anonymous, newCurious)
		l.openAs("k", anonymous, newGuest)
		pass(10 * interval)
		if got := l.book.asked(); len(got) != 0 {
			t.Errorf("asked about %v, want nothing", got)
		}
	})
}

func TestWhoIsKnownByATokenIsNotAskedAbout(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		session := djangocompat.NewSession("k", djangocompat.SessionData{}, nil)
		session.Set(djangocompat.AuthBackendKey, "some.Backend")
		u := user(1, "alice")
		u.Backend = "a token"
		app := l.live.Watch(consumers.New(newGuest))
		if _, err := app.Open(l.t.Context(), &consumers.Scope{Session: session, User: u}); err != nil {
			t.Fatal(err)
		}
		pass(10 * interval)
		if got := l.book.asked(); len(got) != 0 {
			t.Errorf("asked about %v, want nothing", got)
		}
	})
}

func TestWhoHasGoneIsNotAskedAbout(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		one, two := l.open("k", newGuest), l.open("k", newGuest)
		one.socket.Disconnect(consumers.CloseNormal)
		pass(interval)
		two.socket.Disconnect(consumers.CloseNormal)
		synctest.Wait()
		l.book.forget()
		pass(10 * interval)
		if got := l.book.asked(); len(got) != 0 {
			t.Errorf("asked about %v, want nothing", got)
		}
	})
}

func TestKick(t *testing.T) {
	tests := []struct {
		name string
		kick func(*live.Live) int
		want []string // the visitors who are closed
	}{
		{"a user, whatever the session", func(l *live.Live) int { return l.KickUser(djangocompat.IntPK(1), 4001, "out") }, []string{"a1", "a2", "a2"}},
		{"a session", func(l *live.Live) int { return l.KickSession("a2", 4001, "out") }, []string{"a2", "a2"}},
		{"everybody", func(l *live.Live) int { return l.KickAll(4001, "out") }, []string{"a1", "a2", "a2", "b"}},
		{"nobody", func(l *live.Live) int { return l.KickUser(djangocompat.IntPK(3), 4001, "out") }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inLab(t, live.Config{}, func(l *lab) {
				alice := sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn}
				l.book.set("a1", alice)
				l.book.set("a2", alice)
				l.book.set("b", sessionstore.Standing{User: user(2, "bob"), Reason: sessionstore.LoggedIn})
				var closed []string
				keys := []string{"a1", "a2", "a2", "b"}
				wires := make([]*wire, len(keys))
				for i, key := range keys {
					wires[i] = l.open(key, newGuest)
				}
				if got := tt.kick(l.live); got != len(tt.want) {
					t.Errorf("kicked %d, want %d", got, len(tt.want))
				}
				for i, w := range wires {
					if len(w.notes) > 0 {
						w.shows(t, "close 4001 out")
						closed = append(closed, keys[i])
					}
				}
				if !slices.Equal(closed, tt.want) {
					t.Errorf("closed %q, want %q", closed, tt.want)
				}
			})
		})
	}
}

func TestAMessageToAUserReachesAllSockets(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		l.book.set("a", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn})
		l.book.set("b", sessionstore.Standing{User: user(2, "bob"), Reason: sessionstore.LoggedIn})
		one, two, other := l.open("a", newGuest), l.open("a", newGuest), l.open("b", newGuest)
		if got := l.live.SendUser(djangocompat.IntPK(1), consumers.TextMessage("hi")); got != 2 {
			t.Errorf("SendUser = %d, want 2", got)
		}
		one.shows(t, "send hi")
		two.shows(t, "send hi")
		other.shows(t)
	})
}

func TestMetricsAreWellFormed(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		problems, err := testutil.GatherAndLint(l.reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
	})
}

func TestASessionThatLastsForCenturiesIsAskedAboutOnceAnInterval(t *testing.T) {
	inLab(t, live.Config{}, func(l *lab) {
		end := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		l.book.set("k", sessionstore.Standing{User: user(1, "alice"), Reason: sessionstore.LoggedIn, Expires: end})
		l.open("k", newGuest)
		pass(4 * time.Second)
		l.book.forget()
		pass(10 * interval)
		if n := l.book.asked()["k"]; n > 14 {
			t.Errorf("asked %d times in 10 intervals, want about 10", n)
		}
		l.book.remove("k")
		pass(2 * interval)
		l.wantEnded("logout", 1)
	})
}
