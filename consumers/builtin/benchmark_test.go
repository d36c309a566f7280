package builtin_test

import (
	"testing"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/consumers/builtin"
)

// sink is the client's end of a connection that counts what it is sent.
type sink struct{ sent chan struct{} }

func (s *sink) Answer(consumers.Response) error { return nil }

func (s *sink) Send(consumers.Message, *consumers.Frames) error { s.sent <- struct{}{}; return nil }

func (s *sink) Close(consumers.CloseCode, string) error { return nil }

func (s *sink) Resume() {}

func (s *sink) Report(error) {}

func (s *sink) Ended() {}

// BenchmarkRelay is a message of a client that comes back to it through its group.
func BenchmarkRelay(b *testing.B) {
	scope := inRoom("lobby", alice(), newLayer())
	scope.Type = consumers.TypeWebSocket
	instance, err := builtin.Relay(chat()).Open(b.Context(), &scope)
	if err != nil {
		b.Fatal(err)
	}
	socket, client := instance.(*consumers.Socket), &sink{make(chan struct{}, 1)}
	socket.Start(b.Context(), client)
	message := consumers.TextMessage(`{"message":"hello, everybody in the lobby"}`)
	b.ReportAllocs()
	for b.Loop() {
		socket.Message(message)
		<-client.sent
	}
	socket.Disconnect(consumers.CloseNormal)
}

// BenchmarkRelayGroup is an event for a group of 1,000, which is rendered once.
func BenchmarkRelayGroup(b *testing.B) {
	layer, app := newLayer(), builtin.Relay(chat())
	client := &sink{make(chan struct{}, 1000)}
	var sockets []*consumers.Socket
	for range 1000 {
		scope := inRoom("lobby", nil, layer)
		scope.Type = consumers.TypeWebSocket
		instance, err := app.Open(b.Context(), &scope)
		if err != nil {
			b.Fatal(err)
		}
		s := instance.(*consumers.Socket)
		s.Start(b.Context(), client)
		sockets = append(sockets, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		e := channellayer.Event{"type": "chat.message", "message": "hello, everybody in the lobby"}
		if err := layer.GroupSend(b.Context(), "chat_lobby", e); err != nil {
			b.Fatal(err)
		}
		for range 1000 {
			<-client.sent
		}
	}
	for _, s := range sockets {
		s.Disconnect(consumers.CloseNormal)
	}
}
