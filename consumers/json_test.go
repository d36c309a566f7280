package consumers_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"

	"github.com/belleville/belleville/consumers"
)

// move is what a client of jsonSite says.
type move struct {
	X, Y int
	Name string
}

// jsonSite is a consumer of moves.
type jsonSite struct{ code consumers.CloseCode }

func (*jsonSite) Connect(_ context.Context, c *consumers.Conn) error { return c.Accept() }

func (*jsonSite) ReceiveJSON(_ context.Context, c *consumers.Conn, m move) error {
	return c.SendJSON(m)
}

func (s *jsonSite) Disconnect(_ context.Context, _ *consumers.Conn, code consumers.CloseCode) error {
	s.code = code
	return nil
}

func (*jsonSite) said(_ context.Context, c *consumers.Conn, e said) error { return c.SendJSON(e) }

func TestJSONConsumer(t *testing.T) {
	tests := []struct {
		name string
		m    consumers.Message
		want string // "" where it fails
	}{
		{"W11: text is decoded", consumers.TextMessage(`{"X":1,"Name":"<b>&é"}`), `{"X":1,"Y":0,"Name":"<b>&é"}`},
		{"W13: the last of equal keys wins", consumers.TextMessage(`{"X":1,"X":2}`), `{"X":2,"Y":0,"Name":""}`},
		{"W11: binary fails", consumers.BinaryMessage([]byte(`{"X":1}`)), ""},
		{"W11: an empty text fails", consumers.TextMessage(""), ""},
		{"W11: what is no JSON fails", consumers.TextMessage("{"), ""},
		{"what is JSON of another shape fails", consumers.TextMessage(`{"X":"1"}`), ""},
		{"W13: NaN is no JSON here", consumers.TextMessage(`{"X":NaN}`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(jsonSite)
				c := dial(t, consumers.NewJSON(func() *jsonSite { return s }, consumers.On((*jsonSite).said)), nil)
				if err := c.Send(tt.m); err != nil {
					t.Fatal(err)
				}
				got, err := c.ReceiveText(t.Context())
				if got != tt.want {
					t.Errorf("got %q, error %v; want %q", got, err, tt.want)
				}
				if failed := errors.Is(err, consumers.ErrNotJSON); failed != (tt.want == "") {
					t.Errorf("got error %v", err)
				}
				if tt.want != "" {
					return
				}
				if err := c.Wait(t.Context()); !errors.Is(err, consumers.ErrNotJSON) || s.code != consumers.CloseInternalError {
					t.Errorf("got error %v, code %d; want ErrNotJSON, 1011", err, s.code)
				}
			})
		})
	}
}

// groupedJSON shows that NewJSON hides nothing of a consumer.
type groupedJSON struct{ jsonSite }

func (*groupedJSON) Groups() []string { return []string{"room"} }

func (*groupedJSON) note(_ context.Context, c *consumers.Conn, e note) error { return c.SendJSON(e) }

func TestJSONConsumerHasGroupsAndHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		c := dial(t, consumers.NewJSON(func() *groupedJSON { return new(groupedJSON) }, consumers.On((*groupedJSON).note)), layer)
		groupSend(t, layer, "room", "chat.note", "x")
		hears(t, c, `{"text":"x"}`)
	})
}

func TestSendJSONOfWhatIsNoJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{receive: func(_ context.Context, c *consumers.Conn, _ consumers.Message) error {
			if err := c.SendJSON(math.NaN()); err == nil {
				t.Error("no error")
			}
			return c.SendText("still open")
		}}
		c := dial(t, s.app(), nil)
		says(t, c, "x")
		hears(t, c, "still open")
	})
}

func TestMessages(t *testing.T) {
	echo := &site{receive: func(_ context.Context, c *consumers.Conn, m consumers.Message) error { return c.Send(m) }}
	tests := []struct {
		name     string
		m        consumers.Message
		wantKind consumers.Kind
		want     string
	}{
		{"W6: text is text", consumers.TextMessage("é"), consumers.Text, "é"},
		{"W6: an empty text is delivered, W7: and sent", consumers.TextMessage(""), consumers.Text, ""},
		{"W6: binary is binary", consumers.BinaryMessage([]byte{0xFF, 0}), consumers.Binary, "\xff\x00"},
		{"W7: an empty binary message is sent", consumers.BinaryMessage(nil), consumers.Binary, ""},
		{"what is no UTF-8 in a text is replaced", consumers.TextMessage("a\xff\xfeb"), consumers.Text, "a\uFFFDb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dial(t, echo.app(), nil)
				if err := c.Send(tt.m); err != nil {
					t.Fatal(err)
				}
				m, err := c.Receive(t.Context())
				if err != nil || m.Kind != tt.wantKind || m.Text() != tt.want {
					t.Errorf("got kind %d, %q, error %v; want kind %d, %q", m.Kind, m.Data, err, tt.wantKind, tt.want)
				}
			})
		})
	}
}

func TestOnGroupSendsValidText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer()
		app := (&site{connect: inRoom}).app(consumers.OnGroup(func(said) (consumers.Message, error) {
			return consumers.Message{Kind: consumers.Text, Data: []byte("\xff")}, nil
		}))
		c := dial(t, app, layer)
		groupSend(t, layer, "room", "chat.said", "x")
		hears(t, c, "\uFFFD")
	})
}
