package server

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
)

func TestWholeCharacters(t *testing.T) {
	tests := []struct {
		name string
		text string
		n    int
		ok   bool
	}{
		{"nothing is whole", "", 0, true},
		{"ASCII is whole", "abc", 3, true},
		{"a character of two bytes", "\xc3\xa4", 2, true},
		{"the first byte of two waits", "a\xc3", 1, true},
		{"two bytes of three wait", "a\xe2\x82", 1, true},
		{"three bytes of four wait", "a\xf0\x9f\x8c", 1, true},
		{"four bytes are whole", "\xf0\x9f\x8c\x8d", 4, true},
		{"a continuation begins nothing", "\x80", 0, false},
		{"a first byte needs its second", "\xc3a", 0, false},
		{"a surrogate fails at its second byte", "\xed\xa0", 0, false},
		{"beyond U+10FFFF fails at its second byte", "\xf4\x90", 0, false},
		{"an overlong form of three bytes fails at its second", "\xe0\x80", 0, false},
		{"an overlong form of four bytes fails at its second", "\xf0\x80", 0, false},
		{"an overlong form of two bytes fails at its first", "\xc0", 0, false},
		{"a form of five bytes fails at its first", "\xf8", 0, false},
		{"0xff fails at once", "a\xff", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, ok := wholeCharacters([]byte(tt.text))
			if ok != tt.ok || ok && n != tt.n {
				t.Errorf("wholeCharacters(%q) = %d, %v, want %d, %v", tt.text, n, ok, tt.n, tt.ok)
			}
		})
	}
}

// FuzzText sends a text in two pieces: it is refused in the end exactly where it is no UTF-8, and as soon as no
// text begins like that.
func FuzzText(f *testing.F) {
	f.Add([]byte("a\xe2\x82\xac"), uint8(2))
	f.Add([]byte("\xed\xa0\x80"), uint8(1))
	l := newLab(Config{})
	f.Fuzz(func(t *testing.T, text []byte, at uint8) {
		if len(text) > 1<<10 {
			return
		}
		b := l.open(t)
		frame := append([]byte{0x81, 0xfe, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}, text...)
		if len(text) < 126 {
			frame = append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
		}
		split := min(len(frame), int(at))
		b.hear(t, frame[:split])
		b.hear(t, frame[split:])
		messages, _, sent := b.finish(t)
		if valid := utf8.Valid(text); valid != (len(messages) == 1) || valid == (sent == consumers.CloseInvalidPayload) {
			t.Errorf("%q: %d messages, closed with %d", text, len(messages), sent)
		}
	})
}

func TestT31ABadTextFailsAtTheByteThatMakesItSo(t *testing.T) {
	tests := []struct {
		name string
		text string
		at   int // how many bytes of it are needed
	}{
		{"0xff", "hello \xff and much more", 7},
		{"a surrogate", "\xed\xa0\x80 and more", 2},
		{"beyond U+10FFFF", "\xce\xba\xf4\x90\x80\x80", 4},
		{"a character that is not continued", "\xe2\x82x", 3},
	}
	l := newLab(Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := l.open(t)
			frame := append([]byte{0x81, 0x80 | byte(len(tt.text)), 0, 0, 0, 0}, tt.text...)
			for i := range 6 + tt.at {
				if b.deaf {
					t.Fatalf("refused %d bytes early", 6+tt.at-i)
				}
				b.hear(t, frame[i:i+1])
			}
			if !b.deaf {
				t.Error("a text was listened to further though it is none")
			}
			if _, _, sent := b.finish(t); sent != consumers.CloseInvalidPayload {
				t.Errorf("closed with %d, want 1007", sent)
			}
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T31", "texts that are no UTF-8", fmt.Sprint("failed: ", t.Failed()), "1007 at the byte that shows it")
}

func TestControlFramesHaveABudget(t *testing.T) {
	l := newLab(Config{MaxControlFrames: 5})
	pings := func(n int) []byte { return bytes.Repeat([]byte{0x89, 0x80, 0, 0, 0, 0}, n) }
	b := l.open(t)
	b.hear(t, pings(5))
	b.heard -= ticksInSecond // a second later they may come again
	b.hear(t, pings(5))
	if b.deaf {
		t.Fatal("as many as are allowed closed the connection")
	}
	b.heard -= ticksInSecond
	b.hear(t, pings(6))
	if _, _, sent := b.finish(t); sent != consumers.ClosePolicyViolation {
		t.Errorf("closed with %d, want 1008", sent)
	}
}
