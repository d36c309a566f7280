package server

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/gobwas/ws/wsflate"
)

// squeezed is what a client would send of data, by gobwas/ws.
func squeezed(t testing.TB, data []byte) []byte {
	t.Helper()
	b, err := wsflate.DefaultHelper.Compress(data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestInflate(t *testing.T) {
	const limit = 64 << 10
	hello := []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}
	noise := make([]byte, 10_000)
	_, _ = rand.Read(noise)
	tests := []struct {
		name    string
		kind    consumers.Kind
		payload []byte
		want    []byte
		err     *frameError
	}{
		{"the example of RFC 7692 §7.2.3.1", consumers.Text, hello, []byte("Hello"), nil},
		{"two blocks, §7.2.3.5", consumers.Text, []byte{0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}, []byte("Hello"), nil},
		{"a block without compression, §7.2.3.3", consumers.Text, []byte{0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}, []byte("Hello"), nil},
		{"a block that calls itself the last, §7.2.3.4", consumers.Text, []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}, []byte("Hello"), nil},
		{"a last block with more behind it", consumers.Text, append([]byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, hello...), []byte("HelloHello"), nil},
		{"an empty message", consumers.Text, []byte{0x00}, []byte{}, nil},
		{"what cannot be compressed", consumers.Binary, squeezed(t, noise), noise, nil},
		{"as much as is allowed", consumers.Binary, squeezed(t, make([]byte, limit)), make([]byte, limit), nil},
		{"one byte more", consumers.Binary, squeezed(t, make([]byte, limit+1)), nil, errTooLarge},
		{"a thousand times as much", consumers.Binary, squeezed(t, make([]byte, 1000*limit)), nil, errTooLarge},
		{"no bytes at all", consumers.Binary, nil, nil, errDeflate},
		{"a block of a type that there is not", consumers.Binary, []byte{0x06}, nil, errDeflate},
		{"a stored block of the wrong length", consumers.Binary, []byte{0x00, 0x05, 0x00, 0x00, 0x00, 0x48}, nil, errDeflate},
		{"what refers to before the beginning", consumers.Binary, []byte{0x02, 0x13, 0x00}, nil, errDeflate},
		{"half a message", consumers.Binary, squeezed(t, noise)[:5000], nil, errDeflate},
		{"many blocks that call themselves the last", consumers.Binary, bytes.Repeat([]byte{0x03, 0x00}, 20_000), nil, errDeflate},
		{"text that is none", consumers.Text, squeezed(t, []byte("abc\xff")), nil, errNotUTF8},
		{"text that ends in a character", consumers.Text, squeezed(t, []byte("abc\xe2\x82")), nil, errNotUTF8},
		{"bad text is found before the limit is reached", consumers.Text, squeezed(t, append([]byte("\xff"), make([]byte, 2*limit)...)), nil, errNotUTF8},
		{"the same bytes in a binary message", consumers.Binary, squeezed(t, []byte("abc\xff")), []byte("abc\xff"), nil},
		{"a character over a step's end", consumers.Text, squeezed(t, []byte(strings.Repeat("x", inflateStep-1)+"\u20ac")), []byte(strings.Repeat("x", inflateStep-1) + "\u20ac"), nil},
	}
	var ds deflaters
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the second time with what the first one used
				m, err := ds.inflate(tt.kind, tt.payload, limit)
				if err != tt.err || err == nil && !bytes.Equal(m.Data, tt.want) {
					t.Fatalf("inflate = %d bytes, %v, want %d, %v", len(m.Data), err, len(tt.want), tt.err)
				}
			}
		})
	}
}

func TestWhatIsCompressedCanBeRead(t *testing.T) {
	var ds deflaters
	noise := make([]byte, 3000)
	_, _ = rand.Read(noise)
	tests := []struct {
		name       string
		data       []byte
		compressed bool
	}{
		{"text", []byte(strings.Repeat("all work and no play ", 100)), true},
		{"much", bytes.Repeat([]byte("0123456789"), 100_000), true},
		{"noise is sent as it is", noise, false},
		{"too little is sent as it is", []byte("a"), false},
		{"nothing is sent as it is", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frame := ds.frame(consumers.Message{Kind: consumers.Binary, Data: tt.data})
			h, size := serverHeader(t, frame)
			payload := frame[size:]
			if compressed := h.Rsv1(); compressed != tt.compressed {
				t.Fatalf("compressed = %v, want %v", compressed, tt.compressed)
			}
			if tt.compressed {
				var err error
				if payload, err = wsflate.DefaultHelper.Decompress(payload); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(payload, tt.data) {
				t.Error("the message is not what was sent")
			}
		})
	}
}

// A hundred messages that inflate to a thousand times their size, at once.
func TestT30BombsOfCompressionStayInTheirBounds(t *testing.T) {
	const limit = 1 << 20
	bomb := squeezed(t, make([]byte, 1000<<20/8)) // 125 MiB of zeros
	var ds deflaters
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := ds.inflate(consumers.Binary, bomb, limit); err != errTooLarge {
			t.Fatalf("inflate: %v, want that it is too large", err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 100*limit {
		t.Errorf("the heap grew by %d bytes, want at most %d", grown, 100*limit)
	}
}

// FuzzInflate inflates whatever comes: within its limit, and as gobwas/ws does unless it is stricter.
func FuzzInflate(f *testing.F) {
	f.Add([]byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})
	f.Add([]byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00})
	f.Add(bytes.Repeat([]byte{0x03, 0x00}, 30))
	var ds deflaters
	f.Fuzz(func(t *testing.T, payload []byte) {
		const limit = 32 << 10
		m, err := ds.inflate(consumers.Binary, payload, limit)
		if err == nil && len(m.Data) > limit {
			t.Fatalf("%d bytes came out", len(m.Data))
		}
		r := wsflate.NewReader(bytes.NewReader(payload), func(r io.Reader) wsflate.Decompressor { return flate.NewReader(r) })
		want, theirs := io.ReadAll(io.LimitReader(r, limit+1))
		if err == nil && theirs == nil && !bytes.HasPrefix(m.Data, want) {
			t.Errorf("got %d bytes, gobwas/ws %d others", len(m.Data), len(want))
		}
	})
}
