package token_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// dated is a Verifier whose tokens all end at one time.
type dated struct{ end time.Time }

func (dated) Kind() string { return "dated" }

func (d dated) Verify(context.Context, string, string) (*token.Identity, error) {
	return &token.Identity{User: &djangocompat.User{PK: djangocompat.IntPK(1), IsActive: true}, Expires: d.end}, nil
}

// network notes with which code a WebSocket was closed, or its handshake refused.
type network struct{ closed chan consumers.CloseCode }

func (n network) Answer(r consumers.Response) error {
	if r.Status != http.StatusSwitchingProtocols {
		n.closed <- consumers.CloseCode(r.Status)
	}
	return nil
}
func (n network) Send(consumers.Message, *consumers.Frames) error { return nil }
func (n network) Close(code consumers.CloseCode, _ string) error  { n.closed <- code; return nil }
func (n network) Resume()                                         {}
func (n network) Report(error)                                    {}
func (n network) Ended()                                          {}

// opened opens a WebSocket whose token ends at a time, and does not start it.
func opened(t *testing.T, end time.Time) *consumers.Socket {
	t.Helper()
	scheme := token.Scheme{Name: "api", Verifier: dated{end}, Sources: []token.Source{token.Query}, Query: "t"}
	app := authenticator(t, token.Config{AtExpiry: token.CloseExpired}, scheme).Wrap(new(seen).app())
	instance, err := app.Open(t.Context(), &consumers.Scope{Type: consumers.TypeWebSocket, Query: "t=x", User: new(djangocompat.User)})
	if err != nil {
		t.Fatal(err)
	}
	return instance.(*consumers.Socket)
}

func TestATokenThatExpiresDuringTheHandshakeRefusesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		socket := opened(t, time.Now().Add(time.Second))
		<-time.After(1500 * time.Millisecond)
		n := network{make(chan consumers.CloseCode, 1)}
		socket.Start(t.Context(), n)
		select {
		case code := <-n.closed:
			if code != http.StatusForbidden {
				t.Errorf("ended with %d, want %d", code, http.StatusForbidden)
			}
		case <-time.After(time.Minute):
			t.Error("it is open a minute after its token has expired")
		}
		socket.Disconnect(consumers.CloseNormal)
		<-time.After(2 * time.Minute)
	})
}

func TestATokenThatLastsForCenturiesEndsNoWebSocket(t *testing.T) {
	for _, year := range []int{2262, 2263, 2600, 5000, 9999} {
		synctest.Test(t, func(t *testing.T) {
			socket := opened(t, time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC))
			n := network{make(chan consumers.CloseCode, 1)}
			socket.Start(t.Context(), n)
			select {
			case code := <-n.closed:
				t.Errorf("closed with %d in the year 2000, want it open until %d", code, year)
			case <-time.After(24 * time.Hour):
			}
			socket.Disconnect(consumers.CloseNormal)
		})
	}
}
