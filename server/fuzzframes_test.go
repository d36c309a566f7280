package server

import (
	"bytes"
	"io"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// heard is what became of a client's bytes.
type heard struct {
	messages   []consumers.Message
	told, sent consumers.CloseCode
}

// listen feeds a stream in pieces, and watches that what is held for it grows with the bytes that came only.
func listen(t *testing.T, l *lab, pieces [][]byte) heard {
	t.Helper()
	b := l.open(t)
	fed := 0
	for _, piece := range pieces {
		fed += len(piece)
		b.hear(t, piece)
		if b.in == nil {
			continue
		}
		if held := cap(b.in.tail) + cap(b.in.payload); held > 4*fed+256 {
			t.Fatalf("%d bytes are held for %d that came", held, fed)
		}
	}
	var h heard
	h.messages, h.told, h.sent = b.finish(t)
	return h
}

// cut splits a stream: each byte of cuts is the length of a piece, over and over.
func cut(stream, cuts []byte) [][]byte {
	var pieces [][]byte
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(cuts) > 0 {
			n = min(n, int(cuts[i%len(cuts)])+1)
		}
		pieces = append(pieces, stream[:n])
		stream = stream[n:]
	}
	return pieces
}

// sameMessages reports whether two consumers were told the same.
func sameMessages(a, b []consumers.Message) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Kind != b[i].Kind || !bytes.Equal(a[i].Data, b[i].Data) {
			return false
		}
	}
	return true
}

// FuzzFrames feeds a client's frames. However they are cut up, the consumer is told the same and the peer gets
// the same close code; and what gobwas/ws reads of them is the same, unless we are stricter.
func FuzzFrames(f *testing.F) {
	l := newLab(Config{MaxMessage: 4096, MaxFragments: 8})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		if len(stream) > 16<<10 {
			return
		}
		whole := listen(t, l, cut(stream, nil))
		parts := listen(t, l, cut(stream, cuts))
		if !sameMessages(whole.messages, parts.messages) || whole.told != parts.told || whole.sent != parts.sent {
			t.Errorf("cut up: %d messages, told %d, sent %d; whole: %d, %d, %d",
				len(parts.messages), parts.told, parts.sent, len(whole.messages), whole.told, whole.sent)
		}
		want := reference(stream)
		failed := whole.sent == 1002 || whole.sent >= 1007 && whole.sent <= 1009
		switch {
		case malformed(stream) && !failed:
			t.Errorf("gobwas/ws refuses a frame that was taken")
		case !failed && !sameMessages(whole.messages, want):
			t.Errorf("got %d messages, gobwas/ws %d", len(whole.messages), len(want))
		}
	})
}

// reference reads messages with gobwas/ws until a close frame, an error or the end.
func reference(stream []byte) (messages []consumers.Message) {
	rd := &wsutil.Reader{Source: bytes.NewReader(stream), State: ws.StateServerSide}
	rd.OnIntermediate = func(h ws.Header, r io.Reader) error {
		if h.OpCode == ws.OpClose {
			return io.EOF
		}
		_, err := io.Copy(io.Discard, r)
		return err
	}
	for {
		h, err := rd.NextFrame()
		if err != nil || h.OpCode == ws.OpClose {
			return messages
		}
		payload, err := io.ReadAll(rd)
		if err != nil {
			return messages
		}
		switch h.OpCode {
		case ws.OpText:
			messages = append(messages, consumers.Message{Kind: consumers.Text, Data: payload})
		case ws.OpBinary:
			messages = append(messages, consumers.Message{Kind: consumers.Binary, Data: payload})
		}
	}
}

// malformed reports whether gobwas/ws objects to the header of a whole frame before a close frame.
func malformed(stream []byte) bool {
	r, state := bytes.NewReader(stream), ws.StateServerSide
	for {
		h, err := ws.ReadHeader(r)
		if err != nil || int64(r.Len()) < h.Length {
			return false
		}
		if ws.CheckHeader(h, state) != nil {
			return true
		}
		if h.OpCode == ws.OpClose {
			return false
		}
		switch {
		case h.OpCode.IsControl():
		case h.Fin:
			state = state.Clear(ws.StateFragmented)
		default:
			state = state.Set(ws.StateFragmented)
		}
		_, _ = r.Seek(h.Length, io.SeekCurrent) // it is there
	}
}
