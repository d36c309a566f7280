package server_test

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/server"
	"github.com/gobwas/ws/wsflate"
)

// The conformance suite says frames to an echo, byte by byte as RFC 6455 and RFC 7692 allow and forbid them, and
// looks at the bytes of the answer. Its sections are those that conformance suites for WebSockets have: 1 framing,
// 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragments, 6 UTF-8, 7 the closing handshake, 9 sizes and limits,
// 10 messages in many frames, 12 compression, 13 its parameters.

// answer is one frame of the server, decompressed: its first byte and its payload.
type answer struct {
	first   byte
	payload string
}

// exchange is one case.
type exchange struct {
	name   string
	say    string
	want   []answer // compared one by one; nil with closed means that none is looked at
	closed uint16   // the code of the server's close frame; 0: the connection goes on
}

// section is the cases that stand together.
type section struct {
	name  string
	offer string // the client's Sec-WebSocket-Extensions
	cases []exchange
}

// The limits of the server under test.
const (
	maxMessage   = 128 << 10
	maxFragments = 64
)

// text and binary are what an echo answers.
func text(payload string) answer { return answer{fText, payload} }
func blob(payload string) answer { return answer{fBinary, payload} }

// paces are the ways in which a client's bytes come.
var paces = []struct {
	name        string
	piece       int // bytes in a segment
	least, most int // the sizes of cases that it is for
}{
	{"at once", 1 << 30, 0, 1 << 30},
	{"byte by byte", 1, 0, 2000},
	{"in pieces of 997 bytes", 997, 2001, 1 << 30},
}

func TestConformance(t *testing.T) {
	sections := conformance()
	app := func() consumers.Application { return squeezing(echoes()) }
	cfg := server.Config{MaxMessage: maxMessage, MaxFragments: maxFragments}
	cases, runs := 0, 0
	onBoth(t, app, cfg, func(t *testing.T, s *site) {
		cases = 0
		for _, sec := range sections {
			t.Run(sec.name, func(t *testing.T) {
				for _, e := range sec.cases {
					cases++
					for _, pace := range paces {
						if len(e.say) < pace.least || len(e.say) > pace.most {
							continue
						}
						runs++
						t.Run(e.name+", "+pace.name, func(t *testing.T) {
							t.Parallel()
							s.converse(t, sec.offer, e, pace.piece)
						})
					}
				}
			})
		}
	})
	t.Logf("%d cases in %d sections; %d runs on %d transports", cases, len(sections), runs, len(transports))
	if cases < 100 {
		t.Errorf("there are %d cases, want at least 100", cases)
	}
}

// conformance returns all sections.
func conformance() []section {
	all := []section{
		{"1 framing", "", framingCases()},
		{"2 pings and pongs", "", pingCases()},
		{"3 reserved bits", "", reservedBitCases()},
		{"4 opcodes", "", opcodeCases()},
		{"5 fragments", "", fragmentCases()},
		{"6 UTF-8", "", append(validTextCases(), invalidTextCases()...)},
		{"7 close", "", closeCases()},
		{"9 sizes and limits", "", limitCases()},
		{"10 many frames", "", manyFrameCases()},
		{"12 compression", "permessage-deflate", compressionCases()},
	}
	for _, offer := range []string{
		"permessage-deflate; client_max_window_bits", "permessage-deflate; server_no_context_takeover",
		"permessage-deflate; client_no_context_takeover; server_max_window_bits=15",
		"permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
		"permessage-deflate; server_max_window_bits=77, permessage-deflate; server_max_window_bits=8",
	} {
		all = append(all, section{"13 " + offer, offer, parameterCases()})
	}
	for _, offer := range []string{
		"permessage-deflate; foo=bar", "permessage-deflate; server_max_window_bits=16", "permessage-deflate;", "x-other",
	} {
		all = append(all, section{"13 declined: " + offer, offer, declinedCases()})
	}
	return all
}

// converse has one exchange.
func (s *site) converse(t *testing.T, offer string, e exchange, piece int) {
	p := s.raw(t)
	head := goodHead
	if offer != "" {
		head = with("", "Sec-WebSocket-Extensions: "+offer+"\r\n")
	}
	p.say(head)
	if r, _ := p.answer(); r.StatusCode != 101 {
		t.Fatalf("status = %d, want 101", r.StatusCode)
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		for rest := e.say; rest != ""; {
			n := min(piece, len(rest))
			if _, err := p.Conn.Write([]byte(rest[:n])); err != nil {
				return // the server may close meanwhile
			}
			rest = rest[n:]
		}
	}()
	defer func() { <-said }()
	for i, w := range e.want {
		first, payload := p.read()
		got := answer{first, payload}
		if first&0x40 != 0 {
			plain, err := wsflate.DefaultHelper.Decompress([]byte(payload))
			if err != nil || offer == "" {
				t.Fatalf("frame %d is compressed: %v", i, err)
			}
			got = answer{first &^ 0x40, string(plain)}
		}
		if got != w {
			t.Fatalf("frame %d = %#x with %d bytes, want %#x with %d", i, got.first, len(got.payload), w.first, len(w.payload))
		}
	}
	if e.closed != 0 {
		p.wantClosed(e.closed)
		return
	}
	<-said
	p.say(frame(fClose, closePayload(1000, "")))
	p.wantClosed(1000)
}

// pieces makes a message of fragments: each payload a frame of its own.
func pieces(first byte, payloads ...string) string {
	var b strings.Builder
	for i, p := range payloads {
		op := first &^ 0x80
		if i > 0 {
			op = fMore
		}
		if i == len(payloads)-1 {
			op |= 0x80
		}
		b.WriteString(frame(op, p))
	}
	return b.String()
}

// sliced cuts a text into pieces of n bytes.
func sliced(s string, n int) []string {
	var all []string
	for len(s) > n {
		all, s = append(all, s[:n]), s[n:]
	}
	return append(all, s)
}
