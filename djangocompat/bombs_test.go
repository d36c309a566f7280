package djangocompat_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

// bomb returns a rightly signed session that inflates to n MiB of zeros.
func bomb(tb testing.TB, codec djangocompat.SessionCodec, n int) string {
	tb.Helper()
	var buf bytes.Buffer
	w := zlib.NewWriter(&buf)
	flushed := func(text string) []byte {
		buf.Reset()
		if _, err := io.WriteString(w, text); err != nil {
			tb.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			tb.Fatal(err)
		}
		return bytes.Clone(buf.Bytes())
	}
	head := flushed(`{"a":"0`)
	mebibyte := flushed(strings.Repeat("0", 1<<20)) // refers to the zero before it, so it can be repeated
	stream := slices.Concat(head, bytes.Repeat(mebibyte, n))
	signer, err := djangocompat.NewTimestampSigner(codec.Keys, djangocompat.SignerConfig{Salt: "django.contrib.sessions.SessionStore"})
	if err != nil {
		tb.Fatal(err)
	}
	return signer.Sign("." + base64.RawURLEncoding.EncodeToString(stream))
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDecodeBombs(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k")}
	for _, size := range []int{1, 16, 100, 512} {
		text := bomb(t, codec, size)
		var err error
		n := allocated(func() { _, err = codec.Decode(text) })
		if !errors.Is(err, djangocompat.ErrTooLarge) {
			t.Errorf("%d MiB: Decode: %v, want ErrTooLarge", size, err)
		}
		if n > 5<<20 {
			t.Errorf("%d MiB: Decode allocates %d bytes, want 5 MiB at most", size, n)
		}
		small := codec
		small.MaxSize = 4096
		n = allocated(func() { _, err = small.Decode(text) })
		if !errors.Is(err, djangocompat.ErrTooLarge) || n > 1<<20 {
			t.Errorf("%d MiB, limit 4096: %v, %d bytes allocated, want ErrTooLarge and 1 MiB at most", size, err, n)
		}
	}
}

func TestDecodeLimit(t *testing.T) {
	const size = 1000
	value := strings.Repeat("0", size-len(`{"a":""}`))
	d := with(t, djangocompat.SessionData{}, "a", value)
	random := with(t, djangocompat.SessionData{}, "a", djangocompat.NewSessionKey()[:20])
	tests := []struct {
		name  string
		data  djangocompat.SessionData
		limit int
		want  error
	}{
		{"inflated, at the limit", d, size, nil},
		{"inflated, one over it", d, size - 1, djangocompat.ErrTooLarge},
		{"not deflated, at the limit", random, len(random.JSON()), nil},
		{"not deflated, one over it", random, len(random.JSON()) - 1, djangocompat.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), MaxSize: tt.limit}
			text, err := codec.Encode(tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := codec.Decode(text); !errors.Is(err, tt.want) || err == nil && !got.Equal(tt.data) {
				t.Errorf("Decode = %s, %v, want error %v", got.JSON(), err, tt.want)
			}
		})
	}
}

// A text far beyond what the limit allows is not even hashed.
func TestDecodeHugeText(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k")}
	text := strings.Repeat("a", 50<<20)
	var err error
	n := allocated(func() { _, err = codec.Decode(text) })
	if !errors.Is(err, djangocompat.ErrTooLarge) || n > 1<<16 {
		t.Errorf("Decode: %v, %d bytes allocated, want ErrTooLarge and nearly none", err, n)
	}
}

// One character changed anywhere in a signed text must not verify.
func TestDecodeRefusesEveryChange(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k")}
	text, err := codec.Encode(parse(t, `{"_auth_user_id":"1","b":[1,2,3]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for _, c := range []byte("A_-:.=\x00") {
			if text[i] == c {
				continue
			}
			changed := text[:i] + string(c) + text[i+1:]
			if d, err := codec.Decode(changed); !errors.Is(err, djangocompat.ErrBadSignature) {
				t.Errorf("Decode with character %d changed to %q = %s, %v, want ErrBadSignature", i, c, d.JSON(), err)
			}
		}
	}
}

func TestDecodeCookie(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), Salt: "django.contrib.sessions.backends.signed_cookies"}
	text, err := codec.Encode(parse(t, `{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codec.DecodeMaxAge(text, 60e9); err != nil {
		t.Errorf("a fresh cookie: %v", err)
	}
	if _, err := codec.DecodeMaxAge(text, -1); !errors.Is(err, djangocompat.ErrSignatureExpired) {
		t.Errorf("a cookie that is too old: %v, want ErrSignatureExpired", err)
	}
}
