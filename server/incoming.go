package server

import (
	"slices"
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws"
)

// incoming is what a connection has of a message that has not come whole. It exists only meanwhile.
type incoming struct {
	tail  []byte // bytes that have not been looked at, or of a header that is not whole
	since int64  // the tick at which the message began

	// Of the message.
	kind      consumers.Kind // 0 where nobody wants it any more
	payload   []byte         // so far, without its mask
	checked   int            // how much of a text's payload is whole characters
	fragments int            // how many have begun; 0 means that no message has
	deflated  bool           // the payload is compressed

	// Of its latest frame.
	left int64 // what has not come
	mask [4]byte
	at   int // what of the mask is next
	last bool
}

// empty reports whether nothing is left.
func (in *incoming) empty() bool { return len(in.tail) == 0 && in.fragments == 0 }

// whole reports whether the message is.
func (in *incoming) whole() bool { return in.last && in.left == 0 }

// check says what is wrong with a data frame at this place.
func (in *incoming) check(h ws.Header, limits *Config) *frameError {
	switch {
	case (h.OpCode == ws.OpContinuation) != (in.fragments > 0):
		return errProtocol
	case in.fragments >= limits.MaxFragments:
		return errFragments
	}
	return nil
}

// begin takes a data frame's header.
func (in *incoming) begin(h ws.Header) {
	if in.fragments == 0 {
		in.kind, in.deflated = kindOf(h.OpCode), h.Rsv != 0
	}
	in.fragments++
	in.left, in.mask, in.at, in.last = h.Length, h.Mask, 0, h.Fin
}

// kindOf returns the kind of message that a frame begins.
func kindOf(op ws.OpCode) consumers.Kind {
	if op == ws.OpText {
		return consumers.Text
	}
	return consumers.Binary
}

// take takes what has come of a frame's payload, and changes it. Room is made for twice what has come, and never
// for more than the frame: what it declares allocates nothing. A text is checked as far as it has come.
func (in *incoming) take(data []byte) (used int, _ *frameError) {
	used = int(min(in.left, int64(len(data))))
	data = data[:used]
	ws.Cipher(data, in.mask, in.at)
	if in.kind != 0 {
		if cap(in.payload)-len(in.payload) < used {
			in.payload = slices.Grow(in.payload, int(min(in.left, int64(len(in.payload)+used))))
		}
		in.payload = append(in.payload, data...)
	}
	in.at = (in.at + used) % len(in.mask)
	in.left -= int64(used)
	if in.kind != consumers.Text || in.deflated {
		return used, nil
	}
	valid, ok := wholeCharacters(in.payload[in.checked:])
	in.checked += valid
	if !ok || in.whole() && in.checked < len(in.payload) {
		return used, errNotUTF8
	}
	return used, nil
}

// message returns the message, which is whole, and makes room for another.
func (in *incoming) message(s *Server) (m consumers.Message, err *frameError) {
	m = consumers.Message{Kind: in.kind, Data: in.payload}
	if in.deflated && in.kind != 0 {
		m, err = s.deflaters.inflate(in.kind, in.payload, s.cfg.Load().MaxMessage)
	}
	in.payload, in.checked, in.fragments, in.last = nil, 0, 0, false
	if m.Data == nil {
		m.Data = []byte{}
	}
	return m, err
}

// mute keeps nothing more of a message that nobody wants any more; its frames must still be told apart.
func (in *incoming) mute() { in.kind, in.payload, in.checked = 0, nil, 0 }

// wholeCharacters returns how much of the beginning of a text is whole characters. It reports false where no bytes
// that may follow could make the rest one. RFC 3629.
func wholeCharacters(text []byte) (n int, ok bool) {
	n = len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if begin := len(text) - i; utf8.RuneStart(text[begin]) {
			if !utf8.FullRune(text[begin:]) {
				n = begin
			}
			break
		}
	}
	return n, utf8.Valid(text[:n])
}
