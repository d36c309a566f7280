package djangocompat_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/pickle"
)

// Security rows T12 and T14: a hostile session is refused or harmless, soon and in little memory, whatever is
// done with it. Package pickle has the same pickles in a process that may call nothing.
func TestHostilePickledSessions(t *testing.T) {
	for _, v := range pickledVectors(t, "sessions_pickle.json", hasPrefix("hostile/")) {
		t.Run(v.Name, func(t *testing.T) {
			data := v.Input.pickle(t)
			start := time.Now()
			var d djangocompat.SessionData
			var err error
			n := allocated(func() { d, err = djangocompat.ParsePickledSession(data, 4<<20) })
			if limit := 16e6*max(1, float64(len(data))/(1<<20)) + float64(len(data)); float64(n) > limit {
				t.Errorf("ParsePickledSession of %d bytes allocates %d, want %.0f at most", len(data), n, limit)
			}
			if err != nil {
				checkPickledRefusal(t, err)
				if !slices.Contains(v.Expect.Allowed, "error") {
					t.Errorf("ParsePickledSession: %v, allowed are %q", err, v.Expect.Allowed)
				}
				return
			}
			if took := time.Since(start); took.Seconds() > v.Expect.MaxSeconds {
				t.Errorf("ParsePickledSession takes %v, want %v s at most", took, v.Expect.MaxSeconds)
			}
			useSession(d) // ends
		})
	}
}

// useSession does everything with a session that a program might, and expects only that it ends.
func useSession(d djangocompat.SessionData) {
	_ = fmt.Sprintf("%.1000s", d.JSON())
	if keys := slices.Collect(d.Keys()); len(keys) > 0 { // one for all: their texts may be long
		_, _ = d.GetString(keys[0])
		_, _ = d.RawJSON(keys[0])
	}
	for _, v := range d.All() {
		_ = fmt.Sprintf("%v", v)
	}
	changed, err := d.With("added", int64(1))
	if err == nil {
		_, _ = changed.Pickle()
		_ = changed.Without("added").Equal(d)
	}
	_, _ = djangocompat.JSONSerializer.Convert(d)
}

// FuzzPickledSession checks that whatever a pickle is, it is a session or refused with an error of a kind, and
// that what was read is written back byte by byte.
func FuzzPickledSession(f *testing.F) {
	for _, v := range pickledVectors(f, "sessions_pickle.json", shortPickle) {
		f.Add(v.Input.pickle(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := djangocompat.ParsePickledSession(data, 1<<16)
		if err != nil {
			if !errors.Is(err, djangocompat.ErrMalformed) && !errors.Is(err, djangocompat.ErrTooLarge) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		if same, err := d.Pickle(); err != nil || string(same) != string(data) {
			t.Errorf("Pickle = %x, %v, want %x", same, err, data)
		}
		useSession(d)
	})
}

func shortPickle(v pickledVector) bool {
	return v.Input.PickleRepeat == nil && len(v.Input.SessionData) < 3000
}

// FuzzPickledSessionChange checks With and Pickle after ParsePickledSession: what was written is read again, and
// the keys that were not touched have the values that they had.
func FuzzPickledSessionChange(f *testing.F) {
	for _, v := range pickledVectors(f, "sessions_pickle.json", shortPickle) {
		f.Add(v.Input.pickle(f), "cart", "[1]")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, text string) {
		d, err := djangocompat.ParsePickledSession(data, 1<<16)
		if err != nil {
			return
		}
		v, err := pickle.ParseJSON([]byte(text), pickle.Config{MaxBytes: 1 << 12})
		if err != nil {
			v = text
		}
		changed, err := d.With(key, v)
		if err != nil { // a text that is none, or a pickle that would be too large
			if _, no := pickle.Encode([]any{key, v}); no == nil && len(data) < 1000 {
				t.Fatalf("With(%q, %#v): %v", key, v, err)
			}
			return
		}
		written, err := changed.Pickle()
		if err != nil {
			t.Fatal(err)
		}
		again, err := djangocompat.ParsePickledSession(written, 1<<24)
		if err != nil {
			if errors.Is(err, djangocompat.ErrTooLarge) {
				return // it is smaller in another protocol, and so is what it may cost
			}
			t.Fatalf("read again: %v", err)
		}
		checkUntouched(t, d, again, key)
		checkRebase(t, d, changed, key)
		if back := again.Without(key); back.Has(key) || d.Has(key) != (back.Len() == d.Len()-1) {
			t.Errorf("%d keys without %q, of %d", back.Len(), key, d.Len())
		}
	})
}

// checkUntouched compares the values of all keys but one.
func checkUntouched(t *testing.T, before, after djangocompat.SessionData, but string) {
	t.Helper()
	if !before.Has(but) && after.Len() != before.Len()+1 || before.Has(but) && after.Len() != before.Len() {
		t.Errorf("%d keys, were %d", after.Len(), before.Len())
	}
	for key := range before.Keys() {
		if key == but {
			continue
		}
		want, ok := before.RawJSON(key)
		if !ok || strings.Contains(want, `"recursive"`) { // it may hold the session itself
			continue
		}
		if got, ok := after.RawJSON(key); !ok || got != want {
			t.Errorf("the value under %q is %.300s, was %.300s", key, got, want)
		}
	}
}

// checkRebase checks that only the key that was changed is taken for changed: what somebody else has written
// meanwhile under another one remains.
func checkRebase(t *testing.T, before, changed djangocompat.SessionData, but string) {
	t.Helper()
	if before.Len() > 20 { // each key takes a pickle
		return
	}
	newer := before
	for key := range before.Keys() {
		if text, ok := before.RawJSON(key); key == but || !ok || strings.Contains(text, `"recursive"`) {
			continue
		}
		with, err := newer.With(key, "newer")
		if err != nil {
			return // too large
		}
		newer = with
	}
	s := djangocompat.NewSession("k", before, nil)
	v, _ := changed.Get(but)
	s.Set(but, v)
	s.Rebase(newer)
	for key := range newer.Keys() {
		want, _ := newer.GetString(key)
		if got, _ := s.GetString(key); key != but && want == "newer" && got != want {
			t.Errorf("the value under %q, which was not touched, is not the newer one", key)
		}
	}
}
