package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
)

// A head that is flooded with is refused once as much has come as is allowed, and costs no more than that.
func TestT24AFloodOfAHeadIsRefused(t *testing.T) {
	floods := []struct{ name, begin, line string }{
		{"one line without an end", "GET / HTTP/1.1\r\nX: ", "xxxxxxxxxxxxxxxx"},
		{"a million fields", "GET / HTTP/1.1\r\n", "X-A: b\r\n"},
		{"a target without an end", "GET /", "xxxxxxxxxxxxxxxx"},
	}
	for _, flood := range floods {
		t.Run(flood.name, func(t *testing.T) {
			l := newLab(Config{})
			b := &bench{wakeups: make(chan struct{}, 1)}
			place, _ := l.server.admission.admit()
			b.conn = l.server.newConn(b, place)
			b.feed([]byte(flood.begin))
			block := bytes.Repeat([]byte(flood.line), 1024/len(flood.line))
			size := allocated(func() {
				for range 64 << 10 { // 64 MiB
					b.feed(block)
				}
			})
			if size > 256<<10 {
				t.Errorf("%d bytes were allocated", size)
			}
			b.settle(t)
			if !bytes.HasPrefix(b.written, []byte("HTTP/1.1 431 ")) {
				t.Errorf("the answer is %.20q, want 431", b.written)
			}
			b.release()
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T24", "a line without an end, a million fields, a target without an end: 64 MiB each", fmt.Sprint("failed: ", t.Failed()), "431 each, less than 256 KiB allocated")
}

// A length that is only claimed allocates nothing, whatever it is.
func TestT28ALengthThatIsOnlyClaimedAllocatesNothing(t *testing.T) {
	l := newLab(Config{})
	for bits := 7; bits < 64; bits++ {
		for _, minus := range []uint64{0, 1} {
			length := uint64(1)<<bits - minus
			t.Run(fmt.Sprintf("2^%d-%d", bits, minus), func(t *testing.T) {
				b := l.open(t)
				header := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, length)
				size := allocated(func() { b.feed(append(header, 1, 2, 3, 4, 5)) })
				if size > 64<<10 {
					t.Errorf("%d bytes were allocated", size)
				}
				b.settle(t)
				_, _, sent := b.finish(t)
				want := consumers.CloseTooBig
				switch {
				case length < 1<<16 || length >= 1<<63:
					want = consumers.CloseProtocolError
				case length <= 1<<20:
					want = 0 // it may come
				}
				if sent != want {
					t.Errorf("closed with %d, want %d", sent, want)
				}
			})
		}
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T28", "lengths from 2^7 to 2^63, and each but one", fmt.Sprint("failed: ", t.Failed()), "1009 or 1002, less than 64 KiB allocated")
}

// The bounds of one message: its bytes, its frames, its time.
func TestT29AMessageHasBounds(t *testing.T) {
	fragment := func(first byte, n int) []byte {
		return append([]byte{first, 0x80 | byte(n), 0, 0, 0, 0}, bytes.Repeat([]byte{'x'}, n)...)
	}
	tests := []struct {
		name string
		say  func(t *testing.T, b *bench)
		want consumers.CloseCode
	}{
		{"as many bytes as are allowed", func(t *testing.T, b *bench) {
			b.hear(t, append(fragment(0x02, 50), fragment(0x80, 50)...))
		}, 0},
		{"one byte more", func(t *testing.T, b *bench) { b.hear(t, append(fragment(0x02, 50), fragment(0x80, 51)...)) }, 1009},
		{"as many fragments as are allowed", func(t *testing.T, b *bench) {
			b.hear(t, append(append(fragment(0x02, 0), bytes.Repeat(fragment(0x00, 0), 3)...), fragment(0x80, 0)...))
		}, 0},
		{"one fragment more", func(t *testing.T, b *bench) {
			b.hear(t, append(fragment(0x02, 0), bytes.Repeat(fragment(0x00, 0), 5)...))
		}, 1008},
		{"almost as long as is allowed", func(t *testing.T, b *bench) {
			b.hear(t, fragment(0x02, 1))
			b.expire(b.server.clock.now() + ticks(messageTimeout-time.Second) - 1)
		}, 0},
		{"longer", func(t *testing.T, b *bench) {
			b.hear(t, fragment(0x02, 1))
			b.expire(b.server.clock.now() + ticks(messageTimeout))
		}, 1008},
	}
	l := newLab(Config{MaxMessage: 100, MaxFragments: 5, PingInterval: time.Hour})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := l.open(t)
			tt.say(t, b)
			b.settle(t)
			if _, _, sent := b.finish(t); sent != tt.want {
				t.Errorf("closed with %d, want %d", sent, tt.want)
			}
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T29", "the bounds of a message in bytes, fragments and time", fmt.Sprint("failed: ", t.Failed()), "each is hit exactly")
}
