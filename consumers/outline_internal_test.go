package consumers

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/djangocompat"
)

// full returns a Scope that visitors of a page could share but for who they are.
func full() *Scope {
	s := &Scope{
		Type: TypeWebSocket, Method: "GET", Scheme: "wss", Path: "/room/1/", RawPath: "/room/1/", RootPath: "/site",
		Client: netip.MustParseAddrPort("192.0.2.7:1234"), Server: netip.MustParseAddrPort("192.0.2.1:443"),
		Subprotocol: "chat", Route: "room/<int:n>/", Args: []string{"1"}, Kwargs: Kwargs{"n": "1"},
		PathRemaining: "x", Routed: true, Draining: make(chan struct{}), wire: new(Wire),
		Session: new(djangocompat.Session), User: &djangocompat.User{PK: djangocompat.IntPK(1)},
	}
	s.Set("recogniser", 1)
	return s
}

// watchStub is a Watch.
type watchStub struct{ _ int }

func (*watchStub) Ended() {}

func TestASettledScopeHasAllAgain(t *testing.T) {
	for _, client := range []string{"192.0.2.7:1234", "[2001:db8::1]:1", "[::ffff:192.0.2.7]:5", ""} {
		t.Run("of "+client, func(t *testing.T) {
			o, s := newOutlines(), full()
			s.Client = netip.AddrPort{}
			if client != "" {
				s.Client = netip.MustParseAddrPort(client)
			}
			s.Set("more", 3)
			w := new(watchStub)
			s.Set("seat", w)
			want := s.Clone()
			for range 2 { // the first one that it is, and one that is like another
				outline, own := o.share(s, w)
				if got := own.complete(outline, w); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				s = full()
				s.Client, s.wire, s.Draining = want.Client, want.wire, want.Draining
				s.Session, s.User, s.values = want.Session, want.User, want.values
			}
		})
	}
}

func TestVisitorsShareAnOutline(t *testing.T) {
	o, a := newOutlines(), full()
	b := a.Clone()
	b.Session, b.User, b.Client = new(djangocompat.Session), new(djangocompat.User), netip.MustParseAddrPort("192.0.2.8:1")
	b.values = nil
	b.Set("recogniser", 1)
	first, _ := o.share(a, nil)
	second, own := o.share(b, nil)
	if first != second {
		t.Error("two visitors of a page share no outline")
	}
	if own.values != first.values {
		t.Error("they do not share what the same middleware has left")
	}
	if first.Session != nil || first.User != nil || first.Client.IsValid() {
		t.Error("the outline holds a visitor")
	}
}

func TestAVisitorWhoLogsInIsOneForAllScopes(t *testing.T) {
	tests := []struct {
		name string
		rest func(ch *channel, o *outlines)
	}{
		{"while the consumer works", func(*channel, *outlines) {}},
		{"after it has rested", (*channel).rest},
		{"after it has rested and asked again", func(ch *channel, o *outlines) {
			ch.rest(o)
			ch.Scope()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ch, o, s := new(channel), newOutlines(), full()
			ch.own(s)
			tt.rest(ch, o)
			session, user := new(djangocompat.Session), new(djangocompat.User)
			s.Become(session, user)
			for range 2 {
				if now := ch.Scope(); now.Session != session || now.User != user || s.User != user || ch.user() != user {
					t.Error("a Scope is still that of the visitor before")
				}
				ch.rest(o)
			}
		})
	}
}

func TestWhatAConsumerLeavesInItsScopeRemains(t *testing.T) {
	ch, o := new(channel), newOutlines()
	ch.own(full())
	ch.rest(o)
	ch.Scope().Set("key", "value")
	ch.rest(o)
	if got := ch.Scope().Value("key"); got != "value" {
		t.Errorf("Value = %v, want value", got)
	}
}

func TestWhatDiffersIsNotShared(t *testing.T) {
	changes := map[string]func(s *Scope){
		"Type":          func(s *Scope) { s.Type = "other" },
		"Method":        func(s *Scope) { s.Method = "CONNECT" },
		"Scheme":        func(s *Scope) { s.Scheme = "ws" },
		"Path":          func(s *Scope) { s.Path = "/room/2/" },
		"RawPath":       func(s *Scope) { s.RawPath = "/room/%31/" },
		"RootPath":      func(s *Scope) { s.RootPath = "" },
		"Query":         func(s *Scope) { s.Query = "token=secret" },
		"Server":        func(s *Scope) { s.Server = netip.AddrPort{} },
		"Subprotocols":  func(s *Scope) { s.Subprotocols = []string{"chat"} },
		"Subprotocol":   func(s *Scope) { s.Subprotocol = "" },
		"Route":         func(s *Scope) { s.Route = "room/<slug:n>/" },
		"Args":          func(s *Scope) { s.Args = []string{"2"} },
		"Kwargs":        func(s *Scope) { s.Kwargs = Kwargs{"n": "2"} },
		"PathRemaining": func(s *Scope) { s.PathRemaining = "" },
		"Routed":        func(s *Scope) { s.Routed = false },
		"Layer":         func(s *Scope) { s.Layer = struct{ channellayer.Layer }{} },
		"Draining":      func(s *Scope) { s.Draining = nil },
		"wire":          func(s *Scope) { s.wire = new(Wire) },
	}
	of := []string{"Header", "Client", "Cookies", "Session", "User", "values", "owner", "seat"} // the visitor alone
	for f := range reflect.TypeFor[Scope]().Fields() {
		if slices.Contains(of, f.Name) {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			a := full()
			b := a.Clone()
			changes[f.Name](b)
			o := newOutlines()
			first, _ := o.share(a, nil)
			if second, _ := o.share(b, nil); first == nil || first == second {
				t.Error("Scopes that differ share an outline")
			}
		})
	}
}
