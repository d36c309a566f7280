package server

import (
	"crypto/rand"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// What cannot be compressed is longer on the wire than it is. The limit is for the message.
func TestTheLimitOfAMessageIsNotThatOfItsCompressedForm(t *testing.T) {
	const limit = 1 << 20
	noise := make([]byte, limit+1)
	_, _ = rand.Read(noise)
	tests := []struct {
		name    string
		payload []byte
		pieces  int
		squeeze bool
		want    consumers.CloseCode // 0 where the message is taken
	}{
		{"as much as is allowed", noise[:limit], 1, true, 0},
		{"as much in fragments", noise[:limit], 3, true, 0},
		{"a byte more", noise, 1, true, consumers.CloseTooBig},
		{"a byte more in fragments", noise, 3, true, consumers.CloseTooBig},
		{"a byte more that is not compressed", noise, 1, false, consumers.CloseTooBig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newLab(Config{MaxMessage: limit}).open(t)
			b.deflation.Store(uint32(deflation(fullWindow).agreed(&consumers.Wire{Compression: true})))
			payload, rsv := tt.payload, byte(0)
			if tt.squeeze {
				payload, rsv = squeezed(t, payload), rsv1
			}
			if tt.want == 0 && len(payload) <= limit {
				t.Fatal("it became shorter")
			}
			b.feed(inPieces(t, payload, rsv, tt.pieces))
			messages, _, sent := b.finish(t)
			if sent != tt.want || tt.want == 0 && (len(messages) != 1 || string(messages[0].Data) != string(tt.payload)) {
				t.Errorf("closed with %d after %d messages, want %d", sent, len(messages), tt.want)
			}
		})
	}
}

// inPieces returns a client's message in so many frames.
func inPieces(t *testing.T, payload []byte, rsv byte, pieces int) (data []byte) {
	t.Helper()
	op := ws.OpBinary
	for i := range pieces {
		piece := payload[len(payload)*i/pieces : len(payload)*(i+1)/pieces]
		f := ws.NewFrame(op, i == pieces-1, piece)
		f.Header.Rsv = rsv
		bytes, err := ws.CompileFrame(ws.MaskFrame(f))
		if err != nil {
			t.Fatal(err)
		}
		data, op, rsv = append(data, bytes...), ws.OpContinuation, 0
	}
	return data
}
