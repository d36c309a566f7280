package token_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/wstest"
)

// people are users without a database: ann, whose key and id is "ann".
type people struct{ token.Users }

func (people) UserByAuthToken(_ context.Context, _, key, backend string) (sessionstore.TokenUser, error) {
	switch key {
	case "ann":
		return sessionstore.TokenUser{User: &djangocompat.User{PK: djangocompat.IntPK(1), Username: "ann", IsActive: true, Backend: backend}}, nil
	case "away":
		return sessionstore.TokenUser{}, &sessionstore.DatabaseError{Fault: sessionstore.FaultTimeout}
	}
	return sessionstore.TokenUser{}, nil
}

func (p people) UserByField(ctx context.Context, _ string, id any, backend string) (sessionstore.TokenUser, error) {
	name, _ := id.(string)
	return p.UserByAuthToken(ctx, "", name, backend)
}

// spoken is a scheme whose tokens are first messages.
func spoken() token.Scheme {
	return token.Scheme{Name: "api", Verifier: token.NewAuthToken(people{}, token.AuthTokenConfig{}), Sources: []token.Source{token.FirstMessage}}
}

// room is a consumer in a group.
type room struct{}

// line is an event of the group.
type line struct {
	Text string `json:"text"`
}

func (line) EventType() string { return "room.line" }

func (*room) Connect(ctx context.Context, c *consumers.Conn) error {
	if !c.Scope().User.IsAuthenticated() {
		return &consumers.Denial{Status: 403}
	}
	if err := c.GroupAdd(ctx, "room"); err != nil {
		return err
	}
	if err := c.Accept(); err != nil {
		return err
	}
	return c.SendText("welcome " + c.Scope().User.Username)
}

func (*room) Receive(ctx context.Context, c *consumers.Conn, m consumers.Message) error {
	switch m.Text() {
	case "fail":
		return errors.New("a mistake")
	case "bye":
		return c.Close(4000, "bye")
	}
	return c.GroupSend(ctx, "room", line{m.Text()})
}

func (*room) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error { return nil }

func showLine(e line) (consumers.Message, error) { return consumers.TextMessage("line " + e.Text), nil }

func newRoom() consumers.Application {
	return consumers.New(func() *room { return new(room) }, consumers.OnGroup(showLine))
}

// announcing offers the subprotocol of a first message.
func announcing(layer channellayer.Layer) wstest.Config {
	return wstest.Config{Subprotocols: []string{"first-message", "chat"}, Layer: layer}
}

func TestFirstMessage(t *testing.T) {
	tests := []struct {
		name  string
		cfg   token.Config
		first consumers.Message
		want  string              // the first answer, "" where it is closed
		code  consumers.CloseCode // where it is closed
	}{
		{"a token in an object", token.Config{}, consumers.TextMessage(`{"type": "auth", "token": "ann"}`), "welcome ann", 0},
		{"a token alone", token.Config{}, consumers.TextMessage(" ann\n"), "welcome ann", 0},
		{"a wrong token", token.Config{}, consumers.TextMessage("bob"), "", 4401},
		{"an object without a token", token.Config{}, consumers.TextMessage(`{"message": "hi"}`), "", 4401},
		{"no object", token.Config{}, consumers.TextMessage(`{"token": ["ann"]}`), "", 4401},
		{"no text", token.Config{}, consumers.BinaryMessage([]byte("ann")), "", 4401},
		{"a message that is longer than any token", token.Config{}, consumers.TextMessage(strings.Repeat("a", 20000)), "", 4401},
		{"a wrong token of whom may be anonymous, where that is not enough", token.Config{WrongToken: token.Anonymous}, consumers.TextMessage("bob"), "", 4403},
		{"a database that is away", token.Config{}, consumers.TextMessage("away"), "", consumers.CloseTryAgainLater},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := memlayer.New(memlayer.Config{})
				c := wstest.New(authenticator(t, tt.cfg, spoken()).Wrap(newRoom()), "/", announcing(layer))
				r, err := c.Connect(t.Context())
				if err != nil || r.Status != 101 || r.Subprotocol != "first-message" {
					t.Fatalf("Connect: %+v, %v", r, err)
				}
				if err := c.Send(tt.first); err != nil {
					t.Fatal(err)
				}
				text, err := c.ReceiveText(t.Context())
				if closed, ok := errors.AsType[*wstest.CloseError](err); ok != (tt.code != 0) || ok && closed.Code != tt.code || !ok && text != tt.want {
					t.Errorf("the answer is %q, %v, want %q, %d", text, err, tt.want, tt.code)
				}
				_ = c.Close(t.Context(), consumers.CloseNormal)
				if err := c.Wait(t.Context()); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
		})
	}
}

