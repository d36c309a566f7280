package djangocompat

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// deflated is what compress/zlib makes of data at a level.
func deflated(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInflate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	session := `{"_auth_user_id":"844","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"8096cbb04a"}`
	tests := []struct {
		name string
		data []byte
	}{
		{"nothing", nil},
		{"one byte", []byte("x")},
		{"a session", []byte(session)},
		{"what repeats itself", bytes.Repeat([]byte("ab"), 40_000)},
		{"one byte again and again", make([]byte, 70_000)},
		{"what reaches back as far as it may", slicesOf(noise[:32768], noise[:32768])},
		{"noise", noise},
		{"text after noise", slicesOf(noise, []byte(strings.Repeat(session, 100)))},
		{"bytes of which few are rare", skewed(random, 50_000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f inflater
			for _, level := range []int{zlib.NoCompression, zlib.BestSpeed, zlib.BestCompression, zlib.HuffmanOnly} {
				stream := deflated(t, tt.data, level)
				if got, err := f.inflate(nil, stream, len(tt.data)); !bytes.Equal(got, tt.data) || err != nil {
					t.Errorf("level %d: %d bytes, %v, want %d", level, len(got), err, len(tt.data))
				}
				if _, err := f.inflate(nil, append(stream, "more"...), len(tt.data)); err != nil {
					t.Errorf("level %d with something behind it: %v", level, err)
				}
				if len(tt.data) > 0 {
					if _, err := f.inflate(nil, stream, len(tt.data)-1); err != ErrTooLarge {
						t.Errorf("level %d in one byte less: %v, want ErrTooLarge", level, err)
					}
				}
				for n := range min(len(stream), 300) {
					if _, err := f.inflate(nil, stream[:n], len(tt.data)); err == nil {
						t.Errorf("level %d cut off at %d: no error", level, n)
					}
				}
			}
		})
	}
}

func slicesOf(a, b []byte) []byte { return append(bytes.Clone(a), b...) }

// skewed is bytes whose codes have all lengths.
func skewed(random *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		for random.IntN(2) == 0 && data[i] < 200 {
			data[i]++
		}
		if random.IntN(1000) == 0 {
			data[i] = byte(random.Uint32())
		}
	}
	return data
}

// FuzzInflate compares with compress/zlib: what the one takes the other takes, and makes the same of it.
func FuzzInflate(f *testing.F) {
	const limit = 1 << 16
	for _, level := range []int{zlib.NoCompression, zlib.BestSpeed, zlib.BestCompression, zlib.HuffmanOnly} {
		f.Add(deflated(f, []byte(strings.Repeat(`{"_auth_user_id":"844"}`, 20)), level))
	}
	fixed, _ := base64.StdEncoding.DecodeString("eJxLTAIAAk4BJw==") // "abab", whose codes are not told
	f.Add(fixed)
	f.Add(deflated(f, make([]byte, 2*limit), zlib.BestSpeed))
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, sum := range []bool{false, true} {
			if sum { // so that more of what is made up gets to the end
				stream = withSum(stream, limit)
			}
			var in inflater
			got, err := in.inflate(nil, stream, limit)
			want, wantErr := unzipped(stream, limit)
			if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v, want %d, %v", len(got), err, len(want), wantErr)
			}
			if err != nil && err != ErrMalformed && err != ErrTooLarge {
				t.Errorf("an error of no kind: %v", err)
			}
		}
	})
}

// withSum is a stream with a head and a sum that are right.
func withSum(stream []byte, limit int) []byte {
	rest := bytes.NewReader(stream[min(2, len(stream)):])
	data, _ := io.ReadAll(io.LimitReader(flate.NewReader(rest), int64(limit)+1))
	whole := append([]byte{0x78, 0x9c}, stream[min(2, len(stream)):len(stream)-rest.Len()]...)
	return binary.BigEndian.AppendUint32(whole, adler32.Checksum(data))
}

// unzipped is what compress/zlib makes of a stream.
func unzipped(stream []byte, limit int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = ErrTooLarge
	}
	return data, err
}
