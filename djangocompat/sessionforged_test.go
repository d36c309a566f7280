package djangocompat_test

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/pickle"
)

// signedSessions are texts of one site, of all forms that Django has.
func signedSessions(t *testing.T, codec djangocompat.SessionCodec) []string {
	t.Helper()
	long := strings.Repeat("la ", 500) // is deflated
	var texts []string
	for _, d := range []djangocompat.SessionData{
		parse(t, `{"_auth_user_id":"1"}`),
		parse(t, `{"_auth_user_id":"2","song":"`+long+`"}`),
		pickled(t, dictOf(t, "_auth_user_id", "3")),
		pickled(t, dictOf(t, "_auth_user_id", "4", "song", pickle.NewList(long))),
	} {
		codec.Serializer = djangocompat.JSONSerializer
		if d.IsPickled() {
			codec.Serializer = djangocompat.PickleSerializer
		}
		text, err := codec.Encode(d)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

// Security row T18: nothing that was changed, put together of two texts, or signed for something else is
// taken for a session.
func TestForgedSessions(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k", "older"), AcceptSHA1: true}
	texts := signedSessions(t, codec)
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20_000 {
		text := texts[n%len(texts)]
		forged := forge(r, text, texts[r.IntN(len(texts))])
		if d, err := codec.DecodeAny(forged); err == nil && !slices.Contains(texts, forged) {
			t.Fatalf("%q is taken for %s", forged, d.JSON())
		}
	}
	for name, other := range map[string]djangocompat.SessionCodec{
		"another key":               {Keys: djangocompat.NewKeys("K")},
		"another salt":              {Keys: codec.Keys, Salt: "django.contrib.sessions.backends.signed_cookies"},
		"the empty key":             {Keys: djangocompat.NewKeys("\x00")},
		"an older key, as the only": {Keys: djangocompat.NewKeys("oldest")},
	} {
		for _, text := range texts {
			if d, err := other.DecodeAny(text); !errors.Is(err, djangocompat.ErrBadSignature) {
				t.Errorf("%s: %s, %v, want ErrBadSignature", name, d.JSON(), err)
			}
		}
	}
	for _, text := range []string{
		"", ":", "::", "a:b:c", texts[0][:strings.LastIndexByte(texts[0], ':')], texts[0] + ":", texts[0] + "=",
		base64.StdEncoding.EncodeToString([]byte(`{"_auth_user_id":"1"}`)),
		base64.StdEncoding.EncodeToString([]byte(`:{"_auth_user_id":"1"}`)),
		base64.StdEncoding.EncodeToString([]byte(strings.Repeat("0", 40) + `:{"_auth_user_id":"1"}`)),
		`{"_auth_user_id":"1"}`,
	} {
		if d, err := codec.DecodeAny(text); !errors.Is(err, djangocompat.ErrBadSignature) {
			t.Errorf("%q: %s, %v, want ErrBadSignature", text, d.JSON(), err)
		}
	}
}

// Security row T18: the same before Django 3.1, where junk between the characters of base64 does not count.
func TestForgedLegacySessions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	seen := 0
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "legacy") {
		codec, text := codecOf(t, v), v.Input.SessionData
		want, err := codec.DecodeAny(text)
		if err != nil || len(text) > 2000 {
			continue
		}
		seen++
		for range 1000 {
			forged := forge(r, text, text)
			if d, err := codec.DecodeAny(forged); err == nil && !d.Equal(want) {
				t.Fatalf("%s: %q is taken for %s", v.Name, forged, d.JSON())
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d sessions, want 10 at least", seen)
	}
}

// forge changes a text, or puts it together with another one.
func forge(r *rand.Rand, text, other string) string {
	b := []byte(text)
	switch r.IntN(5) {
	case 0: // a bit
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	case 1: // a character
		b[r.IntN(len(b))] = byte(r.IntN(256))
	case 2: // cut
		at := r.IntN(len(b))
		b = append(b[:at], b[min(len(b), at+1+r.IntN(4)):]...)
	case 3: // the beginning of one, the end of another
		b = append(b[:r.IntN(len(b))], other[r.IntN(len(other)):]...)
	case 4: // the parts of two
		parts, others := strings.Split(text, ":"), strings.Split(other, ":")
		i := r.IntN(len(parts))
		if i < len(others) {
			parts[i] = others[i]
		}
		b = []byte(strings.Join(parts, ":"))
	}
	return string(b)
}

// Security row T18: what is not signed is neither inflated nor decoded.
func TestForgedSessionsAreNotInflated(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), MaxSize: 64 << 20, RefuseLegacy: true}
	text := bomb(t, codec, 32)
	forged := text[:len(text)-1] + "-"
	if text[len(text)-1] == '-' {
		forged = text[:len(text)-1] + "_"
	}
	_, _ = codec.Decode(forged) // the buffers of the text itself
	n := allocated(func() {
		if _, err := codec.Decode(forged); !errors.Is(err, djangocompat.ErrBadSignature) {
			t.Errorf("Decode = %v, want ErrBadSignature", err)
		}
	})
	if limit := uint64(4 * len(text)); n > limit { // inflated it would be a thousand times as long
		t.Errorf("Decode of a forged text of %d bytes allocates %d, want %d at most", len(text), n, limit)
	}
}

// Security row T15: a rightly signed text that inflates without end is refused soon, whatever serializer.
func TestBombsAreRefusedSoon(t *testing.T) {
	for _, serializer := range []djangocompat.Serializer{djangocompat.JSONSerializer, djangocompat.PickleSerializer} {
		codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k"), Serializer: serializer}
		for _, size := range []int{16, 512} {
			text := bomb(t, codec, size)
			least := time.Hour
			for range 5 {
				start := time.Now()
				if _, err := codec.Decode(text); !errors.Is(err, djangocompat.ErrTooLarge) {
					t.Fatalf("%s, %d MiB: %v, want ErrTooLarge", serializer, size, err)
				}
				least = min(least, time.Since(start))
			}
			if n := allocated(func() { _, _ = codec.Decode(text) }); n > 5<<20 {
				t.Errorf("%s, %d MiB: %d bytes allocated, want 5 MiB at most", serializer, size, n)
			}
			if least > 100*time.Millisecond { // under the race detector and on a busy machine; else below 5 ms
				t.Errorf("%s, %d MiB: refused after %v", serializer, size, least)
			}
		}
	}
}