// TestAfterTheFirstMessage checks that the consumer inside has a connection like any other.
func TestAfterTheFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := memlayer.New(memlayer.Config{})
		var s seen
		app := newRoom()
		noting := consumers.ApplicationFunc(func(ctx context.Context, scope *consumers.Scope) (consumers.Instance, error) {
			s.scope = scope
			return app.Open(ctx, scope)
		})
		c := wstest.New(authenticator(t, token.Config{}, spoken()).Wrap(noting), "/", announcing(layer))
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		say := func(text string) {
			t.Helper()
			if err := c.SendText(text); err != nil {
				t.Fatal(err)
			}
		}
		hear := func(want string) {
			t.Helper()
			if text, err := c.ReceiveText(t.Context()); err != nil || text != want {
				t.Fatalf("heard %q, %v, want %q", text, err, want)
			}
		}
		say("ann")
		hear("welcome ann")
		if id := token.Of(s.scope); id == nil || id.Source != token.FirstMessage || strings.Join(s.scope.Subprotocols, " ") != "chat" {
			t.Errorf("the Scope has %+v and the offers %q", id, s.scope.Subprotocols)
		}
		for range 100 {
			say("hi")
		}
		for range 100 {
			hear("line hi")
		}
		say("bye")
		_, err := c.ReceiveText(t.Context())
		if closed, ok := errors.AsType[*wstest.CloseError](err); !ok || closed.Code != 4000 || closed.Reason != "bye" {
			t.Errorf("it ended with %v, want 4000 bye", err)
		}
		if err := c.Wait(t.Context()); err != nil {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestAMistakeInsideIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := memlayer.New(memlayer.Config{})
		c := wstest.New(authenticator(t, token.Config{}, spoken()).Wrap(newRoom()), "/", announcing(layer))
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"ann", "fail"} {
			if err := c.SendText(text); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Wait(t.Context()); err == nil || len(c.Reported()) != 1 {
			t.Errorf("Wait: %v; reported: %v", err, c.Reported())
		}
	})
}

func TestTheFirstMessageHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := wstest.New(authenticator(t, token.Config{}, spoken()).Wrap(newRoom()), "/", announcing(nil))
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := c.ReceiveText(t.Context())
		closed, ok := errors.AsType[*wstest.CloseError](err)
		if !ok || closed.Code != consumers.CloseSessionEnded || time.Since(began) != 5*time.Second {
			t.Errorf("after %v: %v, want 4401 after 5s", time.Since(began), err)
		}
	})
}

func TestWhoWaitsIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := authenticator(t, token.Config{MaxWaiting: 1}, spoken()).Wrap(newRoom())
		first := wstest.New(app, "/", announcing(nil))
		if r, err := first.Connect(t.Context()); err != nil || r.Status != 101 {
			t.Fatalf("the first: %+v, %v", r, err)
		}
		if r, err := wstest.New(app, "/", announcing(nil)).Connect(t.Context()); err != nil || r.Status != 503 {
			t.Errorf("the second: %+v, %v, want 503", r, err)
		}
		_ = first.Close(t.Context(), consumers.CloseNormal)
		synctest.Wait()
		third := wstest.New(app, "/", announcing(nil))
		if r, err := third.Connect(t.Context()); err != nil || r.Status != 101 {
			t.Errorf("the third: %+v, %v", r, err)
		}
		_ = third.Close(t.Context(), consumers.CloseNormal)
	})
}

// TestWhoDoesNotAnnounceATokenIsNotWaitedFor also checks FirstMessageAlways.
func TestWhoDoesNotAnnounceATokenIsNotWaitedFor(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  token.Config
		want int
	}{
		{"it is who it is", token.Config{}, 403},
		{"unless every WebSocket begins with a token", token.Config{FirstMessageAlways: true}, 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := wstest.New(authenticator(t, tt.cfg, spoken()).Wrap(newRoom()), "/", wstest.Config{})
				r, err := c.Connect(t.Context())
				if err != nil || r.Status != tt.want {
					t.Errorf("Connect: %d, %v, want %d", r.Status, err, tt.want)
				}
				if r.Status == 101 {
					_ = c.Close(t.Context(), consumers.CloseNormal)
				}
			})
		})
	}
}

