package djangocompat_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/chaos"
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

// TestT18ForgedSessions is security row T18: nothing that was changed, put together of two texts, or signed for something
// else is taken for a session, nor inflated.
func TestT18ForgedSessions(t *testing.T) {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("k", "older"), AcceptSHA1: true}
	texts := signedSessions(t, codec)
	var opener djangocompat.CountingOpener
	for _, text := range texts {
		if err := opener.Open(codec, text); err != nil {
			t.Fatal(err)
		}
	}
	if opener.Inflated != 2 {
		t.Fatalf("of the true texts %d were inflated, want the 2 long ones", opener.Inflated)
	}
	opener.Inflated = 0
	r := rand.New(rand.NewPCG(1, 2))
	count, accepted := chaos.Size(1_000_000, 20_000), 0
	for n := 0; n < count; {
		forged := forge(r, texts[n%len(texts)], texts[r.IntN(len(texts))])
		if slices.Contains(texts, forged) {
			continue
		}
		n++
		if opener.Open(codec, forged) == nil {
			accepted++
			t.Errorf("%q is taken for a session", forged)
		}
	}
	chaos.Row(t, accepted+opener.Inflated == 0, "T18", fmt.Sprintf("%d signed sessions with a bit or byte changed, cut, or put together of two", count),
		fmt.Sprintf("%d accepted, %d inflated", accepted, opener.Inflated), "0, 0")
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

// TestT18ForgedLegacySessions is the same before Django 3.1, where junk between the characters of base64 does not count.
func TestT18ForgedLegacySessions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	seen, each := 0, chaos.Size(20_000, 1000)
	for _, v := range vectors[sessionInput, sessionExpect](t, "sessions_db.json", "legacy") {
		codec, text := codecOf(t, v), v.Input.SessionData
		want, err := codec.DecodeAny(text)
		if err != nil || len(text) > 2000 {
			continue
		}
		seen++
		for range each {
			forged := forge(r, text, text)
			if d, err := codec.DecodeAny(forged); err == nil && !d.Equal(want) {
				t.Fatalf("%s: %q is taken for %s", v.Name, forged, d.JSON())
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d sessions, want 10 at least", seen)
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T18", fmt.Sprintf("%d sessions as before Django 3.1, forged %d times each", seen, each), "none accepted", "none")
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

// TestT18ForgedSessionsAllocateNothing looks at what is not signed and would be large.
func TestT18ForgedSessionsAllocateNothing(t *testing.T) {
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
