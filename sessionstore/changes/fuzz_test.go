package changes

import "testing"

// FuzzParse holds that any payload is read or refused, and that what is read names something.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "s0123456789abcdef", "u0123456789abcdef:1700000000123", "p:x:1", "a", "a:1700000000123", "ax", "s0123456789abcdefg", "s0123456789abcdef:-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		c, ok := parse(payload)
		if ok && (c.Kind < Session || c.Kind > Anything || c.Kind == Anything && payload[0] != 'a') {
			t.Errorf("read %q as %v", payload, c.Kind)
		}
	})
}
