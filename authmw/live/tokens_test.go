package live_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// groundKey is the key of a ground in a test's Scope.
type groundKey struct{}

func groundOf(s *consumers.Scope) *sessionstore.TokenGround {
	g, _ := s.Value(groundKey{}).(*sessionstore.TokenGround)
	return g
}

// openToken connects as a user who is known by a token.
func (l *lab) openToken(u *djangocompat.User, jti string, newConsumer func() consumers.Consumer) *wire {
	l.t.Helper()
	w := new(wire)
	w.scope = &consumers.Scope{Session: new(djangocompat.Session), User: u}
	w.scope.Set(groundKey{}, &sessionstore.TokenGround{PK: u.PK, Backend: u.Backend, JTI: jti})
	instance, err := l.live.Watch(consumers.New(newConsumer)).Open(l.t.Context(), w.scope)
	if err != nil {
		l.t.Fatal(err)
	}
	w.socket = instance.(*consumers.Socket)
	w.socket.Start(context.Background(), w)
	l.t.Cleanup(func() { w.socket.Disconnect(consumers.CloseNormal) })
	return w
}

// tokenOf is where the book has the standing of a user's tokens.
const tokenOf = "token of 1"

func TestTheEndOfATokenEndsItsSockets(t *testing.T) {
	tests := []struct {
		reason sessionstore.Reason
		cause  string
	}{
		{sessionstore.TokenRevoked, "logout"},
		{sessionstore.NoSuchUser, "no_user"},
		{sessionstore.Inactive, "inactive"},
		{sessionstore.HashMismatch, "password"},
	}
	for _, tt := range tests {
		t.Run(tt.reason.String(), func(t *testing.T) {
			inLab(t, live.Config{Ground: groundOf}, func(l *lab) {
				u := user(1, "alice")
				l.book.set(tokenOf, sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
				l.book.set("k", sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
				one, two, other := l.openToken(u, "a", newGuest), l.openToken(u, "b", newGuest), l.open("k", newGuest)
				pass(2 * interval)
				one.shows(t)
				l.book.set(tokenOf, sessionstore.Standing{User: anonymous, Reason: tt.reason})
				pass(interval)
				one.shows(t, "close 4401 session ended")
				two.shows(t, "close 4401 session ended")
				other.shows(t)
				l.wantEnded(tt.cause, 2)
			})
		})
	}
}

func TestTokensAreAskedAboutTogether(t *testing.T) {
	inLab(t, live.Config{Ground: groundOf}, func(l *lab) {
		u := user(1, "alice")
		l.book.set(tokenOf, sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
		for i := range 300 {
			l.openToken(u, string(rune('a'+i)), newGuest)
			l.openToken(u, string(rune('a'+i)), newGuest) // another tab
		}
		pass(4 * time.Second)
		l.book.forget()
		pass(interval)
		if n := l.book.asked()[tokenOf]; n != 300 {
			t.Errorf("%d tokens were asked about in an interval, want 300, each once", n)
		}
		if n := len(l.book.queries); n > 5 {
			t.Errorf("it took %d queries, want 5 at most", n)
		}
	})
}

func TestATokensUserWhoIsTouchedIsAskedAboutAtOnce(t *testing.T) {
	inLab(t, live.Config{Ground: groundOf}, func(l *lab) {
		u := user(1, "alice")
		l.book.set(tokenOf, sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
		w := l.openToken(u, "a", newCurious)
		pass(2 * interval)
		renamed := user(1, "alicia")
		l.book.mu.Lock()
		l.book.entries[tokenOf] = sessionstore.Standing{User: renamed, Reason: sessionstore.LoggedIn} // without a Session
		l.book.mu.Unlock()
		l.live.UserTouched(live.HashUser(u.PK), time.Now())
		synctest.Wait()
		w.shows(t, "send alice to alicia")
		l.book.set(tokenOf, sessionstore.Standing{User: anonymous, Reason: sessionstore.Inactive})
		l.live.UserTouched(live.HashUser(u.PK), time.Now())
		synctest.Wait()
		w.shows(t, "send alice to alicia", "close 4401 session ended")
		if n := l.live.KickAll(4000, ""); n != 0 {
			t.Errorf("%d connections are left, want none", n)
		}
	})
}

func TestAKickReachesWhoIsKnownByAToken(t *testing.T) {
	for name, kick := range map[string]live.Order{"by user": {User: int64(1)}, "all": {All: true}} {
		t.Run(name, func(t *testing.T) {
			inLab(t, live.Config{Ground: groundOf}, func(l *lab) {
				u := user(1, "alice")
				l.book.set(tokenOf, sessionstore.Standing{User: u, Reason: sessionstore.LoggedIn})
				w := l.openToken(u, "a", newGuest)
				if n, err := l.live.Execute(kick); n != 1 || err != nil {
					t.Errorf("Execute = %d, %v, want 1", n, err)
				}
				w.shows(t, "close 4403 kicked")
			})
		})
	}
}
