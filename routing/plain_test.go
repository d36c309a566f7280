package routing

import (
	"maps"
	"testing"
	"unicode/utf8"
)

// FuzzPlainPattern checks that a pattern matched without a regular expression matches as with the one that
// Django makes of it.
func FuzzPlainPattern(f *testing.F) {
	for _, pattern := range []string{
		"", "chat/", "ws/<room>/", "n/<int:n>/", "<int:n>.json", "x<int:n>y<int:m>z", "u/<uuid:id>x<slug:s>", "f/<path:p>", "<str:a>/<slug:b>",
	} {
		f.Add(pattern, "ws/a-b/")
		f.Add(pattern, "5.json")
		f.Add(pattern, "x1y02z")
		f.Add(pattern, "u/075194d3-6885-417e-a8a8-6c931e272f00xa")
		f.Add(pattern, "f/a\nb")
		f.Add(pattern, "n/é/")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern) > maxPattern || !utf8.ValidString(pattern) || !utf8.ValidString(path) {
			return
		}
		s, err := Converters(nil).segments(pattern)
		if err != nil || !s.isPlain() {
			return
		}
		for _, p := range []part{whole, beginning} {
			converted, err := newConvertedPattern(s, p)
			if err != nil {
				continue // as one that is too long once it is quoted
			}
			plain := newPlainPattern(s, p)
			got, gotOK := plain.match(path)
			want, wantOK := converted.match(path)
			if gotOK != wantOK || got.rest != want.rest || !maps.Equal(got.kwargs, want.kwargs) {
				t.Errorf("%q matches %q: %+v, %v; want %+v, %v", pattern, path, got, gotOK, want, wantOK)
			}
		}
	})
}
