package demo

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/memlayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/routing"
	"github.com/belleville/belleville/wstest"
)

// party is a chat and those who are in it.
type party struct {
	t     *testing.T
	app   consumers.Application
	rooms *rooms
	layer *memlayer.Layer
}

func newParty(t *testing.T) *party {
	rs := newRooms()
	return &party{
		t: t, rooms: rs, layer: memlayer.New(memlayer.Config{}),
		app: routing.URLRouter{routing.Path("ws/chat/<slug:room>/", chat(rs))},
	}
}

// guest is one tab.
type guest struct {
	*wstest.Communicator
	t *testing.T
}

// tab opens a socket that is not connected yet. Each user has one session.
func (p *party) tab(room, user string) *guest {
	cfg := wstest.Config{Layer: p.layer}
	if user != "" {
		cfg.User = &djangocompat.User{PK: djangocompat.TextPK(user), Username: user, Backend: "some.Backend"}
		cfg.Session = djangocompat.NewSession(user+"sessionkey", djangocompat.SessionData{}, nil)
	}
	return &guest{wstest.New(p.app, "/ws/chat/"+room+"/", cfg), p.t}
}

// join opens a socket and reads its welcome and the presence that follows.
func (p *party) join(room, user string) (*guest, *welcome) {
	p.t.Helper()
	g := p.tab(room, user)
	r, err := g.Connect(p.t.Context())
	if err != nil || r.Status != http.StatusSwitchingProtocols {
		p.t.Fatalf("%s: handshake answered with %d, error %v", user, r.Status, err)
	}
	first := g.next()
	if first.Welcome == nil {
		p.t.Fatalf("%s: the first thing is no welcome", user)
	}
	if second := g.next(); second.Presence == nil {
		p.t.Fatalf("%s: the second thing is no presence", user)
	}
	return g, first.Welcome
}

// next returns what the tab is sent next.
func (g *guest) next() update {
	g.t.Helper()
	var u update
	if err := g.ReceiveJSON(g.t.Context(), &u); err != nil {
		g.t.Fatal(err)
	}
	return u
}

// none fails if the tab was sent anything more.
func (g *guest) none() {
	g.t.Helper()
	synctest.Wait()
	if n := g.Pending(); n != 0 {
		g.t.Errorf("%d messages too many", n)
	}
}

func (g *guest) say(text string) {
	g.t.Helper()
	if err := g.SendJSON(said{text}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) leave() {
	g.t.Helper()
	if err := g.Close(g.t.Context(), consumers.CloseGoingAway); err != nil {
		g.t.Fatal(err)
	}
}

// closedWith waits for the close of the tab's socket.
func (g *guest) closedWith() consumers.CloseCode {
	g.t.Helper()
	_, err := g.Receive(g.t.Context())
	closed, ok := errors.AsType[*wstest.CloseError](err)
	if !ok {
		g.t.Fatalf("got %v, want a close", err)
	}
	return closed.Code
}

func TestChatGoesToTheWholeRoomAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		alice, _ := p.join("lobby", "alice")
		bob, _ := p.join("lobby", "bob")
		alice.next() // bob came in
		elsewhere, _ := p.join("music", "bob")

		alice.say("  <b>hi</b> & \"you\"\n ")
		for _, g := range []*guest{alice, bob} {
			m := g.next().Message
			if m == nil || m.From != "alice" || m.Text != "<b>hi</b> & \"you\"" || m.At != time.Now().UnixMilli() {
				t.Errorf("got %+v", m)
			}
			g.none()
		}
		elsewhere.none()
		for _, g := range []*guest{alice, bob, elsewhere} {
			g.leave()
		}
	})
}

func TestChatWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		alice, first := p.join("lobby", "alice")
		if first.History == nil || len(first.History) != 0 {
			t.Errorf("history of a new room: %v, want an empty list, not null", first.History)
		}
		alice.say("one")
		alice.say("two")
		alice.next()
		alice.next()
		bob, w := p.join("lobby", "bob")
		if len(w.History) != 2 || w.History[0].Text != "one" || w.History[1].Text != "two" {
			t.Errorf("history %v, want one, two", w.History)
		}
		if want := []Visitor{{"alice", 1}, {"bob", 1}}; !slices.Equal(w.Presence.Here, want) {
			t.Errorf("here %v, want %v", w.Presence.Here, want)
		}
		you := w.You
		if you.Username != "bob" || you.UserID != "bob" || you.Backend != "some.Backend" || you.Cookie != "sessionid" {
			t.Errorf("you are %+v", you)
		}
		if channellayer.CheckChannelName(you.Channel) != nil || you.Since != time.Now().UnixMilli() {
			t.Errorf("channel %q, since %d", you.Channel, you.Since)
		}
		if want := []string{"chat.lobby"}; !slices.Equal(you.Groups, want) {
			t.Errorf("groups %q, want %q", you.Groups, want)
		}
		alice.leave()
		bob.leave()
	})
}

func TestChatPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		bob, _ := p.join("lobby", "bob")
		here := func(want ...Visitor) {
			t.Helper()
			got := bob.next().Presence
			if got == nil || !slices.Equal(got.Here, want) {
				t.Errorf("here %v, want %v", got, want)
			}
		}
		first, _ := p.join("lobby", "alice")
		here(Visitor{"alice", 1}, Visitor{"bob", 1})
		second, _ := p.join("lobby", "alice")
		here(Visitor{"alice", 2}, Visitor{"bob", 1})
		first.leave()
		here(Visitor{"alice", 1}, Visitor{"bob", 1})
		second.leave()
		here(Visitor{"bob", 1})
		bob.leave()
	})
}

func TestChatRefuses(t *testing.T) {
	tests := []struct {
		name, room, user string
		want             int
	}{
		{"who is not logged in", "lobby", "", http.StatusForbidden},
		{"a room whose name is no slug", "lob.by", "alice", http.StatusNotFound},
		{"a room with a very long name", strings.Repeat("r", maxRoomName+1), "alice", http.StatusNotFound},
		{"one room too many", "one-more", "alice", http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newParty(t)
			for i := range maxRooms {
				if _, _, err := p.rooms.join(fmt.Sprint("room", i), "bob"); err != nil {
					t.Fatal(err)
				}
			}
			g := p.tab(tt.room, tt.user)
			r, err := g.Connect(t.Context())
			if err != nil || r.Status != tt.want {
				t.Errorf("handshake answered with %d, error %v, want %d", r.Status, err, tt.want)
			}
			if len(p.rooms.byName) != maxRooms {
				t.Errorf("%d rooms, want %d: a refused visitor left one", len(p.rooms.byName), maxRooms)
			}
		})
	}
}

func TestChatBoundsMessages(t *testing.T) {
	tests := []struct {
		name, text string
		refused    bool
	}{
		{"the longest", strings.Repeat("ü", maxText), false},
		{"one character more", strings.Repeat("ü", maxText+1), true},
		{"blanks around do not count", "  " + strings.Repeat("x", maxText) + "\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t)
				alice, _ := p.join("lobby", "alice")
				alice.say(tt.text)
				got := alice.next()
				if refused := got.Refusal != nil; refused != tt.refused {
					t.Errorf("refused = %v, want %v", refused, tt.refused)
				}
				if got.Refusal != nil && got.Refusal.Text != tt.text {
					t.Error("the text is not given back")
				}
				alice.leave()
			})
		})
	}
}

func TestChatBoundsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		alice, _ := p.join("lobby", "alice")
		for i := range sayBurst {
			alice.say(fmt.Sprint(i))
			if alice.next().Message == nil {
				t.Fatalf("message %d was not passed on", i)
			}
		}
		alice.say("too fast")
		if r := alice.next().Refusal; r == nil || r.Text != "too fast" {
			t.Errorf("got %v, want a refusal with the text", r)
		}
		time.Sleep(sayInterval)
		alice.say("slower")
		if m := alice.next().Message; m == nil || m.Text != "slower" {
			t.Errorf("got %v, want the message", m)
		}
		alice.leave()
	})
}

func TestChatClosesOnWhatNoPageSends(t *testing.T) {
	tests := []struct {
		name    string
		message consumers.Message
	}{
		{"binary", consumers.BinaryMessage([]byte(`{"text":"hi"}`))},
		{"no JSON", consumers.TextMessage("hi")},
		{"another shape", consumers.TextMessage(`{"text":["hi"]}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParty(t)
				bob, _ := p.join("lobby", "bob")
				alice, _ := p.join("lobby", "alice")
				bob.next() // alice came in
				if err := alice.Send(tt.message); err != nil {
					t.Fatal(err)
				}
				if code := alice.closedWith(); code != consumers.CloseUnsupportedData {
					t.Errorf("closed with %d", code)
				}
				alice.leave()
				if u := bob.next(); u.Presence == nil || len(u.Presence.Here) != 1 {
					t.Errorf("bob is told %+v, want that alice left", u)
				}
				bob.leave()
			})
		})
	}
}

func TestChatIgnoresAnEmptyMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		alice, _ := p.join("lobby", "alice")
		alice.say(" \n\t ")
		alice.none()
		alice.leave()
	})
}

func FuzzChatReceive(f *testing.F) {
	for _, seed := range []string{`{"text":"hi"}`, `{"text":"\ud800"}`, `{"text":null}`, `{"text":1}`, `{}`, `[]`, ``, "\xff", `{"text":"\u0000"}`} {
		f.Add([]byte(seed), false)
	}
	f.Add([]byte{0}, true)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		p := newParty(t)
		alice, _ := p.join("lobby", "alice")
		m := consumers.Message{Kind: consumers.Text, Data: data}
		if binary {
			m.Kind = consumers.Binary
		}
		if err := alice.Send(m); err != nil {
			t.Fatal(err)
		}
		alice.leave() // fails the test if the consumer failed
		_, history, err := p.rooms.join("lobby", "bob")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range history {
			if n := utf8.RuneCountInString(m.Text); n == 0 || n > maxText || !utf8.ValidString(m.Text) || m.From != "alice" {
				t.Errorf("passed on %+q, from %q", m.Text, m.From)
			}
		}
	})
}
