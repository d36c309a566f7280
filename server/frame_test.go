package server_test

import (
	"testing"

	"github.com/belleville/belleville/server"
)

func TestFrames(t *testing.T) {
	const limit = 70_000
	cfg := server.Config{MaxMessage: limit, MaxFragments: 8}
	type answer struct {
		first   byte
		payload string
	}
	tests := []struct {
		name   string
		say    string
		want   []answer
		closed uint16 // 0: the connection goes on
	}{
		{"text is echoed", frame(fText, "hi"), []answer{{fText, "hi"}}, 0},
		{"an empty text message is one", frame(fText, ""), []answer{{fText, ""}}, 0},
		{"an empty binary message is one", frame(fBinary, ""), []answer{{fBinary, ""}}, 0},
		{"125 bytes", frame(fBinary, repeat("x", 125)), []answer{{fBinary, repeat("x", 125)}}, 0},
		{"126 bytes", frame(fBinary, repeat("x", 126)), []answer{{fBinary, repeat("x", 126)}}, 0},
		{"65535 bytes", frame(fBinary, repeat("x", 65535)), []answer{{fBinary, repeat("x", 65535)}}, 0},
		{"65536 bytes", frame(fBinary, repeat("x", 65536)), []answer{{fBinary, repeat("x", 65536)}}, 0},
		{"the largest message", frame(fText, repeat("x", limit)), []answer{{fText, repeat("x", limit)}}, 0},
		{"one byte more than the largest", frame(fText, repeat("x", limit+1)), nil, 1009},
		{"a length that is only claimed", "\x82\xff\x00\x00\x00\x10\x00\x00\x00\x00\x01\x02\x03\x04", nil, 1009},
		{"a length of 2^63", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04", nil, 1002},
		{"a long form for a short length", "\x82\xfe\x00\x05\x01\x02\x03\x04abcde", nil, 1002},
		{"a longer form for a middle length", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04", nil, 1002},

		{"several frames in one segment", frame(fText, "a") + frame(fBinary, "b") + frame(fText, "c"), []answer{{fText, "a"}, {fBinary, "b"}, {fText, "c"}}, 0},
		{"fragments are joined", frame(fBegin, "a") + frame(fMore, "b") + frame(fEnd, "c"), []answer{{fText, "abc"}}, 0},
		{"empty fragments are allowed", frame(fBegin, "") + frame(fMore, "") + frame(fEnd, ""), []answer{{fText, ""}}, 0},
		{"a ping between fragments is answered first", frame(fBegin, "a") + frame(fPing, "p") + frame(fEnd, "b"), []answer{{fPong, "p"}, {fText, "ab"}}, 0},
		{"a continuation without a beginning", frame(fEnd, "x"), nil, 1002},
		{"a new message inside another", frame(fBegin, "a") + frame(fText, "b"), nil, 1002},
		{"a message of too many fragments", frame(fBegin, "") + repeat(frame(fMore, ""), 8), nil, 1008},
		{"fragments that are too large together", frame(fBegin, repeat("x", limit)) + frame(fEnd, "x"), nil, 1009},

		{"a ping is answered with its payload", frame(fPing, "payload"), []answer{{fPong, "payload"}}, 0},
		{"an empty ping", frame(fPing, ""), []answer{{fPong, ""}}, 0},
		{"a ping of 125 bytes", frame(fPing, repeat("p", 125)), []answer{{fPong, repeat("p", 125)}}, 0},
		{"a ping of 126 bytes", frame(fPing, repeat("p", 126)), nil, 1002},
		{"a fragmented ping", frame(0x09, "p"), nil, 1002},
		{"a pong that nobody asked for", frame(fPong, "x") + frame(fText, "a"), []answer{{fText, "a"}}, 0},

		{"a reserved bit", frame(0xc1, "x"), nil, 1002},
		{"the second reserved bit", frame(0xa1, "x"), nil, 1002},
		{"the third reserved bit", frame(0x91, "x"), nil, 1002},
		{"a reserved data opcode", frame(0x83, "x"), nil, 1002},
		{"a reserved control opcode", frame(0x8b, "x"), nil, 1002},
		{"a frame without a mask", "\x81\x02hi", nil, 1002},

		{"valid UTF-8", frame(fText, "κόσμε \U0001F30D"), []answer{{fText, "κόσμε \U0001F30D"}}, 0},
		{"a character split over fragments", frame(fBegin, "\xf0\x9f") + frame(fEnd, "\x8c\x8d"), []answer{{fText, "\U0001F30D"}}, 0},
		{"invalid UTF-8 in text", frame(fText, "a\xff"), nil, 1007},
		{"a surrogate in text", frame(fText, "\xed\xa0\x80"), nil, 1007},
		{"an overlong form in text", frame(fText, "\xc0\xaf"), nil, 1007},
		{"a cut character at the end of text", frame(fText, "a\xe2\x82"), nil, 1007},
		{"invalid UTF-8 in binary is nobody's business", frame(fBinary, "\xff"), []answer{{fBinary, "\xff"}}, 0},

		{"a close without a code", frame(fClose, ""), nil, 1005},
		{"a close with 1000", frame(fClose, closePayload(1000, "bye")), nil, 1000},
		{"a close with 1001", frame(fClose, closePayload(1001, "")), nil, 1001},
		{"a close with 1012, registered after the RFC", frame(fClose, closePayload(1012, "")), nil, 1012},
		{"a close with 1014, registered after the RFC", frame(fClose, closePayload(1014, "")), nil, 1014},
		{"a close with 3000", frame(fClose, closePayload(3000, "")), nil, 3000},
		{"a close with 4999", frame(fClose, closePayload(4999, repeat("r", 123))), nil, 4999},
		{"a close with half a code", frame(fClose, "\x03"), nil, 1002},
		{"a close with 0", frame(fClose, closePayload(0, "")), nil, 1002},
		{"a close with 999", frame(fClose, closePayload(999, "")), nil, 1002},
		{"a close with 1004", frame(fClose, closePayload(1004, "")), nil, 1002},
		{"a close with 1005", frame(fClose, closePayload(1005, "")), nil, 1002},
		{"a close with 1006", frame(fClose, closePayload(1006, "")), nil, 1002},
		{"a close with 1015", frame(fClose, closePayload(1015, "")), nil, 1002},
		{"a close with 1016", frame(fClose, closePayload(1016, "")), nil, 1002},
		{"a close with 2999", frame(fClose, closePayload(2999, "")), nil, 1002},
		{"a close with 5000", frame(fClose, closePayload(5000, "")), nil, 1002},
		{"a close with 65535", frame(fClose, closePayload(65535, "")), nil, 1002},
		{"a close whose reason is no UTF-8", frame(fClose, closePayload(1000, "\xff")), nil, 1007},
		{"nothing behind a close is looked at", frame(fClose, closePayload(1000, "")) + frame(0x83, "x") + frame(fClose, closePayload(4000, "")), nil, 1000},
	}
	onBoth(t, echoes, cfg, func(t *testing.T, s *site) {
		for _, tt := range tests {
			for _, pace := range []string{"at once", "byte by byte"} {
				if pace == "byte by byte" && len(tt.say) > 2000 {
					continue
				}
				t.Run(tt.name+", "+pace, func(t *testing.T) {
					t.Parallel()
					p := s.open(t)
					if pace == "at once" {
						p.say(tt.say)
					} else {
						go p.drip(tt.say)
					}
					for i, w := range tt.want {
						first, payload := p.read()
						if first != w.first || payload != w.payload {
							t.Fatalf("frame %d = %#x with %d bytes, want %#x with %d", i, first, len(payload), w.first, len(w.payload))
						}
					}
					if tt.closed == 0 {
						p.say(frame(fClose, closePayload(1000, "")))
						p.wantClosed(1000)
						return
					}
					p.wantClosed(tt.closed)
				})
			}
		}
	})
}

// drip says bytes one at a time. The server may close meanwhile.
func (p *peer) drip(b string) {
	for i := range len(b) {
		if _, err := p.Conn.Write([]byte{b[i]}); err != nil {
			return
		}
	}
}

func TestAMessageBehindTheHandshakeIsNotLost(t *testing.T) {
	onBoth(t, echoes, server.Config{}, func(t *testing.T, s *site) {
		whole := goodHead + frame(fText, "early") + frame(fText, "bird")
		for split := 1; split < len(whole); split += 7 {
			p := s.raw(t)
			p.say(whole[:split])
			p.say(whole[split:])
			if r, _ := p.answer(); r.StatusCode != 101 {
				t.Fatalf("status = %d, want 101", r.StatusCode)
			}
			for _, want := range []string{"early", "bird"} {
				if _, got := p.read(); got != want {
					t.Fatalf("split at %d: message = %q, want %q", split, got, want)
				}
			}
			_ = p.Close()
		}
	})
}
