package server

import (
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
)

func TestOffersOfCompression(t *testing.T) {
	tests := []struct {
		name   string
		fields []string
		window int // 0: declined
		named  bool
	}{
		{"none", nil, 0, false},
		{"a bare one", []string{"permessage-deflate"}, 15, false},
		{"its name in any case", []string{"Permessage-DEFLATE"}, 15, false},
		{"as browsers write it", []string{"permessage-deflate; client_max_window_bits"}, 15, false},
		{"all parameters", []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12"}, 10, true},
		{"a value in quotes", []string{`permessage-deflate; server_max_window_bits="9"`}, 9, true},
		{"blanks around everything", []string{" permessage-deflate \t;  server_max_window_bits = 15 "}, 15, true},
		{"the smallest window", []string{"permessage-deflate; server_max_window_bits=8"}, 8, true},
		{"a hint about the client's own window", []string{"permessage-deflate; client_max_window_bits=9"}, 15, false},

		{"an unknown parameter declines", []string{"permessage-deflate; foo=bar"}, 0, false},
		{"an unknown parameter with a good value declines", []string{"permessage-deflate; foo=10"}, 0, false},
		{"a parameter twice declines", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits"}, 0, false},
		{"a parameter twice with values declines", []string{"permessage-deflate; server_max_window_bits=10; server_max_window_bits=11"}, 0, false},
		{"a value for a parameter without one declines", []string{"permessage-deflate; server_no_context_takeover=1"}, 0, false},
		{"a value for the client's declines", []string{"permessage-deflate; client_no_context_takeover=10"}, 0, false},
		{"no value for a parameter with one declines", []string{"permessage-deflate; server_max_window_bits"}, 0, false},
		{"a window of 7 declines", []string{"permessage-deflate; server_max_window_bits=7"}, 0, false},
		{"a window of 16 declines", []string{"permessage-deflate; server_max_window_bits=16"}, 0, false},
		{"a client's window of 16 declines", []string{"permessage-deflate; client_max_window_bits=16"}, 0, false},
		{"a zero in front declines", []string{"permessage-deflate; server_max_window_bits=09"}, 0, false},
		{"a sign declines", []string{"permessage-deflate; server_max_window_bits=+9"}, 0, false},
		{"an empty value declines", []string{"permessage-deflate; client_max_window_bits="}, 0, false},
		{"an open quote declines", []string{`permessage-deflate; client_max_window_bits="9`}, 0, false},
		{"an empty parameter declines", []string{"permessage-deflate;; client_max_window_bits"}, 0, false},
		{"a semicolon at the end declines", []string{"permessage-deflate;"}, 0, false},
		{"a parameter that is no token declines", []string{"permessage-deflate; a b"}, 0, false},
		{"another extension is not ours", []string{"x-webkit-deflate-frame"}, 0, false},
		{"a longer name is another's", []string{"permessage-deflate2"}, 0, false},

		{"the first good one of a list", []string{"permessage-deflate; foo, permessage-deflate; server_max_window_bits=9, permessage-deflate"}, 9, true},
		{"the first good one of several fields", []string{"permessage-bzip2", "permessage-deflate; server_max_window_bits=77", "permessage-deflate"}, 15, false},
		{"a comma in quotes divides nothing", []string{`foo; bar="a, permessage-deflate"`}, 0, false},
		{"an escaped quote ends nothing", []string{`foo; bar="\", permessage-deflate"`}, 0, false},
		{"empty items are nothing", []string{", ,permessage-deflate,,"}, 15, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := new(head)
			for _, v := range tt.fields {
				h.fields = append(h.fields, consumers.HeaderField{Name: "sec-websocket-extensions", Value: v})
			}
			d := h.deflation()
			if d.window() != tt.window || (d&deflationNamed != 0) != tt.named {
				t.Errorf("window %d, named %v, want %d, %v", d.window(), d&deflationNamed != 0, tt.window, tt.named)
			}
		})
	}
}

func TestWhatIsCompressed(t *testing.T) {
	offer := deflation(fullWindow)
	small := deflation(9) | deflationNamed
	on := consumers.Wire{Compression: true}
	tests := []struct {
		name  string
		offer deflation
		wire  consumers.Wire
		size  int
		want  bool
	}{
		{"nothing on a route that does not want it", offer, consumers.Wire{}, 1000, false},
		{"nothing for a client that did not ask", 0, on, 1000, false},
		{"by default nothing small", offer, on, 255, false},
		{"by default what has 256 bytes", offer, on, 256, true},
		{"what has the route's least size", offer, consumers.Wire{Compression: true, CompressionMinimum: 10}, 10, true},
		{"nothing below the route's least size", offer, consumers.Wire{Compression: true, CompressionMinimum: 10}, 9, false},
		{"what fits into a small window", small, on, 512, true},
		{"nothing larger than a small window", small, on, 513, false},
		{"nothing where the least size is beyond any message's", offer, consumers.Wire{Compression: true, CompressionMinimum: 1 << 40}, 1 << 20, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.offer.agreed(&tt.wire).compresses(tt.size); got != tt.want {
				t.Errorf("compresses(%d) = %v, want %v", tt.size, got, tt.want)
			}
		})
	}
}

func FuzzOffers(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits")
	f.Add(`foo; bar="\", x", permessage-deflate; server_max_window_bits="9"`)
	f.Fuzz(func(t *testing.T, field string) {
		h := &head{fields: consumers.Header{{Name: "sec-websocket-extensions", Value: field}}}
		if d := h.deflation(); d != 0 && (d.window() < 8 || d.window() > 15) {
			t.Errorf("a window of %d bits", d.window())
		}
	})
}

func TestWhatGoesToManyIsCompressedOnce(t *testing.T) {
	l := newLab(Config{})
	m := consumers.TextMessage(strings.Repeat("all work and no play ", 100))
	var frames consumers.Frames
	first := map[bool]*byte{}
	for i := range 6 {
		b := l.open(t)
		squeezed := i%2 == 0
		if squeezed {
			b.deflation.Store(uint32(deflation(fullWindow).agreed(&consumers.Wire{Compression: true})))
		}
		frame := b.frameOf(m, &frames)
		if compressed := frame[0]>>4&rsv1 != 0; compressed != squeezed {
			t.Errorf("compressed = %v, want %v", compressed, squeezed)
		}
		if first[squeezed] == nil {
			first[squeezed] = &frame[0]
		}
		if first[squeezed] != &frame[0] {
			t.Error("the frame was made again")
		}
		b.finish(t)
	}
}
