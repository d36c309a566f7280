package djangocompat_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// compressed is what package compress/zlib makes of a text at a level.
func compressed(tb testing.TB, text []byte, level int) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w, err := zlib.NewWriterLevel(&buf, level)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// uncompressed is what package compress/zlib reads, of which there may be limit bytes.
func uncompressed(data []byte, limit int) (text []byte, tooLarge, ok bool) {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, false, false
	}
	text, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(text) > limit {
		return nil, true, false
	}
	return text, false, err == nil
}

// texts are of every kind that a compressor treats in its own way.
func texts() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise, hex := make([]byte, 100_000), make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for i := range hex {
		hex[i] = "0123456789abcdef"[random.IntN(16)]
	}
	skewed := make([]byte, 200_000) // its rarest bytes have long codes
	for i := range skewed {
		skewed[i] = byte(min(random.ExpFloat64()*9, 255))
	}
	return map[string][]byte{
		"nothing":  {},
		"one byte": []byte("x"),
		"a login": []byte(`{"_auth_user_id":"844","_auth_user_backend":"django.contrib.auth.backends.ModelBackend",` +
			`"_auth_user_hash":"8096cbb04a6022aa615aa504702392de50f307fa7933e4eed353d712e9ac0064"}`),
		"one byte again and again":  bytes.Repeat([]byte("a"), 100_000),
		"a phrase again and again":  bytes.Repeat([]byte("Django Reinhardt, "), 9000),
		"noise":                     noise,
		"digits":                    hex,
		"bytes of many frequencies": skewed,
		"a repetition from afar":    bytes.Join([][]byte{noise[:32768], noise[:32768]}, nil),
	}
}

func TestInflate(t *testing.T) {
	for name, text := range texts() {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			data := compressed(t, text, level)
			if got, err := djangocompat.Inflate(data, len(text)); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s at level %d: %d bytes, %v, want the %d of the text", name, level, len(got), err, len(text))
			}
			if got, err := djangocompat.Inflate(append(data, "junk"...), len(text)); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s at level %d, and what follows: %v", name, level, err)
			}
			if len(text) == 0 {
				continue
			}
			if _, err := djangocompat.Inflate(data, len(text)-1); !errors.Is(err, djangocompat.ErrTooLarge) {
				t.Errorf("%s at level %d, one byte too long: %v, want ErrTooLarge", name, level, err)
			}
		}
	}
}

// TestInflateCutShort holds that a text that lacks its end is no text, wherever it is cut.
func TestInflateCutShort(t *testing.T) {
	text := texts()["a login"]
	data := compressed(t, text, flate.DefaultCompression)
	for n := range data {
		if _, err := djangocompat.Inflate(data[:n], len(text)); !errors.Is(err, djangocompat.ErrMalformed) {
			t.Errorf("%d of %d bytes: %v, want ErrMalformed", n, len(data), err)
		}
	}
	for i := range data { // as compress/zlib finds them, or not
		for bit := range 8 {
			other := bytes.Clone(data)
			other[i] ^= 1 << bit
			sameAsZlib(t, other, 4096)
		}
	}
}

func TestInflateRefuses(t *testing.T) {
	sealed := func(deflated, text string) []byte {
		return binary.BigEndian.AppendUint32([]byte("\x78\x9c"+deflated), adler32.Checksum([]byte(text)))
	}
	tests := []struct {
		name string
		data []byte
	}{
		{"no header", nil},
		{"another method", []byte("\x77\x85\x03\x00\x00\x00\x00\x01")},
		{"a header whose check is wrong", []byte("\x78\x9d\x03\x00\x00\x00\x00\x01")},
		{"a dictionary that is not there", []byte("\x78\xbb\x03\x00\x00\x00\x00\x01")},
		{"a window larger than there are", []byte("\x88\x1c\x03\x00\x00\x00\x00\x01")},
		{"another checksum", []byte("\x78\x9c\x03\x00\x00\x00\x00\x02")},
		{"a block of no kind", sealed("\x07", "")},
		{"a size that is not that of the block", sealed("\x01\x01\x00\x00\x00x", "x")},
		{"a repetition of what was not there", sealed("\x03\x02\x00", "")},
		{"a distance that does not exist", sealed("\x4b\x04\x3e\x00", "")},
		{"more symbols than there are", sealed("\xfd\x00"+strings.Repeat("\x00", 20), "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := djangocompat.Inflate(tt.data, 100); !errors.Is(err, djangocompat.ErrMalformed) {
				t.Errorf("Inflate = %q, %v, want ErrMalformed", got, err)
			}
			sameAsZlib(t, tt.data, 100)
		})
	}
	if got, err := djangocompat.Inflate(sealed("\x03\x00", ""), 0); err != nil || len(got) != 0 {
		t.Errorf("nothing at all: %q, %v", got, err)
	}
}

// sameAsZlib compares what is inflated with what package compress/zlib reads.
func sameAsZlib(tb testing.TB, data []byte, limit int) {
	tb.Helper()
	want, tooLarge, ok := uncompressed(data, limit)
	got, err := djangocompat.Inflate(data, limit)
	switch {
	case ok != (err == nil), ok && !bytes.Equal(got, want):
		tb.Errorf("Inflate(%x) = %q, %v, compress/zlib has %q, %v", data, got, err, want, ok)
	case tooLarge && !errors.Is(err, djangocompat.ErrTooLarge):
		tb.Errorf("Inflate(%x) = %v, compress/zlib has more than %d bytes", data, err, limit)
	case len(got) > limit:
		tb.Errorf("Inflate(%x) has %d bytes, more than %d", data, len(got), limit)
	}
}

// FuzzInflate compares with package compress/zlib whatever is behind a good header, and before a good checksum.
func FuzzInflate(f *testing.F) {
	for _, text := range texts() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.DefaultCompression} {
			if data := compressed(f, text[:min(len(text), 600)], level); len(data) > 6 {
				f.Add(data[2 : len(data)-4])
			}
		}
	}
	f.Fuzz(func(t *testing.T, deflated []byte) {
		const limit = 4096
		text, _ := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(deflated)), limit+1))
		data := append([]byte("\x78\x9c"), deflated...)
		sameAsZlib(t, binary.BigEndian.AppendUint32(data, adler32.Checksum(text)), limit)
	})
}
