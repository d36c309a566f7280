package pickle_test

import (
	"errors"
	"testing"

	"github.com/belleville/belleville/pickle"
)

// seed adds the small vectors and bombs to a fuzz target's corpus.
func seed(f *testing.F) {
	for _, v := range loadVectors(f, "core", "common", "opaque", "recursive", "hand", "fuzz", "hostile") {
		if len(v.pickle) < 1500 {
			f.Add(v.pickle)
		}
	}
	for _, data := range bombs() {
		if len(data) < 1500 {
			f.Add(data)
		}
	}
}

// Whatever the bytes, Decode returns a value that is safe to use, or a refusal.
func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pickle.Decode(data, pickle.Config{MaxBytes: 1 << 16})
		if err != nil {
			checkRefused(t, err)
			return
		}
		useAll(v)
	})
}

// A value that is written and read again is the same, with the same references; so is one that is
// shown as JSON and read from that, save for shared and opaque values.
func FuzzRoundTrip(f *testing.F) {
	seed(f)
	roomy := pickle.Config{MaxBytes: 1 << 24, MaxMemory: 1 << 28, MaxDepth: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pickle.Decode(data, pickle.Config{MaxBytes: 1 << 14})
		if err != nil {
			return
		}
		written, err := pickle.Encode(v)
		if err != nil {
			t.Fatalf("Encode: %v", err)
		}
		again, err := pickle.Decode(written, roomy)
		if err != nil {
			t.Fatalf("Decode of what Encode wrote: %v", err)
		}
		checkText(t, "Encode, Decode", graph(t, again), graph(t, v))

		shown, err := pickle.AppendJSON(nil, v, 1<<16)
		if err != nil {
			return
		}
		parsed, err := pickle.ParseJSON(shown, pickle.Config{})
		if errors.Is(err, pickle.ErrUnsupported) {
			return
		}
		if err != nil {
			t.Fatalf("ParseJSON: %v\n%s", err, shown)
		}
		checkText(t, "AppendJSON, ParseJSON", show(t, parsed), string(shown))
	})
}

// Whatever the text, ParseJSON returns what can be shown, and read again.
func FuzzParseJSON(f *testing.F) {
	for _, v := range loadVectors(f, "core", "common") {
		if len(v.expect.Value) < 1500 {
			f.Add([]byte(v.expect.Value))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := pickle.ParseJSON(text, pickle.Config{MaxBytes: 1 << 16})
		if err != nil {
			return
		}
		shown := show(t, v)
		again, err := pickle.ParseJSON([]byte(shown), pickle.Config{})
		if err != nil && !errors.Is(err, pickle.ErrUnsupported) {
			t.Fatalf("ParseJSON of what AppendJSON shows: %v\n%s", err, shown)
		}
		if err == nil {
			checkText(t, "shown again", show(t, again), shown)
		}
	})
}