// TestExpiry checks that WebSockets are closed when their tokens expire, by one timer, and not before.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := token.NewSigned(people{}, djangocompat.NewKeys(siteKey), token.SignedConfig{MaxAge: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		scheme := token.Scheme{Name: "api", Verifier: v, Sources: []token.Source{token.Query}, Query: "t"}
		app := authenticator(t, token.Config{AtExpiry: token.CloseExpired}, scheme).Wrap(new(seen).app())
		b := new(bed)
		began := time.Now()
		var clients []*wstest.Communicator
		for _, age := range []time.Duration{10 * time.Second, 50 * time.Second, 0} {
			text := b.dumpsAt(t, "ann", "belleville.token", began.Add(-age))
			c := wstest.New(app, "/?t="+text, wstest.Config{})
			if r, err := c.Connect(t.Context()); err != nil || r.Status != 101 {
				t.Fatalf("Connect: %+v, %v", r, err)
			}
			clients = append(clients, c)
		}
		wantExpiry(t, clients[1], began, 10*time.Second)
		wantExpiry(t, clients[0], began, 50*time.Second)
		wantExpiry(t, clients[2], began, time.Minute)
	})
}

func wantExpiry(t *testing.T, c *wstest.Communicator, began time.Time, want time.Duration) {
	t.Helper()
	_, err := c.ReceiveText(t.Context())
	closed, ok := errors.AsType[*wstest.CloseError](err)
	if !ok || closed.Code != consumers.CloseSessionEnded || time.Since(began) != want {
		t.Errorf("after %v: %v, want 4401 after %v", time.Since(began), err, want)
	}
}

func TestAFirstMessageOfWhoIsLoggedIn(t *testing.T) {
	eve := &djangocompat.User{PK: djangocompat.IntPK(7), Username: "eve", IsActive: true}
	tests := []struct {
		name  string
		cfg   token.Config
		first string
		want  string
	}{
		{"counts for nothing where sessions are first", token.Config{}, "ann", "welcome eve"},
		{"is not even wrong there", token.Config{}, "bob", "welcome eve"},
		{"counts where tokens are first", token.Config{Order: token.TokenFirst}, "ann", "welcome ann"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := memlayer.New(memlayer.Config{})
				cfg := announcing(layer)
				cfg.User = eve
				c := wstest.New(authenticator(t, tt.cfg, spoken()).Wrap(newRoom()), "/", cfg)
				if _, err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := c.SendText(tt.first); err != nil {
					t.Fatal(err)
				}
				if text, err := c.ReceiveText(t.Context()); err != nil || text != tt.want {
					t.Errorf("the answer is %q, %v, want %q", text, err, tt.want)
				}
				_ = c.Close(t.Context(), consumers.CloseNormal)
				if err := c.Wait(t.Context()); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
		})
	}
}

func TestAKickWhileAFirstMessageIsAwaitedReachesWhomItNames(t *testing.T) {
	tests := []struct {
		name string
		pk   int64
		code consumers.CloseCode
	}{
		{"the user of the token", 1, 4403},
		{"another user", 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sessions := live.New(nil, live.Config{})
				a := authenticator(t, token.Config{Arrived: sessions.Arrived}, spoken())
				app := sessions.Arriving(a.Wrap(sessions.Watch(newRoom())))
				c := wstest.New(app, "/", announcing(memlayer.New(memlayer.Config{})))
				if _, err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				sessions.KickUser(djangocompat.IntPK(tt.pk), 4403, "kicked")
				if err := c.Send(consumers.TextMessage("ann")); err != nil {
					t.Fatal(err)
				}
				text, err := c.ReceiveText(t.Context())
				if closed, ok := errors.AsType[*wstest.CloseError](err); ok != (tt.code != 0) || ok && closed.Code != tt.code {
					t.Errorf("the answer is %q, %v, want %d", text, err, tt.code)
				}
				_ = c.Close(t.Context(), consumers.CloseNormal)
				if err := c.Wait(t.Context()); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
		})
	}
}
